import { OnnxError } from "../../util/errors.ts";
import { Emitter } from "./emitter.ts";
import { Graph } from "./graph.ts";
import { ELEMENTWISE } from "./operators/elementwise.ts";
import { LAYERS } from "./operators/layers.ts";
import { NORMS } from "./operators/norms.ts";
import { REDUCTIONS } from "./operators/reductions.ts";
import { SHAPES } from "./operators/shapes.ts";
import { describe, type Step, type Trace, type Value } from "./trace.ts";

const TRANSLATIONS = { ...ELEMENTWISE, ...LAYERS, ...NORMS, ...REDUCTIONS, ...SHAPES };

/** How a graph is to be made. */
export interface Plan {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly opset: number;
  /** the batch sizes of the two traces, where the file is to take any */
  readonly batches: readonly [number, number] | null;
  /** names of the model's parameters and buffers */
  readonly stateKeys: readonly string[];
}

const isSame = (a: Value, b: Value): boolean => {
  if (a.dtype !== b.dtype || a.from !== b.from) return false;
  if (a.from === "state" && b.from === "state") return a.key === b.key;
  if (a.from === "constant" && b.from === "constant") {
    const { values } = b;
    return a.shape.join() === b.shape.join() && Array.from(a.values).every((value, i) => Object.is(value, values[i]));
  }
  return "at" in a && "at" in b && a.at === b.at;
};

/** Tensors that a step takes: its inputs, and those among its settings. */
function valuesOf({ inputs, attributes }: Step): (Value | null)[] {
  const among = Object.values(attributes).filter(
    (value): value is Value => typeof value === "object" && value !== null && "from" in value,
  );
  return [...inputs, ...among];
}

/** Which steps lead to an output. */
function needed({ steps, outputs }: Trace): Set<number> {
  const found = new Set<number>();
  const open: (Value | null)[] = [...outputs];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (value?.from !== "step" || found.has(value.at)) continue;
    found.add(value.at);
    open.push(...valuesOf(steps[value.at]));
  }
  return found;
}

function refuseDifferent(trace: Trace, again: Trace): void {
  const at = trace.steps.findIndex(({ operation }, i) => operation !== again.steps[i]?.operation);
  if (at < 0 && trace.steps.length === again.steps.length) return;
  const { module, className } = trace.steps[at] ?? trace.steps.at(-1) ?? { module: "", className: "" };
  throw new OnnxError(
    `${describe(module, className)} computes something else for another input`,
    "ONNX holds one way through the model: export it where forward has no conditions on values or the batch size",
    module,
  );
}

/** From two traces of a model with different inputs, its graph; the names of inputs and outputs are the plan's. */
export function assemble(trace: Trace, again: Trace, plan: Plan): Graph {
  const { inputNames, outputNames, opset, batches, stateKeys } = plan;
  refuseDifferent(trace, again);
  const graph = new Graph([...inputNames, ...outputNames, ...stateKeys]);
  const names: string[] = [];
  let batchName: string | null = null;
  const batch = batches && {
    sizes: batches,
    name: () => (batchName ??= graph.node("", "Shape", [inputNames[0]], { start: 0, end: 1 })),
  };

  const nameOf = (value: Value, other: Value, { module, className }: Pick<Step, "module" | "className">): string => {
    if (!isSame(value, other)) {
      throw new OnnxError(
        `${describe(module, className)} takes a tensor that depends on the model's input in a way that cannot be followed`,
        "comparisons, indices and values read into JavaScript are not exported",
        module,
      );
    }
    if (value.from === "input") return inputNames[value.at];
    if (value.from === "step") return names[value.at];
    if (value.from === "constant") return graph.constant(value.dtype, value.shape, value.values);
    graph.state.add(value.key);
    return value.key;
  };

  const wanted = needed(trace);
  for (const [at, step] of trace.steps.entries()) {
    if (!wanted.has(at)) continue;
    const emit = new Emitter(graph, step, again.steps[at], (value, other) => nameOf(value, other, step), opset, batch);
    const translate = Object.hasOwn(TRANSLATIONS, step.operation) ? TRANSLATIONS[step.operation] : null;
    if (!translate) throw emit.refusal("it has no translation into ONNX", "replace it by operations that have one");
    names[at] = translate(emit);
  }

  const root = { module: "", className: "" };
  const renamed = new Map<string, string>();
  trace.outputs.forEach((output, i) => {
    const name = nameOf(output, again.outputs[i], root);
    // What is an input, a weight or another output already keeps its name.
    const free = output.from === "step" && !renamed.has(name) && !inputNames.includes(name) && !graph.state.has(name);
    renamed.set(free ? name : graph.node("", "Identity", [name]), outputNames[i]);
  });
  graph.prune([...renamed.keys()]);
  graph.rename(renamed);
  return graph;
}
