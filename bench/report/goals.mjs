import { short } from "./numbers.mjs";

const worst = (values) => (values.some((value) => value === null || value === undefined) ? null : Math.min(...values));
const median = (spread) => spread?.median ?? null;
const count = (threads) => (threads === 1 ? "1 thread" : `${threads} threads`);

/** What the library set out to reach, each with the least favourable of the values measured. A value is met from `least` on. */
export function goals(numbers) {
  const batchNorm = (pass) =>
    numbers.where(
      ({ group, kind, pass: its, shape }) => group === "norm" && kind === "batch" && its === pass && shape.length === 4,
    );
  const over = (workloads, value) => (workloads.length > 0 ? worst(workloads.map(value)) : null);
  const list = [];
  const add = (what, least, value, unit = "×") => list.push({ what, least, value, unit });

  for (const t of numbers.threads) {
    const threads = count(t);
    const both = batchNorm("both");
    add(
      `batch norm, forward + backward, against PyTorch contiguous, ${threads}`,
      3,
      over(both, (w) => median(numbers.ratio(w, `torch-${t}`, `evenkeel-${t}`))),
    );
    add(
      `the same against PyTorch channels-last, ${threads}`,
      1.3,
      over(both, (w) => median(numbers.ratio(w, `torch-${t}-last`, `evenkeel-${t}`))),
    );
  }
  add(
    "batch norm, forward, against twice a memcpy of the tensor",
    1,
    over(batchNorm("forward"), (w) => 2 * median(numbers.ratio(w, "limits", "evenkeel-1"))),
  );
  const others = numbers.where(({ group, kind }) => group === "norm" && kind !== "batch");
  for (const [what, least, workloads] of [
    ["batch norm, evaluation,", 1, batchNorm("eval")],
    ["layer, group and instance norm", 1.3, others],
  ]) {
    for (const t of numbers.threads) {
      const faster = (w) => median(numbers.againstFasterTorch(w, t));
      add(`${what} against PyTorch's faster layout, ${count(t)}`, least, over(workloads, faster));
    }
  }
  const training = [...batchNorm("forward"), ...batchNorm("both")];
  for (const [name, least, peer] of [
    ["TensorFlow.js wasm", 15, "tfjs-wasm"],
    ["jax-js wasm", 10, "jax"],
  ]) {
    const ratio = (w) => median(numbers.ratio(w, peer, "evenkeel-1"));
    add(`batch norm in training against ${name}`, least, over(training, ratio));
    add(`batch norm in evaluation against ${name}`, least, over(batchNorm("eval"), ratio));
  }

  const gemm = numbers.where(({ id }) => id === "gemm/1024");
  const share = over(gemm, (w) => median(numbers.ratio(w, "limits", "evenkeel-1")));
  add("matrix product 1024³, of the measured peak of 128-bit multiply-adds", 78, share && share * 100, " %");
  const two = (w) => median(numbers.ratio(w, "evenkeel-1", "evenkeel-2"));
  add("the same with two threads against one", 1.8, over(gemm, two));

  const step = (model) => numbers.where(({ group, model: its }) => group === "steps" && its === model);
  for (const [model, name] of [
    ["mlp", "MLP"],
    ["cnn", "CNN"],
    ["resnet20", "ResNet-20"],
  ]) {
    for (const t of numbers.threads) {
      add(
        `training step of the ${name} against PyTorch's faster layout, ${count(t)}`,
        1,
        over(step(model), (w) => median(numbers.againstFasterTorch(w, t))),
      );
    }
  }
  add("CNN and ResNet-20, two threads against one", 1.7, over([...step("cnn"), ...step("resnet20")], two));
  const memory = numbers.where(({ group }) => group === "memory");
  add(
    "peak memory of training ResNet-20, PyTorch's against ours",
    1,
    over(memory, (w) => median(numbers.againstFasterTorch(w, 1))),
  );
  return list;
}

/** The goals as a table of Markdown. */
export function goalsTable(numbers) {
  const rows = goals(numbers).map(({ what, least, value, unit }) => {
    const reached = value === null ? "not measured" : `${short(value)}${unit}`;
    return `| ${what} | ${least}${unit} | ${reached} | ${value === null ? "" : value >= least ? "yes" : "**no**"} |`;
  });
  return ["| what | goal, at least | least measured | reached |", "|---|--:|--:|---|", ...rows].join("\n");
}
