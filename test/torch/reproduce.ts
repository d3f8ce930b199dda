import { blockOf, type Case, camel, type Json, type Values } from "./case.ts";

const number = (value: number | bigint, python: boolean) => {
  const text = String(value);
  if (!python) return text.replace(/^(-?)Infinity$/, "$1Number.POSITIVE_INFINITY").replace("NaN", "Number.NaN");
  return text.replace(/^(-?)Infinity$/, '$1float("inf")').replace("NaN", 'float("nan")');
};

function json(value: Json, python: boolean): string {
  if (typeof value === "string" && value.startsWith("$")) return value.slice(1);
  if (typeof value === "string") return python ? `torch.${value}` : `"${value}"`;
  if (Array.isArray(value)) return `[${value.map((item) => json(item, python)).join(", ")}]`;
  if (typeof value === "number") return number(value, python);
  if (!python) return String(value);
  return value === null ? "None" : value ? "True" : "False";
}

/** A tensor as code. Float32 numbers print as the doubles they are, so nothing is lost. */
function literal(values: Values, python: boolean): string {
  const { dtype, shape, data } = blockOf(values);
  const list = `[${Array.from(data as Float32Array, (value) => number(value, python)).join(", ")}]`;
  const size = `[${shape.join(", ")}]`;
  let text = python
    ? `torch.tensor(${list}, dtype=torch.${dtype}).view(${size})`
    : `tensor(${list}, { dtype: "${dtype}" }).view(${size})`;
  if (values.layout) {
    const [dim, start, step] = values.layout.slice;
    text += `.permute([${values.layout.permute.join(", ")}])`;
    if (python) text += `[${":, ".repeat(dim)}${start}::${step}]`;
    else text += `.slice(${dim}, ${start}, ${values.data.length === 0 ? 0 : "1e9"}, ${step})`;
  }
  return text;
}

function options({ options }: Case, python: boolean): string[] {
  return Object.entries(options).map(([key, value]) =>
    python ? `${key}=${json(value, true)}` : `${camel(key)}: ${json(value, false)}`,
  );
}

function python(item: Case): string[] {
  const { kind, name, args, state, steps } = item;
  const listed = [...args.map((value) => json(value, true)), ...options(item, true)].join(", ");
  const tensors = Object.entries(state).map(([key, values]) => `${key} = ${literal(values, true)}`);
  const names = Object.keys(state);
  const lines = ["import torch", ...tensors];
  if (kind === "module") {
    lines.push(`layer = torch.nn.${name}(${listed})`);
    if (names.length > 0) {
      lines.push(`layer.load_state_dict({${names.map((key) => `"${key}": ${key}`).join(", ")}}, strict=False)`);
    }
  }
  for (const { training, input, gradOutput } of steps) {
    lines.push(`input = ${literal(input, true)}.requires_grad_()`);
    const call =
      kind === "module"
        ? `layer.train(${training ? "True" : "False"})(input)`
        : `torch.nn.functional.${name}(${listed})`;
    lines.push(`output = ${call}`, `output.backward(${literal(gradOutput, true)})`);
  }
  lines.push("print(output, input.grad)");
  if (kind === "module") lines.push("print([p.grad for p in layer.parameters()], list(layer.buffers()))");
  return lines;
}

function typescript(item: Case): string[] {
  const { kind, name, args, state, steps } = item;
  const named = `{ ${options(item, false).join(", ")} }`;
  const listed = [...args.map((value) => json(value, false)), named].join(", ");
  const lines = ['import { F, nn, tensor } from "evenkeel";'];
  for (const [key, values] of Object.entries(state)) lines.push(`const ${key} = ${literal(values, false)};`);
  if (kind === "module") {
    lines.push(`const layer = new nn.${name}(${listed});`);
    lines.push(`layer.loadStateDict({ ${Object.keys(state).join(", ")} }, { strict: false });`);
  }
  for (const [i, { training, input, gradOutput }] of steps.entries()) {
    const call = kind === "module" ? `layer.train(${training}).forward(input)` : `F.${camel(name)}(${listed})`;
    const [x, y] = i === 0 ? ["let input", "let output"] : ["input", "output"];
    lines.push(`${x} = ${literal(input, false)}.detach().requiresGrad_();`, `${y} = ${call};`);
    lines.push(`output.backward(${literal(gradOutput, false)});`);
  }
  lines.push("console.log(String(output), String(input.grad));");
  if (kind === "module")
    lines.push("console.log(layer.parameters().map((p) => String(p.grad)), layer.buffers().map(String));");
  return lines;
}

/** A case as programs that stand for themselves. */
export function reproduce(item: Case): string {
  return `# PyTorch\n${python(item).join("\n")}\n\n// evenkeel\n${typescript(item).join("\n")}`;
}
