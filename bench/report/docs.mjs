import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { GROUPS } from "../workloads.mjs";
import { ratioFigure, scalingFigure } from "./figures.mjs";
import { goalsTable } from "./goals.mjs";
import { limitsText } from "./limits.mjs";
import { Numbers } from "./numbers.mjs";
import { memoryTable, ratioTable, unsupportedList } from "./tables.mjs";

const root = new URL("../../", import.meta.url);
const at = (path) => fileURLToPath(new URL(path, root));

const NOTES = {
  norm:
    "Batch norm is timed in training (`forward`: statistics of the batch, running ones updated; `forward + backward`: the gradients of input, scale and shift too) and in evaluation. “× memcpy” is our time over that " +
    "of copying the tensor once, which reads and writes as much as a forward pass must.",
  gemm: "Square float32 matrices. The peak is that of 128-bit fused multiply-adds on one core, measured in the same rounds by a loop that does nothing else.",
  conv: "float32, padding so that the size stays; operations are counted as a direct convolution does them.",
  steps:
    "Forward pass, cross-entropy, backward pass, an SGD step with momentum, gradients dropped. MLP: 784-100-100-100-10 with batch norm and sigmoid. CNN: 3 × 3 convolutions of 32 and 64 channels on [64, 1, 28, 28], each with batch norm, ReLU " +
    "and max pooling, then linear layers of 128 (with batch norm) and 10. ResNet-20: He et al. 2016 for CIFAR, on [64, 3, 32, 32]; ours is written with BatchNormAct2d, which PyTorch lacks: batch norm, the shortcut's addition and ReLU in one " +
    "operation.",
  scaling:
    "Batch norm, forward + backward, as one size grows and the others stay ([N, 64, 14, 14], [32, C, 14, 14], [32, 64, S, S]); and the step of the MLP by its batch.",
  memory:
    "The largest resident memory of a fresh process that takes ten training steps of ResNet-20 on batches of 64, and what the process holds when the library is loaded.",
};

/** Writes docs/benchmarks.md and its pictures. */
export function writeDocs(results) {
  const numbers = new Numbers(results);
  mkdirSync(at("docs/images"), { recursive: true });
  const picture = (name, title, svg) => {
    writeFileSync(at(`docs/images/bench-${name}.svg`), `${svg}\n`);
    return `![${title}](images/bench-${name}.svg)`;
  };
  const sections = Object.entries(GROUPS).flatMap(([group, heading]) => {
    const workloads = numbers.where((workload) => workload.group === group && group !== "limits");
    return workloads.length > 0 ? [`## ${heading}`, NOTES[group], ...section(numbers, group, workloads, picture)] : [];
  });
  const missing = unsupportedList(numbers);
  const text = [
    "# Benchmarks",
    "Written by `npm run bench` from [the samples](../bench/results/published.json); the machine and the versions are below.",
    "## How to read them",
    HOW,
    ...(results.workloads.some(({ clock }) => clock === "cpu") ? [CPU_TIME] : []),
    "## The goals",
    goalsTable(numbers),
    "What is not reached has its reason in the [last chapter but one](#what-was-tried-and-the-limits).",
    ...sections,
    ...(missing ? ["## What the others could not do", missing] : []),
    "## What was tried, and the limits",
    "Every line of the goals that is not reached has its reason here: first what the hardware allows, then what was tried and what it gave.",
    limitsText(numbers),
    readFileSync(new URL("tried.md", import.meta.url), "utf8").trim(),
    "## The machine",
    machineText(results),
  ];
  writeFileSync(at("docs/benchmarks.md"), `${text.join("\n\n")}\n`);
  console.log("drawn: docs/benchmarks.md");
}

const HOW = `For each workload the libraries ran in the same session on one machine, each in a process of its own, taking turns: a round goes once around all of them, and each round begins with another. A sample is the median time of so many iterations that it takes
about 40 ms, after 80 ms of iterations that are not counted: the others' turns leave their tensors in the caches, and the first ten iterations of a batch norm then take up to twice as long. Tables give the median of the samples, and in parentheses the quartiles.

A ratio such as 2.5× is the other library's time divided by evenkeel's **in the same round**, and of those the median: above 1, evenkeel is faster. PyTorch with two threads is held against evenkeel with two threads; the column “2 threads” is
evenkeel with one thread against evenkeel with two. All libraries are given the same numbers, and the harness compares what they compute from them.

To repeat it: \`npm install --prefix bench\`, \`apt-get install python3-torch libopenblas0\`, \`npm run bench\`. Without them it says what is missing and compares with the rest.`;

const CPU_TIME =
  "Other programs ran on the machine meanwhile, so what is timed with one thread is the time that the processor spent on the library's process, not the time on the wall. " +
  "They still share its caches and the memory's bandwidth.";

function section(numbers, group, workloads, picture) {
  if (group === "memory") return [memoryTable(numbers, workloads)];
  if (group === "scaling") {
    const title = "Nanoseconds an element as batch, channels and size grow";
    const { svg, kinds } = scalingFigure(
      numbers,
      workloads.filter(({ op }) => op === "norm"),
      title,
    );
    const marks = { circle: "●", square: "■", star: "★" };
    const legend = kinds.map(({ name, symbol }) => `${marks[symbol]} ${name}`).join(", ");
    return [picture("scaling", title, svg), `${legend}, one thread; lower is better.`, ratioTable(numbers, workloads)];
  }
  const timed = (workload, threads) =>
    [`torch-${threads}`, `evenkeel-${threads}`].every((lane) => numbers.samples(workload, lane));
  const counts = numbers.threads.filter((t) => t === 1 || workloads.some((workload) => timed(workload, t)));
  const figures = counts.map((threads) => {
    const title = `${GROUPS[group]}: how many times longer the others take, ${threads === 1 ? "one thread" : `${threads} threads`}`;
    const shown = threads === 1 ? workloads : workloads.filter((workload) => timed(workload, threads));
    return `**${threads === 1 ? "One thread" : `${threads} threads`}**\n\n${picture(`${group}-${threads}`, title, ratioFigure(numbers, shown, threads, title))}`;
  });
  return [...figures, ratioTable(numbers, workloads)];
}

function machineText({ machine, peers, date }) {
  const { cpu, cores, features, memory, system, node, load } = machine;
  const lines = Object.values(peers).map(
    ({ title, version, details, missing }) => `| ${title} | ${missing ? "missing" : version} | ${details ?? ""} |`,
  );
  return `${cpu}, ${cores} cores, ${features.join(", ")}; ${(memory / 2 ** 30).toFixed(0)} GiB; ${system}; Node ${node}. ${date.slice(0, 10)}; load average at the start ${load.toFixed(1)}: what else ran then widens the quartiles.

For PyTorch, OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE are taken out of the environment: they make OpenBLAS use another processor's kernels.

| library | version | |
|---|---|---|
${lines.join("\n")}`;
}
