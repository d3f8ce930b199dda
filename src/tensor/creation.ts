import { ArgumentError, DTypeError, ShapeError } from "../util/errors.ts";
import { convertedCopy, fillTensor } from "./convert.ts";
import {
  bitsOf,
  type DType,
  dtypeOfArray,
  getDefaultDtype,
  isFloat,
  isReduced,
  kernelDType,
  type TypedArray,
  viewHeap,
} from "./dtype.ts";
import { checkShape, inferShape, numelOf, type Shape } from "./shape.ts";
import { emptyTensor, type Tensor } from "./tensor.ts";

/** What a tensor can be made from: a number, boolean or bigint, or arrays of them nested as deep as the tensor has dimensions. */
export type NestedData = number | boolean | bigint | readonly NestedData[];

/** What every function that makes a tensor takes. */
export interface TensorOptions {
  /** Element type. Default: the default dtype, float32 at first. */
  dtype?: DType;
  /** Whether gradients are collected for it. Default: false. */
  requiresGrad?: boolean;
}

/** An empty tensor for the function that fills it. @throws ShapeError */
export function allocate(shape: Shape, dtype: DType, requiresGrad = false): Tensor {
  checkShape(shape);
  const out = emptyTensor([...shape], dtype);
  if (requiresGrad) out.requiresGrad = true;
  return out;
}

function filled(shape: Shape, value: number, dtype: DType, requiresGrad = false): Tensor {
  const out = allocate(shape, dtype, requiresGrad);
  fillTensor(out, value);
  return out;
}

/** The shape of nested arrays, by their first elements. */
function shapeOf(data: NestedData): number[] {
  const shape: number[] = [];
  for (let at = data; Array.isArray(at); at = at[0]) {
    shape.push(at.length);
    if (at.length === 0) break;
  }
  return shape;
}

/** The elements in row-major order. @throws ShapeError if the arrays are not all of `shape`'s lengths */
function flatten(data: NestedData, shape: Shape): (number | boolean | bigint)[] {
  const out: (number | boolean | bigint)[] = [];
  const walk = (item: NestedData, d: number) => {
    const inside = d < shape.length;
    if (Array.isArray(item) !== inside) {
      throw new ShapeError(
        inside
          ? `expected sequence of length ${shape[d]} at dim ${d} (got a single value)`
          : `expected a single value at dim ${d} (got an array)`,
        "nest the arrays equally deep",
      );
    }
    if (!Array.isArray(item)) {
      const kind = typeof item;
      if (kind !== "number" && kind !== "boolean" && kind !== "bigint") {
        throw new DTypeError(
          `a tensor cannot be made from ${item === null ? "null" : kind === "object" ? (item as object).constructor.name : kind}`,
          "give numbers, booleans or bigints, nested arrays of them, or one typed array",
        );
      }
      out.push(item as number | boolean | bigint);
      return;
    }
    if (item.length !== shape[d]) {
      throw new ShapeError(
        `expected sequence of length ${shape[d]} at dim ${d} (got ${item.length})`,
        "all rows need the same length",
      );
    }
    for (const inner of item) walk(inner, d + 1);
  };
  walk(data, 0);
  return out;
}

function inferDType(values: readonly (number | boolean | bigint)[]): DType {
  let found: "bool" | "int64" = "bool";
  for (const value of values) {
    if (typeof value === "number") return getDefaultDtype();
    if (typeof value === "bigint") found = "int64";
  }
  return values.length > 0 ? found : getDefaultDtype();
}

/** From the smallest value up to but without one more than the largest. */
const INTEGER_RANGE: Readonly<Partial<Record<DType, readonly [number, number]>>> = {
  uint8: [0, 2 ** 8],
  int32: [-(2 ** 31), 2 ** 31],
  int64: [-(2 ** 63), 2 ** 63],
};

function writeValues(out: Tensor, values: readonly (number | boolean | bigint)[]): void {
  const { dtype } = out;
  const view = viewHeap(dtype, out.pointer, out.numel);
  const range = INTEGER_RANGE[dtype];
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (range && typeof value !== "boolean" && !(value >= range[0] && value < range[1])) {
      throw new ArgumentError(`value cannot be converted to type ${dtype} without overflow`, `the value is ${value}`);
    }
    if (dtype === "bool") view[i] = value ? 1 : 0;
    else if (view instanceof BigInt64Array)
      view[i] = typeof value === "bigint" ? value : BigInt(Math.trunc(Number(value)));
    else view[i] = isReduced(dtype) ? bitsOf(dtype, Number(value)) : Number(value);
  }
}

/** What `tensor` takes. */
export interface FromDataOptions extends TensorOptions {
  /** Sizes, where they are not the data's own; one may be −1. */
  shape?: Shape;
}

