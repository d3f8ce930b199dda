import { noGrad } from "../../autograd/mode.ts";
import { reportAsOne } from "../../autograd/trace.ts";
import { backend } from "../../kernels/registry.ts";
import { floatDType, ITEM_BYTES } from "../../tensor/dtype.ts";
import { numelOf } from "../../tensor/shape.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { filled } from "../compute.ts";
import { reshape } from "../views.ts";
import { batchNormTrain, type RunningStatistics, trainView } from "./batch-norm.ts";
import { type Affine, byChannels, imageView, repeat } from "./layout.ts";

/** After so many images the sums start anew. */
const RUN = 64;

/**
 * The average over the images of what every image made of the running statistics, [N·C] to [C], in the dtype itself: every fourth image into one of four sums, in
 * runs of sixteen. One after the other, the roundings of a hundred images come to 3e-6. PyTorch's order is much like this one, and depends on the processor.
 */
function averageInto(running: Tensor, perImage: Tensor, n: number): void {
  const dtype = floatDType(running.dtype, "instance_norm");
  const kernels = backend();
  const channels = running.numel;
  const bytes = channels * ITEM_BYTES[dtype];
  const [run, total] = [filled([4 * channels], dtype, 0), filled([4 * channels], dtype, 0)];
  const whole = n - (n % 4);
  for (let i = 0; i < whole; i += 4) {
    kernels.axpy(dtype, run.pointer, perImage.pointer + i * bytes, 4 * channels, 1);
    if ((i + 4) % RUN !== 0) continue;
    kernels.axpy(dtype, total.pointer, run.pointer, 4 * channels, 1);
    kernels.fill(dtype, run.pointer, 4 * channels, 0);
  }
  if (n >= RUN) kernels.axpy(dtype, run.pointer, total.pointer, 4 * channels, 1);
  for (let i = whole; i < n; i++) kernels.axpy(dtype, run.pointer, perImage.pointer + i * bytes, channels, 1);
  kernels.fill(dtype, running.pointer, channels, 0);
  for (let i = 0; i < 4; i++) kernels.axpy(dtype, running.pointer, run.pointer + i * bytes, channels, 1);
  run.storage.release();
  total.storage.release();
  const images = filled([], dtype, n);
  kernels.binary("div", dtype, [channels], running.pointer, running.pointer, [1], images.pointer, [0]);
  images.storage.release();
  running.storage.version++;
}

/**
 * Instance normalization of [N, C, …]: batch normalization in which every image and channel has moments of its own, contiguous input seen as one batch of
 * N·C channels. Running statistics take the average over the images. The result lies as the input.
 */
export function instanceNormTrain(x: Tensor, affine: Affine, running: RunningStatistics | null, eps: number): Tensor {
  const inputs = [x, affine.weight, affine.bias];
  return reportAsOne("InstanceNormBackward0", inputs, { eps }, () => normalizeImages(x, affine, running, eps));
}

function normalizeImages(x: Tensor, { weight, bias }: Affine, running: RunningStatistics | null, eps: number): Tensor {
  const [n, c] = x.shape;
  const input = byChannels(x);
  const affine = { weight: weight && repeat(weight, n), bias: bias && repeat(bias, n) };
  const normalized = (statistics: RunningStatistics | null) => {
    if (!input.isContiguous) return trainView(input, imageView(input), affine, statistics, eps);
    const seen = reshape(input, [1, n * c, numelOf(x.shape.slice(2))]);
    return reshape(batchNormTrain(seen, affine, statistics, eps), x.shape);
  };
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
