import { bytesMoved } from "../lib/resnet20.mjs";
import { spread } from "../lib/stats.mjs";
import { label, short } from "./numbers.mjs";
import { markdown } from "./tables.mjs";

const ms = (ns) => (ns === null || Number.isNaN(ns) ? "–" : short(ns / 1e6));
const numel = (shape) => shape.reduce((a, b) => a * b, 1);
const lanesOf = (threads) => ({ ours: `evenkeel-${threads}`, moving: threads === 1 ? "limits" : `limits-${threads}` });
const BY_KERNEL = "evenkeel-1-kernels";

const UNMEASURED =
  "What the hardware allows has not been measured beside these samples: `npm run bench -- --only limits` does it, in a minute and a half, and draws this chapter anew with a table of limits.";

const HOW = `What the hardware allows, measured in turns with our times (\`npm run bench -- --only limits\`; medians, ms).

- *Moving* is a loop that only reads and writes what a pass must: memcpy of x to y; on the way back, x and g are added into gx. **A floor.**
- *Arithmetic* is the time of the same kernels, by the element, on tensors of 100 to 130 KiB, which stay in the second cache. **A floor** as long as the outputs keep their bits. With two threads half of it is taken, **an estimate**.
- *One after the other* is the sum of both: a pass in which nothing hides behind anything else. **An estimate**; a pass can lie below it, but not below the larger of the two.
- *Asked* is the time at which the goal would be met, by PyTorch's times above.`;

/** Samples of the limits, looked up by name. */
class Limits {
  constructor(numbers) {
    this.numbers = numbers;
    this.all = numbers.results.workloads.filter(({ group, id }) => group === "limits" && id !== "limits/peak");
    const peak = numbers.byId.get("limits/peak");
    /** operations a nanosecond */
    this.peak = peak && peak.flops / this.time(peak, "limits");
  }

  time(workload, lane) {
    return this.numbers.spread(workload, lane)?.median ?? null;
  }

  /** The median of what an iteration spent in the kernels whose names begin so. */
  kernels(workload, ...names) {
    const { parts = {} } = workload.lanes.find(({ lane }) => lane === BY_KERNEL) ?? {};
    const wanted = Object.entries(parts).filter(([name]) => names.some((start) => name.startsWith(start)));
    return wanted.reduce((sum, [, samples]) => sum + spread(samples).median, 0);
  }

  /** What the arithmetic of these kernels takes on a tensor: that of a small one with channels of the same size. */
  arithmetic({ kind, shape }, ...names) {
    const small = this.all.find(
      (its) => its.id.includes("/arithmetic/") && its.kind === kind && `${its.shape.slice(2)}` === `${shape.slice(2)}`,
    );
    return small ? (this.kernels(small, ...names) / numel(small.shape)) * numel(shape) : null;
  }

  /** The same workload in another group. */
  published({ id }, group) {
    return this.numbers.byId.get(id.replace("limits", group));
  }

  /** PyTorch's time for the same workload of another group, over the goal: the least of both layouts. */
  asked(workload, group, threads, contiguous, channelsLast = contiguous) {
    const other = this.published(workload, group);
    const times = [
      [`torch-${threads}`, contiguous],
      [`torch-${threads}-last`, channelsLast],
    ].map(([lane, goal]) => (this.time(other, lane) ?? Number.POSITIVE_INFINITY) / goal);
    const least = Math.min(...times);
    return Number.isFinite(least) ? least : null;
  }
}

/** Kernels of the way forward and of the way back. */
const KERNELS = { batch: ["batchNorm", "normalizeByChannelGrad"], layer: ["rowNorm", "normalizeByRowGrad"] };
const PASSES = { forward: 1, both: 2, eval: 0 };

/** The time at which the goal of a normalization is met. */
function askedOf(limits, { workload, threads, moving }) {
  const { kind, pass } = workload;
  if (pass === "forward") return moving && 2 * moving;
  const goals = pass === "eval" ? [1, 1] : kind === "batch" ? [3, 1.3] : [1.3, 1.3];
  return limits.asked(workload, "norm", threads, ...goals);
}

