import { flatten, unflatten } from "../../ops/views.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { pythonRepr } from "../../util/python-format.ts";
import { Module } from "../module.ts";

/**
 * Gives back its input, as torch.nn.Identity; arguments are ignored, so that it can stand for any layer.
 * @example
 * ```ts
 * import { nn, tensor } from "evenkeel";
 * new nn.Identity().forward(tensor([1, 2])).toArray(); // => [1, 2]
 * ```
 */
export class Identity extends Module {
  constructor(..._ignored: unknown[]) {
    super();
  }

  forward(input: Tensor): Tensor {
    return input;
  }
}

/**
 * Makes the dimensions from startDim to endDim one, as torch.nn.Flatten.
 * @example
 * ```ts
 * import { nn, zeros } from "evenkeel";
 * new nn.Flatten().forward(zeros([2, 3, 4])).shape; // => [2, 12]
 * ```
 */
export class Flatten extends Module {
  readonly startDim: number;
  readonly endDim: number;

  constructor(options: { startDim?: number; endDim?: number } = {}) {
    super();
    this.startDim = options.startDim ?? 1;
    this.endDim = options.endDim ?? -1;
  }

  forward(input: Tensor): Tensor {
    return flatten(input, this.startDim, this.endDim);
  }

  override extraRepr(): string {
    return `start_dim=${this.startDim}, end_dim=${this.endDim}`;
  }
}

/**
 * Makes one dimension several, as torch.nn.Unflatten.
 * @example
 * ```ts
 * import { nn, zeros } from "evenkeel";
 * new nn.Unflatten(1, [3, 4]).forward(zeros([2, 12])).shape; // => [2, 3, 4]
 * ```
 */
export class Unflatten extends Module {
  constructor(
    readonly dim: number,
    readonly unflattenedSize: readonly number[],
  ) {
    super();
  }

  forward(input: Tensor): Tensor {
    return unflatten(input, this.dim, this.unflattenedSize);
  }

  override extraRepr(): string {
    return `dim=${this.dim}, unflattened_size=${pythonRepr(this.unflattenedSize)}`;
  }
}
