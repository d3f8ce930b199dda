import { normTraffic, operations } from "./lib/resnet20.mjs";

/** What is measured. Plain objects: every peer is sent them and builds what they describe. */

/** The groups that --only takes, and their headings. */
export const GROUPS = {
  norm: "Normalization",
  gemm: "Matrix products",
  conv: "Convolutions",
  steps: "Training steps",
  scaling: "How it grows",
  memory: "Memory",
  limits: "Limits",
};

const BOTH = ["evenkeel", "torch"];
/** All but those that take seconds for a large tensor. */
const FAST = [...BOTH, "tfjs-wasm", "jax"];
const numel = (shape) => shape.reduce((a, b) => a * b, 1);
const times = (shape) => shape.join("×");

/** A normalization; its limit is to copy the tensor once. */
function norm(kind, pass, shape, { peers = BOTH, group = "norm", ...more } = {}) {
  return {
    id: `${group}/${kind}/${pass}/${times(shape)}`,
    group,
    op: "norm",
    kind,
    pass,
    shape,
    peers,
    layouts: shape.length === 4 && kind !== "layer",
    limit: { op: "copy", bytes: 4 * numel(shape) },
    ...more,
  };
}

function gemm(n, peers = "all") {
  const flops = 2 * n ** 3;
  return { id: `gemm/${n}`, group: "gemm", op: "gemm", n, peers, flops, limit: { op: "fma", flops } };
}

/** A convolution of x by `out` filters; name, kernel and groups say which. */
function conv(name, pass, x, out, { kernel, stride = 1, groups = 1, peers = BOTH }) {
  const [n, channels, h, w] = x;
  const padding = (kernel - 1) / 2;
  const positions = Math.ceil(h / stride) * Math.ceil(w / stride);
  const flops = 2 * n * out * (channels / groups) * kernel ** 2 * positions;
  return {
    id: `conv/${name}/${pass}/${times(x)}-${out}`,
    group: "conv",
    op: "conv",
    name,
    pass,
    shape: x,
    out,
    kernel,
    stride,
    padding,
    groups,
    peers,
    layouts: true,
    flops,
    limit: { op: "fma", flops },
  };
}

/** Steps before one is timed, in all libraries: so long V8 takes to compile the JavaScript of a step, of which many functions are called once or twice in it. */
const WARM_UPS = 60;

function step(model, batch, { group = "steps", peers = BOTH, ...more } = {}) {
  return {
    id: `${group}/${model}/${batch}`,
    group,
    op: "step",
    model,
    batch,
    peers,
    layouts: model !== "mlp",
    warmUps: WARM_UPS,
    ...more,
  };
}

const PASSES = ["forward", "both", "eval"];
const BATCH_NORM_SHAPES = [
  [32, 64, 56, 56],
  [64, 256, 14, 14],
  [128, 32, 28, 28],
];

function norms() {
  const others = [
    ["layer", [4096, 512]],
    ["layer", [64, 197, 768]],
    ["group", [32, 64, 28, 28]],
    ["instance", [32, 64, 28, 28]],
    ["batch", [4096, 256]],
  ];
  return [
    ...BATCH_NORM_SHAPES.flatMap((shape) =>
      PASSES.map((pass) => norm("batch", pass, shape, { peers: shape[2] === 28 ? "all" : FAST })),
    ),
    ...others.flatMap(([kind, shape]) => PASSES.slice(0, 2).map((pass) => norm(kind, pass, shape, { groups: 8 }))),
  ];
}

function convs() {
  const all = [
    ["3×3", [64, 16, 32, 32], 16, { kernel: 3 }],
    ["3×3", [64, 64, 8, 8], 64, { kernel: 3 }],
    ["3×3", [64, 32, 28, 28], 64, { kernel: 3 }],
    ["3×3 stride 2", [64, 16, 32, 32], 32, { kernel: 3, stride: 2 }],
    ["1×1", [32, 64, 28, 28], 128, { kernel: 1 }],
    ["depthwise", [32, 64, 28, 28], 64, { kernel: 3, groups: 64 }],
  ];
  return all.flatMap(([name, x, out, options], i) =>
    ["forward", "input", "weight"].map((pass) =>
      conv(name, pass, x, out, { ...options, peers: pass === "forward" && [2, 4, 5].includes(i) ? FAST : BOTH }),
    ),
  );
}

/** One size at a time, from a middle one: `axis` and `value` say where on which curve it lies. */
function scaling() {
  const curve = (axis, values, shape) =>
    values.map((value) => ({
      ...norm("batch", "both", shape(value), { group: "scaling", axis, value }),
      id: `scaling/${axis}/${value}`,
    }));
  return [
    ...curve("batch", [4, 16, 64, 256], (n) => [n, 64, 14, 14]),
    ...curve("channels", [16, 64, 256, 1024], (c) => [32, c, 14, 14]),
    ...curve("size", [4, 7, 14, 28, 56], (s) => [32, 64, s, s]),
    ...[15, 60, 240, 960].map((n) => step("mlp", n, { group: "scaling", axis: "batch of the MLP", value: n })),
  ];
}

