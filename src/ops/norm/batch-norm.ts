import { isGradEnabled } from "../../autograd/mode.ts";
import { record } from "../../autograd/record.ts";
import { backend } from "../../kernels/registry.ts";
import { floatDType } from "../../tensor/dtype.ts";
import { emptyAs, emptyTensor, packed, type Tensor } from "../../tensor/tensor.ts";
import { add } from "../arithmetic.ts";
import { rsqrt } from "../pointwise.ts";
import { differentiableGradients } from "./differentiable.ts";
import { type Affine, byChannels, channelPositions, channelView } from "./layout.ts";
import { applyTail, differentiableTailGrad, readByTail, type Tail, tailGrad } from "./tail.ts";

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

const NO_TAIL: Tail = { residual: null, activation: null };

/** y = (x − mean)·invstd·weight + bias, lying as x; no history. */
export function scaleAndShift(x: Tensor, { weight, bias }: Affine, { mean, rest, invstd }: ChannelStatistics): Tensor {
  const dtype = floatDType(x.dtype, "batch_norm");
  const { outer, channels, inner } = channelView(x);
  const scale = weight && packed(weight);
  const shift = bias && packed(bias);
  const y = emptyAs(x);
  backend().normalizeByChannel(
    dtype,
    y.pointer,
    x.pointer,
    outer,
    channels,
    inner,
    mean.pointer,
    rest?.pointer ?? 0,
    invstd.pointer,
    scale?.pointer ?? 0,
    shift?.pointer ?? 0,
  );
  return y;
}

/** Which gradients of a normalization are wanted. */
export interface Needs {
  readonly x: boolean;
  readonly weight: boolean;
  readonly bias: boolean;
}

/** Gradients of scaleAndShift, where the statistics depend on x (`ofBatch`) or do not; no history. `g` lies as x. */
export function channelGradients(
  g: Tensor,
  x: Tensor,
  weight: Tensor | null,
  { mean, rest, invstd }: ChannelStatistics,
  ofBatch: boolean,
  needs: Needs,
): { x: Tensor | null; weight: Tensor | null; bias: Tensor | null } {
  const dtype = floatDType(x.dtype, "batch_norm");
  const { outer, channels, inner } = channelView(x);
  const scale = weight && packed(weight);
  const gx = needs.x ? emptyAs(x) : null;
  const gWeight = needs.weight ? emptyTensor([channels], dtype) : null;
  const gBias = needs.bias ? emptyTensor([channels], dtype) : null;
  backend().normalizeByChannelGrad(
    dtype,
    gx?.pointer ?? 0,
    gWeight?.pointer ?? 0,
    gBias?.pointer ?? 0,
    g.pointer,
    x.pointer,
    outer,
    channels,
    inner,
    mean.pointer,
    rest?.pointer ?? 0,
    invstd.pointer,
    scale?.pointer ?? 0,
    ofBatch,
  );
  return { x: gx, weight: gWeight, bias: gBias };
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

/**
 * Scale, shift and tail after the moments: the part that batch and given statistics share. `x` comes from byChannels; where the statistics are not its own, `given`
 * is their variance.
 */
function normalize(
  x: Tensor,
  affine: Affine,
  statistics: ChannelStatistics,
  given: Tensor | null,
  eps: number,
  tail: Tail,
): Tensor {
  const { mean, rest, invstd } = statistics;
  const { weight, bias } = affine;
  const { residual, activation } = tail;
  const y = scaleAndShift(x, affine, statistics);
  applyTail(y, tail);
  const inputs = [x, weight, bias, residual];
  // What was given may serve other calls; its root is found again in backward.
  if (given) invstd.storage.release();
  const compute = (g: Tensor, needs: readonly boolean[]) => {
    if (isGradEnabled()) {
      const again = () => (given ? batchNormEval(x, affine, mean, given, eps) : batchNormTrain(x, affine, null, eps));
      const before = activation ? differentiableTailGrad(g, tail, again()) : g;
      const { outer, inner } = channelView(x);
      const moments = given
        ? { mean, invstd: rsqrt(add(given, eps)) }
        : { count: outer * inner, eps, centred: true, flatIsZero: true };
      const found = differentiableGradients([{ x, g: before, positions: channelPositions(x) }], affine, moments);
      return [found.x[0], found.weight, found.bias, before];
    }
    const exact = given ? { mean, rest, invstd: exactInvstd(given, eps) } : statistics;
    const before = tailGrad(g, y, tail, () => scaleAndShift(x, affine, exact));
    const wanted = { x: needs[0], weight: needs[1], bias: needs[2] };
    const found = channelGradients(before, x, weight, exact, !given, wanted);
    if (given) exact.invstd.storage.release();
    if (before !== g && !needs[3]) before.storage.release();
    return [found.x, found.weight, found.bias, needs[3] ? before : null];
  };
  const read = readByTail(tail);
  const saved = [x, weight, read === "output" ? y : null, ...(read === "input" ? [bias, residual] : [])];
  const kept = [...saved, ...(given ? [mean, given] : [])].filter((tensor) => tensor !== null);
  return record(
    "NativeBatchNormBackward0",
    y,
    inputs,
    compute,
    kept,
    given ? [] : [mean, rest, invstd].filter((tensor) => tensor !== null),
    { mean: given && mean, variance: given, eps, activation },
  );
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
  const dtype = floatDType(x.dtype, "batch_norm");
  const input = byChannels(x);
  const { outer, channels, inner } = channelView(input);
  const count = outer * inner;
  const [mean, rest, m2, invstd] = Array.from({ length: 4 }, () => emptyTensor([channels], dtype));
  const moments = [mean.pointer, rest.pointer, m2.pointer] as const;
  backend().momentsByChannel(dtype, ...moments, input.pointer, outer, channels, inner);
  // An empty batch says nothing about the data: the running statistics stay, and nothing is divided by its count.
  const update = count > 0 ? running : null;
  backend().finishMoments(
    dtype,
    invstd.pointer,
    update?.mean.pointer ?? 0,
    update?.variance.pointer ?? 0,
    mean.pointer,
    m2.pointer,
    channels,
    Math.max(count, 1),
    eps,
    update?.momentum ?? 0,
  );
  if (update) {
    update.mean.storage.version++;
    update.variance.storage.version++;
  }
  m2.storage.release();
  return normalize(input, affine, { mean, rest, invstd }, null, eps, tail);
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
  const invstd = emptyTensor(variance.shape, dtype);
  const given = packed(variance);
  backend().invstd(dtype, invstd.pointer, given.pointer, variance.numel, eps);
  return normalize(input, affine, { mean: packed(mean), rest: null, invstd }, given, eps, tail);
}