/**
 * A tensor with the given values, as torch.tensor. Numbers give the default dtype (float32: JavaScript cannot tell 1 from 1.0), booleans
 * bool, bigints int64, a typed array its own element type; `dtype` overrides it.
 * A Uint16Array with dtype float16 or bfloat16 holds the elements' bits.
 * @param data nested arrays, a single value, or a typed array (copied) with `shape`
 * @throws ShapeError if the arrays are ragged or do not fit `shape`
 * @throws ArgumentError if a value does not fit an integer dtype
 * @example
 * ```ts
 * import { tensor } from "evenkeel";
 * tensor([[1, 2], [3, 4]]).shape; // => [2, 2]
 * tensor([3, 1], { dtype: "int64" }).dtype; // => "int64"
 * tensor(new Float64Array(6), { shape: [2, 3] }).dtype; // => "float64"
 * tensor(new Uint16Array([0x3e00]), { dtype: "float16" }).toArray(); // => [1.5]
 * ```
 */
export function tensor(data: NestedData | TypedArray | Uint8ClampedArray, options: FromDataOptions = {}): Tensor {
  if (ArrayBuffer.isView(data)) return fromTypedArray(data, options);
  const own = shapeOf(data);
  const values = flatten(data, own);
  const shape = options.shape ? inferShape(options.shape, values.length) : own;
  const out = allocate(shape, options.dtype ?? inferDType(values), options.requiresGrad);
  writeValues(out, values);
  return out;
}

function fromTypedArray(data: TypedArray | Uint8ClampedArray, options: FromDataOptions): Tensor {
  // 16 bits are of the dtype that they are said to be
  const raw = data instanceof Uint16Array && options.dtype && isReduced(options.dtype);
  const from = raw ? (options.dtype as DType) : dtypeOfArray(data);
  const { dtype = from } = options;
  const shape = options.shape ? inferShape(options.shape, data.length) : [data.length];
  const source = allocate(shape, from);
  viewHeap(from, source.pointer, data.length).set(data as never);
  let out = source;
  if (dtype !== from) {
    out = convertedCopy(source, dtype);
    source.storage.release();
  }
  if (options.requiresGrad) out.requiresGrad = true;
  return out;
}

/**
 * A tensor of zeros, as torch.zeros.
 * @example
 * ```ts
 * import { zeros } from "evenkeel";
 * zeros([2, 2]).toArray(); // => [[0, 0], [0, 0]]
 * ```
 */
export function zeros(shape: Shape, options: TensorOptions = {}): Tensor {
  return filled(shape, 0, options.dtype ?? getDefaultDtype(), options.requiresGrad);
}

/**
 * A tensor of ones, as torch.ones.
 * @example
 * ```ts
 * import { ones } from "evenkeel";
 * ones([2], { dtype: "int64" }).toArray(); // => [1, 1]
 * ```
 */
export function ones(shape: Shape, options: TensorOptions = {}): Tensor {
  return filled(shape, 1, options.dtype ?? getDefaultDtype(), options.requiresGrad);
}

/**
 * A tensor of one value, as torch.full. The dtype is inferred as in `tensor`.
 * @example
 * ```ts
 * import { full } from "evenkeel";
 * full([2], 3.5).toArray(); // => [3.5, 3.5]
 * ```
 */
export function full(shape: Shape, value: number | boolean, options: TensorOptions = {}): Tensor {
  return filled(shape, Number(value), options.dtype ?? inferDType([value]), options.requiresGrad);
}

/**
 * A tensor with undefined content, as torch.empty: for filling at once.
 * @example
 * ```ts
 * import { empty } from "evenkeel";
 * empty([2, 3]).fill_(1).shape; // => [2, 3]
 * ```
 */
export function empty(shape: Shape, options: TensorOptions = {}): Tensor {
  return allocate(shape, options.dtype ?? getDefaultDtype(), options.requiresGrad);
}

/**
 * Zeros in x's shape and dtype, as torch.zeros_like.
 * @example
 * ```ts
 * import { tensor, zerosLike } from "evenkeel";
 * zerosLike(tensor([3, 4])).toArray(); // => [0, 0]
 * ```
 */
export function zerosLike(x: Tensor, options: TensorOptions = {}): Tensor {
  return filled(x.shape, 0, options.dtype ?? x.dtype, options.requiresGrad);
}

/**
 * Ones in x's shape and dtype, as torch.ones_like.
 * @example
 * ```ts
 * import { onesLike, tensor } from "evenkeel";
 * onesLike(tensor([3, 4])).toArray(); // => [1, 1]
 * ```
 */
export function onesLike(x: Tensor, options: TensorOptions = {}): Tensor {
  return filled(x.shape, 1, options.dtype ?? x.dtype, options.requiresGrad);
}

/**
 * One value in x's shape and dtype, as torch.full_like.
 * @example
 * ```ts
 * import { fullLike, tensor } from "evenkeel";
 * fullLike(tensor([1, 2]), 7).toArray(); // => [7, 7]
 * ```
 */
export function fullLike(x: Tensor, value: number | boolean, options: TensorOptions = {}): Tensor {
  return filled(x.shape, Number(value), options.dtype ?? x.dtype, options.requiresGrad);
}