const WITH_LIMITS = ["evenkeel-1", "evenkeel-2", "limits", "limits-2"];
const ALONE = ["evenkeel-1-kernels"];
/** Rounds of the limits, which say what is possible, not who is faster. */
const LIMIT_ROUNDS = 5;

/** A workload beside its limits, in lanes of its choice. */
const limited = (workload, id, asks, limit) => ({
  ...workload,
  id: `limits/${id}`,
  group: "limits",
  asks,
  limit,
  rounds: LIMIT_ROUNDS,
});

/** Forward y from x, backward gx from x and g. */
function bothTraffic(shape) {
  const bytes = 4 * numel(shape);
  const passes = [
    { from: ["x"], to: ["y"] },
    { from: ["x", "g"], to: ["gx"] },
  ];
  return { op: "move", tensors: { x: bytes, y: bytes, g: bytes, gx: bytes }, passes };
}

/** y from x. */
function oneTraffic(shape) {
  const bytes = 4 * numel(shape);
  return { op: "move", tensors: { x: bytes, y: bytes }, passes: [{ from: ["x"], to: ["y"] }] };
}

/** The same kernels on tensors so small that they stay in the second cache: their arithmetic alone. */
const SMALL = [
  ["batch", [2, 4, 56, 56]],
  ["batch", [8, 16, 14, 14]],
  ["batch", [8, 4, 28, 28]],
  ["layer", [64, 512]],
];

/** What stands in the way of the goals that are hardest to reach: our times beside what moving the same bytes, or the same arithmetic in cache, takes. */
function limits() {
  const beside = (kind, pass, shape, asks, limit) =>
    limited(norm(kind, pass, shape), `${kind}/${pass}/${times(shape)}`, asks, limit);
  const both = [...WITH_LIMITS, "evenkeel-1-twice"];
  const flops = 1e9;
  return [
    {
      id: "limits/peak",
      group: "limits",
      op: "fma",
      flops,
      asks: ["limits"],
      limit: { op: "fma", flops },
      rounds: LIMIT_ROUNDS,
    },
    ...SMALL.map(([kind, shape]) => limited(norm(kind, "both", shape), `${kind}/arithmetic/${times(shape)}`, ALONE)),
    ...BATCH_NORM_SHAPES.map((shape) => beside("batch", "forward", shape, ["evenkeel-1", "limits"], oneTraffic(shape))),
    ...BATCH_NORM_SHAPES.map((shape) => beside("batch", "both", shape, both, bothTraffic(shape))),
    ...BATCH_NORM_SHAPES.map((shape) => beside("batch", "eval", shape, WITH_LIMITS, oneTraffic(shape))),
    beside("layer", "both", [4096, 512], both, bothTraffic([4096, 512])),
    limited({ ...step("resnet20", 64), flops: operations(64) }, "resnet20/64", [...both, ...ALONE], {
      op: "move",
      ...normTraffic(64),
    }),
  ];
}

/** All workloads. The small ones of `quick` try the harness, not the libraries. */
export function workloads(quick) {
  if (quick) {
    return [
      ...PASSES.map((pass) => norm("batch", pass, [4, 8, 6, 6], { peers: "all" })),
      norm("layer", "both", [16, 32]),
      gemm(32),
      ...["forward", "input", "weight"].map((pass) => conv("3×3", pass, [2, 4, 8, 8], 8, { kernel: 3, peers: "all" })),
      step("mlp", 8, { peers: "all" }),
      { ...norm("batch", "both", [2, 4, 6, 6], { group: "scaling", axis: "batch", value: 2 }), id: "scaling/batch/2" },
      step("mlp", 8, { group: "memory", steps: 2 }),
      limited(
        norm("batch", "both", [2, 4, 8, 8]),
        "batch/both/2×4×8×8",
        [...WITH_LIMITS, "evenkeel-1-twice", ...ALONE],
        bothTraffic([2, 4, 8, 8]),
      ),
    ];
  }
  return [
    ...norms(),
    ...[256, 512, 1024, 2048].map((n) => gemm(n, n <= 512 ? "all" : n <= 1024 ? FAST : BOTH)),
    ...convs(),
    step("mlp", 60, { peers: "all" }),
    step("cnn", 64),
    step("resnet20", 64),
    ...scaling(),
    step("resnet20", 64, { group: "memory", steps: 10 }),
    ...limits(),
  ];
}
