import type { NormKernels, NormTail, Pointer } from "../backend.ts";
import type { FloatDType } from "../dtype.ts";
import { heap } from "../heap.ts";
import { normalizeByChannelGrad } from "./channel-grad.ts";
import { elementwiseKernels } from "./elementwise.ts";
import { fma, round } from "./math.ts";
import { correction, rowKernels } from "./rows.ts";
import { floats, position } from "./views.ts";

function momentsByChannel(
  dtype: FloatDType,
  mean: Pointer,
  rest: Pointer,
  m2: Pointer,
  x: Pointer,
  outer: number,
  channels: number,
  inner: number,
): void {
  const v = floats(dtype);
  const [m, l] = [position(dtype, mean), position(dtype, rest)];
  const [s, first] = [position(dtype, m2), position(dtype, x)];
  const count = outer * inner;
  // PyTorch's contiguous kernel takes the deviations from the rounded mean and rounds each; elsewhere nothing is
  // rounded but the result.
  const single = dtype === "float32" && inner > 1;
  for (let c = 0; c < channels; c++) {
    let sum = 0;
    for (let n = 0; n < outer; n++) {
      const row = first + (n * channels + c) * inner;
      for (let i = 0; i < inner; i++) sum += v[row + i];
    }
    const average = count === 0 ? 0 : round(single, sum / count);
    let squares = 0;
    let deviations = 0;
    for (let n = 0; n < outer; n++) {
      const row = first + (n * channels + c) * inner;
      for (let i = 0; i < inner; i++) {
        const deviation = round(single, v[row + i] - average);
        squares += round(single, deviation * deviation);
        deviations += deviation;
      }
    }
    const off = single ? 0 : correction(deviations, count);
    v[m + c] = average + off;
    v[l + c] = single ? 0 : average + off - v[m + c];
    v[s + c] = off === 0 ? squares : squares - off * deviations;
  }
}

function finishMoments(
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
): void {
  const v = floats(dtype);
  const single = dtype === "float32";
  const [o, m, s] = [position(dtype, invstd), position(dtype, mean), position(dtype, m2)];
  const [rm, rv] = [position(dtype, runningMean), position(dtype, runningVar)];
  const [n, n1] = [round(single, count), round(single, count - 1)];
  const share = round(single, momentum);
  const keep = round(single, 1 - share);
  for (let c = 0; c < channels; c++) {
    const variance = round(single, v[s + c] / n);
    v[o + c] = variance === 0 && eps === 0 ? 0 : 1 / Math.sqrt(variance + eps);
    if (runningMean !== 0) v[rm + c] = round(single, share * v[m + c]) + round(single, keep * v[rm + c]);
    if (runningVar !== 0) v[rv + c] = share * round(single, v[s + c] / n1) + round(single, keep * v[rv + c]);
  }
}

function invstd(dtype: FloatDType, out: Pointer, variance: Pointer, n: number, eps: number): void {
  const v = floats(dtype);
  const single = dtype === "float32";
  const [o, s] = [position(dtype, out), position(dtype, variance)];
  for (let i = 0; i < n; i++) v[o + i] = 1 / round(single, Math.sqrt(round(single, v[s + i] + round(single, eps))));
}

function normalizeByChannel(
  dtype: FloatDType,
  y: Pointer,
  x: Pointer,
  outer: number,
  channels: number,
  inner: number,
  mean: Pointer,
  rest: Pointer,
  invstdPointer: Pointer,
  weight: Pointer,
  bias: Pointer,
  tail?: NormTail,
): void {
  const v = floats(dtype);
  const single = dtype === "float32";
  const [o, first, m] = [position(dtype, y), position(dtype, x), position(dtype, mean)];
  const [s, w, b] = [position(dtype, invstdPointer), position(dtype, weight), position(dtype, bias)];
  const l = position(dtype, rest);
  for (let c = 0; c < channels; c++) {
    const shiftAfter = bias === 0 ? 0 : v[b + c];
    if (inner === 1) {
      const average = v[m + c] + (rest === 0 ? 0 : v[l + c]);
      const scale = v[s + c] * (weight === 0 ? 1 : v[w + c]);
      for (let n = 0, i = c; n < outer; n++, i += channels) v[o + i] = (v[first + i] - average) * scale + shiftAfter;
      continue;
    }
    const scale = round(single, v[s + c] * (weight === 0 ? 1 : v[w + c]));
    const shift = fma(single, -v[m + c], scale, shiftAfter);
    for (let n = 0; n < outer; n++) {
      const row = (n * channels + c) * inner;
      for (let i = row; i < row + inner; i++) v[o + i] = fma(single, v[first + i], scale, shift);
    }
  }
  const n = outer * channels * inner;
  if (tail?.residual) elementwiseKernels.axpy(dtype, y, tail.residual, n, 1);
  if (tail?.activation) elementwiseKernels.unary(tail.activation, dtype, y, y, n, tail.p);
}

function batchNorm(
  dtype: FloatDType,
  y: Pointer,
  mean: Pointer,
  rest: Pointer,
  invstdPointer: Pointer,
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
): void {
  const m2 = heap.alloc(8 * channels);
  const count = Math.max(outer * inner, 1);
  momentsByChannel(dtype, mean, rest, m2, x, outer, channels, inner);
  finishMoments(dtype, invstdPointer, runningMean, runningVar, mean, m2, channels, count, eps, momentum);
  heap.free(m2);
  normalizeByChannel(dtype, y, x, outer, channels, inner, mean, rest, invstdPointer, weight, bias, tail);
}

function batchNormEval(
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
): void {
  const scale = heap.alloc(8 * channels);
  invstd(dtype, scale, variance, channels, eps);
  normalizeByChannel(dtype, y, x, outer, channels, inner, mean, 0, scale, weight, bias, tail);
  heap.free(scale);
}

export const normKernels: NormKernels = {
  batchNorm,
  momentsByChannel,
  finishMoments,
  batchNormEval,
  normalizeByChannel,
  normalizeByChannelGrad,
  ...rowKernels,
};
