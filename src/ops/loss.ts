import { noGrad } from "../autograd/mode.ts";
import { record } from "../autograd/record.ts";
import { isFloat, scalarTypeName } from "../tensor/dtype.ts";
import { sameShape, sizeString } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { tidy } from "../tensor/tidy.ts";
import { ArgumentError, DTypeError, ShapeError } from "../util/errors.ts";
import { softplus } from "./activation.ts";
import { add, div, mul, neg, sub } from "./arithmetic.ts";
import { ge, le, logicalAnd, lt, where } from "./compare.ts";
import { scratch } from "./compute.ts";
import { abs, clamp, log, log1p, square } from "./pointwise.ts";
import { all, mean, sum } from "./reduction.ts";

/** How the losses of single elements become one: their mean, their sum, or not at all. */
export type Reduction = "mean" | "sum" | "none";

/** What every loss takes. */
export interface LossOptions {
  /** Default "mean". */
  reduction?: Reduction;
}

/** @throws ArgumentError with PyTorch's sentence */
export function checkReduction(reduction: string): void {
  if (reduction === "mean" || reduction === "sum" || reduction === "none") return;
  throw new ArgumentError(`${reduction} is not a valid value for reduction`, 'use "mean", "sum" or "none"');
}

function reduced(losses: Tensor, reduction: Reduction): Tensor {
  if (reduction === "none") return losses;
  return reduction === "sum" ? sum(losses) : mean(losses);
}

function checkFloats(name: string, input: Tensor, target: Tensor): void {
  if (isFloat(input.dtype) || isFloat(target.dtype)) return;
  throw new DTypeError(
    `"${name}" not implemented for '${scalarTypeName(input.dtype)}'`,
    "convert the input first, for example with .float()",
  );
}

/**
 * (input − target)², averaged unless `reduction` says otherwise, as torch.nn.functional.mse_loss.
 * @throws ShapeError if the shapes do not broadcast
 * @example
 * ```ts
 * import { F, tensor } from "evenkeel";
 * F.mseLoss(tensor([1, 2]), tensor([1, 4])).item(); // => 2
 * ```
 */
export function mseLoss(input: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  const { reduction = "mean" } = options;
  checkReduction(reduction);
  checkFloats("mse_cpu", input, target);
  return reduced(square(sub(input, target)), reduction);
}

/**
 * |input − target|, averaged unless `reduction` says otherwise, as torch.nn.functional.l1_loss.
 * @throws ShapeError if the shapes do not broadcast
 * @example
 * ```ts
 * import { F, tensor } from "evenkeel";
 * F.l1Loss(tensor([1, 2]), tensor([1, 4])).item(); // => 1
 * ```
 */
export function l1Loss(input: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  const { reduction = "mean" } = options;
  checkReduction(reduction);
  return reduced(abs(sub(input, target)), reduction);
}

/**
 * d² / 2beta where |d| < beta, else |d| − beta / 2, with d = input − target, as torch.nn.functional.smooth_l1_loss.
 * @throws ArgumentError for a negative beta
 * @throws ShapeError if the shapes do not broadcast
 * @example
 * ```ts
 * import { F, tensor } from "evenkeel";
 * F.smoothL1Loss(tensor([1, 2]), tensor([1.5, 5]), { reduction: "none" }).toArray(); // => [0.125, 2.5]
 * ```
 */
export function smoothL1Loss(input: Tensor, target: Tensor, options: LossOptions & { beta?: number } = {}): Tensor {
  const { reduction = "mean", beta = 1 } = options;
  checkReduction(reduction);
  checkFloats("smooth_l1_loss_cpu", input, target);
  if (beta < 0) throw new ArgumentError("smooth_l1_loss does not support negative values for beta.", `got ${beta}`);
  const distance = abs(sub(input, target));
  if (beta === 0) return reduced(distance, reduction);
  const near = mul(square(distance), 0.5 / beta);
  return reduced(where(lt(distance, beta), near, sub(distance, beta / 2)), reduction);
}

/**
 * d² / 2 where |d| ≤ delta, else delta·(|d| − delta / 2), with d = input − target, as torch.nn.functional.huber_loss.
 * @throws ArgumentError unless delta is positive
 * @throws ShapeError if the shapes do not broadcast
 * @example
 * ```ts
 * import { F, tensor } from "evenkeel";
 * F.huberLoss(tensor([1, 2]), tensor([1, 5]), { delta: 2 }).item(); // => 2
 * ```
 */
