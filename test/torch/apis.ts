import { type Json, numelOf } from "./case.ts";
import type { Random } from "./random.ts";

type Shape = readonly number[];

/** What a draw decides about a call besides numbers. */
export interface Settings {
  readonly shape: Shape;
  /** the number of channels that is promised; seldom a wrong one */
  readonly channels: number;
  /** groups, normalized dimensions, size: what the API takes besides */
  readonly own: number;
  readonly options: Readonly<Record<string, Json>>;
}

/** An API that the live comparison draws cases of. A new one is one entry of `APIS`. */
export interface Api {
  readonly kind: "module" | "function";
  /** PyTorch's name */
  readonly name: string;
  readonly ranks: readonly number[];
  /** whether an input of no elements gives anything sensible in PyTorch; true */
  readonly mayBeEmpty?: boolean;
  /** where the channels are in an input of that rank */
  readonly channelDim: (rank: number) => number;
  readonly own?: (random: Random, shape: Shape) => number;
  readonly options: (random: Random) => Record<string, Json>;
  /** positional arguments; "$input", "$weight" … stand for tensors */
  readonly args: (settings: Settings) => readonly Json[];
  /** shapes of the tensors besides the input: parameters and buffers */
  readonly tensors: (settings: Settings) => Record<string, Shape>;
  /** the largest power of ten among its inputs; what still has a square */
  readonly largest?: number;
  /** whether contiguous float32 gives PyTorch's bits of that result */
  readonly exact?: (shape: Shape, result: string, training: boolean) => boolean;
}

const second = () => 1;
const isForward = (result: string) => !/^(grad|twice)/.test(result);
const spatialOf = (shape: Shape) => numelOf(shape.slice(2));
const epsilon = (random: Random) => random.pick([1e-5, 1e-5, 1e-5, 1e-3, 0.1, 1e-8]);

/** What batch and instance norm are asked for. */
function tracking(random: Random, usually: boolean, momenta: readonly Json[]): Record<string, Json> {
  const options: Record<string, Json> = {};
  for (const key of ["affine", "track_running_stats"]) {
    const value = random.chance(0.3) ? !usually : usually;
    // what is the default is given or left to be it
    if (value !== usually || random.chance(0.5)) options[key] = value;
  }
  if (random.chance(0.5)) options.eps = epsilon(random);
  if (random.chance(0.6)) options.momentum = random.pick(momenta);
  return options;
}

function affineTensors(affine: boolean, shape: Shape): Record<string, Shape> {
  return affine ? { weight: shape, bias: shape } : {};
}

function trackedTensors(channels: number, options: Settings["options"], usually: boolean): Record<string, Shape> {
  const { affine = usually, track_running_stats: tracks = usually } = options;
  return {
    ...affineTensors(affine === true, [channels]),
    ...(tracks && { running_mean: [channels], running_var: [channels] }),
  };
}

function batchNorm(name: string, ranks: readonly number[]): Api {
  return {
    kind: "module",
    name,
    ranks,
    channelDim: second,
    options: (random) => tracking(random, true, [0.3, 1, 0, 0.01, null, null]),
    args: ({ channels }) => [channels],
    tensors: ({ channels, options }) => trackedTensors(channels, options, true),
    exact: (shape, result) => isForward(result) && spatialOf(shape) > 1,
  };
}

/** `usually`: whether it learns and tracks without being told; only its lazy variant does. */
function instanceNorm(name: string, spatial: number, usually: boolean): Api {
  const positions = (shape: Shape) => numelOf(shape.slice(-spatial));
  return {
    kind: "module",
    name,
    ranks: [spatial + 2, spatial + 2, spatial + 1],
    // PyTorch averages the statistics of no images to NaN.
    mayBeEmpty: false,
    channelDim: (rank) => rank - spatial - 1,
    // 1.13 refuses null, which 2.x takes for 0
    options: (random) => tracking(random, usually, [0.3, 1, 0, 0.01]),
    args: ({ channels }) => [channels],
    tensors: ({ channels, options }) => trackedTensors(channels, options, usually),
    // The running statistics are averages over the images, which PyTorch sums in an order that depends on how many there are.
    exact: (shape, result, training) => result === "output" && training && positions(shape) > 1,
  };
}

/** The optional tensors of a function, each left out now and then. */
function tensorOptions(random: Random, names: readonly string[]): Record<string, Json> {
  return Object.fromEntries(names.filter(() => random.chance(0.7)).map((name) => [name, `$${name}`]));
}

/** The shape of every tensor that the arguments or options name. */
function mentioned(settings: Settings, args: readonly Json[], shape: Shape): Record<string, Shape> {
  const names = [...args, ...Object.values(settings.options)].filter((v) => typeof v === "string" && v !== "$input");
  return Object.fromEntries(names.map((name) => [String(name).slice(1), shape]));
}

/** A function with running statistics. */
function trackedFunction(name: string, mode: string, like: Api): Api {
  // without the input's statistics the running ones are needed
  const statistics = ({ options }: Settings) =>
    options[mode] === false || options.momentum !== undefined ? ["$running_mean", "$running_var"] : [null, null];
  return {
    kind: "function",
    name,
    ranks: like.ranks,
    mayBeEmpty: like.mayBeEmpty,
    channelDim: like.channelDim,
    options: (random) => ({
      ...tensorOptions(random, ["weight", "bias"]),
      [mode]: random.chance(0.6),
      ...(random.chance(0.5) && { momentum: random.pick([0.1, 0.5, 0]) }),
      ...(random.chance(0.5) && { eps: epsilon(random) }),
    }),
    args: (settings) => ["$input", ...statistics(settings)],
    tensors: (settings) => mentioned(settings, statistics(settings), [settings.channels]),
    exact: like.exact,
  };
}

