import { mul } from "../ops/arithmetic.ts";
import { sum } from "../ops/reduction.ts";
import { tensor } from "../tensor/creation.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { tidy } from "../tensor/tidy.ts";
import { ArgumentError } from "../util/errors.ts";
import type { Communicator } from "./communicator.ts";
import { communicator } from "./init.ts";

/**
 * The mean over the samples of all ranks, from each rank's own losses (reduction: "none"), also where ranks have unequal numbers of samples, or none. What a rank gets is its share,
 * worldSize · Σ own / n of all: the mean of these over the ranks, to which DistributedDataParallel averages the gradients, is the mean over all samples. (A mean over a rank's own
 * samples would give each sample of a small share more weight.)
 * @throws ArgumentError where no rank has a sample
 * @example
 * ```ts
 * import { F, tensor } from "evenkeel";
 * import { globalMean } from "evenkeel/distributed";
 * const logits = tensor([[0, 0], [0, 0]]);
 * globalMean(F.crossEntropy(logits, tensor([0n, 1n]), { reduction: "none" })).item(); // => 0.6931
 * ```
 */
export function globalMean(losses: Tensor, options: { communicator?: Communicator } = {}): Tensor {
  const ranks = options.communicator ?? communicator();
  const { numel } = losses;
  const count = tidy(() => ranks.allReduce(tensor([numel], { dtype: "float64" })).item());
  if (count === 0) throw new ArgumentError("no rank has a sample to take the mean of");
  return mul(sum(losses), ranks.worldSize / count);
}
