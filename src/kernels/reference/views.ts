import type { Pointer } from "../backend.ts";
import { type DType, type FloatDType, ITEM_SHIFT } from "../dtype.ts";
import { heap } from "../heap.ts";

/** Elements that JavaScript reads as plain numbers. */
export type Floats = Float32Array | Float64Array;
/** Every view but the one of int64. */
export type Numbers = Floats | Int32Array | Uint8Array;
/** What a loop needs of a typed array, whatever its elements are. */
export interface Elements<T> {
  [index: number]: T;
}

/** The heap as floats. */
export function floats(dtype: FloatDType): Floats {
  return dtype === "float32" ? heap.f32 : heap.f64;
}

/** The heap as numbers of any dtype but int64, whose elements are bigints. */
export function numbers(dtype: Exclude<DType, "int64">): Numbers {
  switch (dtype) {
    case "float32":
      return heap.f32;
    case "float64":
      return heap.f64;
    case "int32":
      return heap.i32;
    default:
      return heap.u8;
  }
}

/** Position of a byte address in the view of a dtype. Unsigned: the heap may be larger than 2 GiB. */
export function position(dtype: DType, pointer: Pointer): number {
  return pointer >>> ITEM_SHIFT[dtype];
}

export function isFloat(dtype: DType): dtype is FloatDType {
  return dtype === "float32" || dtype === "float64";
}

/** The k-th int64 as a number, exact up to 2^53, read as two words so that no bigint is made. */
export function readIndex(words: Int32Array, k: number): number {
  return words[2 * k + 1] * 4294967296 + (words[2 * k] >>> 0);
}

/** Writes 0 <= value < 2^31 as the k-th int64. */
export function writeIndex(words: Int32Array, k: number, value: number): void {
  words[2 * k] = value;
  words[2 * k + 1] = 0;
}
