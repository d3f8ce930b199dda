import { isGradEnabled } from "../../autograd/mode.ts";
import { isRecorded, record } from "../../autograd/record.ts";
import { backend } from "../../kernels/registry.ts";
import { floatDType, ITEM_BYTES } from "../../tensor/dtype.ts";
import { sameOrder } from "../../tensor/memory-format.ts";
import { emptyAs, emptyTensor, type GradientMemory, packed, packedAs, type Tensor } from "../../tensor/tensor.ts";
import { add } from "../arithmetic.ts";
import { rsqrt } from "../pointwise.ts";
import { differentiableGradients, present } from "./differentiable.ts";
import { type Affine, byChannels, type ChannelView, channelView } from "./layout.ts";
import { differentiableTailGrad, readByTail, type Tail, type TailSlope, tailSlope, withTail } from "./tail.ts";

/** Running statistics, updated in place: running = (1 − momentum)·running + momentum·batch. */
export interface RunningStatistics {
  readonly mean: Tensor;
  /** takes the unbiased variance of the batch */
  readonly variance: Tensor;
  readonly momentum: number;
}

/** What a channel is normalized by, [C]: its mean, what rounding the mean lost where that is known, and 1 / √(variance + eps). */
export interface ChannelStatistics {
  readonly mean: Tensor;
  readonly rest: Tensor | null;
  readonly invstd: Tensor;
}

/** Nothing behind a normalization. */
export const NO_TAIL: Tail = { residual: null, activation: null };

/** Calls a kernel image by image, with the bytes that lie before the image's elements and before its channels' values. */
function eachImage(x: Tensor, view: ChannelView, run: (elements: number, channels: number) => void): void {
  const { images, outer, channels, inner } = view;
  const bytes = ITEM_BYTES[x.dtype];
  for (let i = 0; i < images; i++) run(i * outer * channels * inner * bytes, i * channels * bytes);
}

const at = (t: Tensor | null | undefined, offset: number) => (t ? t.pointer + offset : 0);

/** y = (x − mean)·invstd·weight + bias and the tail, which is for a single image, lying as x; no history. */
export function scaleAndShift(
  x: Tensor,
  { weight, bias }: Affine,
  { mean, rest, invstd }: ChannelStatistics,
  tail: Tail = NO_TAIL,
  view = channelView(x),
): Tensor {
  const dtype = floatDType(x.dtype, "batch_norm");
  const { outer, channels, inner } = view;
  const scale = weight && packed(weight);
  const shift = bias && packed(bias);
  const y = emptyAs(x);
  withTail(tail, y, (kernels) =>
    eachImage(x, view, (e, c) =>
      backend().normalizeByChannel(
        dtype,
        y.pointer + e,
        x.pointer + e,
        outer,
        channels,
        inner,
        at(mean, c),
        at(rest, c),
        at(invstd, c),
        at(scale, c),
        at(shift, c),
        kernels,
      ),
    ),
  );
  return y;
}

/** Mean, what rounding it lost, and Σ (x − mean)² of every channel of every image, [images · channels]. */
export function channelMoments(x: Tensor, view: ChannelView): { mean: Tensor; rest: Tensor; m2: Tensor } {
  const dtype = floatDType(x.dtype, "batch_norm");
  const { images, outer, channels, inner } = view;
  const [mean, rest, m2] = Array.from({ length: 3 }, () => emptyTensor([images * channels], dtype));
  eachImage(x, view, (e, c) => {
    const moments = [at(mean, c), at(rest, c), at(m2, c)] as const;
    backend().momentsByChannel(dtype, ...moments, x.pointer + e, outer, channels, inner);
  });
  return { mean, rest, m2 };
}

/** Which gradients of a normalization are wanted. */
export interface Needs {
  readonly x: boolean;
  readonly weight: boolean;
  readonly bias: boolean;
  /** of what the tail's activation was given: the residual's */
  readonly before?: boolean;
}

/** The gradients that were wanted. */
interface ChannelGradients {
  readonly x: Tensor | null;
  readonly weight: Tensor | null;
  readonly bias: Tensor | null;
  readonly before: Tensor | null;
}

/**
 * Gradients of scaleAndShift, where the statistics depend on x (`ofBatch`) or do not; no history. `g` lies as x; it is passed through the slope of a tail first. A spare g is
 * overwritten: by what the residual gets if that is wanted, otherwise by x's gradient. Its memory is still in cache, another's is not (gx: 10 % less time in ResNet-20's step).
 * An `addend`, which lies as g and is added to it, is for ReLU of rows by the batch's statistics, and where g is spare and x's gradient is wanted.
 */
