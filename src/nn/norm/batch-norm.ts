import { type Collective, defaultCollective } from "../../functional/collective.ts";
import {
  activate,
  type BatchNormOptions,
  batchNorm,
  batchNormAct,
  batchNormMany,
  type NormActivation,
} from "../../functional/norm-batch.ts";
import { countBatch } from "../../functional/statistics-update.ts";
import { add } from "../../ops/arithmetic.ts";
import { full } from "../../tensor/creation.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { LoadReport, StateDict } from "../state-dict.ts";
import { checkRank, NormBase, type NormOptions } from "./base.ts";

/** Who trains together. */
interface Synchronization {
  /** null: everybody */
  readonly group: Collective | null;
}

/** What a pass is normalized by. */
interface Pass {
  readonly mean: Tensor | null;
  readonly variance: Tensor | null;
  readonly settings: BatchNormOptions & {
    readonly mask: Tensor | null;
    readonly residual: Tensor | null;
    readonly activation: NormActivation | null;
  };
}

/** One class for all ranks: a layer is a check of its input's rank. As torch's _BatchNorm. */
export abstract class BatchNorm extends NormBase {
  /** Set where training takes the moments over all processes; see SyncBatchNorm. */
  protected synchronization: Synchronization | null = null;

  constructor(numFeatures: number, options: NormOptions = {}) {
    super(numFeatures, {
      eps: 1e-5,
      momentum: 0.1,
      affine: true,
      bias: true,
      trackRunningStats: true,
      dtype: "float32",
      ...options,
    });
  }

  /**
   * The normalized input, of the same shape. In training it also updates the running statistics.
   * @param options.mask [N, …] without the channels, bool: in training, positions where it is false do not count in the moments and running statistics
   */
  forward(input: Tensor, options: { mask?: Tensor | null } = {}): Tensor {
    this.checkInput(input);
    const { mean, variance, settings } = this.beginPass(options.mask);
    return batchNorm(input, mean, variance, settings);
  }

  /** @internal activation(forward(input) + residual), in one pass over memory where no other process takes part. */
  forwardThen(
    input: Tensor,
    activation: NormActivation | null,
    residual: Tensor | null = null,
    mask: Tensor | null = null,
  ): Tensor {
    this.checkInput(input);
    const { mean, variance, settings } = this.beginPass(mask, residual, activation);
    if (!mask) return batchNormAct(input, mean, variance, settings);
    const normalized = batchNorm(input, mean, variance, settings);
    const sum = residual ? add(normalized, residual) : normalized;
    return activation ? activate(sum, activation) : sum;
  }

  /** Several arrays as one batch: the moments are joint, running statistics move once and one batch is counted. */
  override forwardMany(inputs: readonly Tensor[]): Tensor[] {
    if (inputs.length === 0) return [];
    for (const input of inputs) this.checkInput(input);
    const { mean, variance, settings } = this.beginPass();
    return batchNormMany(inputs, mean, variance, settings);
  }

  /** Whether the output for one sample depends on the others. */
  override get mixesBatch(): boolean {
    return this.training || (this.runningMean === null && this.runningVar === null);
  }

  /** Counts a training batch, and says what normalizes this pass. All settings are one literal: to spread one into another takes 0.8 µs until the code is optimized. */
  protected beginPass(
    mask: Tensor | null = null,
    residual: Tensor | null = null,
    activation: NormActivation | null = null,
  ): Pass {
    const { training, trackRunningStats, weight, bias, eps, synchronization } = this;
    const momentum = training && trackRunningStats ? this.countBatch() : 0;
    // In training the running statistics are passed to be updated, in evaluation to be used.
    const passed = !training || trackRunningStats;
    const collective = training && synchronization ? (synchronization.group ?? defaultCollective()) : null;
    return {
      mean: passed ? this.runningMean : null,
      variance: passed ? this.runningVar : null,
      settings: { weight, bias, training: this.mixesBatch, momentum, eps, collective, mask, residual, activation },
    };
  }

