import {
  ACTIVATIONS,
  type Activation,
  batchNormEval,
  batchNormJoint,
  batchNormTrain,
  type Collective,
  instanceNormTrain,
} from "../ops/norm/index.ts";
import { isReduced } from "../tensor/dtype.ts";
import { numelOf, sameShape, sizeString } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { ArgumentError, ShapeError } from "../util/errors.ts";
import {
  type AffineOptions,
  checkBatch,
  checkChannels,
  checkDType,
  checkMask,
  checkRank,
  runningStatistics,
} from "./norm-checks.ts";
import { inFloat32, widened } from "./norm-reduced.ts";
import { isUpdatingStatistics } from "./statistics-update.ts";

export { type Activation as NormActivation, activate } from "../ops/norm/index.ts";

/** What batch normalization takes beside its input and running statistics. */
export interface BatchNormOptions extends AffineOptions {
  /** normalize by the batch and update the running statistics; false */
  training?: boolean;
  /** how far the running statistics move towards the batch's; 0.1 */
  momentum?: number;
  /** who else takes part in the batch; nobody */
  collective?: Collective | null;
}

/** A part of a batch, and which of its positions count. */
interface Part {
  readonly x: Tensor;
  readonly mask: Tensor | null;
}

/** The parts are one batch, split over several arrays. */
function jointBatchNorm(
  parts: readonly Part[],
  runningMean: Tensor | null,
  runningVar: Tensor | null,
  options: BatchNormOptions,
  residual: Tensor | null = null,
  activation: Activation | null = null,
): Tensor[] {
  const { weight = null, bias = null, training = false, momentum = 0.1, eps = 1e-5 } = options;
  const reduced = parts.find(({ x }) => isReduced(x.dtype));
  const collective = options.collective && options.collective.worldSize > 1 ? options.collective : null;
  const perChannel = { running_mean: runningMean, running_var: runningVar, weight, bias };
  const typed = { weight, bias, running_mean: runningMean, running_var: runningVar };
  for (const { x, mask } of parts) {
    checkRank("batch norm", x);
    checkDType("batch_norm", x, typed);
    if (mask) checkMask(x, mask);
  }
  if (training && !collective && parts.length > 0) {
    const { shape } = parts[0].x;
    // An array of one value is enough beside others.
    if (parts.every(({ x }, i) => i === 0 || x.numel === 0)) {
      checkBatch(shape[0] * numelOf(shape.slice(2)), () => sizeString(shape));
    }
  }
  for (const { x } of parts) checkChannels(x.shape[1], perChannel);
  if (reduced) {
    const wide = parts.map(({ x, mask }) => ({ x: widened(x), mask }));
    const parameters = { ...options, weight: widened(weight), bias: widened(bias) };
    return inFloat32(reduced.x, [runningMean, runningVar], (mean, variance) =>
      jointBatchNorm(wide, mean, variance, parameters, widened(residual), activation),
    );
  }
  const affine = { weight, bias };
  const tail = { residual, activation };
  if (!training) {
    if (!runningMean || !runningVar) {
      throw new ArgumentError(
        `${runningMean ? "running_var" : "running_mean"} must be defined in evaluation mode`,
        "pass the running statistics, or training: true to normalize by the batch",
      );
    }
    return parts.map(({ x }) => batchNormEval(x, affine, runningMean, runningVar, eps, tail));
  }
  const statistics = runningStatistics(runningMean, runningVar, momentum);
  const running = isUpdatingStatistics() ? statistics : null;
  if (parts.length === 1 && !parts[0].mask && !collective) {
    return [batchNormTrain(parts[0].x, affine, running, eps, tail)];
  }
  return parts.length === 0 ? [] : batchNormJoint(parts, affine, running, eps, collective, tail);
}

/**
 * Batch normalization of [N, C, …] over everything but C: y = (x − mean) / √(var + eps) · weight + bias, var biased. With `training` the moments
 * are the batch's own and the running ones move towards them in place by `momentum` (running_var takes the unbiased variance);
 * without, the running ones are used. weight, bias, runningMean and runningVar are [C]. Channels-last input is computed where it lies, and the result lies as it.
 * float16 and bfloat16 input is computed in float32, beside float32 parameters or its own dtype's. As torch.nn.functional.batch_norm; Ioffe & Szegedy 2015.
 * @param options.mask [N, …] without C, bool: in training, positions where it is false (padding) do not count in the moments and running
 *   statistics; they are normalized by them like the others. Fewer than two positions leave the running statistics as they are.
 * @throws ShapeError, DTypeError, ArgumentError with PyTorch's sentences
 * @example
 * ```ts
 * import { F, tensor, zeros, ones } from "evenkeel";
 * const x = tensor([[1, 10], [3, 30]]);
 * F.batchNorm(x, zeros([2]), ones([2]), { training: true }).toArray(); // => [[-1, -1], [1, 1]]
 * const padded = tensor([[[1, 3, 0]], [[1, 0, 0]], [[3, 0, 0]]]);
 * const mask = tensor([[true, true, false], [true, false, false], [true, false, false]]);
 * F.batchNorm(padded, null, null, { training: true, mask }).select(2, 0).flatten().toArray(); // => [-1, -1, 1]
 * ```
 */
