import { isGradEnabled } from "../../autograd/mode.ts";
import { record } from "../../autograd/record.ts";
import { backend } from "../../kernels/registry.ts";
import { floatDType } from "../../tensor/dtype.ts";
import { emptyTensor, packed, type Tensor } from "../../tensor/tensor.ts";
import { contiguous } from "../views.ts";
import { differentiableGradients, type Positions } from "./differentiable.ts";

/** Running statistics, updated in place: running = (1 − momentum)·running + momentum·batch. */
export interface RunningStatistics {
  readonly mean: Tensor;
  /** takes the unbiased variance of the batch */
  readonly variance: Tensor;
  readonly momentum: number;
}

/** Mean and 1 / √(variance + eps) of every channel, and whether they were taken from the input itself. */
interface ChannelStatistics {
  readonly mean: Tensor;
  readonly invstd: Tensor;
  readonly ofBatch: boolean;
}

/** The input seen as [outer, channels, inner]. */
function channelView(x: Tensor): { outer: number; channels: number; inner: number } {
  const [outer, channels] = x.shape;
  let inner = 1;
  for (let d = 2; d < x.ndim; d++) inner *= x.shape[d];
  return { outer, channels, inner };
}

function channelPositions(x: Tensor): Positions {
  return {
    view: x.shape,
    dims: x.shape.map((_, d) => d).filter((d) => d !== 1),
    affine: x.shape.map((size, d) => (d === 1 ? size : 1)),
  };
}

/** Scale and shift after normalizing: the part that batch and running statistics share. `x` is contiguous. */
function normalize(
  x: Tensor,
  weight: Tensor | null,
  bias: Tensor | null,
  { mean, invstd, ofBatch }: ChannelStatistics,
  eps: number,
): Tensor {
  const dtype = floatDType(x.dtype, "batch_norm");
  const { outer, channels, inner } = channelView(x);
  const scale = weight && packed(weight);
  const shift = bias && packed(bias);
  const y = emptyTensor(x.shape, dtype);
  backend().normalizeByChannel(
    dtype,
    y.pointer,
    x.pointer,
    outer,
    channels,
    inner,
    mean.pointer,
    invstd.pointer,
    scale?.pointer ?? 0,
    shift?.pointer ?? 0,
  );
  return record(
    "NativeBatchNormBackward0",
    y,
    [x, weight, bias],
    (g, needs) => {
      if (isGradEnabled()) {
        const fixed = ofBatch ? null : { mean, invstd };
        return differentiableGradients(g, [x, weight, bias], needs, channelPositions(x), eps, fixed);
      }
      const upstream = packed(g);
      const gx = needs[0] ? emptyTensor(x.shape, dtype) : null;
      const gWeight = needs[1] ? emptyTensor([channels], dtype) : null;
      const gBias = needs[2] ? emptyTensor([channels], dtype) : null;
      backend().normalizeByChannelGrad(
        dtype,
        gx?.pointer ?? 0,
        gWeight?.pointer ?? 0,
        gBias?.pointer ?? 0,
        upstream.pointer,
        x.pointer,
        outer,
        channels,
        inner,
        mean.pointer,
        invstd.pointer,
        scale?.pointer ?? 0,
        ofBatch,
      );
      if (upstream !== g) upstream.storage.release();
      return [gx, gWeight, gBias];
    },
    [x, ...(weight ? [weight] : []), ...(ofBatch ? [] : [mean])],
    ofBatch ? [mean, invstd] : [invstd],
  );
}

/**
 * Batch normalization by the batch's own statistics, over [N, C, …]: y = (x − mean) / √(var + eps) · weight + bias, mean and biased variance
 * of a channel taken over everything but C. Updates the running statistics in place.
 */
export function batchNormTrain(
  x: Tensor,
  weight: Tensor | null,
  bias: Tensor | null,
  running: RunningStatistics | null,
  eps: number,
): Tensor {
  const dtype = floatDType(x.dtype, "batch_norm");
  const input = contiguous(x);
  const { outer, channels, inner } = channelView(input);
  const count = outer * inner;
  const mean = emptyTensor([channels], dtype);
  const invstd = emptyTensor([channels], dtype);
  const m2 = emptyTensor([channels], dtype);
  backend().momentsByChannel(dtype, mean.pointer, m2.pointer, input.pointer, outer, channels, inner);
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
  return normalize(input, weight, bias, { mean, invstd, ofBatch: true }, eps);
}

/** Batch normalization by given statistics, over [N, C, …]: evaluation. */
export function batchNormEval(
  x: Tensor,
  weight: Tensor | null,
  bias: Tensor | null,
  mean: Tensor,
  variance: Tensor,
  eps: number,
): Tensor {
  const dtype = floatDType(x.dtype, "batch_norm");
  const input = contiguous(x);
  const invstd = emptyTensor(variance.shape, dtype);
  backend().invstd(dtype, invstd.pointer, packed(variance).pointer, variance.numel, eps);
  return normalize(input, weight, bias, { mean: packed(mean), invstd, ofBatch: false }, eps);
}
