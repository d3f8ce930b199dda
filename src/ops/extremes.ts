import { record } from "../autograd/record.ts";
import { backend } from "../kernels/registry.ts";
import { type DType, type KernelDType, kernelDType } from "../tensor/dtype.ts";
import { wrapDim, wrapDims } from "../tensor/shape.ts";
import { emptyTensor, packed, type Tensor } from "../tensor/tensor.ts";
import { ArgumentError, IndexRangeError } from "../util/errors.ts";
import { div } from "./arithmetic.ts";
import { eq, where } from "./compare.ts";
import { filled, scratch } from "./compute.ts";
import { convert } from "./convert.ts";
import { reduceDims, reducedShape, spread } from "./reduce-dims.ts";
import { type Dims, type ReduceOptions, sum } from "./reduction.ts";

/** Extreme values along a dimension, and where they were found (int64). */
export interface Extremes {
  values: Tensor;
  indices: Tensor;
}

function refuseEmpty(name: string, x: Tensor, dims: readonly number[] | null): void {
  if (dims === null) {
    if (x.numel > 0) return;
    const more = name.startsWith("arg") ? "" : " Specify the reduction dim with the 'dim' argument.";
    throw new ArgumentError(`${name}(): Expected reduction dim to be specified for input.numel() == 0.${more}`);
  }
  const empty = dims.find((d) => x.shape[d] === 0);
  if (empty !== undefined)
    throw new IndexRangeError(`${name}(): Expected reduction dim ${empty} to have non-zero size.`);
}

/** [outer, size, inner] around one dimension */
function around(x: Tensor, d: number): [outer: number, size: number, inner: number] {
  let [outer, inner] = [1, 1];
  for (let i = 0; i < d; i++) outer *= x.shape[i];
  for (let i = d + 1; i < x.ndim; i++) inner *= x.shape[i];
  return [outer, x.shape[d] ?? 1, inner];
}

/** The elements of x at one position along a dimension, given for each of the others. Linear, like its gradient below. */
function pickAt(x: Tensor, indices: Tensor, d: number): Tensor {
  const source = packed(x);
  const [outer, size, inner] = around(x, d);
  const out = emptyTensor(indices.shape, x.dtype);
  backend().gather(kernelDType(x.dtype, "gather"), out.pointer, source.pointer, indices.pointer, outer, size, 1, inner);
  if (source !== x) source.storage.release();
  return record("GatherBackward0", out, [x], (g) => [placeAt(g, indices, x, d)], [indices]);
}

/** Zeros of x's shape with g at the positions that pickAt reads. */
function placeAt(g: Tensor, indices: Tensor, x: Tensor, d: number): Tensor {
  const source = packed(g);
  const [outer, size, inner] = around(x, d);
  const out = filled(x.shape, x.dtype, 0);
  backend().scatterAdd(
    kernelDType(x.dtype, "scatter_add"),
    out.pointer,
    source.pointer,
    indices.pointer,
    outer,
    size,
    1,
    inner,
  );
  if (source !== g) source.storage.release();
  return record("ValueSelectingReductionBackward0", out, [g], (gg) => [pickAt(gg, indices, d)], [indices]);
}

/** bool is compared as bytes. */
function computedAs(op: string, dtype: DType): KernelDType {
  return dtype === "bool" ? "uint8" : kernelDType(dtype, op);
}

function along(op: "max" | "min", x: Tensor, dim: number, options: ReduceOptions): Extremes {
  const d = wrapDim(dim, x.ndim);
  refuseEmpty(op, x, [d]);
  const shape = reducedShape(x.shape, [d], options.keepdim ?? false);
  const values = emptyTensor(shape, x.dtype);
  const indices = emptyTensor(shape, "int64");
  const source = packed(x);
  backend().extremum(op, computedAs(op, x.dtype), values.pointer, indices.pointer, source.pointer, ...around(x, d));
  if (source !== x) source.storage.release();
  const back = (g: Tensor) => [placeAt(g, indices, x, d)];
  return {
    values: record(op === "max" ? "MaxBackward0" : "MinBackward0", values, [x], back, [indices], [], { dims: [d] }),
    indices,
  };
}

/** The extreme value over several dimensions; the gradient is shared evenly among equal ones. */
function over(op: "max" | "min", name: string, x: Tensor, dims: readonly number[], keepdim: boolean): Tensor {
  const source = x.dtype === "bool" ? convert(x, "uint8") : x;
  const out = reduceDims(op, source, dims, keepdim);
  if (source !== x) return convert(out, "bool");
  const back = (g: Tensor) =>
    scratch(() => {
      const mask = eq(x, spread(out.detach(), x.shape, dims));
      const count = convert(sum(mask, dims, { keepdim }), x.dtype);
      return [where(mask, spread(div(g, count), x.shape, dims), 0)];
    });
  return record(name, out, [x], back, [x, out], [], { dims });
}

