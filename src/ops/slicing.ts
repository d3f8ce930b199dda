import { record } from "../autograd/record.ts";
import type { Attributes } from "../autograd/trace.ts";
import { backend } from "../kernels/registry.ts";
import { fillTensor } from "../tensor/convert.ts";
import { kernelDType, viewHeap } from "../tensor/dtype.ts";
import { numelOf, type Shape, wrapDim, wrapDims } from "../tensor/shape.ts";
import { aliasOf, detachedCopy, emptyTensor, packed, packInto, type Tensor } from "../tensor/tensor.ts";
import { ArgumentError, IndexRangeError, ShapeError } from "../util/errors.ts";

/** Zeros of `shape` with g in the place that `take` sees: the gradient of taking a part. */
function embed(name: string, g: Tensor, shape: Shape, take: (x: Tensor) => Tensor): Tensor {
  const out = emptyTensor(shape, g.dtype);
  fillTensor(out, 0);
  packInto(take(out), g);
  return record(`${name.slice(0, -1)}Backward0`, out, [g], (gg) => [take(gg)]);
}

/** A part of x as a view that carries gradients; `take` takes the same part of another tensor of x's shape. */
function part(
  name: string,
  x: Tensor,
  shape: Shape,
  strides: readonly number[],
  offset: number,
  take: (x: Tensor) => Tensor,
  attributes?: Attributes,
): Tensor {
  const back = (g: Tensor) => [embed(name, g, x.shape, take)];
  return record(name, aliasOf(x, shape, strides, offset), [x], back, [], [], attributes);
}

/** Elements start, start + step, … of a dimension, `length` of them, all of which exist. */
function cut(name: string, x: Tensor, d: number, start: number, length: number, step = 1): Tensor {
  const shape = x.shape.with(d, length);
  const strides = x.strides.with(d, x.strides[d] * step);
  const offset = x.storageOffset + (length > 0 ? start * x.strides[d] : 0);
  const take = (y: Tensor) => cut(name, y, d, start, length, step);
  return part(name, x, shape, strides, offset, take, { dim: d, start, length, step });
}

/**
 * `length` elements of a dimension from `start` on, as torch.narrow: a view.
 * @throws IndexRangeError if they do not all exist
 * @example
 * ```ts
 * import { narrow, tensor } from "evenkeel";
 * narrow(tensor([1, 2, 3, 4]), 0, 1, 2).toArray(); // => [2, 3]
 * ```
 */
export function narrow(x: Tensor, dim: number, start: number, length: number): Tensor {
  if (x.ndim === 0) throw new ShapeError("narrow() cannot be applied to a 0-dim tensor.");
  const d = wrapDim(dim, x.ndim);
  const size = x.shape[d];
  const first = start < 0 ? start + size : start;
  if (!Number.isInteger(start) || first < 0 || first > size) {
    throw new IndexRangeError(
      `Dimension out of range (expected to be in range of [${-size}, ${size}], but got ${start})`,
    );
  }
  if (!Number.isInteger(length) || length < 0 || first + length > size) {
    throw new IndexRangeError(`start (${first}) + length (${length}) exceeds dimension size (${size}).`);
  }
  return cut("SliceBackward0", x, d, first, length);
}

/**
 * x[start:end:step] along a dimension, as Python slices: negative positions count from the end, and too large ones are cut.
 * @throws ArgumentError if step is no whole number from 1
 * @example
 * ```ts
 * import { arange, slice } from "evenkeel";
 * slice(arange(6), 0, 1, -1, 2).toArray(); // => [1, 3]
 * ```
 */
export function slice(x: Tensor, dim: number, start = 0, end = Number.POSITIVE_INFINITY, step = 1): Tensor {
  if (x.ndim === 0) throw new ShapeError("slice() cannot be applied to a 0-dim tensor.");
  if (!Number.isInteger(step) || step < 1) throw new ArgumentError("step must be greater than zero", `got ${step}`);
  const d = wrapDim(dim, x.ndim);
  const size = x.shape[d];
  const bound = (position: number) => Math.min(Math.max(position < 0 ? position + size : position, 0), size);
  const first = bound(start);
  return cut("SliceBackward0", x, d, first, Math.max(Math.ceil((bound(end) - first) / step), 0), step);
}

