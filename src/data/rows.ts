import { heap } from "../kernels/heap.ts";
import { backend } from "../kernels/registry.ts";
import { ITEM_BYTES } from "../tensor/dtype.ts";
import { emptyTensor, packed, type Tensor } from "../tensor/tensor.ts";

/** The rows of a tensor at some places of its first dimension, copied: a batch. No history is recorded. */
export function gatherRows(x: Tensor, indices: readonly number[]): Tensor {
  const source = packed(x);
  const [, ...row] = x.shape;
  const out = emptyTensor([indices.length, ...row], x.dtype);
  const bytes = (x.numel / Math.max(x.shape[0], 1)) * ITEM_BYTES[x.dtype];
  // By a kernel: copyWithin on shared memory goes byte by byte, 40 µs for 60 images of 28 × 28 instead of 3.
  const places = heap.alloc(8 * indices.length);
  for (let i = 0; i < indices.length; i++) {
    heap.i32[places / 4 + 2 * i] = indices[i];
    heap.i32[places / 4 + 2 * i + 1] = 0;
  }
  backend().indexSelect("uint8", out.pointer, source.pointer, places, 1, x.shape[0], indices.length, bytes);
  heap.free(places);
  if (source !== x) source.dispose();
  return out;
}