/**
 * The largest element, or along a dimension the largest values and their positions, as torch.max; NaN counts as largest. Without a
 * dimension the gradient is shared evenly among equal elements, with one it goes to the element at the index.
 * @throws ArgumentError if x is empty
 * @throws IndexRangeError if the dimension is empty or does not exist
 * @example
 * ```ts
 * import { max, tensor } from "evenkeel";
 * const x = tensor([[1, 5], [7, 2]]);
 * max(x).item(); // => 7
 * const { values, indices } = max(x, 1);
 * values.toArray(); // => [5, 7]
 * indices.toArray(); // => [1, 0]
 * ```
 */
export function max(x: Tensor): Tensor;
export function max(x: Tensor, dim: number, options?: ReduceOptions): Extremes;
export function max(x: Tensor, dim?: number, options: ReduceOptions = {}): Tensor | Extremes {
  if (dim !== undefined) return along("max", x, dim, options);
  refuseEmpty("max", x, null);
  return over("max", "MaxBackward1", x, wrapDims(null, x.ndim), false);
}

/**
 * The smallest element, or along a dimension the smallest values and their positions, as torch.min; NaN counts as smallest. The
 * gradient is that of max.
 * @throws ArgumentError if x is empty
 * @throws IndexRangeError if the dimension is empty or does not exist
 * @example
 * ```ts
 * import { min, tensor } from "evenkeel";
 * min(tensor([[1, 5], [7, 2]]), 0).values.toArray(); // => [1, 2]
 * ```
 */
export function min(x: Tensor): Tensor;
export function min(x: Tensor, dim: number, options?: ReduceOptions): Extremes;
export function min(x: Tensor, dim?: number, options: ReduceOptions = {}): Tensor | Extremes {
  if (dim !== undefined) return along("min", x, dim, options);
  refuseEmpty("min", x, null);
  return over("min", "MinBackward1", x, wrapDims(null, x.ndim), false);
}

function extreme(op: "max" | "min", x: Tensor, dim: Dims | undefined, options: ReduceOptions): Tensor {
  const name = op === "max" ? "amax" : "amin";
  const dims = wrapDims(dim, x.ndim);
  refuseEmpty(name, x, dim == null ? null : dims);
  return over(op, op === "max" ? "AmaxBackward0" : "AminBackward0", x, dims, options.keepdim ?? false);
}

/**
 * The largest values over some or all dimensions, as torch.amax. The gradient is shared evenly among equal elements.
 * @throws ArgumentError, IndexRangeError as max
 * @example
 * ```ts
 * import { amax, tensor } from "evenkeel";
 * amax(tensor([[1, 5], [7, 2]]), [0, 1]).item(); // => 7
 * ```
 */
export function amax(x: Tensor, dim?: Dims, options: ReduceOptions = {}): Tensor {
  return extreme("max", x, dim, options);
}

/**
 * The smallest values over some or all dimensions, as torch.amin. The gradient is shared evenly among equal elements.
 * @throws ArgumentError, IndexRangeError as min
 * @example
 * ```ts
 * import { amin, tensor } from "evenkeel";
 * amin(tensor([[1, 5], [7, 2]]), [0, 1]).item(); // => 1
 * ```
 */
export function amin(x: Tensor, dim?: Dims, options: ReduceOptions = {}): Tensor {
  return extreme("min", x, dim, options);
}

function position(op: "max" | "min", x: Tensor, dim: number | null | undefined, options: ReduceOptions): Tensor {
  const { keepdim = false } = options;
  const d = dim == null ? null : wrapDim(dim, x.ndim);
  refuseEmpty(`arg${op}`, x, d === null ? null : [d]);
  const shape = reducedShape(x.shape, d === null ? wrapDims(null, x.ndim) : [d], keepdim);
  const out = emptyTensor(shape, "int64");
  const source = packed(x);
  const folded: [number, number, number] = d === null ? [1, x.numel, 1] : around(x, d);
  backend().extremum(op, computedAs(op, x.dtype), 0, out.pointer, source.pointer, ...folded);
  if (source !== x) source.storage.release();
  return out;
}

/**
 * The position of the first largest element, along a dimension or in the flattened tensor, as torch.argmax; int64.
 * @throws IndexRangeError if x or the dimension is empty
 * @example
 * ```ts
 * import { argmax, tensor } from "evenkeel";
 * argmax(tensor([[1, 5], [7, 2]]), 1).toArray(); // => [1, 0]
 * ```
 */
export function argmax(x: Tensor, dim?: number | null, options: ReduceOptions = {}): Tensor {
  return position("max", x, dim, options);
}

/**
 * The position of the first smallest element, along a dimension or in the flattened tensor, as torch.argmin; int64.
 * @throws IndexRangeError if x or the dimension is empty
 * @example
 * ```ts
 * import { argmin, tensor } from "evenkeel";
 * argmin(tensor([[1, 5], [7, 2]]), 1).toArray(); // => [0, 1]
 * ```
 */
export function argmin(x: Tensor, dim?: number | null, options: ReduceOptions = {}): Tensor {
  return position("min", x, dim, options);
}