function pick(name: string, x: Tensor, d: number, at: number): Tensor {
  const without = (values: readonly number[]) => values.filter((_, i) => i !== d);
  const offset = x.storageOffset + at * x.strides[d];
  const take = (y: Tensor) => pick(name, y, d, at);
  return part(name, x, without(x.shape), without(x.strides), offset, take, { dim: d, at });
}

/**
 * One position of a dimension, which is dropped, as torch.select; x[index] for dim 0.
 * @throws IndexRangeError if the position does not exist
 * @example
 * ```ts
 * import { select, tensor } from "evenkeel";
 * select(tensor([[1, 2], [3, 4]]), 1, -1).toArray(); // => [2, 4]
 * ```
 */
export function select(x: Tensor, dim: number, index: number): Tensor {
  if (x.ndim === 0) throw new ShapeError("select() cannot be applied to a 0-dim tensor.");
  const d = wrapDim(dim, x.ndim);
  const size = x.shape[d];
  if (!Number.isInteger(index) || index < -size || index >= size) {
    throw new IndexRangeError(
      `select(): index ${index} out of range for tensor of size [${x.shape.join(", ")}] at dimension ${d}`,
    );
  }
  return pick("SelectBackward0", x, d, index < 0 ? index + size : index);
}

/**
 * x[i, j, …]: one position of each of the first dimensions.
 * @throws IndexRangeError if a position does not exist
 * @example
 * ```ts
 * import { at, tensor } from "evenkeel";
 * at(tensor([[1, 2], [3, 4]]), 1, 0).item(); // => 3
 * ```
 */
export function at(x: Tensor, ...indices: number[]): Tensor {
  if (indices.length > x.ndim) {
    throw new IndexRangeError(`too many indices for tensor of dimension ${x.ndim}`, `got ${indices.length}`);
  }
  return indices.reduce((view, index) => select(view, 0, index), x);
}

/**
 * Every position of a dimension, which is dropped, as torch.unbind.
 * @throws IndexRangeError for a dimension that does not exist
 * @example
 * ```ts
 * import { tensor, unbind } from "evenkeel";
 * unbind(tensor([[1, 2], [3, 4]])).length; // => 2
 * ```
 */
export function unbind(x: Tensor, dim = 0): Tensor[] {
  if (x.ndim === 0) throw new IndexRangeError(`Dimension specified as ${dim} but tensor has no dimensions`);
  const d = wrapDim(dim, x.ndim);
  return Array.from({ length: x.shape[d] }, (_, i) => pick("UnbindBackward0", x, d, i));
}

function cutInto(name: string, x: Tensor, d: number, sizes: readonly number[]): Tensor[] {
  let start = 0;
  return sizes.map((size) => {
    const piece = cut(name, x, d, start, size);
    start += size;
    return piece;
  });
}

/** Pieces of `size` that together have `total`; the last may be smaller, and there is at least one. */
function evenSizes(total: number, size: number): number[] {
  const count = Math.max(Math.ceil(total / size), 1);
  return Array.from({ length: count }, (_, i) => Math.min(size, total - i * size));
}

/**
 * Pieces of a dimension, all of one size (the last may be smaller) or of the given sizes, as torch.split: views.
 * @throws ArgumentError if the sizes are negative or do not sum up to the dimension's
 * @example
 * ```ts
 * import { arange, split } from "evenkeel";
 * split(arange(5), 2).map((piece) => piece.toArray()); // => [[0, 1], [2, 3], [4]]
 * split(arange(5), [1, 4]).length; // => 2
 * ```
 */
export function split(x: Tensor, sizes: number | readonly number[], dim = 0): Tensor[] {
  if (x.ndim === 0) throw new ShapeError("split expects at least a 1-dimensional tensor");
  const d = wrapDim(dim, x.ndim);
  const total = x.shape[d];
  if (typeof sizes === "number") {
    if (!(sizes >= 0)) throw new ArgumentError(`split expects split_size be non-negative, but got split_size=${sizes}`);
    if (sizes === 0 && total !== 0) {
      throw new ArgumentError(`split_size can only be 0 if dimension size is 0, but got dimension size of ${total}`);
    }
    return cutInto("SplitBackward0", x, d, evenSizes(total, Math.max(sizes, 1)));
  }
  if (sizes.some((size) => !(size >= 0)) || sizes.reduce((sum, size) => sum + size, 0) !== total) {
    throw new ArgumentError(
      `split_with_sizes expects split_sizes to sum exactly to ${total} (input tensor's size at dimension ${d}), but got split_sizes=[${sizes.join(", ")}]`,
    );
  }
  return cutInto("SplitWithSizesBackward0", x, d, sizes);
}