const divisors = (n: number) => Array.from({ length: n }, (_, i) => i + 1).filter((d) => n % d === 0);

const groupShape = {
  ranks: [2, 3, 4, 4, 5],
  channelDim: second,
  own: (random: Random, shape: Shape) => random.pick(shape[1] > 0 ? divisors(shape[1]) : [1]),
};

/** The last `own` dimensions are normalized over. */
const rowShape = {
  ranks: [1, 2, 2, 3, 4],
  channelDim: (rank: number) => rank - 1,
  own: (random: Random, shape: Shape) => 1 + random.below(Math.min(3, shape.length)),
};

/** The promised channels are the last dimension. */
const normalizedShape = ({ shape, own, channels }: Settings) => [...shape.slice(-own).slice(0, -1), channels];

function rowModule(name: string, learned: readonly string[]): Api {
  return {
    kind: "module",
    name,
    ...rowShape,
    options: (random) => ({
      ...(random.chance(0.5) && { eps: epsilon(random) }),
      ...(random.chance(0.3) && { elementwise_affine: false }),
    }),
    args: (settings) => [normalizedShape(settings)],
    tensors: (settings) => {
      if (settings.options.elementwise_affine === false) return {};
      return Object.fromEntries(learned.map((key) => [key, normalizedShape(settings)]));
    },
  };
}

function rowFunction(name: string, learned: readonly string[]): Api {
  return {
    kind: "function",
    name,
    ...rowShape,
    options: (random) => ({
      ...tensorOptions(random, learned),
      ...(random.chance(0.5) && { eps: epsilon(random) }),
    }),
    args: (settings) => ["$input", normalizedShape(settings)],
    tensors: (settings) => mentioned(settings, [], normalizedShape(settings)),
  };
}

const responseShape = {
  ranks: [3, 4, 4, 5],
  channelDim: second,
  own: (random: Random) => random.pick([1, 2, 3, 5]),
  options: (random: Random) => ({
    ...(random.chance(0.5) && { alpha: random.pick([1e-4, 1e-2, 1]) }),
    ...(random.chance(0.5) && { beta: random.pick([0.75, 0.5, 1]) }),
    ...(random.chance(0.5) && { k: random.pick([1, 2]) }),
  }),
  tensors: () => ({}),
  // their fourth power is computed
  largest: 9,
};

const batch1d = batchNorm("BatchNorm1d", [2, 2, 3]);
const batch2d = batchNorm("BatchNorm2d", [4]);
const batch3d = batchNorm("BatchNorm3d", [5]);
const instances = (usually: boolean) =>
  [1, 2, 3].map((spatial) => instanceNorm(`InstanceNorm${spatial}d`, spatial, usually));

/** The lazy variant of a layer: the channels are not given. PyTorch's takes them from dimension 1, with a batch or without. */
const lazy = (api: Api): Api => ({
  ...api,
  name: `Lazy${api.name}`,
  ranks: api.ranks.filter((rank) => api.channelDim(rank) === 1),
  args: () => [],
});

export const APIS: readonly Api[] = [
  batch1d,
  batch2d,
  batch3d,
  ...instances(false),
  ...[batch1d, batch2d, batch3d, ...instances(true)].map(lazy),
  {
    kind: "module",
    name: "GroupNorm",
    ...groupShape,
    options: (random) => ({
      ...(random.chance(0.5) && { eps: epsilon(random) }),
      ...(random.chance(0.3) && { affine: false }),
    }),
    args: ({ own, channels }) => [own, channels],
    tensors: ({ channels, options }) => affineTensors(options.affine !== false, [channels]),
  },
  rowModule("LayerNorm", ["weight", "bias"]),
  rowModule("RMSNorm", ["weight"]),
  { kind: "module", name: "LocalResponseNorm", ...responseShape, args: ({ own }) => [own] },
  trackedFunction("batch_norm", "training", { ...batch2d, ranks: [2, 3, 4, 5] }),
  trackedFunction("instance_norm", "use_input_stats", { ...instances(false)[1], ranks: [4] }),
  {
    kind: "function",
    name: "group_norm",
    ...groupShape,
    options: (random) => ({
      ...tensorOptions(random, ["weight", "bias"]),
      ...(random.chance(0.5) && { eps: epsilon(random) }),
    }),
    args: ({ own }) => ["$input", own],
    tensors: (settings) => mentioned(settings, [], [settings.channels]),
  },
  rowFunction("layer_norm", ["weight", "bias"]),
  rowFunction("rms_norm", ["weight"]),
  { kind: "function", name: "local_response_norm", ...responseShape, args: ({ own }) => ["$input", own] },
  {
    kind: "function",
    name: "normalize",
    ranks: [1, 2, 3, 4],
    channelDim: (rank) => rank - 1,
    options: (random) => ({
      ...(random.chance(0.6) && { p: random.pick([1, 2, 3, 0.5]) }),
      ...(random.chance(0.5) && { eps: 1e-6 }),
      dim: random.pick([0, -1]),
    }),
    args: () => ["$input"],
    tensors: () => ({}),
    // their cube and its derivative are computed
    largest: 10,
  },
];
