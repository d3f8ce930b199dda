import { APIS, type Api, type Settings } from "./apis.ts";
import { type Case, type Dtype, isReduced, type Layout, numelOf, type Step, type Values } from "./case.ts";
import { Random } from "./random.ts";

/** How an input's numbers are distributed. */
const DISTRIBUTIONS = ["normal", "channels", "offset", "tiny", "huge", "constant", "whole", "nan", "infinite"] as const;
/** Those without extremes, and without zeros, where normalize has no second derivative. */
const MODERATE = ["normal", "channels", "whole"] as const;
const SMOOTH = ["normal", "channels"] as const;
const LAYOUTS = ["contiguous", "channelsLast", "permuted", "strided"] as const;

/** Everything that decides a case; its numbers follow from the seed. Simple enough to be shrunk. */
export interface Plan extends Settings {
  readonly api: string;
  readonly seed: number;
  readonly dtype: Dtype;
  readonly distribution: (typeof DISTRIBUTIONS)[number];
  readonly layout: (typeof LAYOUTS)[number];
  /** of the upstream gradient */
  readonly gradLayout: (typeof LAYOUTS)[number];
  /** whether parameters and buffers start from random numbers */
  readonly loaded: boolean;
  /** whether the steps are differentiated twice */
  readonly twice: boolean;
  /** training or evaluation, step by step */
  readonly steps: readonly boolean[];
}

export const apiOf = (plan: Plan): Api => APIS.find(({ name }) => name === plan.api) as Api;

/** Lengths around the SIMD widths 4, 8 and 16, and some larger. */
const LENGTHS = [1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 31, 33];

function drawShape(random: Random, rank: number, mayBeEmpty: boolean): number[] {
  // a fiftieth of the cases are large
  const most = random.chance(0.02) ? 100_000 : 3000;
  const shape = Array.from({ length: rank }, () => random.pick(LENGTHS));
  for (const d of shape.keys()) {
    if (random.chance(0.03)) shape[d] = random.pick([63, 64, 65, 100, 257]);
    if (random.chance(0.004) && mayBeEmpty) shape[d] = 0;
  }
  while (numelOf(shape) > most) {
    const d = shape.indexOf(Math.max(...shape));
    shape[d] = Math.ceil(shape[d] / 2);
  }
  return shape;
}

/** Mostly the plain one. */
const drawLayout = (random: Random) => (random.chance(0.6) ? "contiguous" : random.pick(LAYOUTS));

/** The case of that number of a run. */
export function drawPlan(apis: readonly Api[], runSeed: number, index: number): Plan {
  const random = new Random(runSeed, index);
  const api = random.pick(apis);
  const drawn = random.uniform();
  const dtype = drawn < 0.2 ? "float64" : drawn < 0.26 ? "bfloat16" : drawn < 0.3 ? "float16" : "float32";
  const reduced = isReduced(dtype);
  const wrong = 1 + random.below(5);
  // the lazy instance norms misread an input without a batch
  const isLazyUnbatched = api.name.startsWith("Lazy") && api.channelDim(wrong) === 0;
  const rank = random.chance(0.01) && !isLazyUnbatched && !reduced ? wrong : random.pick(api.ranks);
  const shape = drawShape(random, rank, (api.mayBeEmpty ?? true) && !reduced);
  const options = api.options(random);
  const channels = shape[api.channelDim(rank)] ?? 3;
  const mode = options.training ?? options.use_input_stats;
  const count = 1 + random.below(4);
  const steps = Array.from({ length: count }, (_, i) => random.chance(i === count - 1 ? 0.4 : 0.85));
  // Exact second derivatives are PyTorch's in float64. Of few values nearly nothing is left of them, and squares of large ones overflow.
  const twice = dtype === "float32" && numelOf(shape) > 0 && random.chance(0.15);
  const distribution = random.chance(0.4) ? "normal" : random.pick(twice ? SMOOTH : reduced ? MODERATE : DISTRIBUTIONS);
  return {
    api: api.name,
    seed: random.below(2 ** 31),
    shape,
    // PyTorch checks nothing where there are no elements
    channels: random.chance(0.01) && numelOf(shape) > 0 && !reduced ? channels + 1 : channels,
    own: api.own?.(random, shape) ?? 0,
    options,
    dtype,
    distribution,
    twice,
    layout: drawLayout(random),
    gradLayout: drawLayout(random),
    loaded: random.chance(0.8),
    steps: typeof mode === "boolean" ? steps.map(() => mode) : steps,
  };
}

