import { viewHeap } from "../tensor/dtype.ts";
import { packed, type Tensor } from "../tensor/tensor.ts";
import { ArgumentError } from "../util/errors.ts";
import { STORED_DTYPES, type StoredDType, storedAs } from "./stored-dtype.ts";

/** Element types that files have and tensors do not: load widens them to int32, saving with `dtypes` narrows again. */
export type NarrowDType = "int16" | "int8";

/** Elements converted at once, so that a large tensor is not held twice. */
const PIECE = 2 ** 20;

/** How a tensor is to be stored. @throws ArgumentError if it is not of the dtype that such elements are read as */
export function narrowed(tensor: Tensor, dtype: NarrowDType | undefined, key: string): StoredDType {
  if (dtype === undefined) return storedAs(tensor.dtype);
  const stored = STORED_DTYPES.find(({ name }) => name === dtype);
  if (stored?.dtype !== tensor.dtype || stored.name === tensor.dtype) {
    throw new ArgumentError(
      `"${key}" is ${tensor.dtype} and cannot be stored as ${dtype}`,
      "int32 can be stored as int16 or int8; convert others with to(dtype)",
    );
  }
  return stored;
}

/** A tensor's elements in row-major order, narrowed, in pieces. @throws ArgumentError for a value that does not fit */
export function* narrowBytes(tensor: Tensor, stored: StoredDType): Generator<Uint8Array, void> {
  const source = packed(tensor);
  const Narrow = stored.bytes === 1 ? Int8Array : Int16Array;
  try {
    for (let from = 0; from < tensor.numel; from += PIECE) {
      const values = viewHeap(tensor.dtype, source.pointer, tensor.numel).subarray(from, from + PIECE);
      const out = Narrow.from(values as Int32Array);
      const lost = out.findIndex((value, i) => value !== values[i]);
      if (lost >= 0) {
        throw new ArgumentError(`${values[lost]} does not fit in ${stored.name}`, "store these values as int32");
      }
      yield new Uint8Array(out.buffer);
    }
  } finally {
    if (source !== tensor) source.storage.release();
  }
}
