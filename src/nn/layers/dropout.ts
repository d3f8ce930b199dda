import { dropout, dropout2d } from "../../functional/dropout.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { ArgumentError } from "../../util/errors.ts";
import { pythonFloat } from "../../util/python-format.ts";
import { Module } from "../module.ts";

abstract class DropoutBase extends Module {
  /** probability of an element (a channel) to be zeroed */
  readonly p: number;

  constructor(options: { p?: number } = {}) {
    super();
    this.p = options.p ?? 0.5;
    if (!(this.p >= 0 && this.p <= 1)) {
      throw new ArgumentError(`dropout probability has to be between 0 and 1, but got ${this.p}`);
    }
  }

  override extraRepr(): string {
    return `p=${pythonFloat(this.p)}, inplace=False`;
  }
}

/**
 * In training zeroes each element with probability p (0.5) and divides the others by 1 − p; in evaluation gives back its input. As torch.nn.Dropout, with the same masks for
 * the same seed; Srivastava et al. 2014.
 * @throws ArgumentError unless p is in [0, 1]
 * @example
 * ```ts
 * import { nn, ones } from "evenkeel";
 * const layer = new nn.Dropout({ p: 0.2 });
 * layer.eval();
 * layer.forward(ones([2])).toArray(); // => [1, 1]
 * ```
 */
export class Dropout extends DropoutBase {
  forward(input: Tensor): Tensor {
    return dropout(input, { p: this.p, training: this.training });
  }
}

/**
 * In training zeroes whole channels of [N, C, H, W] with probability p (0.5) and divides the others by 1 − p. As torch.nn.Dropout2d; Tompson et al. 2015.
 * @throws ArgumentError unless p is in [0, 1]
 * @example
 * ```ts
 * import { nn, ones } from "evenkeel";
 * const layer = new nn.Dropout2d({ p: 1 });
 * layer.forward(ones([1, 2, 1, 2])).toArray(); // => [[[[0, 0]], [[0, 0]]]]
 * ```
 */
export class Dropout2d extends DropoutBase {
  forward(input: Tensor): Tensor {
    return dropout2d(input, { p: this.p, training: this.training });
  }
}
