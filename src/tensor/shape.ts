import { ArgumentError, IndexRangeError, ShapeError } from "../util/errors.ts";

/** Sizes of a tensor, outermost first. */
export type Shape = readonly number[];

/** As PyTorch prints a shape: torch.Size([2, 3]). */
export function sizeString(shape: Shape): string {
  return `torch.Size([${shape.join(", ")}])`;
}

/** Number of elements. */
export function numelOf(shape: Shape): number {
  let n = 1;
  for (const size of shape) n *= size;
  return n;
}

/**
 * n zeros, to be written over. Neither `new Array(n)` nor `map`: V8 tells arrays that may have holes, as theirs, from those that cannot, and every function that meets
 * both kinds of shapes is compiled for one and then again.
 */
export function zerosList(n: number): number[] {
  switch (n) {
    case 0:
      return [];
    case 1:
      return [0];
    case 2:
      return [0, 0];
    case 3:
      return [0, 0, 0];
    default: {
      const list = [0, 0, 0, 0];
      while (list.length < n) list.push(0);
      return list;
    }
  }
}

/** Row-major strides, in elements. */
export function contiguousStrides(shape: Shape): number[] {
  const strides = zerosList(shape.length);
  let step = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    strides[d] = step;
    step *= Math.max(shape[d], 1);
  }
  return strides;
}

/** Whether the elements lie row-major without gaps. No elements do. */
export function isContiguous(shape: Shape, strides: readonly number[]): boolean {
  let step = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    if (shape[d] === 0) return true;
    if (shape[d] !== 1) {
      if (strides[d] !== step) return shape.includes(0);
      step *= shape[d];
    }
  }
  return true;
}

export function sameShape(a: Shape, b: Shape): boolean {
  if (a.length !== b.length) return false;
  for (let d = 0; d < a.length; d++) if (a[d] !== b[d]) return false;
  return true;
}

/** A dimension counted from the front. @throws IndexRangeError */
export function wrapDim(dim: number, rank: number): number {
  // PyTorch lets a 0-dimensional tensor be addressed as if it had one dimension.
  const limit = Math.max(rank, 1);
  if (!Number.isInteger(dim) || dim < -limit || dim >= limit) {
    throw new IndexRangeError(
      `Dimension out of range (expected to be in range of [${-limit}, ${limit - 1}], but got ${dim})`,
    );
  }
  return dim < 0 ? dim + limit : dim;
}

/** 0, 1, …, n − 1 */
function countTo(n: number): number[] {
  const numbers = zerosList(n);
  for (let i = 0; i < n; i++) numbers[i] = i;
  return numbers;
}

/** Dimensions counted from the front, in ascending order; none means all. @throws IndexRangeError, ArgumentError for repeats */
export function wrapDims(dims: number | readonly number[] | undefined | null, rank: number): number[] {
  if (typeof dims === "number") return [wrapDim(dims, rank)];
  if (dims === undefined || dims === null || dims.length === 0) return countTo(rank);
  const wrapped = dims.map((dim) => wrapDim(dim, rank));
  if (new Set(wrapped).size !== wrapped.length) {
    const repeated = wrapped.find((dim, i) => wrapped.indexOf(dim) !== i);
    throw new ArgumentError(`dim ${repeated} appears multiple times in the list of dims`);
  }
  return wrapped.sort((a, b) => a - b);
}

/** The shape two shapes broadcast to. @throws ShapeError with PyTorch's sentence */
export function broadcastShapes(a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  const out = zerosList(rank);
  for (let d = 0; d < rank; d++) {
    const p = d - (rank - a.length);
    const q = d - (rank - b.length);
    const x = p < 0 ? 1 : a[p];
    const y = q < 0 ? 1 : b[q];
    if (x !== y && x !== 1 && y !== 1) {
      throw new ShapeError(
        `The size of tensor a (${x}) must match the size of tensor b (${y}) at non-singleton dimension ${d}`,
        `the shapes are [${a.join(", ")}] and [${b.join(", ")}]; sizes must be equal or 1, counted from the last dimension`,
      );
    }
    out[d] = x === 1 ? y : x;
  }
  return out;
}

/** Strides that read an array of `shape` as if it had the shape `to`: 0 where it is broadcast. */
export function broadcastStrides(shape: Shape, strides: readonly number[], to: Shape): number[] {
  const lead = to.length - shape.length;
  const out = zerosList(to.length);
  for (let d = Math.max(lead, 0); d < to.length; d++) {
    if (shape[d - lead] !== 1 || to[d] === 1) out[d] = strides[d - lead];
  }
  return out;
}

/** A shape with at most one −1 replaced by what fits `numel`. @throws ShapeError with PyTorch's sentence */
export function inferShape(shape: Shape, numel: number): number[] {
  let known = 1;
  let unknown = -1;
  for (let d = 0; d < shape.length; d++) {
    const size = shape[d];
    if (size === -1) {
      if (unknown >= 0) throw new ShapeError("only one dimension can be inferred");
      unknown = d;
    } else if (Number.isInteger(size) && size >= 0) {
      known *= size;
    } else {
      throw new ShapeError(
        `invalid shape dimension ${size}`,
        "sizes are whole numbers from 0, or one -1 to be inferred",
      );
    }
  }
  const out = [...shape];
  if (unknown >= 0) {
    if (known === 0) {
      throw new ShapeError(
        `cannot reshape tensor of 0 elements into shape [${shape.join(", ")}] because the unspecified dimension size -1 can be any value and is ambiguous`,
      );
    }
    out[unknown] = numel / known;
    known *= out[unknown];
  }
  if (known !== numel || out.some((size) => !Number.isInteger(size))) {
    throw new ShapeError(`shape '[${shape.join(", ")}]' is invalid for input of size ${numel}`);
  }
  return out;
}

/** Checks sizes given by a user. @throws ArgumentError */
export function checkShape(shape: Shape): void {
  for (const size of shape) {
    if (!Number.isInteger(size) || size < 0) {
      throw size < 0
        ? new ArgumentError(`Trying to create tensor with negative dimension ${size}: [${shape.join(", ")}]`)
        : new ArgumentError(`a tensor cannot have the shape [${shape.join(", ")}]`, "sizes are whole numbers from 0");
    }
  }
}

/** New strides that see the same elements in another shape, or null where a copy is needed. */
export function viewStrides(shape: Shape, strides: readonly number[], to: Shape): number[] | null {
  if (numelOf(shape) === 0) return contiguousStrides(to);
  const out = zerosList(to.length);
  let d = to.length - 1;
  let s = shape.length - 1;
  while (s >= 0) {
    // [first..s]: a run of dimensions that lie in memory as if they were one
    let first = s;
    let size = shape[s];
    const step = strides[s];
    while (first > 0 && (shape[first - 1] === 1 || strides[first - 1] === step * size || size === 1)) {
      if (size === 1 && shape[first - 1] !== 1) break;
      first--;
      size *= shape[first];
    }
    let filled = 1;
    while (d >= 0 && (filled < size || to[d] === 1)) {
      out[d] = step * filled;
      filled *= to[d];
      d--;
    }
    if (filled !== size) return null;
    s = first - 1;
  }
  while (d >= 0) {
    if (to[d] !== 1) return null;
    out[d--] = 1;
  }
  return out;
}
