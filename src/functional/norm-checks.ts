import { type DType, floatDType, isFloatingPoint, isReduced, scalarTypeName } from "../tensor/dtype.ts";
import { type Shape, sameShape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { ArgumentError, DTypeError, ShapeError } from "../util/errors.ts";

/*
 * What the normalization functions check, in PyTorch's order and words.
 */

type Optional = Tensor | null | undefined;

/** Options that every normalization function with parameters has. */
export interface AffineOptions {
  /** γ, multiplied after normalizing */
  weight?: Tensor | null;
  /** β, added last */
  bias?: Tensor | null;
  /** added to the variance under the root; 1e-5 */
  eps?: number;
}

/** Whether all that are given have the dtype. */
function haveDType(tensors: Record<string, Optional>, dtype: DType): boolean {
  for (const what in tensors) if ((tensors[what]?.dtype ?? dtype) !== dtype) return false;
  return true;
}

/**
 * All have the input's dtype; beside a float16 or bfloat16 input all may be float32 instead. PyTorch takes the first of them for what is meant.
 * @param kernel the name by which PyTorch refuses integers
 * @param others weight and bias before running statistics
 */
export function checkDType(kernel: string, { dtype }: Tensor, others: Record<string, Optional>): void {
  if (!isFloatingPoint(dtype)) floatDType(dtype, kernel);
  if (haveDType(others, dtype)) return;
  const given = Object.entries(others).filter((entry): entry is [string, Tensor] => entry[1] != null);
  const refuse = (sentence: string, [what, tensor]: [string, Tensor]) => {
    throw new DTypeError(
      sentence,
      `the input is ${dtype}, ${what} ${tensor.dtype}; convert one of them with .float() or .double()`,
    );
  };
  if (given[0][1].dtype === dtype) {
    const other = given.find(([, tensor]) => tensor.dtype !== dtype);
    if (other)
      refuse(`expected scalar type ${scalarTypeName(dtype)} but found ${scalarTypeName(other[1].dtype)}`, other);
    return;
  }
  const wrong = given.find(([, tensor]) => tensor.dtype !== "float32");
  if (wrong) refuse("mixed dtype (CPU): expect parameter to have scalar type of Float", wrong);
  if (!isReduced(dtype)) refuse("mixed dtype (CPU): all inputs must share same datatype.", given[0]);
}

/** @param images how often PyTorch's instance norm repeats each channel before it counts them */
export function checkChannels(channels: number, perChannel: Record<string, Optional>, images = 1): void {
  for (const what in perChannel) {
    const tensor = perChannel[what];
    if (tensor && tensor.numel !== channels) {
      throw new ShapeError(
        `${what} should contain ${channels * images} elements not ${tensor.numel * images}`,
        `the input has ${channels} channels (its second dimension) and ${what} one value for each of them`,
      );
    }
  }
}

export function checkRank(name: string, input: Tensor): void {
  if (input.ndim < 2) {
    throw new ShapeError(
      `expected at least 2D input (got ${input.ndim}D input)`,
      `${name} takes [N, C] or [N, C, …]: batch first, then channels`,
    );
  }
}

/** The statistics to be updated, if there are any. */
export function runningStatistics(mean: Tensor | null, variance: Tensor | null, momentum: number) {
  if ((mean === null) !== (variance === null)) {
    throw new ArgumentError(
      "running_mean and running_var must either both be None or neither be None",
      `only ${mean ? "the mean" : "the variance"} is given`,
    );
  }
  return mean && variance ? { mean, variance, momentum } : null;
}

/** One value a channel has no variance. @param shown the input's size, as PyTorch writes it */
export function checkBatch(values: number, shown: () => string): void {
  if (values === 1) {
    throw new ShapeError(
      `Expected more than 1 value per channel when training, got input size ${shown()}`,
      "use a larger batch (dropLast: true drops a last batch of one), or eval() to use the running statistics",
    );
  }
}

/** The shape as a list, if the input ends in it and weight and bias have it. */
export function checkLastDimensions(
  input: Tensor,
  normalizedShape: number | Shape,
  parameters: Record<string, Optional>,
  advice: string,
): Shape {
  const normalized = typeof normalizedShape === "number" ? [normalizedShape] : normalizedShape;
  const shown = `[${normalized.join(", ")}]`;
  if (normalized.length === 0) {
    throw new ShapeError(
      "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got normalized_shape = []",
    );
  }
  for (const [what, tensor] of Object.entries(parameters)) {
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
      advice,
    );
  }
  return normalized;
}

/** A mask of counted positions: the input's shape without the channels. */
export function checkMask(input: Tensor, mask: Tensor): void {
  if (mask.dtype !== "bool") {
    throw new DTypeError(
      `the mask of batch norm is ${mask.dtype}`,
      "it says which positions count: make it bool, for example with ne(mask, 0)",
    );
  }
  const expected = input.shape.toSpliced(1, 1);
  if (!sameShape(mask.shape, expected)) {
    throw new ShapeError(
      `the mask of batch norm has shape [${mask.shape.join(", ")}]`,
      `for an input of shape [${input.shape.join(", ")}] it is [${expected.join(", ")}]: one value for each position, none for channels`,
    );
  }
}
