import type { NormTail, NormTailGrad, Pointer, RowShape } from "./arguments.ts";
import type { FloatDType } from "./dtype.ts";

/**
 * Normalization: moments, normalize, scale and shift, in two shapes.
 * By channels: x is [outer, channels, inner] and a channel's moments run over outer × inner (inner = 1 is channels-last).
 * By rows: see RowShape.
 */
export interface NormKernels {
  /**
   * Batch normalization by the batch's own statistics, what momentsByChannel, finishMoments and normalizeByChannel do one after the other, in one pass over
   * memory where a channel stays in cache. runningMean, runningVar, weight and bias may be 0.
   */
  batchNorm(
    dtype: FloatDType,
    y: Pointer,
    mean: Pointer,
    rest: Pointer,
    invstd: Pointer,
    runningMean: Pointer,
    runningVar: Pointer,
    x: Pointer,
    outer: number,
    channels: number,
    inner: number,
    weight: Pointer,
    bias: Pointer,
    eps: number,
    momentum: number,
    tail?: NormTail,
  ): void;
  /**
   * mean[c], rest[c], which is what rounding the mean lost, and m2[c] = Σ (x − mean)². float32 with inner > 1 is PyTorch's recipe to the
   * bit: the sum in float64, the mean rounded to float32 and nothing kept of the rest, (x − mean)² in float32 accumulated in float64, then
   * rounded. count = 0 gives mean 0, m2 0.
   */
  momentsByChannel(
    dtype: FloatDType,
    mean: Pointer,
    rest: Pointer,
    m2: Pointer,
    x: Pointer,
    outer: number,
    channels: number,
    inner: number,
  ): void;
  /**
   * invstd[c] = 1 / √(m2[c] / count + eps), 0 where both variance and eps are 0; and, where the pointers are not 0,
   * running = (1 − momentum)·running + momentum·batch with the unbiased variance m2 / (count − 1).
   */
  finishMoments(
    dtype: FloatDType,
    invstd: Pointer,
    runningMean: Pointer,
    runningVar: Pointer,
    mean: Pointer,
    m2: Pointer,
    channels: number,
    count: number,
    eps: number,
    momentum: number,
  ): void;
  /** Batch normalization by given statistics: normalizeByChannel with invstd[c] = 1 / √(variance[c] + eps), every step rounded to the dtype. weight and bias may be 0. */
  batchNormEval(
    dtype: FloatDType,
    y: Pointer,
    x: Pointer,
    outer: number,
    channels: number,
    inner: number,
    mean: Pointer,
    variance: Pointer,
    weight: Pointer,
    bias: Pointer,
    eps: number,
    tail?: NormTail,
  ): void;
  /** α = invstd·weight, β = fma(−mean, α, bias), y = fma(x, α, β); weight and bias may be 0 (then 1 and 0). The fma is rounded once. */
  normalizeByChannel(
    dtype: FloatDType,
    y: Pointer,
    x: Pointer,
    outer: number,
    channels: number,
    inner: number,
    mean: Pointer,
    rest: Pointer,
    invstd: Pointer,
    weight: Pointer,
    bias: Pointer,
    tail?: NormTail,
  ): void;
  /**
   * gBias = Σ g; gWeight = invstd · Σ g·(x − mean); with batch statistics
   * gx = (g − Σg / count − (x − mean)·invstd²·Σg(x − mean) / count)·invstd·weight, with fixed ones gx = g·invstd·weight.
   * Any of gx, gWeight, gBias may be 0.
   */
  normalizeByChannelGrad(
    dtype: FloatDType,
    gx: Pointer,
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
    weight: Pointer,
    batchStatistics: boolean,
    tail?: NormTailGrad,
  ): void;
  /**
   * mean[r], rest[r], which is what rounding the mean lost, invstd[r] = 1 / √(variance + eps) with the biased variance, and y = (x − mean)·invstd·weight + bias.
   * weight and bias may be 0 (then 1 and 0). In both kernels by rows `mean` may be 0: then the rows are not centred, the variance is that about 0 (RMS norm).
   */
  rowNorm(
    dtype: FloatDType,
    y: Pointer,
    mean: Pointer,
    rest: Pointer,
    invstd: Pointer,
    x: Pointer,
    shape: RowShape,
    weight: Pointer,
    bias: Pointer,
    eps: number,
  ): void;
  /** Any of gx, gWeight, gBias may be 0; gWeight and gBias are [groups · channels]. */
  normalizeByRowGrad(
    dtype: FloatDType,
    gx: Pointer,
    gWeight: Pointer,
    gBias: Pointer,
    g: Pointer,
    x: Pointer,
    shape: RowShape,
    mean: Pointer,
    rest: Pointer,
    invstd: Pointer,
    weight: Pointer,
  ): void;
}
