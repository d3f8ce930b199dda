import { heap } from "../kernels/heap.ts";
import { ITEM_BYTES } from "../tensor/dtype.ts";
import { emptyTensor, packed, type Tensor } from "../tensor/tensor.ts";

/** The rows of a tensor at some places of its first dimension, copied: a batch. No history is recorded. */
export function gatherRows(x: Tensor, indices: readonly number[]): Tensor {
  const source = packed(x);
  const [, ...row] = x.shape;
  const out = emptyTensor([indices.length, ...row], x.dtype);
  const bytes = (x.numel / Math.max(x.shape[0], 1)) * ITEM_BYTES[x.dtype];
  const from = source.pointer;
  const to = out.pointer;
  for (let i = 0; i < indices.length; i++) {
    heap.u8.copyWithin(to + i * bytes, from + indices[i] * bytes, from + (indices[i] + 1) * bytes);
  }
  if (source !== x) source.dispose();
  return out;
}