/** Rows of normalization: our time, what moving its bytes and its arithmetic take, and what is asked. */
function normRows(limits, threads) {
  const lanes = lanesOf(threads);
  return limits.all
    .filter((workload) => workload.op === "norm" && limits.time(workload, lanes.ours) !== null)
    .map((workload) => {
      const { kind, pass } = workload;
      const [ours, moving] = [limits.time(workload, lanes.ours), limits.time(workload, lanes.moving)];
      const names = KERNELS[kind].slice(0, PASSES[pass]);
      const arithmetic = names.length > 0 ? limits.arithmetic(workload, ...names) : null;
      const row = {
        what: label(workload),
        workload,
        threads,
        ours,
        moving,
        arithmetic: arithmetic && arithmetic / threads,
      };
      return { ...row, asked: askedOf(limits, row) };
    });
}

function floorTable(rows) {
  const headings = ["", "threads", "ours", "moving", "arithmetic", "one after the other", "asked"];
  return markdown(
    headings,
    rows.map(({ what, threads, ours, moving, arithmetic, asked }) => [
      what,
      threads,
      ms(ours),
      ms(moving),
      ms(arithmetic),
      ms(arithmetic && moving && arithmetic + moving),
      ms(asked),
    ]),
  );
}

/** What two threads give, and what two processes of one thread each do at the same time. */
function threadTable(limits) {
  const rows = limits.all
    .filter(({ lanes }) => lanes.some(({ lane, samples }) => lane === "evenkeel-1-twice" && samples.length > 0))
    .map((workload) => {
      const two = limits.numbers.ratio(workload, "evenkeel-1", "evenkeel-2");
      const apart = limits.numbers.ratio(workload, "evenkeel-1-twice", "evenkeel-1");
      const moved = limits.numbers.ratio(workload, "limits", "limits-2");
      return [
        label(workload),
        ...[two?.median, 2 / apart?.median, moved?.median].map((x) => (x ? `${short(x)}×` : "–")),
      ];
    });
  return markdown(["two threads against one", "ours", "two processes", "moving"], rows);
}

const CONVOLUTIONS = ["conv2d", "conv2dInputGrad", "conv2dWeightGrad"];

/** The step of ResNet-20 on one thread: parts with what has to be done, the least that it takes, and what it takes. */
function resnetParts(limits, workload) {
  const convolution = (what, flops, window) => ({
    what,
    todo: `${short(flops / 1e9)} GFLOP`,
    least: flops / limits.peak,
    ours: limits.kernels(workload, ...CONVOLUTIONS.map((kernel) => `${kernel} ${window}`)),
  });
  const { stride1, stride2, pointwise } = workload.flops;
  return [
    convolution("3×3 convolutions of stride 1, products of F(4×4, 3×3)", stride1, "3×3/1"),
    convolution("3×3 convolutions of stride 2, products of polyphase Winograd", stride2, "3×3/2"),
    convolution("1×1 convolutions", pointwise, "1×1"),
    {
      what: "batch norm, additions, activations",
      todo: `${(bytesMoved(workload.limit) / 2 ** 20).toFixed(0)} MiB read and written`,
      least: limits.time(workload, "limits"),
      ours: limits.kernels(workload, "batchNorm", "normalizeByChannelGrad", "axpy", "unary"),
    },
  ];
}

const sum = (values) => values.reduce((a, b) => a + b, 0);

function resnetTable(limits, workload) {
  const parts = resnetParts(limits, workload);
  const whole = {
    what: "the step",
    todo: `asked: ${ms(limits.asked(workload, "steps", 1, 1))}`,
    least: sum(parts.map(({ least }) => least)),
    ours: limits.time(workload, "evenkeel-1"),
  };
  return markdown(
    ["a step of ResNet-20, batch 64, one thread", "what has to be done", "least", "ours"],
    [...parts, whole].map(({ what, todo, least, ours }) => [what, todo, ms(least), ms(ours)]),
  );
}

const RESNET_HOW = `Least are the operations, counted from the model's shapes, at the measured peak of 128-bit multiply-adds (PEAK GFLOP/s), and the bytes at the speed of a loop that only moves them, over
as many tensors as a step has: **floors**. Winograd's transforms, which have no product in them, are in no floor; adding up the parts is **an estimate**, since little of one can hide behind another on one thread.`;

/** "1.2 to 1.5": the least and the largest of what is known. */
function range(values) {
  const known = values.filter((value) => Number.isFinite(value)).sort((a, b) => a - b);
  if (known.length === 0) return "–";
  const [least, most] = [known[0], known.at(-1)].map(short);
  return least === most ? least : `${least} to ${most}`;
}

