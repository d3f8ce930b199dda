import { groupNorm as groupNormOp, layerNorm as layerNormOp, rmsNorm as rmsNormOp } from "../ops/norm/index.ts";
import { isReduced, MACHINE_EPSILON } from "../tensor/dtype.ts";
import { numelOf, type Shape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { ShapeError } from "../util/errors.ts";
import { type AffineOptions, checkBatch, checkDType, checkLastDimensions } from "./norm-checks.ts";
import { inFloat32, widened } from "./norm-reduced.ts";

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
  const advice = "layer norm works on the last dimensions; for [N, C, H, W] normalized over C, H, W give [C, H, W]";
  const normalized = checkLastDimensions(input, normalizedShape, { weight, bias }, advice);
  checkDType("LayerNormKernelImpl", input, { weight, bias });
  if (isReduced(input.dtype)) {
    const parameters = { eps, weight: widened(weight), bias: widened(bias) };
    return inFloat32(input, [], () => [layerNorm(widened(input), normalized, parameters)])[0];
  }
  return layerNormOp(input, normalized, { weight, bias }, eps);
}

/**
 * Root mean square normalization over the last dimensions, those of `normalizedShape`: y = x / √(E[x²] + eps) · weight; weight has that shape. No mean is
 * subtracted. As torch.nn.functional.rms_norm; Zhang & Sennrich 2019.
 * @param options.eps null is the dtype's machine epsilon: 1.2e-7 for float32, 2.2e-16 for float64
 * @throws ShapeError if the input does not end in normalizedShape
 * @example
 * ```ts
 * import { F, tensor } from "evenkeel";
 * F.rmsNorm(tensor([[1, 7], [-2, 14]]), [2]).toArray(); // => [[0.2, 1.4], [-0.2, 1.4]]
 * ```
 */
export function rmsNorm(
  input: Tensor,
  normalizedShape: number | Shape,
  options: { weight?: Tensor | null; eps?: number | null } = {},
): Tensor {
  const { weight = null, eps = null } = options;
  const advice = "RMS norm works on the last dimensions; for [N, L, E] normalized over E give E";
  const normalized = checkLastDimensions(input, normalizedShape, { weight }, advice);
  if (isReduced(input.dtype)) {
    const parameters = { eps, weight: widened(weight) };
    return inFloat32(input, [], () => [rmsNorm(widened(input), normalized, parameters)])[0];
  }
  checkDType("rms_norm", input, { weight });
  return rmsNormOp(input, normalized, weight, eps ?? MACHINE_EPSILON[input.dtype as keyof typeof MACHINE_EPSILON]);
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
  checkBatch(numelOf(sizes), () => `[${[sizes[0], numGroups, ...spatial].join(", ")}]`);
  for (const [what, tensor] of Object.entries({ weight, bias })) {
    if (tensor && (tensor.ndim !== 1 || tensor.numel !== channels)) {
      throw new ShapeError(
        `Expected ${what} to be a vector of size equal to the number of channels in input, but got ${what} of shape [${tensor.shape.join(", ")}] and input of shape [${input.shape.join(", ")}]`,
      );
    }
  }
  if (isReduced(input.dtype)) {
    const parameters = { eps, weight: widened(weight), bias: widened(bias) };
    return inFloat32(input, [], () => [groupNorm(widened(input), numGroups, parameters)])[0];
  }
  return groupNormOp(input, numGroups, { weight, bias }, eps);
}
