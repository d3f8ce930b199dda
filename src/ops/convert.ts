import { record } from "../autograd/record.ts";
import { backend } from "../kernels/registry.ts";
import { type DType, isFloat } from "../tensor/dtype.ts";
import { dense, emptyAs, type Tensor } from "../tensor/tensor.ts";

/**
 * The values in another dtype; x itself if it has that dtype already. Floats become integers by truncation, as torch.Tensor.to.
 * @example
 * ```ts
 * import { tensor } from "evenkeel";
 * tensor([1.7, -1.7]).to("int32").toArray(); // => [1, -1]
 * ```
 */
export function convert(x: Tensor, dtype: DType): Tensor {
  if (x.dtype === dtype) return x;
  const source = dense(x);
  const out = emptyAs(source, dtype);
  backend().convert(x.dtype, dtype, out.pointer, source.pointer, x.numel);
  if (source !== x) source.storage.release();
  if (!isFloat(dtype)) return out;
  return record("ToCopyBackward0", out, [x], (g) => [convert(g, x.dtype)]);
}
