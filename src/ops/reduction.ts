import { isGradEnabled } from "../autograd/mode.ts";
import { record } from "../autograd/record.ts";
import { backend } from "../kernels/registry.ts";
import { isFloatingPoint, scalarTypeName } from "../tensor/dtype.ts";
import { wrapDims } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { DTypeError } from "../util/errors.ts";
import { div, mul } from "./arithmetic.ts";
import { eq, logicalAnd, where } from "./compare.ts";
import { filled, scalarTensor, scratch } from "./compute.ts";
import { convert } from "./convert.ts";
import { reduceDims, spread, sumOver } from "./reduce-dims.ts";
import { expand, movedim, reshape, unsqueeze } from "./views.ts";

/** Which dimensions to reduce: one, several, or all where left out. */
export type Dims = number | readonly number[] | null;

/** What every reduction takes. */
export interface ReduceOptions {
  /** Leave the reduced dimensions in the shape, with size 1. */
  keepdim?: boolean;
}

/**
 * The sum over some or all dimensions, as torch.sum. Integers and bool give int64.
 * @throws IndexRangeError for a dimension that x does not have
 * @example
 * ```ts
 * import { sum, tensor } from "evenkeel";
 * const x = tensor([[1, 2], [3, 4]]);
 * sum(x).item(); // => 10
 * sum(x, 0).toArray(); // => [4, 6]
 * sum(x, [0, 1], { keepdim: true }).toArray(); // => [[10]]
 * ```
 */
export function sum(x: Tensor, dim?: Dims, options: ReduceOptions = {}): Tensor {
  const source = isFloatingPoint(x.dtype) ? x : convert(x, "int64");
  return sumOver(source, wrapDims(dim, x.ndim), options.keepdim ?? false);
}

/**
 * The mean over some or all dimensions, as torch.mean.
 * @throws DTypeError for integers
 * @throws IndexRangeError for a dimension that x does not have
 * @example
 * ```ts
 * import { mean, tensor } from "evenkeel";
 * mean(tensor([[1, 2], [3, 4]]), 1).toArray(); // => [1.5, 3.5]
 * ```
 */
export function mean(x: Tensor, dim?: Dims, options: ReduceOptions = {}): Tensor {
  if (!isFloatingPoint(x.dtype)) {
    throw new DTypeError(
      `mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. Got: ${scalarTypeName(x.dtype)}`,
      "convert it first, for example with .float()",
    );
  }
  const dims = wrapDims(dim, x.ndim);
  let count = 1;
  for (const d of dims) count *= x.shape[d] ?? 1;
  const out = reduceDims("mean", x, dims, options.keepdim ?? false);
  const name = dims.length === x.ndim ? "MeanBackward0" : "MeanBackward1";
  return record(name, out, [x], (g) => [spread(div(g, count), x.shape, dims)], [], [], { dims });
}

/**
 * The product over one or all dimensions, as torch.prod. Integers and bool give int64.
 * @throws IndexRangeError for a dimension that x does not have
 * @example
 * ```ts
 * import { prod, tensor } from "evenkeel";
 * prod(tensor([[1, 2], [3, 4]]), 1).toArray(); // => [2, 12]
 * ```
 */
export function prod(x: Tensor, dim?: number | null, options: ReduceOptions = {}): Tensor {
  const source = isFloatingPoint(x.dtype) ? x : convert(x, "int64");
  const dims = wrapDims(dim, x.ndim);
  const out = reduceDims("prod", source, dims, options.keepdim ?? false);
  return record(
    "ProdBackward0",
    out,
    [source],
    (g) =>
      scratch(() => [
        mul(spread(g, x.shape, dims), isGradEnabled() ? othersProduct(source, dims) : othersProductOnce(source, dims)),
      ]),
    [source],
    [],
    { dims },
  );
}

/** For each element the product of all the others along the dimensions; right where elements are 0, but has no history. */
function othersProductOnce(x: Tensor, dims: readonly number[]): Tensor {
  const isZero = eq(x, 0);
  const zeros = spread(sum(isZero, dims), x.shape, dims);
  const rest = where(isZero, 1, x);
  const quotient = div(spread(reduceDims("prod", rest, dims, false), x.shape, dims), rest);
  // no zero: the quotient; one: it is the others' product at the zero, and 0 elsewhere; more: 0
  return where(eq(zeros, 0), quotient, where(logicalAnd(eq(zeros, 1), isZero), quotient, 0));
}

/** The same with history: n copies of the n elements, each with another one of them replaced by 1. */
function othersProduct(x: Tensor, dims: readonly number[]): Tensor {
  const whole = dims.length !== 1 || x.ndim === 0;
  const rows = whole ? reshape(x, [x.numel]) : movedim(x, dims[0], -1);
  const n = rows.shape[rows.ndim - 1];
  const copies = expand(unsqueeze(rows, -2), [...rows.shape, n]);
  const others = prod(where(identityMask(n), 1, copies), -1);
  return whole ? reshape(others, x.shape) : movedim(others, -1, dims[0]);
}

/** true on the diagonal of an n × n matrix */
function identityMask(n: number): Tensor {
  const mask = filled([n, n], "bool", 0);
  const one = scalarTensor(1, "bool");
  backend().copyStrided(1, [n], mask.pointer, [n + 1], one.pointer, [0]);
  one.storage.release();
  return mask;
}

/**
 * Whether any element is not 0, over some or all dimensions, as torch.any; bool.
 * @example
 * ```ts
 * import { any, tensor } from "evenkeel";
 * any(tensor([[0, 1], [0, 0]]), 1).toArray(); // => [true, false]
 * ```
 */
export function any(x: Tensor, dim?: Dims, options: ReduceOptions = {}): Tensor {
  return truth("any", x, dim, options);
}

/**
 * Whether all elements are not 0, over some or all dimensions, as torch.all; bool.
 * @example
 * ```ts
 * import { all, tensor } from "evenkeel";
 * all(tensor([[1, 1], [0, 1]]), 1).toArray(); // => [true, false]
 * ```
 */
export function all(x: Tensor, dim?: Dims, options: ReduceOptions = {}): Tensor {
  return truth("all", x, dim, options);
}

function truth(op: "any" | "all", x: Tensor, dim: Dims | undefined, options: ReduceOptions): Tensor {
  const out = reduceDims(op, x, wrapDims(dim, x.ndim), options.keepdim ?? false);
  return convert(out, "bool"); // of a 0-dimensional tensor nothing was reduced
}
