import { record } from "../autograd/record.ts";
import { backend } from "../kernels/registry.ts";
import { kernelDType, viewHeap } from "../tensor/dtype.ts";
import { broadcastShapes, broadcastStrides, numelOf, type Shape, wrapDim } from "../tensor/shape.ts";
import { detachedCopy, emptyTensor, packed, packInto, type Tensor } from "../tensor/tensor.ts";
import { ArgumentError, DTypeError, IndexRangeError, ShapeError } from "../util/errors.ts";
import { mul } from "./arithmetic.ts";
import { filled, scalarTensor } from "./compute.ts";
import { convert } from "./convert.ts";
import { reduceToShape } from "./reduce-to-shape.ts";
import { narrow } from "./slicing.ts";
import { expand, flatten } from "./views.ts";

/** Sizes before, at and after a dimension; a single value counts as one dimension of size 1. */
function axes(shape: Shape, d: number): [outer: number, size: number, inner: number] {
  return [numelOf(shape.slice(0, d)), shape[d] ?? 1, numelOf(shape.slice(d + 1))];
}

/** Indices as contiguous int64. @throws DTypeError for anything but whole numbers */
function indices(index: Tensor, what: string): Tensor {
  if (index.dtype === "int64") return packed(index);
  if (index.dtype === "int32") return convert(index, "int64");
  throw new DTypeError(`${what}(): Expected dtype int64 for index`, `it is ${index.dtype}; convert it with .long()`);
}

function outOfRange(index: Tensor, position: number, d: number, size: number): IndexRangeError {
  const value = viewHeap("int64", index.pointer, index.numel)[position];
  return new IndexRangeError(`index ${value} is out of bounds for dimension ${d} with size ${size}`);
}

/** x without what lies beyond `sizes` in the other dimensions than d. */
function cropped(x: Tensor, sizes: Shape, d: number): Tensor {
  let out = x;
  for (const [k, size] of sizes.entries()) if (k !== d && out.shape[k] !== size) out = narrow(out, k, 0, size);
  return out;
}

/** out[index] += x, in the memory of `out`; index and x have one shape. */
function scatterInto(out: Tensor, d: number, index: Tensor, x: Tensor): void {
  const place = cropped(out, index.shape, d);
  const region = packed(place);
  const source = packed(x);
  const [outer, count, inner] = axes(index.shape, d);
  const size = out.shape[d] ?? 1;
  const bad = backend().scatterAdd(
    kernelDType(out.dtype, "scatter_add"),
    region.pointer,
    source.pointer,
    index.pointer,
    outer,
    size,
    count,
    inner,
  );
  if (source !== x) source.storage.release();
  if (region !== place) {
    packInto(place, region);
    region.storage.release();
  }
  if (bad >= 0) throw outOfRange(index, bad, d, size);
}

/**
 * out[i][j] = x[index[i][j]][j] for dim 0, and so for every dimension, as torch.gather. The result has the index's shape.
 * @param index int64 (or int32), of x's rank and nowhere larger but along `dim`
 * @throws IndexRangeError for an index outside the dimension, ShapeError, DTypeError
 * @example
 * ```ts
 * import { gather, tensor } from "evenkeel";
 * gather(tensor([[1, 2], [3, 4]]), 1, tensor([[1], [0]], { dtype: "int64" })).toArray(); // => [[2], [3]]
 * ```
 */
export function gather(x: Tensor, dim: number, index: Tensor): Tensor {
  const d = wrapDim(dim, x.ndim);
  const at = indices(index, "gather");
  if (index.ndim !== x.ndim)
    throw new ShapeError("Index tensor must have the same number of dimensions as input tensor");
  const larger = index.shape.findIndex((size, k) => k !== d && size > x.shape[k]);
  if (larger >= 0) {
    throw new ShapeError(
      `Size does not match at dimension ${larger} expected index [${index.shape.join(", ")}] to be smaller than self [${x.shape.join(", ")}] apart from dimension ${d}`,
    );
  }
  return gatherChecked(cropped(x, index.shape, d), d, at);
}