  /** Counts a training batch and says how far the running statistics move towards it. */
  private countBatch(): number {
    const { numBatchesTracked, momentum } = this;
    if (numBatchesTracked) countBatch(numBatchesTracked);
    if (momentum !== null) return momentum;
    return numBatchesTracked ? 1 / numBatchesTracked.item() : 0;
  }

  override get stateVersion(): number {
    return 2;
  }

  /** Before version 2 (PyTorch 0.4.1) there was no counter: the module's own is taken. */
  protected override upgradeState(
    state: StateDict,
    prefix: string,
    version: number | undefined,
    _report: LoadReport,
  ): void {
    const key = `${prefix}num_batches_tracked`;
    if ((version === undefined || version < 2) && this.trackRunningStats && !state.has(key)) {
      state.set(key, this.numBatchesTracked ?? full([], 0, { dtype: "int64" }));
    }
  }
}

/**
 * Batch normalization of [N, C] or [N, C, L] over N (and L): y = (x − E[x]) / √(Var[x] + eps) · γ + β for every channel, with the biased variance.
 *
 * In training the moments are the batch's, and the running ones move towards them: running = (1 − momentum)·running + momentum·batch, with the
 * unbiased variance. In evaluation the running ones are used. As torch.nn.BatchNorm1d; Ioffe & Szegedy 2015.
 * @throws ShapeError for another rank, another number of channels, or one value a channel in training
 * @example
 * ```ts
 * import { manualSeed, nn, randn } from "evenkeel";
 * manualSeed(0);
 * const layer = new nn.BatchNorm1d(16);
 * const y = layer.forward(randn([100, 16]).add(0.5));
 * y.mean().item(); // => 0.0000
 * layer.runningMean!.narrow(0, 0, 4).toArray(); // => [0.0391, 0.0723, 0.0397, 0.0563]
 * String(layer); // => BatchNorm1d(16, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
 * ```
 */
export class BatchNorm1d extends BatchNorm {
  protected checkInput(input: Tensor): void {
    checkRank(
      input,
      [2, 3],
      input.ndim === 4 ? "use BatchNorm2d for [N, C, H, W]" : "BatchNorm1d takes [N, C] or [N, C, L]",
    );
  }
}

/** What to use instead for an input that BatchNorm2d and 3d do not take. */
const OTHER_RANKS = "use BatchNorm1d for [N, C] or [N, C, L]";

/** @throws ShapeError unless the input is [N, C, H, W] */
export function checkImages(input: Tensor): void {
  checkRank(input, [4], input.ndim === 5 ? "use BatchNorm3d for [N, C, D, H, W]" : OTHER_RANKS);
}

/**
 * Batch normalization of [N, C, H, W] over N, H and W; see BatchNorm1d. As torch.nn.BatchNorm2d, whose float32 results on the CPU it gives to the bit.
 * @throws ShapeError as BatchNorm1d
 * @example
 * ```ts
 * import { nn, rand } from "evenkeel";
 * const layer = new nn.BatchNorm2d(16);
 * layer.forward(rand([1, 16, 7, 7])).shape; // => [1, 16, 7, 7]
 * layer.numBatchesTracked!.item(); // => 1
 * ```
 */
export class BatchNorm2d extends BatchNorm {
  protected checkInput(input: Tensor): void {
    checkImages(input);
  }
}

/**
 * Batch normalization of [N, C, D, H, W] over everything but C; see BatchNorm1d. As torch.nn.BatchNorm3d.
 * @throws ShapeError as BatchNorm1d
 * @example
 * ```ts
 * import { nn, rand } from "evenkeel";
 * new nn.BatchNorm3d(4).forward(rand([2, 4, 3, 3, 3])).shape; // => [2, 4, 3, 3, 3]
 * ```
 */
export class BatchNorm3d extends BatchNorm {
  protected checkInput(input: Tensor): void {
    checkRank(input, [5], input.ndim === 4 ? "use BatchNorm2d for [N, C, H, W]" : OTHER_RANKS);
  }
}
