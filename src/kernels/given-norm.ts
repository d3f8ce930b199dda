import type { Pointer } from "./arguments.ts";
import type { FloatDType } from "./dtype.ts";

/** Backward of a normalization by channels whose batch is spread over several arrays or processes: what all of them sum up to is given. */
export interface GivenNormKernels {
  /**
   * gx = (g − gMean − (x − mean)·k)·invstd·weight over [outer, channels, inner], where all but g and x have one value a channel. With gMean = Σ g / count and
   * k = invstd²·Σ g·(x − mean) / count over the whole batch this is the gradient of its normalization.
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
  ): void;
}