function gatherChecked(x: Tensor, d: number, index: Tensor): Tensor {
  const source = packed(x);
  const out = emptyTensor(index.shape, x.dtype);
  const [outer, count, inner] = axes(index.shape, d);
  const size = x.shape[d] ?? 1;
  const bad = backend().gather(
    kernelDType(x.dtype, "gather"),
    out.pointer,
    source.pointer,
    index.pointer,
    outer,
    size,
    count,
    inner,
  );
  if (source !== x) source.storage.release();
  if (bad >= 0) throw outOfRange(index, bad, d, size);
  return record("GatherBackward0", out, [x], (g) => [gatherGrad(g, x.shape, d, index)], [index]);
}

function gatherGrad(g: Tensor, shape: Shape, d: number, index: Tensor): Tensor {
  const out = filled(shape, g.dtype, 0);
  scatterInto(out, d, index, g);
  return record("ScatterAddBackward0", out, [g], (gg) => [gatherChecked(gg, d, index)], [index]);
}

/**
 * A copy of x in which source[i][j] has been added to the element [index[i][j]][j] for dim 0, and so for every dimension, as torch.scatter_add.
 * @param index int64 (or int32), nowhere larger than x but along `dim`, and nowhere larger than `source`
 * @throws IndexRangeError for an index outside the dimension, ShapeError, DTypeError
 * @example
 * ```ts
 * import { scatterAdd, tensor, zeros } from "evenkeel";
 * scatterAdd(zeros([3]), 0, tensor([2, 0, 2], { dtype: "int64" }), tensor([1, 2, 3])).toArray(); // => [2, 0, 4]
 * ```
 */
export function scatterAdd(x: Tensor, dim: number, index: Tensor, source: Tensor): Tensor {
  const d = wrapDim(dim, x.ndim);
  const at = indices(index, "scatter_add");
  if (source.dtype !== x.dtype) {
    throw new DTypeError(
      "scatter(): Expected self.dtype to be equal to src.dtype",
      `they are ${x.dtype} and ${source.dtype}`,
    );
  }
  const fits =
    index.ndim === x.ndim &&
    source.ndim === x.ndim &&
    index.shape.every((size, k) => (k === d || size <= x.shape[k]) && size <= source.shape[k]);
  if (!fits) {
    throw new ShapeError(
      `Expected index [${index.shape.join(", ")}] to be smaller than self [${x.shape.join(", ")}] apart from dimension ${d} and to be smaller size than src [${source.shape.join(", ")}]`,
    );
  }
  let part = cropped(source, index.shape, d);
  if (part.ndim > 0 && part.shape[d] !== index.shape[d]) part = narrow(part, d, 0, index.shape[d]);
  const out = detachedCopy(x);
  scatterInto(out, d, at, part);
  return record(
    "ScatterAddBackward0",
    out,
    [x, part],
    (g, needs) => [needs[0] ? g : null, needs[1] ? gather(g, d, at) : null],
    [at],
  );
}

/** The index of indexSelect and indexAdd. */
function vector(index: Tensor, what: string): Tensor {
  if (index.ndim > 1)
    throw new ShapeError(`${what}(): Index is supposed to be a vector`, `it has ${index.ndim} dimensions`);
  return indices(index, what);
}

function outOfSelf(index: Tensor, position: number, d: number, size: number): IndexRangeError {
  return new IndexRangeError("index out of range in self", outOfRange(index, position, d, size).message);
}

/**
 * The given positions of a dimension, in that order, as torch.index_select.
 * @param index int64 (or int32) vector
 * @throws IndexRangeError for a position outside the dimension
 * @example
 * ```ts
 * import { indexSelect, tensor } from "evenkeel";
 * indexSelect(tensor([[1, 2], [3, 4]]), 0, tensor([1, 1, 0], { dtype: "int64" })).toArray(); // => [[3, 4], [3, 4], [1, 2]]
 * ```
 */
