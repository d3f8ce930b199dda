import {
  batchNormEval,
  batchNormTrain,
  groupNorm as groupNormOp,
  instanceNormTrain,
  layerNorm as layerNormOp,
} from "../ops/norm/index.ts";
import { floatDType } from "../tensor/dtype.ts";
import { numelOf, type Shape, sameShape, sizeString } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { ArgumentError, DTypeError, ShapeError } from "../util/errors.ts";

type Optional = Tensor | null | undefined;

/** Options that every normalization function has. */
interface AffineOptions {
  /** γ, multiplied after normalizing */
  weight?: Tensor | null;
  /** β, added last */
  bias?: Tensor | null;
  /** added to the variance under the root; 1e-5 */
  eps?: number;
}

/** @param kernel the name by which PyTorch refuses integers */
function checkDType(kernel: string, input: Tensor, others: Record<string, Optional>): void {
  floatDType(input.dtype, kernel);
  for (const [what, tensor] of Object.entries(others)) {
    if (tensor && tensor.dtype !== input.dtype) {
      throw new DTypeError(
        "mixed dtype (CPU): all inputs must share same datatype.",
        `the input is ${input.dtype}, ${what} ${tensor.dtype}; convert one of them with .float() or .double()`,
      );
    }
  }
}

function checkChannels(channels: number, perChannel: Record<string, Optional>): void {
  for (const [what, tensor] of Object.entries(perChannel)) {
    if (tensor && tensor.numel !== channels) {
      throw new ShapeError(
        `${what} should contain ${channels} elements not ${tensor.numel}`,
        `the input has ${channels} channels (its second dimension) and ${what} one value for each of them`,
      );
    }
  }
}

function checkRank(name: string, input: Tensor): void {
  if (input.ndim < 2) {
    throw new ShapeError(
      `expected at least 2D input (got ${input.ndim}D input)`,
      `${name} takes [N, C] or [N, C, …]: batch first, then channels`,
    );
  }
}

/** The statistics to be updated, if there are any. */
function runningStatistics(mean: Tensor | null, variance: Tensor | null, momentum: number) {
  if ((mean === null) !== (variance === null)) {
    throw new ArgumentError(
      "running_mean and running_var must either both be None or neither be None",
      `only ${mean ? "the mean" : "the variance"} is given`,
    );
  }
  return mean && variance ? { mean, variance, momentum } : null;
}

/** One value a channel has no variance. */
function checkBatch(sizes: Shape, shown: string): void {
  if (numelOf(sizes) === 1) {
    throw new ShapeError(
      `Expected more than 1 value per channel when training, got input size ${shown}`,
      "use a larger batch (dropLast: true drops a last batch of one), or eval() to use the running statistics",
    );
  }
}

/**
 * Batch normalization of [N, C, …] over everything but C: y = (x − mean) / √(var + eps) · weight + bias, var biased. With `training` the moments
 * are the batch's own and the running ones move towards them in place by `momentum` (running_var takes the unbiased variance);
 * without, the running ones are used. weight, bias, runningMean and runningVar are [C]. As torch.nn.functional.batch_norm; Ioffe & Szegedy 2015.
 * @throws ShapeError, DTypeError, ArgumentError with PyTorch's sentences
 * @example
 * ```ts
 * import { F, tensor, zeros, ones } from "evenkeel";
 * const x = tensor([[1, 10], [3, 30]]);
 * F.batchNorm(x, zeros([2]), ones([2]), { training: true }).toArray(); // => [[-1, -1], [1, 1]]
 * ```
 */
export function batchNorm(
  input: Tensor,
  runningMean: Tensor | null,
  runningVar: Tensor | null,
  options: AffineOptions & { training?: boolean; momentum?: number } = {},
): Tensor {
  const { weight = null, bias = null, training = false, momentum = 0.1, eps = 1e-5 } = options;
  const perChannel = { running_mean: runningMean, running_var: runningVar, weight, bias };
  checkRank("batch norm", input);
  checkDType("batch_norm", input, perChannel);
  const [n, channels, ...spatial] = input.shape;
  if (training) checkBatch([n, ...spatial], sizeString(input.shape));
  checkChannels(channels, perChannel);
  if (training) {
    return batchNormTrain(input, weight, bias, runningStatistics(runningMean, runningVar, momentum), eps);
  }
  if (!runningMean || !runningVar) {
    throw new ArgumentError(
      `${runningMean ? "running_var" : "running_mean"} must be defined in evaluation mode`,
      "pass the running statistics, or training: true to normalize by the batch",
    );
  }
  return batchNormEval(input, weight, bias, runningMean, runningVar, eps);
}

/**
 * Instance normalization of [N, C, …]: every image and channel by its own moments over its positions (biased variance). With
 * `useInputStats: false` by the running ones. As torch.nn.functional.instance_norm; Ulyanov et al. 2016.
 * @throws ShapeError for a single position, and as batchNorm
 * @example
 * ```ts
 * import { F, tensor } from "evenkeel";
 * F.instanceNorm(tensor([[[1, 3], [10, 30]]]), null, null).toArray(); // => [[[-1, 1], [-1, 1]]]
 * ```
 */
