import type { Tensor } from "../../tensor/tensor.ts";

/**
 * What synchronized batch normalization asks of the processes that train together. Every rank makes the same calls in the same order.
 */
export interface Collective {
  /** number of ranks */
  readonly worldSize: number;
  /** Every rank's tensor, in the order of the ranks, as new tensors; all have the same shape and dtype. */
  allGather(tensor: Tensor): Tensor[];
  /** The sum over all ranks, a new tensor with the same bits on each. */
  allReduce(tensor: Tensor): Tensor;
}
