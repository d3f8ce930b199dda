import { noGrad } from "../../autograd/mode.ts";
import { reportAsOne } from "../../autograd/trace.ts";
import { backend } from "../../kernels/registry.ts";
import { floatDType, ITEM_BYTES } from "../../tensor/dtype.ts";
import { suggestedFormat } from "../../tensor/memory-format.ts";
import { numelOf } from "../../tensor/shape.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { filled } from "../compute.ts";
import { contiguous, expand, reshape } from "../views.ts";
import { batchNormTrain, type RunningStatistics } from "./batch-norm.ts";
import type { Affine } from "./layout.ts";

/** One value a channel becomes one value an image and channel: [C] to [N·C], a copy (for one channel the reshape alone would be a view). */
function repeat(perChannel: Tensor, n: number): Tensor {
  return reshape(contiguous(expand(reshape(perChannel, [1, -1]), [n, perChannel.numel])), [-1]);
}

/** The average over the images of what every image made of the running statistics, [N·C] to [C]: summed in order in the dtype itself, as PyTorch does. */
function averageInto(running: Tensor, perImage: Tensor, n: number): void {
  const dtype = floatDType(running.dtype, "instance_norm");
  const kernels = backend();
  const channels = running.numel;
  const bytes = channels * ITEM_BYTES[dtype];
  kernels.fill(dtype, running.pointer, channels, 0);
  for (let i = 0; i < n; i++) kernels.axpy(dtype, running.pointer, perImage.pointer + i * bytes, channels, 1);
  const images = filled([], dtype, n);
  kernels.binary("div", dtype, [channels], running.pointer, running.pointer, [1], images.pointer, [0]);
  images.storage.release();
  running.storage.version++;
}

/**
 * Instance normalization of [N, C, …]: batch normalization of one batch of N·C channels, so that every image and channel has moments
 * of its own. Running statistics take the average over the images. Channels-last input is copied, and the result lies as the input.
 */
export function instanceNormTrain(x: Tensor, affine: Affine, running: RunningStatistics | null, eps: number): Tensor {
  const inputs = [x, affine.weight, affine.bias];
  return reportAsOne("InstanceNormBackward0", inputs, { eps }, () => normalizeImages(x, affine, running, eps));
}

function normalizeImages(x: Tensor, { weight, bias }: Affine, running: RunningStatistics | null, eps: number): Tensor {
  const [n, c] = x.shape;
  const seen = reshape(x, [1, n * c, numelOf(x.shape.slice(2))]);
  const affine = { weight: weight && repeat(weight, n), bias: bias && repeat(bias, n) };
  const memoryFormat = suggestedFormat(x.shape, x.strides);
  const normalized = (statistics: RunningStatistics | null) =>
    contiguous(reshape(batchNormTrain(seen, affine, statistics, eps), x.shape), { memoryFormat });
  // For one image the repeated statistics would be the running ones themselves.
  if (!running || n <= 1 || x.numel === 0) return normalized(running);
  const { momentum } = running;
  const [mean, variance] = noGrad(() => [repeat(running.mean, n), repeat(running.variance, n)]);
  const y = normalized({ mean, variance, momentum });
  averageInto(running.mean, mean, n);
  averageInto(running.variance, variance, n);
  mean.storage.release();
  variance.storage.release();
  return y;
}
