import { noGrad } from "../autograd/mode.ts";
import { record } from "../autograd/record.ts";
import { isFloat, scalarTypeName } from "../tensor/dtype.ts";
import { wrapDims } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { tidy } from "../tensor/tidy.ts";
import { DTypeError } from "../util/errors.ts";
import { add, div, mul, sub } from "./arithmetic.ts";
import { pow } from "./binary.ts";
import { eq, isfinite, ne, where } from "./compare.ts";
import { scratch, unaryKernel } from "./compute.ts";
import { convert } from "./convert.ts";
import { amax, amin } from "./extremes.ts";
import { abs, exp, log, sign, square, toFloat } from "./pointwise.ts";
import { reduceDims, spread } from "./reduce-dims.ts";
import { type Dims, type ReduceOptions, sum } from "./reduction.ts";

/**
 * ln Σ eˣ over some or all dimensions without overflow, as torch.logsumexp.
 * @throws IndexRangeError for a dimension that x does not have
 * @example
 * ```ts
 * import { logsumexp, tensor } from "evenkeel";
 * logsumexp(tensor([1000, 1000]), 0).item(); // => 1000.6931…
 * ```
 */
export function logsumexp(input: Tensor, dim?: Dims, options: ReduceOptions = {}): Tensor {
  const { keepdim = false } = options;
  const x = toFloat(input);
  const dims = wrapDims(dim, x.ndim);
  const out = noGrad(() =>
    tidy(() => {
      if (x.numel === 0) return log(sum(x, dims, { keepdim }));
      const largest = amax(x, dims, { keepdim });
      const shift = where(isfinite(largest), largest, 0);
      return add(log(sum(exp(sub(x, spread(shift, x.shape, dims))), dims, { keepdim })), shift);
    }),
  );
  const back = (g: Tensor) => scratch(() => [mul(spread(g, x.shape, dims), exp(sub(x, spread(out, x.shape, dims))))]);
  return record("LogsumexpBackward0", out, [x], back, [x, out], [], { dims });
}

/**
 * The p-norm (Σ |x|ᵖ)^(1/p) over some or all dimensions, as torch.norm; p = 2 is the Euclidean (Frobenius) norm, ±Infinity the
 * largest or smallest |x|, 0 counts what is not 0.
 * @throws DTypeError for integers
 * @example
 * ```ts
 * import { norm, tensor } from "evenkeel";
 * norm(tensor([3, 4])).item(); // => 5
 * norm(tensor([[3, -4], [1, 1]]), 1, 1).toArray(); // => [7, 2]
 * ```
 */
export function norm(x: Tensor, p = 2, dim?: Dims, options: ReduceOptions = {}): Tensor {
  if (!isFloat(x.dtype)) {
    throw new DTypeError(
      `norm(): input dtype should be either floating point or complex. Got ${scalarTypeName(x.dtype)} instead.`,
      "convert it first, for example with .float()",
    );
  }
  if (p === 2) return euclidean(x, wrapDims(dim, x.ndim), options.keepdim ?? false);
  if (p === 0) return convert(sum(ne(x, 0), dim, options), x.dtype);
  if (p === 1) return sum(abs(x), dim, options);
  if (p === Infinity) return amax(abs(x), dim, options);
  if (p === -Infinity) return amin(abs(x), dim, options);
  return general(x, p, wrapDims(dim, x.ndim), options.keepdim ?? false);
}

function general(x: Tensor, p: number, dims: readonly number[], keepdim: boolean): Tensor {
  const out = noGrad(() => tidy(() => pow(reduceDims("sum", pow(abs(x), p), dims, keepdim), 1 / p)));
  // flat where x is 0, though for p < 1 the slope is infinite there; the 1s keep 0 / 0 out of further derivatives
  const back = (g: Tensor) =>
    scratch(() => {
      const length = spread(where(eq(out, 0), 1, out), x.shape, dims);
      const share = where(eq(x, 0), 1, div(abs(x), length));
      return [mul(mul(spread(g, x.shape, dims), sign(x)), pow(share, p - 1))];
    });
  return record("NormBackward1", out, [x], back, [x, out], [], { dims, p });
}

function euclidean(x: Tensor, dims: readonly number[], keepdim: boolean): Tensor {
  const out = noGrad(() => tidy(() => unaryKernel("sqrt", reduceDims("sum", square(x), dims, keepdim))));
  // flat at 0, where the direction is undefined
  const back = (g: Tensor) => scratch(() => [mul(x, spread(where(eq(out, 0), 0, div(g, out)), x.shape, dims))]);
  return record("NormBackward1", out, [x], back, [x, out], [], { dims, p: 2 });
}
