import { isGradEnabled } from "../autograd/mode.ts";
import { record } from "../autograd/record.ts";
import { backend } from "../kernels/registry.ts";
import { type FloatDType, isFloat } from "../tensor/dtype.ts";
import { wrapDims } from "../tensor/shape.ts";
import { aliasOf, emptyTensor, packed, packInto, type Tensor } from "../tensor/tensor.ts";
import { DTypeError } from "../util/errors.ts";
import { div, mul, sub } from "./arithmetic.ts";
import { eq, where } from "./compare.ts";
import { scratch } from "./compute.ts";
import { sqrt } from "./pointwise.ts";
import { reducedShape, spread } from "./reduce-dims.ts";
import { type Dims, mean, type ReduceOptions } from "./reduction.ts";

/** What var and std take. */
export interface VarianceOptions extends ReduceOptions {
  /** Subtracted from the number of elements in the divisor: 1 (the default) is the unbiased variance, 0 the biased one. */
  correction?: number;
}

/** A contiguous tensor seen as [outer, size, inner], the dimensions to reduce in the middle; a copy where they are apart. */
function foldMiddle(x: Tensor, dims: readonly number[]): { data: Tensor; outer: number; size: number; inner: number } {
  let [outer, size, inner] = [1, 1, 1];
  const [first, last] = [dims[0], dims[dims.length - 1]];
  x.shape.forEach((n, d) => {
    if (dims.includes(d)) size *= n;
    else if (d < first) outer *= n;
    else inner *= n;
  });
  const together = x.shape.every((n, d) => d < first || d > last || n === 1 || dims.includes(d));
  if (together) return { data: packed(x), outer, size, inner };
  const order = [...x.shape.keys()].filter((d) => !dims.includes(d)).concat(dims);
  const shape = order.map((d) => x.shape[d]);
  const data = emptyTensor(shape, x.dtype);
  packInto(
    data,
    aliasOf(
      x,
      shape,
      order.map((d) => x.strides[d]),
    ),
  );
  return { data, outer: outer * inner, size, inner: 1 };
}

function moments(
  name: string,
  x: Tensor,
  dim: Dims | undefined,
  options: VarianceOptions,
): { variance: Tensor; average: Tensor } {
  if (!isFloat(x.dtype)) {
    throw new DTypeError(
      "std and var only support floating point and complex dtypes",
      "convert it first, for example with .float()",
    );
  }
  const { correction = 1, keepdim = false } = options;
  const dims = wrapDims(dim, x.ndim);
  const shape = reducedShape(x.shape, dims, keepdim);
  const { data, outer, size, inner } = foldMiddle(x, dims);
  const average = emptyTensor(shape, x.dtype);
  const out = emptyTensor(shape, x.dtype);
  backend().variance(x.dtype as FloatDType, out.pointer, average.pointer, data.pointer, outer, size, inner, correction);
  if (data !== x) data.storage.release();
  const variance = record(
    name,
    out,
    [x],
    (g) =>
      scratch(() => {
        // the mean has a history only if it is computed again
        const center = isGradEnabled() ? mean(x, dims, { keepdim }) : average;
        const deviation = sub(x, spread(center, x.shape, dims));
        return [mul(deviation, spread(mul(g, 2 / (size - correction)), x.shape, dims))];
      }),
    [x],
    [],
    { dims, correction },
  );
  return { variance, average };
}

/**
 * The variance over some or all dimensions, Σ (x − mean)² / (n − correction), as torch.var: unbiased unless `correction` is 0.
 * NaN where n ≤ correction.
 * @throws DTypeError for integers
 * @example
 * ```ts
 * import { tensor, variance } from "evenkeel";
 * const x = tensor([1, 2, 3, 4]);
 * variance(x, 0, { correction: 0 }).item(); // => 1.25
 * variance(tensor([1, 3])).item(); // => 2
 * ```
 */
export function variance(x: Tensor, dim?: Dims, options: VarianceOptions = {}): Tensor {
  const result = moments("VarBackward0", x, dim, options);
  if (!result.variance.requiresGrad) result.average.storage.release();
  return result.variance;
}

/**
 * The standard deviation √variance over some or all dimensions, as torch.std: unbiased unless `correction` is 0.
 * @throws DTypeError for integers
 * @example
 * ```ts
 * import { std, tensor } from "evenkeel";
 * std(tensor([1, 1, 3, 3]), 0, { correction: 0 }).item(); // => 1
 * ```
 */
export function std(x: Tensor, dim?: Dims, options: VarianceOptions = {}): Tensor {
  const spreadOut = variance(x, dim, options);
  const out = sqrt(spreadOut.detach());
  // flat at 0, where √ has no gradient
  const back = (g: Tensor) => scratch(() => [where(eq(out, 0), 0, div(g, mul(out, 2)))]);
  return record("StdBackward0", out, [spreadOut], back, [out]);
}

/**
 * Variance and mean in one pass, as torch.var_mean.
 * @throws DTypeError for integers
 * @example
 * ```ts
 * import { tensor, varMean } from "evenkeel";
 * const [variance, mean] = varMean(tensor([1, 3]));
 * [variance.item(), mean.item()]; // => [2, 2]
 * ```
 */
export function varMean(x: Tensor, dim?: Dims, options: VarianceOptions = {}): [variance: Tensor, mean: Tensor] {
  const result = moments("VarMeanBackward0", x, dim, options);
  if (!result.variance.requiresGrad) return [result.variance, result.average];
  return [result.variance, mean(x, dim, options)];
}
