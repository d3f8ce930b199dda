import type { NormKernels, Pointer, RowShape } from "../backend.ts";
import type { FloatDType } from "../dtype.ts";
import { floats, position } from "./views.ts";

/*
 * Normalization by rows: layer, group and RMS norm. Everything in float64, rounded once.
 */

/**
 * What a mean was off by is what the deviations from it add up to (Chan, Golub & LeVeque 1983): in float64 that is nearly exact. 0 where that says
 * nothing, of infinite values or of none.
 */
export function correction(deviations: number, count: number): number {
  return count > 0 && Number.isFinite(deviations) ? deviations / count : 0;
}

function rowNorm(
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
): void {
  const { rows, groups, channels, inner } = shape;
  const length = channels * inner;
  const v = floats(dtype);
  const [o, first] = [position(dtype, y), position(dtype, x)];
  const [m, l] = [position(dtype, mean), position(dtype, rest)];
  const [s, w, b] = [position(dtype, invstd), position(dtype, weight), position(dtype, bias)];
  for (let r = 0; r < rows; r++) {
    const row = first + r * length;
    let sum = 0;
    if (mean !== 0) for (let i = row; i < row + length; i++) sum += v[i];
    const average = sum / length;
    let squares = 0;
    let deviations = 0;
    for (let i = row; i < row + length; i++) {
      squares += (v[i] - average) ** 2;
      deviations += v[i] - average;
    }
    const off = mean === 0 ? 0 : correction(deviations, length);
    if (mean !== 0) {
      v[m + r] = average + off;
      v[l + r] = average + off - v[m + r];
    }
    v[s + r] = 1 / Math.sqrt((off === 0 ? squares : squares - off * deviations) / length + eps);
    const centre = mean === 0 ? 0 : v[m + r] + v[l + r];
    const own = (r % groups) * channels;
    for (let c = 0, at = r * length; c < channels; c++) {
      const scale = v[s + r] * (weight === 0 ? 1 : v[w + own + c]);
      const shift = bias === 0 ? 0 : v[b + own + c];
      for (let i = 0; i < inner; i++, at++) v[o + at] = (v[first + at] - centre) * scale + shift;
    }
  }
}

function normalizeByRowGrad(
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
): void {
  const { rows, groups, channels, inner } = shape;
  const v = floats(dtype);
  const [o, gi, xi] = [position(dtype, gx), position(dtype, g), position(dtype, x)];
  const [m, l] = [position(dtype, mean), position(dtype, rest)];
  const [s, w] = [position(dtype, invstd), position(dtype, weight)];
  const weightSums = new Float64Array(groups * channels);
  const biasSums = new Float64Array(groups * channels);
  const length = channels * inner;
  for (let r = 0; r < rows; r++) {
    const average = mean === 0 ? 0 : v[m + r] + v[l + r];
    const scale = v[s + r];
    const own = (r % groups) * channels;
    let sum = 0;
    let dot = 0;
    for (let c = 0, at = r * length; c < channels; c++) {
      let channelSum = 0;
      let channelDot = 0;
      for (let i = 0; i < inner; i++, at++) {
        channelSum += v[gi + at];
        channelDot += v[gi + at] * (v[xi + at] - average);
      }
      const gamma = weight === 0 ? 1 : v[w + own + c];
      biasSums[own + c] += channelSum;
      weightSums[own + c] += channelDot * scale;
      sum += channelSum * gamma;
      dot += channelDot * gamma;
    }
    if (gx === 0) continue;
    const gMean = mean === 0 ? 0 : sum / length;
    const slope = (dot * scale * scale) / length;
    for (let c = 0, at = r * length; c < channels; c++) {
      const gamma = weight === 0 ? 1 : v[w + own + c];
      for (let i = 0; i < inner; i++, at++) {
        v[o + at] = (v[gi + at] * gamma - gMean - (v[xi + at] - average) * slope) * scale;
      }
    }
  }
  if (gWeight !== 0) v.set(weightSums, position(dtype, gWeight));
  if (gBias !== 0) v.set(biasSums, position(dtype, gBias));
}

export const rowKernels: Pick<NormKernels, "rowNorm" | "normalizeByRowGrad"> = {
  rowNorm,
  normalizeByRowGrad,
};
