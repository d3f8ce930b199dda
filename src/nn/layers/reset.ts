import type { Tensor } from "../../tensor/tensor.ts";
import { calculateFanInAndFanOut, kaimingUniform_, uniform_ } from "../init.ts";

/** PyTorch's default for linear and convolutional layers: the weight by kaimingUniform_ with a = √5, the bias uniform in ± 1/√fanIn. */
export function resetLinear(weight: Tensor, bias: Tensor | null): void {
  kaimingUniform_(weight, { a: Math.sqrt(5) });
  if (!bias) return;
  const [fanIn] = calculateFanInAndFanOut(weight);
  const bound = fanIn > 0 ? 1 / Math.sqrt(fanIn) : 0;
  uniform_(bias, -bound, bound);
}