export function indexSelect(x: Tensor, dim: number, index: Tensor): Tensor {
  const d = wrapDim(dim, x.ndim);
  const at = vector(index, "index_select");
  const [outer, size, inner] = axes(x.shape, d);
  const source = packed(x);
  const out = emptyTensor(x.ndim > 0 ? x.shape.with(d, at.numel) : [], x.dtype);
  const bad = backend().indexSelect(
    kernelDType(x.dtype, "index_select"),
    out.pointer,
    source.pointer,
    at.pointer,
    outer,
    size,
    at.numel,
    inner,
  );
  if (source !== x) source.storage.release();
  if (bad >= 0) throw outOfSelf(at, bad, d, size);
  return record("IndexSelectBackward0", out, [x], (g) => [indexSelectGrad(g, x.shape, d, at)], [at]);
}

/** out[index[i]] += x[i] along a dimension, in the memory of `out`, which is contiguous. */
function indexAddInto(out: Tensor, d: number, index: Tensor, x: Tensor): void {
  const [outer, size, inner] = axes(out.shape, d);
  const source = packed(x);
  const bad = backend().indexAdd(
    kernelDType(out.dtype, "index_add"),
    out.pointer,
    source.pointer,
    index.pointer,
    outer,
    size,
    index.numel,
    inner,
  );
  if (source !== x) source.storage.release();
  if (bad >= 0) throw outOfSelf(index, bad, d, size);
}

function indexSelectGrad(g: Tensor, shape: Shape, d: number, index: Tensor): Tensor {
  const out = filled(shape, g.dtype, 0);
  indexAddInto(out, d, index, g);
  return record("IndexAddBackward0", out, [g], (gg) => [indexSelect(gg, d, index)], [index]);
}

/**
 * A copy of x in which alpha times the i-th slice of `source` has been added to slice index[i] of a dimension, as torch.index_add.
 * @param index int64 (or int32) vector, as long as that dimension of `source`
 * @throws IndexRangeError for a position outside the dimension, ShapeError, DTypeError
 * @example
 * ```ts
 * import { indexAdd, tensor, zeros } from "evenkeel";
 * indexAdd(zeros([3]), 0, tensor([2, 2], { dtype: "int64" }), tensor([1, 5])).toArray(); // => [0, 0, 6]
 * ```
 */
export function indexAdd(
  x: Tensor,
  dim: number,
  index: Tensor,
  source: Tensor,
  options: { alpha?: number } = {},
): Tensor {
  const { alpha = 1 } = options;
  const d = wrapDim(dim, x.ndim);
  const at = vector(index, "index_add_");
  if (source.dtype !== x.dtype) {
    throw new DTypeError(
      `index_add_(): self (${x.dtype}) and source (${source.dtype}) must have the same scalar type`,
      "convert one of them",
    );
  }
  if (at.numel !== (source.shape[d] ?? 1)) {
    throw new ShapeError(
      `index_add_(): Number of indices (${at.numel}) should be equal to source.size(dim): (${source.shape[d] ?? 1}), for dim: ${d}`,
    );
  }
  const wrong = x.shape.findIndex((size, k) => k !== d && size !== source.shape[k]);
  if (wrong >= 0 || source.ndim !== x.ndim) {
    throw new ShapeError(
      `The shapes of self [${x.shape.join(", ")}] and source [${source.shape.join(", ")}] must match apart from dimension ${d}`,
    );
  }
  const added = alpha === 1 ? source : mul(source, alpha);
  const out = detachedCopy(x);
  indexAddInto(out, d, at, added);
  return record(
    "IndexAddBackward0",
    out,
    [x, added],
    (g, needs) => [needs[0] ? g : null, needs[1] ? indexSelect(g, d, at) : null],
    [at],
  );
}

/**
 * The elements at `index` along a dimension, both broadcast over the others, as torch.take_along_dim: what argmax or a sort gave, looked up.
 * @param dim without it both are read as flat
 * @throws IndexRangeError for an index outside the dimension, ShapeError, DTypeError
 * @example
 * ```ts
 * import { takeAlongDim, tensor } from "evenkeel";
 * takeAlongDim(tensor([[1, 2], [3, 4]]), tensor([[1]], { dtype: "int64" }), 1).toArray(); // => [[2], [4]]
 * ```
 */