/**
 * A tensor with undefined content in x's shape and dtype, as torch.empty_like.
 * @example
 * ```ts
 * import { emptyLike, tensor } from "evenkeel";
 * emptyLike(tensor([1, 2])).shape; // => [2]
 * ```
 */
export function emptyLike(x: Tensor, options: TensorOptions = {}): Tensor {
  return allocate(x.shape, options.dtype ?? x.dtype, options.requiresGrad);
}

/** A 1-dimensional tensor of what `at` gives for each position; integers are truncated. */
function sequence(length: number, dtype: DType, requiresGrad: boolean | undefined, at: (i: number) => number): Tensor {
  const out = allocate([length], kernelDType(dtype, "arange_cpu"), requiresGrad);
  const view = viewHeap(dtype, out.pointer, length);
  if (view instanceof BigInt64Array) for (let i = 0; i < length; i++) view[i] = BigInt(Math.trunc(at(i)));
  else for (let i = 0; i < length; i++) view[i] = at(i);
  return out;
}

/**
 * start, start + step, … up to but without `end`, as torch.arange: int64 if all given numbers are whole, else the default dtype.
 * @throws ArgumentError if step is 0 or leads away from `end`
 * @example
 * ```ts
 * import { arange } from "evenkeel";
 * arange(4).toArray(); // => [0, 1, 2, 3]
 * arange(1, 2, 0.5).toArray(); // => [1, 1.5]
 * arange(3, { dtype: "float32" }).dtype; // => "float32"
 * ```
 */
export function arange(end: number, options?: TensorOptions): Tensor;
export function arange(start: number, end: number, options?: TensorOptions): Tensor;
export function arange(start: number, end: number, step: number, options?: TensorOptions): Tensor;
export function arange(...given: (number | TensorOptions | undefined)[]): Tensor {
  const numbers = given.filter((value) => typeof value === "number");
  const options = given.find((value) => typeof value === "object") ?? {};
  const [start, end, step] = numbers.length === 1 ? [0, numbers[0], 1] : [numbers[0], numbers[1], numbers[2] ?? 1];
  const { dtype = numbers.every(Number.isInteger) ? "int64" : getDefaultDtype() } = options;
  if (dtype === "bool") throw new DTypeError("\"arange_cpu\" not implemented for 'Bool'", "choose a number dtype");
  if (step === 0) throw new ArgumentError("step must be nonzero");
  if (!Number.isFinite(start) || !Number.isFinite(end))
    throw new ArgumentError(`unsupported range: ${start} -> ${end}`);
  const length = Math.ceil((end - start) / step);
  if (!(length >= 0)) {
    throw new ArgumentError(
      "upper bound and larger bound inconsistent with step sign",
      `from ${start} to ${end} by ${step}`,
    );
  }
  return sequence(length, dtype, options.requiresGrad, (i) => start + i * step);
}

/**
 * `steps` equally spaced values from `start` to `end`, both included, as torch.linspace.
 * @throws ArgumentError if steps is no whole number from 0
 * @example
 * ```ts
 * import { linspace } from "evenkeel";
 * linspace(0, 1, 5).toArray(); // => [0, 0.25, 0.5, 0.75, 1]
 * ```
 */
export function linspace(start: number, end: number, steps: number, options: TensorOptions = {}): Tensor {
  if (!Number.isInteger(steps) || steps < 0)
    throw new ArgumentError("number of steps must be non-negative", `got ${steps}`);
  const step = (end - start) / (steps - 1);
  // Counted from the nearer end, as PyTorch does, so that both ends are exact.
  const at = (i: number) => (i < steps / 2 ? start + step * i : end - step * (steps - 1 - i));
  return sequence(steps, options.dtype ?? getDefaultDtype(), options.requiresGrad, steps === 1 ? () => start : at);
}

/**
 * Ones on the diagonal of an n × m matrix (n × n by default), zeros elsewhere, as torch.eye.
 * @example
 * ```ts
 * import { eye } from "evenkeel";
 * eye(2).toArray(); // => [[1, 0], [0, 1]]
 * ```
 */
export function eye(n: number, options: TensorOptions & { m?: number } = {}): Tensor {
  const { m = n, dtype = getDefaultDtype() } = options;
  const out = filled([n, m], 0, kernelDType(dtype, "eye"), options.requiresGrad);
  const view = viewHeap(dtype, out.pointer, numelOf(out.shape));
  for (let i = 0; i < Math.min(n, m); i++) {
    if (view instanceof BigInt64Array) view[i * (m + 1)] = 1n;
    else view[i * (m + 1)] = 1;
  }
  return out;
}

/** The dtype, if random values of it can be drawn. @throws DTypeError with PyTorch's sentence otherwise */
export function drawable(dtype: DType, kernel: string): DType {
  if (isFloat(dtype)) return dtype;
  throw new DTypeError(`"${kernel}" not implemented for '${dtype}'`, "choose float32 or float64");
}