export function instanceNorm(
  input: Tensor,
  runningMean: Tensor | null = null,
  runningVar: Tensor | null = null,
  options: AffineOptions & { useInputStats?: boolean; momentum?: number } = {},
): Tensor {
  const { weight = null, bias = null, useInputStats = true, momentum = 0.1, eps = 1e-5 } = options;
  const perChannel = { running_mean: runningMean, running_var: runningVar, weight, bias };
  checkRank("instance norm", input);
  checkDType("batch_norm", input, perChannel);
  const [, channels, ...spatial] = input.shape;
  if (useInputStats && numelOf(spatial) === 1) {
    throw new ShapeError(
      `Expected more than 1 spatial element when training, got input size ${sizeString(input.shape)}`,
      "instance norm averages over positions and needs at least two; use batch, layer or group norm here",
    );
  }
  checkChannels(channels, perChannel);
  if (useInputStats) {
    return instanceNormTrain(input, weight, bias, runningStatistics(runningMean, runningVar, momentum), eps);
  }
  if (!runningMean || !runningVar) {
    throw new ArgumentError(
      "Expected running_mean and running_var to be defined when use_input_stats is false",
      "pass the running statistics, or leave useInputStats true",
    );
  }
  // Given statistics are the same for every image: this is batch norm in evaluation.
  return batchNormEval(input, weight, bias, runningMean, runningVar, eps);
}

/**
 * Layer normalization over the last dimensions, those of `normalizedShape`: y = (x − mean) / √(var + eps) · weight + bias, var biased; weight and bias
 * have that shape. As torch.nn.functional.layer_norm; Ba et al. 2016.
 * @throws ShapeError if the input does not end in normalizedShape
 * @example
 * ```ts
 * import { F, tensor } from "evenkeel";
 * F.layerNorm(tensor([[1, 3], [10, 30]]), [2]).toArray(); // => [[-1, 1], [-1, 1]]
 * ```
 */
export function layerNorm(input: Tensor, normalizedShape: number | Shape, options: AffineOptions = {}): Tensor {
  const { weight = null, bias = null, eps = 1e-5 } = options;
  const normalized = typeof normalizedShape === "number" ? [normalizedShape] : normalizedShape;
  const shown = `[${normalized.join(", ")}]`;
  if (normalized.length === 0) {
    throw new ShapeError(
      "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got normalized_shape = []",
    );
  }
  checkDType("LayerNormKernelImpl", input, { weight, bias });
  for (const [what, tensor] of Object.entries({ weight, bias })) {
    if (tensor && !sameShape(tensor.shape, normalized)) {
      throw new ShapeError(
        `Expected ${what} to be of same shape as normalized_shape, but got ${what} of shape [${tensor.shape.join(", ")}] and normalized_shape = ${shown}`,
      );
    }
  }
  const lead = input.ndim - normalized.length;
  if (lead < 0 || !sameShape(input.shape.slice(lead), normalized)) {
    throw new ShapeError(
      `Given normalized_shape=${shown}, expected input with shape [*, ${normalized.join(", ")}], but got input of size[${input.shape.join(", ")}]`,
      "layer norm works on the last dimensions; for [N, C, H, W] normalized over C, H, W give [C, H, W]",
    );
  }
  return layerNormOp(input, normalized, weight, bias, eps);
}

/**
 * Group normalization of [N, C, …]: the moments of C / numGroups channels and all their positions together (biased variance); weight and
 * bias are [C]. As torch.nn.functional.group_norm; Wu & He 2018.
 * @throws ShapeError if C is no multiple of numGroups, or a group has one value
 * @example
 * ```ts
 * import { F, tensor } from "evenkeel";
 * F.groupNorm(tensor([[1, 3, 10, 30]]), 2).toArray(); // => [[-1, 1, -1, 1]]
 * ```
 */
export function groupNorm(input: Tensor, numGroups: number, options: AffineOptions = {}): Tensor {
  const { weight = null, bias = null, eps = 1e-5 } = options;
  if (input.ndim < 2) {
    throw new ShapeError(
      `Expected at least 2 dimensions for input tensor but received ${input.ndim}`,
      "group norm takes [N, C] or [N, C, …]: batch first, then channels",
    );
  }
  checkDType("GroupNormKernelImpl", input, { weight, bias });
  const [n, channels, ...spatial] = input.shape;
  if (!Number.isInteger(numGroups) || numGroups < 1 || channels % numGroups !== 0) {
    throw new ShapeError(
      `Expected number of channels in input to be divisible by num_groups, but got input of shape [${input.shape.join(", ")}] and num_groups=${numGroups}`,
    );
  }
  const sizes = [Math.floor((n * channels) / numGroups), ...spatial];
  checkBatch(sizes, `[${[sizes[0], numGroups, ...spatial].join(", ")}]`);
  for (const [what, tensor] of Object.entries({ weight, bias })) {
    if (tensor && (tensor.ndim !== 1 || tensor.numel !== channels)) {
      throw new ShapeError(
        `Expected ${what} to be a vector of size equal to the number of channels in input, but got ${what} of shape [${tensor.shape.join(", ")}] and input of shape [${input.shape.join(", ")}]`,
      );
    }
  }
  return groupNormOp(input, numGroups, weight, bias, eps);
}
