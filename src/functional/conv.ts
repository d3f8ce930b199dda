import { conv1d as conv1dOp, conv2d as conv2dOp, type ConvOptions as OpOptions } from "../ops/conv.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Options of the convolution functions, as PyTorch's arguments; a pair is [height, width]. */
export interface ConvOptions extends OpOptions {
  /** [out], added to every position */
  bias?: Tensor | null;
}

/**
 * Convolution (cross-correlation) of [N, in, length] or [in, length] with a weight [out, in / groups, kernel]. The output has ⌊(length + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1
 * positions. As torch.nn.functional.conv1d.
 * @throws ShapeError, DTypeError, ArgumentError with PyTorch's sentences
 * @example
 * ```ts
 * import { F, tensor } from "evenkeel";
 * F.conv1d(tensor([[1, 2, 4]]), tensor([[[-1, 1]]]), { bias: tensor([10]) }).toArray(); // => [[11, 12]]
 * ```
 */
export function conv1d(input: Tensor, weight: Tensor, options: ConvOptions = {}): Tensor {
  return conv1dOp(input, weight, options.bias, options);
}

/**
 * Convolution (cross-correlation) of [N, in, height, width] or [in, height, width] with a weight [out, in / groups, kernel height, kernel width]. The output has
 * ⌊(size + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1 rows and columns. As torch.nn.functional.conv2d.
 * @throws ShapeError, DTypeError, ArgumentError with PyTorch's sentences
 * @example
 * ```ts
 * import { F, ones } from "evenkeel";
 * F.conv2d(ones([1, 2, 2]), ones([1, 1, 3, 3]), { padding: 1 }).toArray(); // => [[[4, 4], [4, 4]]]
 * ```
 */
export function conv2d(input: Tensor, weight: Tensor, options: ConvOptions = {}): Tensor {
  return conv2dOp(input, weight, options.bias, options);
}
