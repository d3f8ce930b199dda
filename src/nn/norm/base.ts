import { full, ones, zeros } from "../../tensor/creation.ts";
import type { FloatDType } from "../../tensor/dtype.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { ArgumentError, ShapeError } from "../../util/errors.ts";
import { pythonFloat, pythonRepr } from "../../util/python-format.ts";
import { Module } from "../module.ts";
import type { Parameter } from "../parameter.ts";
import { affineParameters, biasRepr, resetAffine } from "./affine.ts";

/** Options of batch and instance normalization, as PyTorch's arguments. */
export interface NormOptions {
  /** added to the variance under the root; 1e-5 */
  eps?: number;
  /** how far running statistics move towards each batch's, 0.1; null averages all batches evenly */
  momentum?: number | null;
  /** learn a scale γ (weight, ones at first) and a shift β (bias, zeros at first) for each channel */
  affine?: boolean;
  /** with affine, learn β too; true */
  bias?: boolean;
  /** keep running mean and variance for evaluation */
  trackRunningStats?: boolean;
  /** of parameters and statistics; float32 */
  dtype?: FloatDType;
}

/** What batch and instance normalization share: γ and β, running statistics, and how they are printed and stored. As torch's _NormBase. */
export abstract class NormBase extends Module {
  numFeatures: number;
  eps: number;
  momentum: number | null;
  readonly affine: boolean;
  /** Set to false later, training ignores the running statistics and evaluation still uses them. */
  trackRunningStats: boolean;
  /** γ, [numFeatures], or null without affine */
  weight: Parameter | null;
  /** β, [numFeatures], or null without affine or bias */
  bias: Parameter | null;

  constructor(numFeatures: number, options: Required<NormOptions>) {
    super();
    if (!Number.isInteger(numFeatures) || numFeatures < 0) {
      throw new ArgumentError(
        `num_features is ${numFeatures}`,
        "give the number of channels: the input's second dimension",
      );
    }
    const { eps, momentum, affine, bias, trackRunningStats, dtype } = options;
    this.numFeatures = numFeatures;
    this.eps = eps;
    this.momentum = momentum;
    this.affine = affine;
    this.trackRunningStats = trackRunningStats;
    const parameters = affineParameters([numFeatures], affine, bias, dtype);
    this.weight = parameters.weight;
    this.bias = parameters.bias;
    this.registerBuffer("running_mean", trackRunningStats ? zeros([numFeatures], { dtype }) : null);
    this.registerBuffer("running_var", trackRunningStats ? ones([numFeatures], { dtype }) : null);
    this.registerBuffer("num_batches_tracked", trackRunningStats ? full([], 0, { dtype: "int64" }) : null);
  }

  /** Running mean of every channel, [numFeatures], or null. */
  get runningMean(): Tensor | null {
    return this.getBuffer("running_mean");
  }

  set runningMean(value: Tensor | null) {
    this.registerBuffer("running_mean", value);
  }

  /** Running unbiased variance of every channel, [numFeatures], or null. */
  get runningVar(): Tensor | null {
    return this.getBuffer("running_var");
  }

  set runningVar(value: Tensor | null) {
    this.registerBuffer("running_var", value);
  }

  /** Number of training batches seen, an int64 tensor of no dimensions, or null. */
  get numBatchesTracked(): Tensor | null {
    return this.getBuffer("num_batches_tracked");
  }

  set numBatchesTracked(value: Tensor | null) {
    this.registerBuffer("num_batches_tracked", value);
  }

  /** Sets the running statistics back to mean 0, variance 1, no batches. */
  resetRunningStats(): void {
    this.runningMean?.fill_(0);
    this.runningVar?.fill_(1);
    this.numBatchesTracked?.fill_(0);
  }

  /** Sets γ to 1 and β to 0, and the running statistics back. */
  resetParameters(): void {
    this.resetRunningStats();
    resetAffine(this);
  }

  /** @throws ShapeError if the input's rank is not this layer's */
  protected abstract checkInput(input: Tensor): void;

  /** Where in the input's shape the channels are. */
  protected channelDim(_input: Tensor): number {
    return 1;
  }

  override extraRepr(): string {
    const { numFeatures, eps, momentum, affine, trackRunningStats } = this;
    return (
      `${numFeatures}, eps=${pythonFloat(eps)}, momentum=${pythonFloat(momentum)}, ` +
      `affine=${pythonRepr(affine)}${biasRepr(this)}, track_running_stats=${pythonRepr(trackRunningStats)}`
    );
  }
}

/** Checks the number of dimensions. @throws ShapeError with PyTorch's sentence */
export function checkRank(input: Tensor, ranks: readonly number[], advice: string): void {
  if (!ranks.includes(input.ndim)) {
    const expected = ranks.map((rank) => `${rank}D`).join(" or ");
    throw new ShapeError(`expected ${expected} input (got ${input.ndim}D input)`, advice);
  }
}
