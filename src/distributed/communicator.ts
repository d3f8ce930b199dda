import type { Collective } from "../functional/collective.ts";
import { isReduced } from "../tensor/dtype.ts";
import { detachedCopy, type Tensor } from "../tensor/tensor.ts";
import { ArgumentError, DTypeError } from "../util/errors.ts";

/** How values of several ranks become one: their sum, their mean, the largest, the smallest. */
export type ReduceOp = "sum" | "mean" | "max" | "min";

/** Options of a reduction. */
export interface ReduceOptions {
  /** "sum" */
  op?: ReduceOp;
}

/** A reduction under way. Until it is done its tensor belongs to it. */
export interface PendingReduction {
  /** Moves it on, and says whether it is done. */
  test(): boolean;
  /** Returns when it is done. */
  wait(): void;
}

/**
 * The processes (ranks) that train together. A collective call is made by every rank, in the same order, with tensors of the same shape and dtype; it returns when this
 * rank has what it needs. A rank that waits longer than the time-out of `init` ends the job.
 */
export interface Communicator extends Collective {
  /** number of this process, from 0 */
  readonly rank: number;
  /** number of processes */
  readonly worldSize: number;
  /** A new tensor: the reduction over all ranks, the same bits on each. No gradient flows. @throws DTypeError for bool, float16, bfloat16, and the mean of integers */
  allReduce(tensor: Tensor, options?: ReduceOptions): Tensor;
  /** The same into the tensor itself. @throws also ArgumentError unless it is contiguous */
  allReduce_(tensor: Tensor, options?: ReduceOptions): Tensor;
  /** Begins to sum a contiguous tensor in place; other work can go on meanwhile. Such sums are matched among themselves, apart from the other calls. */
  startSum_(tensor: Tensor): PendingReduction;
  /** Every rank's tensor, in the order of the ranks. */
  allGather(tensor: Tensor): Tensor[];
  /** Gives every rank the tensor of rank `source` (0), in place. Returns it. @throws ArgumentError for a rank that does not exist, or unless it is contiguous */
  broadcast_(tensor: Tensor, options?: { source?: number }): Tensor;
  /** Returns when every rank has called it. Waits asleep. */
  barrier(): void;
}

/** @throws DTypeError where ranks cannot add such values, ArgumentError for an unknown reduction */
export function checkReducible({ dtype }: Tensor, op: ReduceOp): void {
  if (!["sum", "mean", "max", "min"].includes(op)) {
    throw new ArgumentError(`ranks cannot be reduced by "${op}"`, "use sum, mean, max or min");
  }
  if (dtype === "bool" || isReduced(dtype)) {
    throw new DTypeError(
      `${dtype} tensors cannot be reduced over ranks`,
      dtype === "bool" ? 'convert it with to("uint8"), and use max for any, min for all' : "convert it with float()",
    );
  }
  if (op === "mean" && dtype !== "float32" && dtype !== "float64") {
    throw new DTypeError(`the mean of ${dtype} tensors is not whole`, "take the sum, or convert it with double()");
  }
}

/** @throws ArgumentError unless the tensor's elements lie in one piece */
export function checkInPlace(tensor: Tensor, call: string): void {
  if (!tensor.isContiguous) {
    throw new ArgumentError(
      `${call} writes into a contiguous tensor, and this one is a strided view`,
      "use contiguous()",
    );
  }
}

/** @throws ArgumentError unless there is such a rank */
export function checkRankNumber(rank: number, worldSize: number): void {
  if (!Number.isInteger(rank) || rank < 0 || rank >= worldSize) {
    throw new ArgumentError(`there is no rank ${rank}`, `there are ${worldSize}, numbered from 0`);
  }
}

/** One process alone: what `init` gives where no launcher started several. Checks what the others check. */
export class SingleProcess implements Communicator {
  readonly rank = 0;
  readonly worldSize = 1;

  allReduce(tensor: Tensor, { op = "sum" }: ReduceOptions = {}): Tensor {
    checkReducible(tensor, op);
    return detachedCopy(tensor);
  }

  allReduce_(tensor: Tensor, { op = "sum" }: ReduceOptions = {}): Tensor {
    checkReducible(tensor, op);
    checkInPlace(tensor, "allReduce_");
    return tensor;
  }

  startSum_(tensor: Tensor): PendingReduction {
    this.allReduce_(tensor);
    return { test: () => true, wait() {} };
  }

  allGather(tensor: Tensor): Tensor[] {
    return [detachedCopy(tensor)];
  }

  broadcast_(tensor: Tensor, { source = 0 }: { source?: number } = {}): Tensor {
    checkRankNumber(source, 1);
    checkInPlace(tensor, "broadcast_");
    return tensor;
  }

  barrier(): void {}
}
