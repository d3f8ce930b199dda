import { markChanged } from "../autograd/record.ts";
import { heap } from "../kernels/heap.ts";
import { add_ } from "../ops/inplace.ts";
import type { Tensor } from "../tensor/tensor.ts";

let updating = true;

/** Whether training passes update running statistics and count batches: not inside `withoutStatisticsUpdate`. */
export function isUpdatingStatistics(): boolean {
  return updating;
}

/**
 * Runs `body` with running statistics left as they are: batch and instance norm in training normalize by the batch, but neither
 * running_mean and running_var nor num_batches_tracked change. For a second forward pass over a batch that was counted already: recomputing in
 * backward, a perturbed copy, a gradient penalty. For an async body it holds until the promise settles.
 * @example
 * ```ts
 * import { nn, randn } from "evenkeel";
 * const layer = new nn.BatchNorm1d(4);
 * const x = randn([8, 4]);
 * layer.forward(x);
 * nn.withoutStatisticsUpdate(() => layer.forward(x));
 * layer.numBatchesTracked!.item(); // => 1
 * ```
 */
export function withoutStatisticsUpdate<T>(body: () => T): T {
  const before = updating;
  updating = false;
  const restore = () => {
    updating = before;
  };
  let result: T;
  try {
    result = body();
  } catch (error) {
    restore();
    throw error;
  }
  if (result instanceof Promise) return result.finally(restore) as T;
  restore();
  return result;
}

/**
 * Adds 1 to num_batches_tracked, unless inside `withoutStatisticsUpdate`. An int64 of no dimensions, which it is unless a state dict was taken over by `assign`, is counted up
 * where it lies: by way of `add_` it takes 10 µs once a convolution has emptied the caches, and a ResNet-20 has 21 of them.
 */
export function countBatch(counter: Tensor): void {
  if (!updating) return;
  if (counter.dtype !== "int64" || counter.ndim > 0) {
    add_(counter, 1);
    return;
  }
  markChanged(counter);
  heap.i64[counter.pointer / 8] += 1n;
}
