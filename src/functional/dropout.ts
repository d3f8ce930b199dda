import { dropout as dropoutOp, featureDropout } from "../ops/dropout.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Options of the dropout functions, as PyTorch's arguments. */
export interface DropoutOptions {
  /** probability of being zeroed, 0.5 */
  p?: number;
  /** false gives the input back; true */
  training?: boolean;
}

/**
 * Zeroes each element with probability p and divides the others by 1 − p. As torch.nn.functional.dropout, with the same masks for the same seed; Srivastava et al. 2014.
 * @throws ArgumentError unless p is in [0, 1]
 * @example
 * ```ts
 * import { F, manualSeed, ones } from "evenkeel";
 * manualSeed(0);
 * F.dropout(ones([4])).toArray(); // => [0, 0, 2, 0]
 * ```
 */
export function dropout(input: Tensor, options: DropoutOptions = {}): Tensor {
  return dropoutOp(input, options.p, options.training);
}

/**
 * Zeroes whole channels of [N, C, …] with probability p and divides the others by 1 − p. As torch.nn.functional.dropout2d; Tompson et al. 2015.
 * @throws ArgumentError unless p is in [0, 1], ShapeError below two dimensions
 * @example
 * ```ts
 * import { F, ones } from "evenkeel";
 * F.dropout2d(ones([1, 2, 1, 2]), { p: 1 }).toArray(); // => [[[[0, 0]], [[0, 0]]]]
 * ```
 */
export function dropout2d(input: Tensor, options: DropoutOptions = {}): Tensor {
  return featureDropout(input, options.p, options.training);
}
