import { record } from "../autograd/record.ts";
import { type MemoryFormatOptions, preservedStrides, stridesIn } from "../tensor/memory-format.ts";
import { inferShape, type Shape, sameShape, viewStrides, wrapDim, zerosList } from "../tensor/shape.ts";
import { aliasOf, detachedCopy, type Tensor } from "../tensor/tensor.ts";
import { ArgumentError, ShapeError } from "../util/errors.ts";
import { broadcastTo as widened } from "./reduce-to-shape.ts";

/** The same elements, laid over another shape, as a view that carries gradients. */
function reshaped(name: string, x: Tensor, shape: Shape, strides: readonly number[]): Tensor {
  return record(name, aliasOf(x, shape, strides), [x], (g) => [reshape(g, x.shape)]);
}

/**
 * A copy with its own memory, as torch.clone; gradients flow through it. Its elements keep their order in memory, unless a memory format
 * is given.
 * @throws ShapeError for a memory format of another rank
 * @example
 * ```ts
 * import { clone, tensor } from "evenkeel";
 * const x = tensor([1, 2]);
 * clone(x).fill_(0);
 * x.toArray(); // => [1, 2]
 * ```
 */
export function clone(x: Tensor, options: MemoryFormatOptions = {}): Tensor {
  const { memoryFormat } = options;
  const strides = memoryFormat ? stridesIn(memoryFormat, x.shape) : preservedStrides(x.shape, x.strides);
  return record("CloneBackward0", detachedCopy(x, strides), [x], (g) => [g]);
}

/**
 * x itself if its elements lie row-major without gaps, else such a copy, as torch.Tensor.contiguous. With a memory format they lie in that one:
 * "channelsLast" puts the channels of [N, C, H, W] innermost, "channelsLast3d" those of [N, C, D, H, W].
 * @throws ShapeError for a memory format of another rank
 * @example
 * ```ts
 * import { contiguous, tensor, zeros } from "evenkeel";
 * contiguous(tensor([[1, 2], [3, 4]]).t()).strides; // => [2, 1]
 * const x = contiguous(zeros([2, 3, 4, 5]), { memoryFormat: "channelsLast" });
 * x.shape; // => [2, 3, 4, 5]
 * x.strides; // => [60, 1, 15, 3]
 * x.isContiguousIn("channelsLast"); // => true
 * ```
 */
export function contiguous(x: Tensor, options: MemoryFormatOptions = {}): Tensor {
  const { memoryFormat = "contiguous" } = options;
  if (memoryFormat !== "contiguous") stridesIn(memoryFormat, x.shape);
  return x.isContiguousIn(memoryFormat) ? x : clone(x, { memoryFormat });
}

/**
 * The elements in another shape, one size of which may be −1: a view where the strides allow it, else a copy, as torch.reshape.
 * @throws ShapeError if the number of elements differs
 * @example
 * ```ts
 * import { arange, reshape } from "evenkeel";
 * reshape(arange(6), [2, -1]).toArray(); // => [[0, 1, 2], [3, 4, 5]]
 * ```
 */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const to = inferShape(shape, x.numel);
  const strides = viewStrides(x.shape, x.strides, to);
  if (strides) return reshaped("ViewBackward0", x, to, strides);
  const copy = detachedCopy(x);
  const out = aliasOf(copy, to, viewStrides(copy.shape, copy.strides, to) as number[]);
  return record("UnsafeViewBackward0", out, [x], (g) => [reshape(g, x.shape)]);
}

/**
 * The elements in another shape, sharing memory, as torch.Tensor.view.
 * @throws ShapeError if the number of elements differs, or the strides do not allow a view
 * @example
 * ```ts
 * import { arange, view } from "evenkeel";
 * view(arange(6), [3, 2]).shape; // => [3, 2]
 * ```
 */
export function view(x: Tensor, shape: Shape): Tensor {
  const to = inferShape(shape, x.numel);
  const strides = viewStrides(x.shape, x.strides, to);
  if (strides) return reshaped("ViewBackward0", x, to, strides);
  throw new ShapeError(
    "view size is not compatible with input tensor's size and stride (at least one dimension spans across two contiguous subspaces). Use .reshape(...) instead.",
  );
}

/**
 * Joins the dimensions from startDim to endDim into one, as torch.flatten.
 * @throws IndexRangeError, ShapeError for dimensions that do not exist or are in the wrong order
 * @example
 * ```ts
 * import { flatten, zeros } from "evenkeel";
 * flatten(zeros([2, 3, 4]), 1).shape; // => [2, 12]
 * ```
 */
export function flatten(x: Tensor, startDim = 0, endDim = -1): Tensor {
  const start = wrapDim(startDim, x.ndim);
  const end = wrapDim(endDim, x.ndim);
  if (start > end) throw new ShapeError("flatten() has invalid args: start_dim cannot come after end_dim");
  const joined = x.shape.slice(start, end + 1).reduce((n, size) => n * size, 1);
  return reshape(x, [...x.shape.slice(0, start), joined, ...x.shape.slice(end + 1)]);
}

