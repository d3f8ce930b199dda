import { heap } from "../kernels/heap.ts";
import { ITEM_BYTES } from "../tensor/dtype.ts";
import { packed, type Tensor } from "../tensor/tensor.ts";

/** A tensor's elements in row-major order, as a view of the heap: valid until the next piece is asked for. */
export function* elementBytes(tensor: Tensor): Generator<Uint8Array, void> {
  const source = packed(tensor);
  try {
    yield heap.u8.subarray(source.pointer, source.pointer + tensor.numel * ITEM_BYTES[tensor.dtype]);
  } finally {
    if (source !== tensor) source.storage.release();
  }
}

/** All of the memory that a tensor and its views lie in. */
export function* storageBytes({ storage }: Tensor): Generator<Uint8Array, void> {
  yield heap.u8.subarray(storage.pointer, storage.pointer + storage.bytes);
}