/**
 * At most `chunks` pieces of a dimension, of equal size but for the last, as torch.chunk: views.
 * @throws ArgumentError if chunks < 1
 * @example
 * ```ts
 * import { arange, chunk } from "evenkeel";
 * chunk(arange(5), 3).map((piece) => piece.numel); // => [2, 2, 1]
 * ```
 */
export function chunk(x: Tensor, chunks: number, dim = 0): Tensor[] {
  if (x.ndim === 0) throw new ShapeError("chunk expects at least a 1-dimensional tensor");
  if (!(chunks > 0)) throw new ArgumentError(`chunk expects \`chunks\` to be greater than 0, got: ${chunks}`);
  const d = wrapDim(dim, x.ndim);
  const total = x.shape[d];
  // PyTorch gives all of them when there is nothing to share out.
  const sizes = total === 0 ? new Array<number>(chunks).fill(0) : evenSizes(total, Math.ceil(total / chunks));
  return cutInto("SplitBackward0", x, d, sizes);
}

/**
 * The diagonal of two dimensions, as a last dimension in their place, as torch.diagonal: a view.
 * @param options offset: how far above (below, if negative) the main diagonal, default 0; dim1, dim2: default 0 and 1
 * @throws ArgumentError if both dimensions are the same
 * @example
 * ```ts
 * import { diagonal, tensor } from "evenkeel";
 * diagonal(tensor([[1, 2], [3, 4]])).toArray(); // => [1, 4]
 * ```
 */
export function diagonal(x: Tensor, options: { offset?: number; dim1?: number; dim2?: number } = {}): Tensor {
  const { offset = 0, dim1 = 0, dim2 = 1 } = options;
  const a = wrapDim(dim1, x.ndim);
  const b = wrapDim(dim2, x.ndim);
  if (a === b) throw new ArgumentError(`diagonal dimensions cannot be identical ${dim1}, ${dim2}`);
  const length = Math.max(
    offset >= 0 ? Math.min(x.shape[a], x.shape[b] - offset) : Math.min(x.shape[a] + offset, x.shape[b]),
    0,
  );
  const skipped = length === 0 ? 0 : offset >= 0 ? offset * x.strides[b] : -offset * x.strides[a];
  const rest = x.shape.map((_, d) => d).filter((d) => d !== a && d !== b);
  return part(
    "DiagonalBackward0",
    x,
    [...rest.map((d) => x.shape[d]), length],
    [...rest.map((d) => x.strides[d]), x.strides[a] + x.strides[b]],
    x.storageOffset + skipped,
    (y) => diagonal(y, options),
  );
}

/** x with one dimension reversed; no history. */
function reversed(x: Tensor, d: number): Tensor {
  const size = x.shape[d];
  const order = emptyTensor([size], "int64");
  const out = emptyTensor(x.shape, x.dtype);
  const positions = viewHeap("int64", order.pointer, size) as BigInt64Array;
  for (let i = 0; i < size; i++) positions[i] = BigInt(size - 1 - i);
  const outer = numelOf(x.shape.slice(0, d));
  backend().indexSelect(
    kernelDType(x.dtype, "flip"),
    out.pointer,
    x.pointer,
    order.pointer,
    outer,
    size,
    size,
    numelOf(x.shape.slice(d + 1)),
  );
  order.storage.release();
  return out;
}

/**
 * A copy with the given dimensions reversed, as torch.flip.
 * @throws IndexRangeError, ArgumentError for dimensions that do not exist or are named twice
 * @example
 * ```ts
 * import { flip, tensor } from "evenkeel";
 * flip(tensor([[1, 2], [3, 4]]), [1]).toArray(); // => [[2, 1], [4, 3]]
 * ```
 */
export function flip(x: Tensor, dims: readonly number[]): Tensor {
  let out = packed(x);
  for (const d of dims.length > 0 && x.ndim > 0 ? wrapDims(dims, x.ndim) : []) {
    const next = reversed(out, d);
    if (out !== x) out.storage.release();
    out = next;
  }
  return record("FlipBackward0", out === x ? detachedCopy(x) : out, [x], (g) => [flip(g, dims)]);
}