/**
 * Splits a dimension into several, one of which may be −1, as torch.Tensor.unflatten.
 * @throws ShapeError if the sizes do not multiply up to the dimension's
 * @example
 * ```ts
 * import { unflatten, zeros } from "evenkeel";
 * unflatten(zeros([2, 12]), 1, [3, -1]).shape; // => [2, 3, 4]
 * ```
 */
export function unflatten(x: Tensor, dim: number, sizes: Shape): Tensor {
  const d = wrapDim(dim, x.ndim);
  const known = sizes.reduce((n, size) => (size === -1 ? n : n * size), 1);
  if (sizes.includes(-1) ? x.shape[d] % known !== 0 : known !== x.shape[d]) {
    throw new ShapeError(
      `unflatten: Provided sizes [${sizes.join(", ")}] don't multiply up to the size of dim ${d} (${x.shape[d]}) in the input tensor`,
    );
  }
  return view(x, [...x.shape.slice(0, d), ...inferShape(sizes, x.shape[d]), ...x.shape.slice(d + 1)]);
}

function permuted(name: string, x: Tensor, order: readonly number[]): Tensor {
  const out = aliasOf(
    x,
    order.map((d) => x.shape[d]),
    order.map((d) => x.strides[d]),
  );
  const back = (g: Tensor) => {
    const inverse = new Array<number>(order.length);
    for (const [to, from] of order.entries()) inverse[from] = to;
    return [permuted("PermuteBackward0", g, inverse)];
  };
  return record(name, out, [x], back, [], [], { order });
}

/**
 * The dimensions in another order, as torch.permute.
 * @throws ArgumentError if `dims` is no order of all dimensions
 * @example
 * ```ts
 * import { permute, zeros } from "evenkeel";
 * permute(zeros([2, 3, 4]), [2, 0, 1]).shape; // => [4, 2, 3]
 * ```
 */
export function permute(x: Tensor, dims: readonly number[]): Tensor {
  if (dims.length !== x.ndim) {
    throw new ArgumentError(
      `permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired ordering of dimensions i.e. input.dim() = ${x.ndim} is not equal to len(dims) = ${dims.length}`,
    );
  }
  const order = dims.map((dim) => wrapDim(dim, x.ndim));
  if (new Set(order).size < order.length) throw new ArgumentError("permute(): duplicate dims are not allowed.");
  return permuted("PermuteBackward0", x, order);
}

/** All dimensions in order, with two of them exchanged. */
function exchanged(rank: number, a: number, b: number): number[] {
  const order = Array.from({ length: rank }, (_, d) => d);
  if (rank > 0) [order[a], order[b]] = [b, a];
  return order;
}

/**
 * Exchanges two dimensions, as torch.transpose.
 * @throws IndexRangeError for a dimension that does not exist
 * @example
 * ```ts
 * import { tensor, transpose } from "evenkeel";
 * transpose(tensor([[1, 2], [3, 4]]), 0, 1).toArray(); // => [[1, 3], [2, 4]]
 * ```
 */
export function transpose(x: Tensor, dim0: number, dim1: number): Tensor {
  return permuted("TransposeBackward0", x, exchanged(x.ndim, wrapDim(dim0, x.ndim), wrapDim(dim1, x.ndim)));
}

/**
 * The transpose of a matrix; a vector or a single value as it is, as torch.t.
 * @throws ShapeError for more than 2 dimensions
 * @example
 * ```ts
 * import { t, tensor } from "evenkeel";
 * t(tensor([[1, 2], [3, 4]])).toArray(); // => [[1, 3], [2, 4]]
 * ```
 */
export function t(x: Tensor): Tensor {
  if (x.ndim > 2) {
    throw new ShapeError(
      `t() expects a tensor with <= 2 dimensions, but self is ${x.ndim}D`,
      "use transpose(dim0, dim1)",
    );
  }
  return permuted("TBackward0", x, x.ndim === 2 ? [1, 0] : exchanged(x.ndim, 0, 0));
}

/**
 * Moves dimensions to other places, the rest keeping their order, as torch.movedim.
 * @throws ArgumentError if a dimension is named twice or the numbers of dimensions differ
 * @example
 * ```ts
 * import { movedim, zeros } from "evenkeel";
 * movedim(zeros([2, 3, 4]), 1, -1).shape; // => [2, 4, 3]
 * ```
 */
