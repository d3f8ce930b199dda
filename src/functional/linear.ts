import { linear as linearOp } from "../ops/matmul.ts";
import type { Tensor } from "../tensor/tensor.ts";

/**
 * y = x·Wᵀ + b over the last dimension: input [*, in], weight [out, in], bias [out], result [*, out]. As torch.nn.functional.linear.
 * @throws ShapeError if the sizes do not go together
 * @throws DTypeError unless all are floats of one dtype
 * @example
 * ```ts
 * import { F, tensor } from "evenkeel";
 * F.linear(tensor([[1, 2]]), tensor([[3, 4]]), { bias: tensor([0.5]) }).toArray(); // => [[11.5]]
 * ```
 */
export function linear(input: Tensor, weight: Tensor, options: { bias?: Tensor | null } = {}): Tensor {
  return linearOp(input, weight, options.bias);
}
