import type { Pointer } from "../kernels/backend.ts";
import { backend } from "../kernels/registry.ts";
import { bitsOf, type DType, isReduced, type ReducedDType, viewHeap } from "./dtype.ts";
import { dense, emptyAs, emptyTensor, type Tensor } from "./tensor.ts";

/*
 * Values in other dtypes, without history. float16 and bfloat16 go by way of float32, as in PyTorch.
 */

function convertElements(from: DType, to: DType, out: Pointer, x: Pointer, n: number): void {
  if (!isReduced(from) && !isReduced(to)) {
    backend().convert(from, to, out, x, n);
  } else if (from === "float32") {
    backend().narrow(to as ReducedDType, out, x, n);
  } else if (to === "float32") {
    backend().widen(from as ReducedDType, out, x, n);
  } else {
    const between = emptyTensor([n], "float32");
    convertElements(from, "float32", between.pointer, x, n);
    convertElements("float32", to, out, between.pointer, n);
    between.storage.release();
  }
}

/** x's values in another dtype, in x's order in memory. */
export function convertedCopy(x: Tensor, dtype: DType): Tensor {
  const source = dense(x);
  const out = emptyAs(source, dtype);
  convertElements(x.dtype, dtype, out.pointer, source.pointer, x.numel);
  if (source !== x) source.storage.release();
  return out;
}

/** Sets all elements of a tensor without gaps to a value. */
export function fillTensor(x: Tensor, value: number): void {
  const { dtype } = x;
  if (isReduced(dtype)) viewHeap(dtype, x.pointer, x.numel).fill(bitsOf(dtype, value) as never);
  else backend().fill(dtype, x.pointer, x.numel, value);
}
