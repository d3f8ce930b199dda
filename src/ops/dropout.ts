import { record } from "../autograd/record.ts";
import { backend } from "../kernels/registry.ts";
import { floatDType, isFloat, scalarTypeName, viewHeap } from "../tensor/dtype.ts";
import { defaultGenerator } from "../tensor/generator.ts";
import { emptyTensor, type Tensor } from "../tensor/tensor.ts";
import { ArgumentError, DTypeError, ShapeError } from "../util/errors.ts";
import { mul } from "./arithmetic.ts";
import { binaryKernel } from "./compute.ts";

/** x times a mask of 0 and 1 / (1 − p). */
function masked(x: Tensor, mask: Tensor, p: number): Tensor {
  defaultGenerator.fillBernoulli(viewHeap(mask.dtype, mask.pointer, mask.numel), 1 - p);
  // in float32 the scale is 1 / fround(1 − p), rounded
  const scale = x.dtype === "float32" ? Math.fround(1 / Math.fround(1 - p)) : 1 / (1 - p);
  backend().unary("mulScalar", floatDType(mask.dtype, "dropout"), mask.pointer, mask.pointer, mask.numel, scale);
  const out = binaryKernel("mul", x, mask);
  const result = record("MulBackward0", out, [x], (g) => [mul(g, mask)], [mask]);
  if (!result.requiresGrad) mask.storage.release();
  return result;
}

/** Checks the arguments; a result that needs no mask, or null where one is to be drawn. */
function withoutMask(x: Tensor, p: number, training: boolean): Tensor | null {
  if (!(p >= 0 && p <= 1)) throw new ArgumentError(`dropout probability has to be between 0 and 1, but got ${p}`);
  if (p === 0 || !training || x.numel === 0) return x;
  if (!isFloat(x.dtype)) {
    throw new DTypeError(
      `result type Float can't be cast to the desired output type ${scalarTypeName(x.dtype)}`,
      "convert the input first, for example with .float()",
    );
  }
  return p === 1 ? mul(x, 0) : null;
}

/**
 * While training, sets each element to 0 with probability p and scales the others by 1 / (1 − p); else x itself. As
 * torch.nn.functional.dropout, drawing PyTorch's numbers from the default generator.
 * @throws ArgumentError unless 0 ≤ p ≤ 1
 * @throws DTypeError for integers
 */
export function dropout(x: Tensor, p = 0.5, training = true): Tensor {
  return withoutMask(x, p, training) ?? masked(x, emptyTensor(x.shape, x.dtype), p);
}

/**
 * dropout of whole channels: each [n, c] of x [N, C, …] is kept or set to 0 together, as torch.feature_dropout (dropout1d, dropout2d and
 * dropout3d).
 * @throws ShapeError unless x has at least 2 dimensions
 * @throws ArgumentError unless 0 ≤ p ≤ 1
 */
export function featureDropout(x: Tensor, p = 0.5, training = true): Tensor {
  const settled = withoutMask(x, p, training);
  if (settled) return settled;
  if (x.ndim < 2)
    throw new ShapeError(
      "Feature dropout requires at least 2 dimensions in the input",
      "the input is [N, channels, …]",
    );
  return masked(
    x,
    emptyTensor(
      x.shape.map((size, d) => (d < 2 ? size : 1)),
      x.dtype,
    ),
    p,
  );
}
