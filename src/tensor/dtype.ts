import type { Pointer } from "../kernels/backend.ts";
import {
  type FloatDType,
  ITEM_BYTES,
  ITEM_SHIFT,
  type DType as KernelDType,
  type ReducedDType,
} from "../kernels/dtype.ts";
import { heap } from "../kernels/heap.ts";
import { ArgumentError, DTypeError } from "../util/errors.ts";
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from "../util/reduced-precision.ts";

export { type FloatDType, ITEM_BYTES, ITEM_SHIFT, type KernelDType, type ReducedDType };

/** The element types that tensors can have. float16 and bfloat16 are stored, converted, copied and normalized; other operations want .float() first. */
export type DType = KernelDType | ReducedDType;

/** The typed arrays that hold tensor elements outside the heap; bool uses Uint8Array, and Uint16Array holds the bits of float16 and bfloat16. */
export type TypedArray = Float32Array | Float64Array | Int32Array | BigInt64Array | Uint16Array | Uint8Array;

/** Whether kernels compute in this dtype as floats. */
export function isFloat(dtype: DType): dtype is FloatDType {
  return dtype === "float32" || dtype === "float64";
}

/** Whether values of this dtype are floats of 16 bits. */
export function isReduced(dtype: DType): dtype is ReducedDType {
  return dtype === "float16" || dtype === "bfloat16";
}

/** Whether the dtype has fractions, of whatever width. */
export function isFloatingPoint(dtype: DType): dtype is FloatDType | ReducedDType {
  return isFloat(dtype) || isReduced(dtype);
}

/** The dtype, if kernels compute in it. @throws DTypeError for float16 and bfloat16 */
export function kernelDType(dtype: DType, what: string): KernelDType {
  if (!isReduced(dtype)) return dtype;
  throw new DTypeError(
    `"${what}" not implemented for '${scalarTypeName(dtype)}'`,
    `${dtype} can be stored, converted, copied, viewed, joined and normalized; convert it with .float() to compute with it`,
  );
}

/** The dtype, if gradients can flow through it. @throws DTypeError otherwise */
export function floatDType(dtype: DType, what: string): FloatDType {
  if (isFloat(dtype)) return dtype;
  throw new DTypeError(
    `"${what}" not implemented for '${scalarTypeName(dtype)}'`,
    "convert it first with .float() or .double()",
  );
}

/** The distance from 1 to the next larger number, as torch.finfo(dtype).eps. */
export const MACHINE_EPSILON: Readonly<Record<FloatDType, number>> = { float32: 2 ** -23, float64: 2 ** -52 };

/** bool < uint8 < int32 < int64 < float16, bfloat16 < float32 < float64 */
const RANK: Readonly<Record<DType, number>> = {
  bool: 0,
  uint8: 1,
  int32: 2,
  int64: 3,
  float16: 4,
  bfloat16: 4,
  float32: 5,
  float64: 6,
};

/** The dtype that both can be computed in, as torch.promote_types: float32 for float16 and bfloat16. */
export function promoteTypes(a: DType, b: DType): DType {
  if (a !== b && isReduced(a) && isReduced(b)) return "float32";
  return RANK[a] >= RANK[b] ? a : b;
}

/** PyTorch's name of the dtype. */
export function torchName(dtype: DType): string {
  return `torch.${dtype}`;
}

const SCALAR_TYPES: Readonly<Record<DType, string>> = {
  float32: "Float",
  float64: "Double",
  int32: "Int",
  int64: "Long",
  uint8: "Byte",
  bool: "Bool",
  float16: "Half",
  bfloat16: "BFloat16",
};

/** What PyTorch's error messages call the dtype, such as "Long". */
export function scalarTypeName(dtype: DType): string {
  return SCALAR_TYPES[dtype];
}

let defaultDType: FloatDType = "float32";

/**
 * The dtype of new floating point tensors, as torch.get_default_dtype.
 * @example
 * ```ts
 * import { getDefaultDtype } from "evenkeel";
 * getDefaultDtype(); // => "float32"
 * ```
 */
export function getDefaultDtype(): FloatDType {
  return defaultDType;
}

/**
 * Sets the dtype of new floating point tensors, as torch.set_default_dtype.
 * @example
 * ```ts
 * import { setDefaultDtype, zeros } from "evenkeel";
 * setDefaultDtype("float64");
 * zeros([1]).dtype; // => "float64"
 * setDefaultDtype("float32");
 * ```
 */
export function setDefaultDtype(dtype: FloatDType): void {
  if (!isFloat(dtype))
    throw new DTypeError(`only floating-point types are supported as the default type (got ${dtype})`);
  defaultDType = dtype;
}

/** The heap's elements from an address on, as the dtype's typed array: of float16 and bfloat16 the bits. Not to be kept: growing memory detaches it. */
export function viewHeap(dtype: DType, pointer: Pointer, length: number): TypedArray {
  const start = pointer >>> ITEM_SHIFT[dtype];
  switch (dtype) {
    case "float32":
      return heap.f32.subarray(start, start + length);
    case "float64":
      return heap.f64.subarray(start, start + length);
    case "int32":
      return heap.i32.subarray(start, start + length);
    case "int64":
      return heap.i64.subarray(start, start + length);
    case "float16":
    case "bfloat16":
      return heap.u16.subarray(start, start + length);
    default:
      return heap.u8.subarray(start, start + length);
  }
}

/** The dtype of a typed array. @throws ArgumentError for kinds that tensors do not have */
export function dtypeOfArray(array: ArrayBufferView): DType {
  if (array instanceof Float32Array) return "float32";
  if (array instanceof Float64Array) return "float64";
  if (array instanceof Int32Array) return "int32";
  if (array instanceof BigInt64Array) return "int64";
  if (array instanceof Uint8Array || array instanceof Uint8ClampedArray) return "uint8";
  throw new ArgumentError(
    `tensors cannot be made from ${array.constructor.name}`,
    array instanceof Uint16Array
      ? 'a Uint16Array holds the bits of float16 or bfloat16: say which with { dtype: "float16" }'
      : "use Float32Array, Float64Array, Int32Array, BigInt64Array or Uint8Array",
  );
}

/** The bits of a number in a reduced dtype. */
export function bitsOf(dtype: ReducedDType, value: number): number {
  return dtype === "float16" ? toFloat16(value) : toBfloat16(value);
}

/** The typed arrays that hold elements as numbers. */
export type NumberArray = Exclude<TypedArray, Uint16Array>;

/** Elements that viewHeap gave as numbers: of float16 and bfloat16 the values that the bits stand for. */
export function valuesOf(dtype: DType, elements: TypedArray): NumberArray {
  if (!isReduced(dtype)) return elements as NumberArray;
  return Float32Array.from(elements as Uint16Array, dtype === "float16" ? fromFloat16 : fromBfloat16);
}