export function movedim(
  x: Tensor,
  source: number | readonly number[],
  destination: number | readonly number[],
): Tensor {
  const wrap = (dims: number | readonly number[], what: string) => {
    const wrapped = (typeof dims === "number" ? [dims] : dims).map((dim) => wrapDim(dim, x.ndim));
    if (new Set(wrapped).size < wrapped.length) {
      throw new ArgumentError(`movedim: repeated dim in \`${what}\` ([${wrapped.join(", ")}])`);
    }
    return wrapped;
  };
  const from = wrap(source, "source");
  const to = wrap(destination, "destination");
  if (from.length !== to.length) {
    throw new ArgumentError(
      `movedim: Invalid source or destination dims: source ([${from.join(", ")}] dims) should contain the same number of dims as destination ([${to.join(", ")}] dims)`,
    );
  }
  const rest = x.shape.map((_, d) => d).filter((d) => !from.includes(d));
  const order = x.shape.map((_, d) => (to.includes(d) ? from[to.indexOf(d)] : (rest.shift() as number)));
  return permuted("PermuteBackward0", x, order);
}

/**
 * Drops dimensions of size 1: all of them, or one if its size is 1, as torch.squeeze.
 * @throws IndexRangeError for a dimension that does not exist
 * @example
 * ```ts
 * import { squeeze, zeros } from "evenkeel";
 * squeeze(zeros([1, 3, 1])).shape; // => [3]
 * squeeze(zeros([1, 3, 1]), -1).shape; // => [1, 3]
 * ```
 */
export function squeeze(x: Tensor, dim?: number): Tensor {
  const only = dim === undefined ? -1 : wrapDim(dim, x.ndim);
  const kept = x.shape.map((_, d) => d).filter((d) => x.shape[d] !== 1 || (only >= 0 && d !== only));
  return reshaped(
    dim === undefined ? "SqueezeBackward0" : "SqueezeBackward1",
    x,
    kept.map((d) => x.shape[d]),
    kept.map((d) => x.strides[d]),
  );
}

/**
 * Puts a dimension of size 1 at `dim`, as torch.unsqueeze.
 * @throws IndexRangeError unless −ndim − 1 <= dim <= ndim
 * @example
 * ```ts
 * import { unsqueeze, zeros } from "evenkeel";
 * unsqueeze(zeros([2, 3]), -1).shape; // => [2, 3, 1]
 * ```
 */
export function unsqueeze(x: Tensor, dim: number): Tensor {
  const d = wrapDim(dim, x.ndim + 1);
  const step = d < x.ndim ? x.strides[d] * x.shape[d] : 1;
  return reshaped(
    "UnsqueezeBackward0",
    x,
    [...x.shape.slice(0, d), 1, ...x.shape.slice(d)],
    [...x.strides.slice(0, d), step, ...x.strides.slice(d)],
  );
}

/**
 * x read as a larger shape: sizes of 1 are repeated without copying, −1 keeps a size, as torch.Tensor.expand.
 * @throws ShapeError if a size that is not 1 would change
 * @example
 * ```ts
 * import { expand, tensor } from "evenkeel";
 * expand(tensor([[1], [2]]), [-1, 3]).toArray(); // => [[1, 1, 1], [2, 2, 2]]
 * ```
 */
export function expand(x: Tensor, shape: Shape): Tensor {
  const lead = shape.length - x.ndim;
  if (lead < 0) {
    throw new ShapeError(
      `expand(${x.dtype}{[${x.shape.join(", ")}]}, size=[${shape.join(", ")}]): the number of sizes provided (${shape.length}) must be greater or equal to the number of dimensions in the tensor (${x.ndim})`,
    );
  }
  const to = zerosList(shape.length);
  shape.forEach((size, d) => {
    if (size === -1 && d < lead) {
      throw new ShapeError(
        `The expanded size of the tensor (-1) isn't allowed in a leading, non-existing dimension ${d}`,
      );
    }
    const own = d < lead ? 1 : x.shape[d - lead];
    const wanted = size === -1 ? own : size;
    if (own !== 1 && wanted !== own) {
      throw new ShapeError(
        `The expanded size of the tensor (${size}) must match the existing size (${own}) at non-singleton dimension ${d}.  Target sizes: [${shape.join(", ")}].  Tensor sizes: [${x.shape.join(", ")}]`,
      );
    }
    to[d] = wanted;
  });
  return sameShape(x.shape, to) ? reshaped("ExpandBackward0", x, to, x.strides) : widened(x, to);
}

/**
 * x read in the shape of another tensor, as torch.Tensor.expand_as.
 * @throws ShapeError as expand
 * @example
 * ```ts
 * import { expandAs, tensor, zeros } from "evenkeel";
 * expandAs(tensor([1, 2]), zeros([2, 2])).toArray(); // => [[1, 2], [1, 2]]
 * ```
 */
export function expandAs(x: Tensor, other: Tensor): Tensor {
  return expand(x, other.shape);
}

/**
 * x read as a larger shape, as torch.broadcast_to: `expand` by its other name.
 * @throws ShapeError as expand
 * @example
 * ```ts
 * import { broadcastTo, tensor } from "evenkeel";
 * broadcastTo(tensor([1, 2]), [2, 2]).toArray(); // => [[1, 2], [1, 2]]
 * ```
 */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  return expand(x, shape);
}
