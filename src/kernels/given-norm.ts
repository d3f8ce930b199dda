import type { NormTailGrad, Pointer } from "./arguments.ts";
import type { FloatDType } from "./dtype.ts";

/**
 * Normalization by channels whose batch is spread over several arrays or processes. The moments of a part are a row of 1 + 2·channels float64: the number of
 * positions, the means, and Σ (x − mean)².
 */
export interface GivenNormKernels {
  /** The moments of one part, [outer, channels, inner]. */
  partMoments(dtype: FloatDType, row: Pointer, x: Pointer, outer: number, channels: number, inner: number): void;
  /** The moments of all parts together, Σ nᵢ·(mᵢ − m)² apart from the rest (Chan, Golub & LeVeque 1983). `out` may be the first of the `rows`. */
  mergeMoments(out: Pointer, rows: Pointer, parts: number, channels: number): void;
  /**
   * mean and rest, its rounding error; invstd = 1 / √(m2 / count + eps) of the rounded variance; running = (1 − momentum)·running + momentum·batch, with the unbiased
   * variance, unless the count is below 2. The running statistics may be 0.
   */
  finishMergedMoments(
    dtype: FloatDType,
    mean: Pointer,
    rest: Pointer,
    invstd: Pointer,
    runningMean: Pointer,
    runningVar: Pointer,
    row: Pointer,
    channels: number,
    eps: number,
    momentum: number,
  ): void;
  /**
   * What givenGradByChannel takes, from sums over the whole batch, [Σ g, Σ g·x̂] of 2·channels: k = invstd·Σ g·x̂ / count, gMean = Σ g / count − rest·k, where the
   * count is the first element of `row`. `row` may be that of a batch of no positions.
   */
  shareGradSums(
    dtype: FloatDType,
    gMean: Pointer,
    k: Pointer,
    sums: Pointer,
    row: Pointer,
    rest: Pointer,
    invstd: Pointer,
    channels: number,
  ): void;
  /**
   * gBias = Σ g and gWeight = Σ g·x̂ = invstd·Σ g·(x − mean) of a part. With a tail, g is what comes through its activation, which is written `before`; that may be 0 behind
   * ReLU where `inner` > 1, since givenGradByChannel can take it through again.
   */
  gradSumsByChannel(
    dtype: FloatDType,
    gWeight: Pointer,
    gBias: Pointer,
    g: Pointer,
    x: Pointer,
    outer: number,
    channels: number,
    inner: number,
    mean: Pointer,
    rest: Pointer,
    invstd: Pointer,
    tail?: NormTailGrad,
  ): void;
  /**
   * gx = (g − gMean − (x − mean)·k)·invstd·weight over [outer, channels, inner], where all but g and x have one value a channel. With gMean = Σ g / count and
   * k = invstd²·Σ g·(x − mean) / count over the whole batch this is the gradient of its normalization. Where `relu` is not 0 it is ReLU's output, and g is taken through it
   * first; `inner` > 1 then. gx may be g.
   */
  givenGradByChannel(
    dtype: FloatDType,
    gx: Pointer,
    g: Pointer,
    x: Pointer,
    outer: number,
    channels: number,
    inner: number,
    mean: Pointer,
    invstd: Pointer,
    weight: Pointer,
    gMean: Pointer,
    k: Pointer,
    relu: Pointer,
  ): void;
}
