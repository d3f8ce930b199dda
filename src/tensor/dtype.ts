import type { Pointer } from "../kernels/backend.ts";
import { type DType, type FloatDType, ITEM_BYTES, ITEM_SHIFT } from "../kernels/dtype.ts";
import { heap } from "../kernels/heap.ts";
import { ArgumentError, DTypeError } from "../util/errors.ts";

export { type DType, type FloatDType, ITEM_BYTES, ITEM_SHIFT };

/** The typed arrays that hold tensor elements outside the heap; bool uses Uint8Array. */
export type TypedArray = Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array;

/** Whether values of this dtype can have gradients. */
export function isFloat(dtype: DType): dtype is FloatDType {
  return dtype === "float32" || dtype === "float64";
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

/** bool < uint8 < int32 < int64 < float32 < float64 */
const RANK: Readonly<Record<DType, number>> = { bool: 0, uint8: 1, int32: 2, int64: 3, float32: 4, float64: 5 };

/** The dtype that both can be computed in, as torch.promote_types. */
export function promoteTypes(a: DType, b: DType): DType {
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

/** The heap's elements from an address on, as the dtype's typed array. Not to be kept: growing memory detaches it. */
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
    "use Float32Array, Float64Array, Int32Array, BigInt64Array or Uint8Array",
  );
}