const over = (rows, top, bottom) => range(rows.map((row) => top(row) / bottom(row)));
const together = ({ moving, arithmetic }) => moving + arithmetic;
const larger = ({ moving, arithmetic }) => Math.max(moving, arithmetic);
const ours = (row) => row.ours;
const asked = (row) => row.asked ?? Number.NaN;
const moving = (row) => row.moving;

function batchNormText(rows) {
  return (
    `Asked is ${over(rows, asked, larger)} of the larger floor and ${over(rows, asked, together)} of both one after the other; ours takes ${over(rows, ours, together)} of these. ` +
    "The arithmetic is what PyTorch's bits need: two sums in float64, each square rounded to float32"
  );
}

function forwardText(rows) {
  return `${over(rows, ours, moving)} memcpy, by the shape; memcpy and arithmetic one after the other are ${over(rows, together, moving)}`;
}

function evalText(limits, rows) {
  const [one, two] = [1, 2].map((threads) =>
    over(
      rows.filter((row) => row.threads === threads),
      ours,
      moving,
    ),
  );
  const single = rows.filter(({ threads }) => threads === 1);
  const share = (lane, goal) => (row) =>
    (limits.time(limits.published(row.workload, "norm"), lane) ?? Number.NaN) / goal;
  const peers = [share("tfjs-wasm", 15), share("jax", 10)].map((time) => over(single, time, moving));
  return (
    `One multiply-add for each element that is read and written, so memcpy is the floor: ours takes ${one} of it with one thread and ${two} with two. ` +
    `15 times TensorFlow.js would be ${peers[0]} memcpy, 10 times jax-js ${peers[1]}`
  );
}

function layerText(rows) {
  const line = (row) =>
    `${row.threads === 1 ? "one thread" : `${row.threads} threads`}: asked ${ms(row.asked)} ms, moving takes ${ms(row.moving)}, ours ${ms(row.ours)}`;
  return rows.map(line).join("; ");
}

function resnetText(limits, workload) {
  const parts = resnetParts(limits, workload);
  const products = parts.filter(({ what }) => what.includes("convolutions"));
  const least = sum(products.map((part) => part.least));
  return (
    `The convolutions' products take ${ms(least)} ms at the peak of 128-bit vectors and ours ${ms(sum(products.map(ours)))} with the transforms, which wait for their stores (see below); ` +
    `with what has to be moved the floor of the step is ${ms(sum(parts.map((part) => part.least)))}, PyTorch's whole step takes ${ms(limits.asked(workload, "steps", 1, 1))}: its vectors have 512 bits. ` +
    "Two threads: the ceiling is what two processes give"
  );
}

function reasonsTable(limits, norms, resnet) {
  const of = (kind, pass) => norms.filter(({ workload }) => workload.kind === kind && workload.pass === pass);
  const rows = [
    [
      "batch norm, forward + backward, 3× PyTorch contiguous and 1.3× channels-last",
      batchNormText(of("batch", "both")),
    ],
    ["batch norm, forward, twice a memcpy", forwardText(of("batch", "forward"))],
    ["evaluation of batch norm", evalText(limits, of("batch", "eval"))],
    ["layer norm, [4096, 512]", layerText(of("layer", "both"))],
    ...(resnet && limits.peak ? [["ResNet-20", resnetText(limits, resnet)]] : []),
  ];
  return ["| goal | what stands in the way |", "|---|---|", ...rows.map((row) => `| ${row.join(" | ")} |`)].join("\n");
}

/** The chapter's head: what stands in the way of each goal that is not reached. */
export function limitsText(numbers) {
  const limits = new Limits(numbers);
  if (limits.all.length === 0) return UNMEASURED;
  const threads = numbers.threads.filter((t) => t <= 2);
  const norms = threads.flatMap((t) => normRows(limits, t));
  const resnet = numbers.byId.get("limits/resnet20/64");
  return [
    HOW,
    floorTable(norms),
    threadTable(limits),
    ...(resnet && limits.peak ? [RESNET_HOW.replace("PEAK", short(limits.peak)), resnetTable(limits, resnet)] : []),
    reasonsTable(limits, norms, resnet),
  ].join("\n\n");
}