export function channelGradients(
  g: Tensor,
  x: Tensor,
  weight: Tensor | null,
  { mean, rest, invstd }: ChannelStatistics,
  ofBatch: boolean,
  needs: Needs,
  slope: TailSlope | null = null,
  view = channelView(x),
  spare = false,
  addend: Tensor | null = null,
): ChannelGradients {
  const dtype = floatDType(x.dtype, "batch_norm");
  const { images, outer, channels, inner } = view;
  const scale = weight && packed(weight);
  const shift = slope?.bias && packed(slope.bias);
  const keepsBefore = slope !== null && needs.before === true;
  const gx = needs.x ? (spare && !keepsBefore ? g : emptyAs(x)) : null;
  const gWeight = needs.weight ? emptyTensor([images * channels], dtype) : null;
  const gBias = needs.bias ? emptyTensor([images * channels], dtype) : null;
  // What nobody wants may lie where gx will: while a channel is in cache.
  const before = slope && (spare ? g : keepsBefore || !gx ? emptyAs(x) : gx);
  const through =
    slope && before
      ? {
          activation: slope.op,
          p: slope.p,
          source: slope.source.pointer,
          before: before.pointer,
          adds: addend !== null,
          bias: slope.bias === undefined ? undefined : (shift?.pointer ?? 0),
        }
      : undefined;
  eachImage(x, view, (e, c) =>
    backend().normalizeByChannelGrad(
      dtype,
      at(gx, e),
      at(gWeight, c),
      at(gBias, c),
      (addend ?? g).pointer + e,
      x.pointer + e,
      outer,
      channels,
      inner,
      at(mean, c),
      at(rest, c),
      at(invstd, c),
      at(scale, c),
      ofBatch,
      through,
    ),
  );
  if (scale !== weight) scale?.storage.release();
  if (shift && shift !== slope?.bias) shift.storage.release();
  if (before && before !== gx && before !== g && !needs.before) before.storage.release();
  return { x: gx, weight: gWeight, bias: gBias, before: needs.before ? before : null };
}

/** 1 / √(variance + eps) in float64, rounded: what PyTorch's backward takes where its forward rounds every step. */
export function exactInvstd(variance: Tensor, eps: number): Tensor {
  const dtype = floatDType(variance.dtype, "batch_norm");
  const out = emptyTensor(variance.shape, dtype);
  const source = packed(variance);
  // a variance is an m2 of one
  backend().finishMoments(dtype, out.pointer, 0, 0, 0, source.pointer, variance.numel, 1, eps, 0);
  if (source !== variance) source.storage.release();
  return out;
}

/** Statistics that are not x's own, [C]. */
interface GivenStatistics {
  readonly mean: Tensor;
  readonly variance: Tensor;
}

/** What is behind y = tail(scaleAndShift(x)), by statistics that are x's own or given. */
function recorded(
  y: Tensor,
  x: Tensor,
  affine: Affine,
  statistics: ChannelStatistics | GivenStatistics,
  eps: number,
  tail: Tail,
  view: ChannelView,
): Tensor {
  const { weight, bias } = affine;
  const { residual, activation } = tail;
  const given = "variance" in statistics ? statistics.variance : null;
  const own = "variance" in statistics ? [] : present([statistics.mean, statistics.rest, statistics.invstd]);
  if (!isRecorded(x, weight, bias, residual)) {
    for (const tensor of own) tensor.storage.release();
    return y;
  }
  const { mean } = statistics;
  const inputs = [x, weight, bias, residual];
  const biasVersion = bias?.storage.version;
  const compute = (g: Tensor, needs: readonly boolean[], memory: GradientMemory) => {
    if (isGradEnabled()) {
      const again = () => (given ? batchNormEval(x, affine, mean, given, eps) : batchNormTrain(x, affine, null, eps));
      const before = activation ? differentiableTailGrad(g, tail, again()) : g;
      const moments = given
        ? { mean, invstd: rsqrt(add(given, eps)) }
        : { count: view.outer * view.inner, eps, centred: true, flatIsZero: true };
      const found = differentiableGradients([{ x, g: before, positions: view.positions() }], affine, moments);
      return [found.x[0], found.weight, found.bias, before];
    }
    const exact =
      "variance" in statistics ? { mean, rest: null, invstd: exactInvstd(statistics.variance, eps) } : statistics;
    const liesAsX = sameOrder(x.shape, x.strides, g.strides);
    if (memory.addend && !liesAsX) backend().axpy("float32", g.pointer, memory.addend.pointer, g.numel, 1);
    const addend = liesAsX ? memory.addend : null;
    const upstream = packedAs(g, x.strides);
    const slope = tailSlope(tail, y, () => scaleAndShift(x, affine, exact, { residual, activation: null }));
    // The bias is not saved: it may have changed or be gone.
    const isSame = !bias || (bias.storage.version === biasVersion && bias.storage.isLive);
    const isOwn = activation === "relu" && !residual && isSame;
    const wanted = { x: needs[0], weight: needs[1], bias: needs[2], before: slope !== null && needs[3] };
    const forResidual = needs[3] && slope === null;
    const spare = !forResidual && (upstream !== g || memory.isSpare(g));
    const through = slope && isOwn ? { ...slope, bias } : slope;
    const found = channelGradients(upstream, x, weight, exact, !given, wanted, through, view, spare, addend);
    if (slope && slope.source !== y) slope.source.storage.release();
    if (given) exact.invstd.storage.release();
    const gResidual = forResidual ? upstream : found.before;
    if (upstream !== g && found.x !== upstream && gResidual !== upstream) upstream.storage.release();
    return [found.x, found.weight, found.bias, gResidual];
  };
  const read = readByTail(tail);
  const saved = [x, weight];
  if (read === "output") saved.push(y);
  else if (read === "input") saved.push(bias, residual);
  if (given) saved.push(mean, given);
  record("NativeBatchNormBackward0", y, inputs, compute, present(saved), own, {
    mean: given && mean,
    variance: given,
    eps,
    activation,
  });
  if (y.gradFn) {
    y.gradFn.takesParts = activation === "relu" && !given && x.requiresGrad && x.dtype === "float32" && view.inner > 1;
  }
  return y;
}

