import type { Tensor } from "../../src/index.ts";
import { heap } from "../../src/kernels/heap.ts";
import { packed } from "../../src/tensor/tensor.ts";

/** The bytes of a tensor's elements in row-major order; float16 and bfloat16 as they are stored. */
export function bitsOfTensor(tensor: Tensor): Uint8Array {
  const { pointer } = packed(tensor);
  return heap.u8.slice(pointer, pointer + tensor.nbytes);
}