export function takeAlongDim(x: Tensor, index: Tensor, dim?: number): Tensor {
  if (dim === undefined) return gather(flatten(x), 0, flatten(index));
  if (x.ndim !== index.ndim) {
    throw new ShapeError(
      `torch.take_along_dim(): input and indices should have the same number of dimensions, but got ${x.ndim} dimensions for input, and ${index.ndim} dimensions for indices`,
    );
  }
  if (x.ndim === 0) return gather(x, 0, index);
  const d = wrapDim(dim, x.ndim);
  const shape = broadcastShapes(x.shape.with(d, 1), index.shape.with(d, 1));
  return gather(expand(x, shape.with(d, x.shape[d])), d, expand(index, shape.with(d, index.shape[d])));
}

/**
 * x with `value` wherever `mask` is true, broadcast, as torch.masked_fill.
 * @param mask bool
 * @throws DTypeError if the mask is not bool, ShapeError if it does not broadcast
 * @example
 * ```ts
 * import { maskedFill, tensor } from "evenkeel";
 * maskedFill(tensor([1, 2]), tensor([true, false]), 0).toArray(); // => [0, 2]
 * ```
 */
export function maskedFill(x: Tensor, mask: Tensor, value: number): Tensor {
  if (mask.dtype !== "bool") {
    throw new DTypeError(
      `masked_fill only supports boolean masks, but got mask with dtype ${mask.dtype}`,
      "compare it with ne(0)",
    );
  }
  const shape = broadcastShapes(x.shape, mask.shape);
  const out = emptyTensor(shape, x.dtype);
  const single = scalarTensor(value, x.dtype);
  backend().where(
    kernelDType(x.dtype, "masked_fill"),
    shape,
    out.pointer,
    mask.pointer,
    broadcastStrides(mask.shape, mask.strides, shape),
    single.pointer,
    shape.map(() => 0),
    x.pointer,
    broadcastStrides(x.shape, x.strides, shape),
  );
  single.storage.release();
  return record("MaskedFillBackward0", out, [x], (g) => [reduceToShape(maskedFill(g, mask, 0), x.shape)], [mask]);
}

/**
 * For every class number a row of zeros with a one at its place, as torch.nn.functional.one_hot; int64.
 * @param x int64 (or int32) class numbers
 * @param options numClasses: length of the rows, default one more than the largest class number
 * @throws IndexRangeError for a class number outside [0, numClasses)
 * @example
 * ```ts
 * import { oneHot, tensor } from "evenkeel";
 * oneHot(tensor([0, 2], { dtype: "int64" })).toArray(); // => [[1, 0, 0], [0, 0, 1]]
 * ```
 */
export function oneHot(x: Tensor, options: { numClasses?: number } = {}): Tensor {
  if (x.dtype !== "int64" && x.dtype !== "int32") {
    throw new DTypeError(
      "one_hot is only applicable to index tensor.",
      `this one is ${x.dtype}; convert it with .long()`,
    );
  }
  const classes = indices(x, "one_hot");
  const given = viewHeap("int64", classes.pointer, classes.numel) as BigInt64Array;
  let { numClasses = -1 } = options;
  if (numClasses === -1) {
    if (given.length === 0) throw new ArgumentError("Can not infer total number of classes from empty tensor.");
    numClasses = Number(given.reduce((most, label) => (label > most ? label : most))) + 1;
  }
  const out = filled([...x.shape, Math.max(numClasses, 0)], "int64", 0);
  const one = filled([x.numel], "int64", 1);
  const bad = backend().scatterAdd("int64", out.pointer, one.pointer, classes.pointer, x.numel, numClasses, 1, 1);
  one.storage.release();
  if (bad >= 0) {
    const label = viewHeap("int64", classes.pointer, classes.numel)[bad];
    throw new IndexRangeError(
      label < 0 ? "Class values must be non-negative." : "Class values must be smaller than num_classes.",
      `class ${label} is given, numClasses is ${numClasses}`,
    );
  }
  if (classes !== x) classes.storage.release();
  return out;
}
