import { record } from "../autograd/record.ts";
import { convertedCopy } from "../tensor/convert.ts";
import { type DType, isFloatingPoint } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";

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
  const out = convertedCopy(x, dtype);
  if (!isFloatingPoint(dtype)) return out;
  return record("ToCopyBackward0", out, [x], (g) => [convert(g, x.dtype)]);
}