export function batchNorm(
  input: Tensor,
  runningMean: Tensor | null,
  runningVar: Tensor | null,
  options: BatchNormOptions & { mask?: Tensor | null } = {},
): Tensor {
  return jointBatchNorm([{ x: input, mask: options.mask ?? null }], runningMean, runningVar, options)[0];
}

/**
 * Batch normalization of several arrays [N, C, …] as one batch: in training the moments are taken over all of them together, and the running
 * statistics are updated once. The arrays may differ in all but C. Backward waits for the gradients of all of them.
 * @throws ShapeError, DTypeError, ArgumentError as batchNorm
 * @example
 * ```ts
 * import { F, tensor } from "evenkeel";
 * const [a, b] = F.batchNormMany([tensor([[1], [1]]), tensor([[3], [3]])], null, null, { training: true });
 * [a.flatten().toArray(), b.flatten().toArray()]; // => [[-1, -1], [1, 1]]
 * ```
 */
export function batchNormMany(
  inputs: readonly Tensor[],
  runningMean: Tensor | null,
  runningVar: Tensor | null,
  options: BatchNormOptions = {},
): Tensor[] {
  const parts = inputs.map((x) => ({ x, mask: null }));
  return jointBatchNorm(parts, runningMean, runningVar, options);
}

/**
 * activation(batchNorm(input) + residual) in one operation that keeps less for backward: neither the normalized values nor the sum, which are told from
 * the output (relu, relu6, leakyRelu with slope 0.01, sigmoid, tanh) or computed again from the input (silu, gelu).
 * @param options.residual of the input's shape, or null
 * @param options.activation null for none
 * @throws ShapeError, DTypeError, ArgumentError as batchNorm; ArgumentError for another activation
 * @example
 * ```ts
 * import { F, tensor } from "evenkeel";
 * const x = tensor([[1], [3]]);
 * F.batchNormAct(x, null, null, { training: true, activation: "relu" }).toArray(); // => [[0], [1]]
 * F.batchNormAct(x, null, null, { training: true, activation: "relu", residual: x }).toArray(); // => [[0], [4]]
 * ```
 */
export function batchNormAct(
  input: Tensor,
  runningMean: Tensor | null,
  runningVar: Tensor | null,
  options: AffineOptions & {
    training?: boolean;
    momentum?: number;
    residual?: Tensor | null;
    activation?: Activation | null;
  } = {},
): Tensor {
  const { residual = null, activation = null } = options;
  if (activation !== null && !ACTIVATIONS.includes(activation)) {
    throw new ArgumentError(`batch norm cannot be joined with "${activation}"`, `use one of ${ACTIVATIONS.join(", ")}`);
  }
  if (residual) {
    checkDType("batch_norm", input, { residual });
    if (!sameShape(residual.shape, input.shape)) {
      throw new ShapeError(
        `the residual has shape [${residual.shape.join(", ")}], the input [${input.shape.join(", ")}]`,
        "they are added without broadcasting",
      );
    }
  }
  return jointBatchNorm([{ x: input, mask: null }], runningMean, runningVar, options, residual, activation)[0];
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
  checkDType("batch_norm", input, { weight, bias, running_mean: runningMean, running_var: runningVar });
  const [images, channels, ...spatial] = input.shape;
  if (useInputStats && numelOf(spatial) === 1) {
    throw new ShapeError(
      `Expected more than 1 spatial element when training, got input size ${sizeString(input.shape)}`,
      "instance norm averages over positions and needs at least two; use batch, layer or group norm here",
    );
  }
  checkChannels(channels, perChannel, images);
  if (isReduced(input.dtype)) {
    const parameters = { ...options, weight: widened(weight), bias: widened(bias) };
    return inFloat32(input, [runningMean, runningVar], (mean, variance) => [
      instanceNorm(widened(input), mean, variance, parameters),
    ])[0];
  }
  const affine = { weight, bias };
  if (useInputStats) {
    const statistics = runningStatistics(runningMean, runningVar, momentum);
    return instanceNormTrain(input, affine, isUpdatingStatistics() ? statistics : null, eps);
  }
  if (!runningMean || !runningVar) {
    throw new ArgumentError(
      "Expected running_mean and running_var to be defined when use_input_stats is false",
      "pass the running statistics, or leave useInputStats true",
    );
  }
  // Given statistics are the same for every image: this is batch norm in evaluation.
  return batchNormEval(input, affine, runningMean, runningVar, eps);
}