export function huberLoss(input: Tensor, target: Tensor, options: LossOptions & { delta?: number } = {}): Tensor {
  const { reduction = "mean", delta = 1 } = options;
  checkReduction(reduction);
  checkFloats("huber_cpu", input, target);
  if (!(delta > 0))
    throw new ArgumentError("huber_loss does not support non-positive values for delta.", `got ${delta}`);
  const distance = abs(sub(input, target));
  const far = mul(sub(distance, delta / 2), delta);
  return reduced(where(le(distance, delta), mul(square(distance), 0.5), far), reduction);
}

/** log x, no less than −100, as PyTorch limits it so that a loss stays finite. */
function limited(logarithm: Tensor): Tensor {
  return clamp(logarithm, { min: -100 });
}

/**
 * −(t·ln x + (1 − t)·ln(1 − x)) of probabilities x and targets t, the logarithms no less than −100, as
 * torch.nn.functional.binary_cross_entropy. Prefer binaryCrossEntropyWithLogits.
 * @throws ArgumentError if an input lies outside [0, 1]
 * @throws ShapeError unless target has input's shape
 * @example
 * ```ts
 * import { F, tensor } from "evenkeel";
 * F.binaryCrossEntropy(tensor([0.5]), tensor([1])).item(); // => 0.6931
 * ```
 */
export function binaryCrossEntropy(
  input: Tensor,
  target: Tensor,
  options: LossOptions & { weight?: Tensor | null } = {},
): Tensor {
  const { reduction = "mean", weight } = options;
  checkReduction(reduction);
  if (!sameShape(input.shape, target.shape)) {
    throw new ShapeError(
      `Using a target size (${sizeString(target.shape)}) that is different to the input size (${sizeString(input.shape)}) is deprecated. Please ensure they have the same size.`,
      "reshape the target",
    );
  }
  if (input.dtype !== target.dtype || !isFloat(input.dtype)) {
    throw new DTypeError(
      `Found dtype ${scalarTypeName(target.dtype)} but expected ${scalarTypeName(input.dtype)}`,
      "both must be the same float dtype",
    );
  }
  const inRange = noGrad(() => tidy(() => all(logicalAnd(ge(input, 0), le(input, 1))).item()));
  if (!inRange) {
    throw new ArgumentError(
      "all elements of input should be between 0 and 1",
      "pass probabilities, or give logits to binaryCrossEntropyWithLogits",
    );
  }
  const losses = noGrad(() =>
    tidy(() => {
      const ones = mul(target, limited(log(input)));
      const zeros = mul(sub(1, target), limited(log1p(neg(input))));
      return neg(add(ones, zeros));
    }),
  );
  const back = (g: Tensor, needs: readonly boolean[]) =>
    scratch(() => [
      needs[0] ? mul(g, div(sub(input, target), clamp(mul(sub(1, input), input), { min: 1e-12 }))) : null,
      needs[1] ? mul(g, sub(limited(log1p(neg(input))), limited(log(input)))) : null,
    ]);
  const recorded = record("BinaryCrossEntropyBackward0", losses, [input, target], back, [input, target]);
  return reduced(weight ? mul(recorded, weight) : recorded, reduction);
}

/**
 * binaryCrossEntropy of sigmoid(input), without overflow: (1 − t)·ln(1 + eˣ) + posWeight·t·ln(1 + e⁻ˣ), as
 * torch.nn.functional.binary_cross_entropy_with_logits. `weight` and `posWeight` broadcast.
 * @throws ShapeError unless target has input's shape
 * @example
 * ```ts
 * import { F, tensor } from "evenkeel";
 * F.binaryCrossEntropyWithLogits(tensor([0]), tensor([1]), { posWeight: tensor([2]) }).item(); // => 1.3863
 * ```
 */
export function binaryCrossEntropyWithLogits(
  input: Tensor,
  target: Tensor,
  options: LossOptions & { weight?: Tensor | null; posWeight?: Tensor | null } = {},
): Tensor {
  const { reduction = "mean", weight, posWeight } = options;
  checkReduction(reduction);
  if (!sameShape(input.shape, target.shape)) {
    throw new ShapeError(
      `Target size (${sizeString(target.shape)}) must be the same as input size (${sizeString(input.shape)})`,
      "reshape the target",
    );
  }
  checkFloats("softplus_cpu", input, target);
  // above 50, x and ln(1 + eˣ) are the same number in float64 too
  const costOfOne = softplus(neg(input), { threshold: 50 });
  const zeros = mul(sub(1, target), softplus(input, { threshold: 50 }));
  const ones = mul(posWeight ? mul(target, posWeight) : target, costOfOne);
  const losses = add(zeros, ones);
  return reduced(weight ? mul(losses, weight) : losses, reduction);
}