function layoutOf(kind: Plan["layout"], rank: number): Layout | undefined {
  const inOrder = Array.from({ length: rank }, (_, d) => d);
  switch (kind) {
    case "contiguous":
      return undefined;
    case "channelsLast":
      // dimension 1 lies last
      return rank < 3 ? undefined : { permute: [0, rank - 1, ...inOrder.slice(1, rank - 1)], slice: [0, 0, 1] };
    case "permuted":
      return { permute: inOrder.reverse(), slice: [0, 0, 1] };
    case "strided":
      return { permute: inOrder, slice: [rank - 1, 1, 2] };
  }
}

/** Cuts off the digits that a reduced dtype does not have; what is too small for float16 becomes 0. */
function truncate(data: Float32Array, dtype: "float16" | "bfloat16"): void {
  const bits = new Uint32Array(data.buffer);
  for (let i = 0; i < data.length; i++) {
    bits[i] &= dtype === "bfloat16" ? 0xffff0000 : 0xffffe000;
    if (dtype === "float16" && Math.abs(data[i]) < 2 ** -14) data[i] = 0;
  }
}

function numbers(dtype: Dtype, shape: readonly number[], next: (i: number) => number): Values {
  const data = new (dtype === "float64" ? Float64Array : Float32Array)(numelOf(shape));
  for (let i = 0; i < data.length; i++) data[i] = next(i);
  if (isReduced(dtype)) truncate(data as Float32Array, dtype);
  return { dtype, shape, data };
}

/** The next number of an input, by its channel. */
function inputNumbers({ distribution, dtype }: Plan, api: Api, random: Random): (channel: number, i: number) => number {
  const scale = random.magnitude(-2, 2);
  const offset = random.normal() * random.magnitude(-1, 4);
  // squares of these still fit into float32
  const exponent = api.largest ?? (dtype === "float64" ? 100 : 17);
  const tiny = random.magnitude(-20, -3);
  const huge = random.magnitude(3, exponent);
  const spot = random.below(50);
  const perChannel = new Map<number, readonly [mean: number, spread: number]>();
  return (channel, i) => {
    const own = perChannel.get(channel) ?? [random.normal() * 3, random.magnitude(-1, 1)];
    perChannel.set(channel, own);
    switch (distribution) {
      case "normal":
        return random.normal();
      case "channels":
        return own[0] + own[1] * random.normal();
      case "offset":
        return offset + scale * random.normal();
      case "tiny":
        return tiny * random.normal();
      case "huge":
        return huge * random.normal();
      case "constant":
        return own[0];
      case "whole":
        return random.below(9) - 4;
      case "nan":
        return i === spot ? Number.NaN : random.normal();
      case "infinite":
        return i === spot ? Number.POSITIVE_INFINITY : random.normal();
    }
  };
}

function drawStep(plan: Plan, api: Api, training: boolean, random: Random): Step {
  const { shape, dtype } = plan;
  const dim = api.channelDim(shape.length);
  const stride = numelOf(shape.slice(dim + 1));
  const next = inputNumbers(plan, api, random);
  const input = numbers(dtype, shape, (i) => next(Math.floor(i / stride) % shape[dim], i));
  const size = random.chance(0.7) ? 1 : random.magnitude(-3, 3);
  const gradOutput = numbers(dtype, shape, () => size * random.normal());
  const gradTwice = plan.twice ? { gradTwice: numbers(dtype, shape, () => random.normal()) } : {};
  return {
    training,
    ...gradTwice,
    input: { ...input, layout: layoutOf(plan.layout, shape.length) },
    gradOutput: { ...gradOutput, layout: layoutOf(plan.gradLayout, shape.length) },
  };
}

/** The case that a plan stands for. */
export function caseOf(plan: Plan): Case {
  const api = apiOf(plan);
  const { seed, dtype, loaded, steps } = plan;
  const random = new Random(seed, 0);
  const state: Record<string, Values> = {};
  // parameters stay float32 beside float16 and bfloat16 input
  const own = isReduced(dtype) ? "float32" : dtype;
  for (const [key, shape] of Object.entries(api.tensors(plan))) {
    if (!loaded && api.kind === "module") continue;
    const spread = key === "running_var" ? () => 0.3 + 2 * random.uniform() : () => 0.3 + random.normal();
    state[key] = numbers(own, shape, spread);
  }
  const options = api.kind === "module" && dtype === "float64" && Object.keys(api.tensors(plan)).length > 0;
  return {
    kind: api.kind,
    name: api.name,
    args: api.args(plan),
    options: options ? { ...plan.options, dtype } : plan.options,
    state,
    steps: steps.map((training, i) => drawStep(plan, api, training, new Random(seed, i + 1))),
  };
}