/**
 * Batch normalization by the batch's own statistics, over [N, C, …]: y = (x − mean) / √(var + eps) · weight + bias, mean and biased variance
 * of a channel taken over everything but C. Updates the running statistics in place.
 */
export function batchNormTrain(
  x: Tensor,
  affine: Affine,
  running: RunningStatistics | null,
  eps: number,
  tail: Tail = NO_TAIL,
): Tensor {
  const input = byChannels(x);
  return trainView(input, channelView(input), affine, running, eps, tail);
}

/** The same of what byChannels gave: every image of the view is a batch of its own; statistics and parameters are [images · channels]. */
export function trainView(
  input: Tensor,
  view: ChannelView,
  affine: Affine,
  running: RunningStatistics | null,
  eps: number,
  tail: Tail = NO_TAIL,
): Tensor {
  const dtype = floatDType(input.dtype, "batch_norm");
  const { images, outer, channels, inner } = view;
  const perChannel = [images * channels];
  const mean = emptyTensor(perChannel, dtype);
  const rest = emptyTensor(perChannel, dtype);
  const invstd = emptyTensor(perChannel, dtype);
  const { weight, bias } = affine;
  const scale = weight && packed(weight);
  const shift = bias && packed(bias);
  // An empty batch says nothing about the data: the running statistics stay.
  const update = outer * inner > 0 ? running : null;
  const y = emptyAs(input);
  withTail(tail, y, (kernels) =>
    eachImage(input, view, (e, c) =>
      backend().batchNorm(
        dtype,
        y.pointer + e,
        at(mean, c),
        at(rest, c),
        at(invstd, c),
        at(update?.mean, c),
        at(update?.variance, c),
        input.pointer + e,
        outer,
        channels,
        inner,
        at(scale, c),
        at(shift, c),
        eps,
        update?.momentum ?? 0,
        kernels,
      ),
    ),
  );
  if (update) {
    update.mean.storage.version++;
    update.variance.storage.version++;
  }
  return recorded(y, input, affine, { mean, rest, invstd }, eps, tail, view);
}

/** Batch normalization by given statistics, over [N, C, …]: evaluation. */
export function batchNormEval(
  x: Tensor,
  affine: Affine,
  mean: Tensor,
  variance: Tensor,
  eps: number,
  tail: Tail = NO_TAIL,
): Tensor {
  const dtype = floatDType(x.dtype, "batch_norm");
  const input = byChannels(x);
  const view = channelView(input);
  const { outer, channels, inner } = view;
  const given = { mean: packed(mean), variance: packed(variance) };
  const scale = affine.weight && packed(affine.weight);
  const shift = affine.bias && packed(affine.bias);
  const y = emptyAs(input);
  withTail(tail, y, (kernels) =>
    backend().batchNormEval(
      dtype,
      y.pointer,
      input.pointer,
      outer,
      channels,
      inner,
      given.mean.pointer,
      given.variance.pointer,
      at(scale, 0),
      at(shift, 0),
      eps,
      kernels,
    ),
  );
  return recorded(y, input, affine, given, eps, tail, view);
}
