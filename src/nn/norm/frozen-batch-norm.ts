import { batchNorm } from "../../functional/norm-batch.ts";
import { ones, zeros } from "../../tensor/creation.ts";
import type { FloatDType } from "../../tensor/dtype.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { pythonFloat } from "../../util/python-format.ts";
import { Module } from "../module.ts";
import type { StateDict } from "../state-dict.ts";
import { checkImages } from "./batch-norm.ts";

/**
 * Batch normalization of [N, C, H, W] that never changes: statistics, γ and β are buffers, and training mode means nothing to it. A BatchNorm2d's state dict
 * loads, its counter is dropped. As torchvision.ops.FrozenBatchNorm2d.
 * @throws ShapeError for another rank or number of channels
 * @example
 * ```ts
 * import { nn, ones } from "evenkeel";
 * const layer = new nn.FrozenBatchNorm2d(3);
 * layer.loadStateDict(new nn.BatchNorm2d(3).stateDict());
 * layer.parameters().length; // => 0
 * layer.forward(ones([1, 3, 1, 1])).flatten().toArray(); // => [1, 1, 1]
 * String(layer); // => FrozenBatchNorm2d(3, eps=1e-05)
 * ```
 */
export class FrozenBatchNorm2d extends Module {
  eps: number;

  constructor(
    readonly numFeatures: number,
    options: { eps?: number; dtype?: FloatDType } = {},
  ) {
    super();
    const { eps = 1e-5, dtype = "float32" } = options;
    this.eps = eps;
    this.registerBuffer("weight", ones([numFeatures], { dtype }));
    this.registerBuffer("bias", zeros([numFeatures], { dtype }));
    this.registerBuffer("running_mean", zeros([numFeatures], { dtype }));
    this.registerBuffer("running_var", ones([numFeatures], { dtype }));
  }

  /** The normalized input, of the same shape. */
  forward(input: Tensor): Tensor {
    checkImages(input);
    return batchNorm(input, this.getBuffer("running_mean"), this.getBuffer("running_var"), {
      weight: this.getBuffer("weight"),
      bias: this.getBuffer("bias"),
      eps: this.eps,
    });
  }

  /** BatchNorm2d counts its batches. */
  protected override upgradeState(state: StateDict, prefix: string): void {
    state.delete(`${prefix}num_batches_tracked`);
  }

  override extraRepr(): string {
    return `${this.numFeatures}, eps=${pythonFloat(this.eps)}`;
  }
}
