import { reportAsOne } from "../autograd/trace.ts";
import { add, div, mul } from "../ops/arithmetic.ts";
import { pow } from "../ops/binary.ts";
import { norm } from "../ops/norms.ts";
import { clamp, square } from "../ops/pointwise.ts";
import { avgPool2d } from "../ops/pool.ts";
import type { Dims } from "../ops/reduction.ts";
import { narrow } from "../ops/slicing.ts";
import { reshape } from "../ops/views.ts";
import { isReduced } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { ArgumentError, ShapeError } from "../util/errors.ts";
import { inFloat32, widened } from "./norm-reduced.ts";

/** Constants of local response normalization. */
export interface ResponseOptions {
  /** weight of the mean square; 1e-4 */
  alpha?: number;
  /** the exponent; 0.75 */
  beta?: number;
  /** added to the weighted mean square; 1 */
  k?: number;
}

/**
 * Local response normalization of [N, C, …]: y = x / (k + alpha · mean of x² over `size` neighbouring channels)^beta; beyond the first and last
 * channel there are zeros, which count in the mean. As torch.nn.functional.local_response_norm; Krizhevsky et al. 2012.
 * @throws ShapeError for fewer than three dimensions
 * @example
 * ```ts
 * import { F, tensor } from "evenkeel";
 * F.localResponseNorm(tensor([[[1], [2], [3]]]), 3, { alpha: 3, beta: 1 }).flatten().toArray(); // => [0.1667, 0.1333, 0.2143]
 * ```
 */
export function localResponseNorm(input: Tensor, size: number, options: ResponseOptions = {}): Tensor {
  const { alpha = 1e-4, beta = 0.75, k = 1 } = options;
  if (input.ndim < 3) {
    // PyTorch's sentence has the line break's spaces in it.
    throw new ShapeError(
      `Expected 3D or higher dimensionality                          input (got ${input.ndim} dimensions)`,
      "local response norm takes [N, C, …] with at least one position: use unsqueeze(-1) for [N, C]",
    );
  }
  if (!Number.isInteger(size) || size < 1) {
    throw new ArgumentError(
      `kernel size should be greater than zero, but got kH: ${size} kW: 1`,
      "size is a number of neighbouring channels",
    );
  }
  if (input.numel === 0) return input;
  if (isReduced(input.dtype)) return inFloat32(input, [], () => [localResponseNorm(widened(input), size, options)])[0];
  const settings = { size, alpha, beta, k };
  return reportAsOne("LocalResponseNormBackward0", [input], settings, () => divideByResponse(input, settings));
}

function divideByResponse(
  input: Tensor,
  { size, alpha, beta, k }: { size: number } & Required<ResponseOptions>,
): Tensor {
  const [n, channels] = input.shape;
  const squares = reshape(square(input), [n, 1, channels, -1]);
  // An even window reaches one channel further down than up: the padding on both sides makes one output too many.
  const pooled = avgPool2d(squares, [size, 1], { stride: 1, padding: [Math.floor(size / 2), 0] });
  const average = reshape(narrow(pooled, 2, 0, channels), input.shape);
  return div(input, pow(add(mul(average, alpha), k), beta));
}

/**
 * x / max(‖x‖ₚ, eps) along a dimension. As torch.nn.functional.normalize.
 * @param options.p the exponent of the norm; 2
 * @param options.dim the dimension or dimensions whose norm becomes 1; 1
 * @param options.eps the least that is divided by; 1e-12
 * @throws IndexRangeError for a dimension that the input does not have
 * @example
 * ```ts
 * import { F, tensor } from "evenkeel";
 * F.normalize(tensor([[3, 4], [0, 0]])).toArray(); // => [[0.6, 0.8], [0, 0]]
 * F.normalize(tensor([1, 3]), { p: 1, dim: 0 }).toArray(); // => [0.25, 0.75]
 * ```
 */
export function normalize(input: Tensor, options: { p?: number; dim?: Dims; eps?: number } = {}): Tensor {
  if (isReduced(input.dtype)) return inFloat32(input, [], () => [normalize(widened(input), options)])[0];
  const { p = 2, dim = 1, eps = 1e-12 } = options;
  return div(input, clamp(norm(input, p, dim, { keepdim: true }), { min: eps }));
}
