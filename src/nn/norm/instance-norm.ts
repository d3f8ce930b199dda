import { instanceNorm } from "../../functional/norm-batch.ts";
import { cat } from "../../ops/join.ts";
import { split } from "../../ops/slicing.ts";
import { squeeze, unsqueeze } from "../../ops/views.ts";
import { sizeString } from "../../tensor/shape.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { ShapeError } from "../../util/errors.ts";
import { warnOnce } from "../../util/warn.ts";
import type { LoadReport, StateDict } from "../state-dict.ts";
import { checkRank, NormBase, type NormOptions } from "./base.ts";

/** One class for all ranks, as torch's _InstanceNorm; `spatial` is the number of dimensions behind the channels. */
abstract class InstanceNorm extends NormBase {
  protected abstract readonly spatial: number;

  constructor(numFeatures: number, options: NormOptions = {}) {
    super(numFeatures, {
      eps: 1e-5,
      momentum: 0.1,
      affine: false,
      bias: true,
      trackRunningStats: false,
      dtype: "float32",
      ...options,
    });
  }

  /** The normalized input, of the same shape; without a batch dimension too. In training with tracking it also updates the running statistics. */
  forward(input: Tensor): Tensor {
    this.checkInput(input);
    const dim = this.channelDim(input);
    const channels = input.shape[dim];
    if (channels !== this.numFeatures && (this.affine || this.runningMean)) {
      throw new ShapeError(
        `expected input's size at dim=${dim} to match num_features (${this.numFeatures}), but got: ${channels}.`,
        `the input is ${sizeString(input.shape)}`,
      );
    }
    if (channels !== this.numFeatures) {
      warnOnce(
        `input's size at dim=${dim} does not match num_features. You can silence this warning by not passing in num_features, ` +
          "which is not used because affine=False",
      );
    }
    return dim === 0 ? squeeze(this.normalize(unsqueeze(input, 0)), 0) : this.normalize(input);
  }

  /** Several arrays as one batch: running statistics move once, towards the average over all images. */
  override forwardMany(inputs: readonly Tensor[]): Tensor[] {
    if (!this.mixesBatch || inputs.length < 2) return inputs.map((input) => this.forward(input));
    const sizes = inputs.map((input) => input.shape[0]);
    return split(this.forward(cat(inputs)), sizes);
  }

  override get mixesBatch(): boolean {
    return this.training && this.trackRunningStats;
  }

  protected checkInput(input: Tensor): void {
    const { spatial } = this;
    const takes = `channels and ${spatial} spatial dimensions, with or without a batch before`;
    checkRank(input, [spatial + 1, spatial + 2], `InstanceNorm${spatial}d takes ${takes}`);
  }

  protected override channelDim(input: Tensor): number {
    return input.ndim - this.spatial - 1;
  }

  private normalize(input: Tensor): Tensor {
    return instanceNorm(input, this.runningMean, this.runningVar, {
      weight: this.weight,
      bias: this.bias,
      useInputStats: this.training || !this.trackRunningStats,
      momentum: this.momentum ?? 0,
      eps: this.eps,
    });
  }

  override get stateVersion(): number {
    return 2;
  }

  /** Before PyTorch 0.4 running statistics were stored whether they were tracked or not. */
  protected override upgradeState(
    state: StateDict,
    prefix: string,
    version: number | undefined,
    report: LoadReport,
  ): void {
    if (version !== undefined || this.trackRunningStats) return;
    const stale = ["running_mean", "running_var"].filter((name) => state.delete(prefix + name));
    if (stale.length === 0) return;
    report.errors.push(
      `Unexpected running stats buffer(s) ${stale.map((name) => `"${prefix}${name}"`).join(" and ")} for ${this.className} ` +
        "with track_running_stats=False. If state_dict is a checkpoint saved before 0.4.0, this may be expected because " +
        `${this.className} does not track running stats by default since 0.4.0. Please remove these keys from state_dict. If ` +
        `the running stats are actually needed, instead set track_running_stats=True in ${this.className} to enable them. See ` +
        `the documentation of ${this.className} for details.`,
    );
  }
}

/**
 * Instance normalization of [N, C, L] or [C, L]: every image and channel by its own mean and biased variance over L. No affine parameters and no running
 * statistics unless asked for. As torch.nn.InstanceNorm1d; Ulyanov et al. 2016.
 * @throws ShapeError for another rank, or a single position in training
 * @example
 * ```ts
 * import { nn, tensor } from "evenkeel";
 * new nn.InstanceNorm1d(2).forward(tensor([[1, 3], [10, 30]])).toArray(); // => [[-1, 1], [-1, 1]]
 * ```
 */
export class InstanceNorm1d extends InstanceNorm {
  protected readonly spatial = 1;
}

/**
 * Instance normalization of [N, C, H, W] or [C, H, W]; see InstanceNorm1d. As torch.nn.InstanceNorm2d.
 * @throws ShapeError as InstanceNorm1d
 * @example
 * ```ts
 * import { nn, rand } from "evenkeel";
 * new nn.InstanceNorm2d(3, { affine: true }).forward(rand([2, 3, 4, 4])).shape; // => [2, 3, 4, 4]
 * ```
 */
export class InstanceNorm2d extends InstanceNorm {
  protected readonly spatial = 2;
}

/**
 * Instance normalization of [N, C, D, H, W] or [C, D, H, W]; see InstanceNorm1d. As torch.nn.InstanceNorm3d.
 * @throws ShapeError as InstanceNorm1d
 * @example
 * ```ts
 * import { nn, rand } from "evenkeel";
 * new nn.InstanceNorm3d(3).forward(rand([2, 3, 2, 4, 4])).shape; // => [2, 3, 2, 4, 4]
 * ```
 */
export class InstanceNorm3d extends InstanceNorm {
  protected readonly spatial = 3;
}
