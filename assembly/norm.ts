/*
 * Normalization by channels: x is [outer, all, inner], of which `channels` are done, from the given addresses on. When inner > 1 some channels are walked
 * together, row by row, all passes over them before the next ones; when inner is 1 the channels lie side by side, see columns.ts.
 */
import { columnGradRow, columnGradSums, columnMoments, columnScaleRow, columnScaleShiftRow } from "./columns";
import { exactFma, scaleRow } from "./exact";
import { addGradSums, gradRow, scaleGradRow, sumRow, sumSquares } from "./rows";

export { isFused } from "./exact";

/** Bytes that stay in the second cache from one pass to the next. */
const CACHE: usize = 524288;

/**
 * How many channels, of `bytes` each, are walked together: as many as stay in cache, since only runs of a few KiB are fetched ahead (with [64, 256, 196], where
 * a row is 784 bytes, the gradient takes 1.9 ms instead of 2.5).
 */
function channelsTogether(bytes: usize, channels: usize): usize {
  return max(1, min(channels, CACHE / max(1, bytes)));
}

function addTo(sum: usize, v: f64): void {
  store<f64>(sum, load<f64>(sum) + v);
}

/** `scratch` holds 64 bytes, and behind them two float64 of every channel. */
function momentsByChannel<T>(
  mean: usize,
  rest: usize,
  m2: usize,
  x: usize,
  outer: usize,
  channels: usize,
  inner: usize,
  all: usize,
  scratch: usize,
): void {
  const size: usize = sizeof<T>();
  if (inner === 1) {
    columnMoments<T>(mean, rest, m2, x, outer, channels, all, scratch);
    return;
  }
  const row = inner * size;
  const stride = all * row;
  const count = <f64>outer * <f64>inner;
  const together = channelsTogether(outer * row, channels);
  const sums = scratch + 64;
  const squares = sums + channels * 8;
  memory.fill(sums, 0, channels * 16);
  // deviations from the rounded mean are PyTorch's recipe
  memory.fill(rest, 0, channels * size);
  for (let c: usize = 0; c < channels; c += together) {
    const last = min(c + together, channels);
    for (let p = x; p < x + outer * stride; p += stride) {
      for (let d = c; d < last; d++) addTo(sums + d * 8, sumRow<T>(p + d * row, inner));
    }
    for (let d = c; d < last; d++) store<T>(mean + d * size, <T>(count > 0 ? load<f64>(sums + d * 8) / count : 0));
    for (let p = x; p < x + outer * stride; p += stride) {
      for (let d = c; d < last; d++) {
        addTo(squares + d * 8, sumSquares<T>(p + d * row, inner, load<T>(mean + d * size), scratch));
      }
    }
    for (let d = c; d < last; d++) store<T>(m2 + d * size, <T>load<f64>(squares + d * 8));
  }
}

/** PyTorch's roundings: variances are T divided by T, invstd is float64 rounded, and of the running ones only the variance's sum is fused. */
function finishMoments<T>(
  invstd: usize,
  runningMean: usize,
  runningVar: usize,
  mean: usize,
  m2: usize,
  channels: usize,
  count: f64,
  eps: f64,
  momentum: f64,
): void {
  const fresh = <T>momentum;
  const kept = <T>(<T>1 - fresh);
  for (let at: usize = 0; at < channels * sizeof<T>(); at += sizeof<T>()) {
    const squares = load<T>(m2 + at);
    const variance = <T>(squares / <T>count);
    store<T>(invstd + at, variance !== 0 || eps !== 0 ? <T>(1 / sqrt<f64>(<f64>variance + eps)) : <T>0);
    if (runningMean) {
      const p = runningMean + at;
      store<T>(p, <T>(<T>(fresh * load<T>(mean + at)) + <T>(kept * load<T>(p))));
    }
    if (runningVar) {
      const p = runningVar + at;
      store<T>(p, exactFma<T>(fresh, <T>(squares / <T>(count - 1)), <T>(kept * load<T>(p))));
    }
  }
}

function invstdOf<T>(out: usize, variance: usize, n: usize, eps: f64): void {
  for (let at: usize = 0; at < n * sizeof<T>(); at += sizeof<T>()) {
    const v = <T>(load<T>(variance + at) + <T>eps);
    store<T>(out + at, <T>(<T>1 / sqrt<T>(v)));
  }
}

/** α = invstd·weight and β = fma(−mean, α, bias) of every channel; down columns, where y = (x − mean)·α + β, β = bias − rest·α. */
function affineByChannel<T>(
  alpha: usize,
  beta: usize,
  channels: usize,
  inner: usize,
  mean: usize,
  rest: usize,
  invstd: usize,
  weight: usize,
  bias: usize,
): void {
  const size: usize = sizeof<T>();
  for (let at: usize = 0; at < channels * size; at += size) {
    const w = weight ? load<T>(weight + at) : <T>1;
    const b = bias ? load<T>(bias + at) : <T>0;
    const a = <T>(load<T>(invstd + at) * w);
    store<T>(alpha + at, a);
    if (inner > 1) store<T>(beta + at, exactFma<T>(<T>-load<T>(mean + at), a, b));
    else store<T>(beta + at, rest ? <T>(<f64>b - <f64>load<T>(rest + at) * <f64>a) : b);
  }
}

/** y = fma(x, α, β) for `rows` rows of one channel each, from number `first` on in the order of memory; with inner = 1 rows are all channels side by side, and y = (x − mean)·α + β. */
function scaleByChannel<T>(
  y: usize,
  x: usize,
  first: usize,
  rows: usize,
  channels: usize,
  inner: usize,
  mean: usize,
  alpha: usize,
  beta: usize,
  fused: bool,
): void {
  const size: usize = sizeof<T>();
  const bytes = (inner === 1 ? channels : inner) * size;
  for (let r = first; r < first + rows; r++) {
    const p = r * bytes;
    if (inner === 1) columnScaleShiftRow<T>(y + p, x + p, channels, mean, alpha, beta);
    else {
      const at = (r % channels) * size;
      scaleRow<T>(y + p, x + p, inner, load<T>(alpha + at), load<T>(beta + at), fused);
    }
  }
}

/** `scratch` holds two float64 of every channel, and behind them gMean, k and the weights. */
function normalizeByChannelGrad<T>(
  gx: usize,
  gWeight: usize,
  gBias: usize,
  g: usize,
  x: usize,
  outer: usize,
  channels: usize,
  inner: usize,
  all: usize,
  mean: usize,
  rest: usize,
  invstd: usize,
  weight: usize,
  batchStatistics: bool,
  scratch: usize,
): void {
  const size: usize = sizeof<T>();
  const row = inner * size;
  const stride = all * row;
  const end = outer * stride;
  const count = <f64>outer * <f64>inner;
  const needsSums = batchStatistics || gWeight !== 0 || gBias !== 0;
  const columns = inner === 1;
  const together = columns ? max(1, channels) : channelsTogether(2 * outer * row, channels);
  const products = scratch + channels * 8;
  const gMeans = products + channels * 8;
  const ks = gMeans + channels * size;
  const weights = ks + channels * size;
  memory.fill(scratch, 0, channels * 16);
  if (columns && needsSums) columnGradSums<T>(scratch, products, g, x, outer, channels, all, mean);
  for (let c: usize = 0; c < channels; c += together) {
    const last = min(c + together, channels);
    if (needsSums && !columns) {
      for (let p: usize = 0; p < end; p += stride) {
        for (let d = c; d < last; d++) {
          const at = p + d * row;
          addGradSums<T>(scratch + d * 8, products + d * 8, g + at, x + at, inner, load<T>(mean + d * size));
        }
      }
    }
    for (let d = c; d < last; d++) {
      const at = d * size;
      const scale = load<T>(invstd + at);
      const sum = load<f64>(scratch + d * 8);
      const lost: f64 = columns && rest ? <f64>load<T>(rest + at) : 0;
      const product = load<f64>(products + d * 8) - lost * sum;
      const k = <T>(<T>(<T>(<T>product * scale) * scale) / <T>count);
      if (gWeight) store<T>(gWeight + at, <T>(product * <f64>scale));
      if (gBias) store<T>(gBias + at, <T>sum);
      // (x − mean − rest)·k is (x − mean)·k and a constant
      store<T>(gMeans + at, <T>(lost === 0 ? sum / count : sum / count - lost * <f64>k));
      store<T>(ks + at, k);
      store<T>(weights + at, weight ? load<T>(weight + at) : <T>1);
    }
    if (!gx) continue;
    for (let p = end; p > 0; ) {
      p -= stride;
      if (columns) {
        if (batchStatistics) columnGradRow<T>(gx + p, g + p, x + p, channels, gMeans, mean, ks, invstd, weights);
        else columnScaleRow<T>(gx + p, g + p, channels, invstd, weights);
        continue;
      }
      for (let d = c; d < last; d++) {
        const at = d * size;
        const q = p + d * row;
        const scale = load<T>(invstd + at);
        const w = load<T>(weights + at);
        if (!batchStatistics) scaleGradRow<T>(gx + q, g + q, inner, scale, w);
        else
          gradRow<T>(gx + q, g + q, x + q, inner, load<T>(gMeans + at), load<T>(mean + at), load<T>(ks + at), scale, w);
      }
    }
  }
}

export function momentsByChannelF32(
  mean: usize,
  rest: usize,
  m2: usize,
  x: usize,
  outer: usize,
  channels: usize,
  inner: usize,
  all: usize,
  scratch: usize,
): void {
  momentsByChannel<f32>(mean, rest, m2, x, outer, channels, inner, all, scratch);
}

export function momentsByChannelF64(
  mean: usize,
  rest: usize,
  m2: usize,
  x: usize,
  outer: usize,
  channels: usize,
  inner: usize,
  all: usize,
  scratch: usize,
): void {
  momentsByChannel<f64>(mean, rest, m2, x, outer, channels, inner, all, scratch);
}

export function finishMomentsF32(
  invstd: usize,
  runningMean: usize,
  runningVar: usize,
  mean: usize,
  m2: usize,
  channels: usize,
  count: f64,
  eps: f64,
  momentum: f64,
): void {
  finishMoments<f32>(invstd, runningMean, runningVar, mean, m2, channels, count, eps, momentum);
}

export function finishMomentsF64(
  invstd: usize,
  runningMean: usize,
  runningVar: usize,
  mean: usize,
  m2: usize,
  channels: usize,
  count: f64,
  eps: f64,
  momentum: f64,
): void {
  finishMoments<f64>(invstd, runningMean, runningVar, mean, m2, channels, count, eps, momentum);
}

export function invstdF32(out: usize, variance: usize, n: usize, eps: f64): void {
  invstdOf<f32>(out, variance, n, eps);
}

export function invstdF64(out: usize, variance: usize, n: usize, eps: f64): void {
  invstdOf<f64>(out, variance, n, eps);
}

export function affineByChannelF32(
  alpha: usize,
  beta: usize,
  channels: usize,
  inner: usize,
  mean: usize,
  rest: usize,
  invstd: usize,
  weight: usize,
  bias: usize,
): void {
  affineByChannel<f32>(alpha, beta, channels, inner, mean, rest, invstd, weight, bias);
}

export function affineByChannelF64(
  alpha: usize,
  beta: usize,
  channels: usize,
  inner: usize,
  mean: usize,
  rest: usize,
  invstd: usize,
  weight: usize,
  bias: usize,
): void {
  affineByChannel<f64>(alpha, beta, channels, inner, mean, rest, invstd, weight, bias);
}

export function scaleByChannelF32(
  y: usize,
  x: usize,
  first: usize,
  rows: usize,
  channels: usize,
  inner: usize,
  mean: usize,
  alpha: usize,
  beta: usize,
  fused: bool,
): void {
  scaleByChannel<f32>(y, x, first, rows, channels, inner, mean, alpha, beta, fused);
}

export function scaleByChannelF64(
  y: usize,
  x: usize,
  first: usize,
  rows: usize,
  channels: usize,
  inner: usize,
  mean: usize,
  alpha: usize,
  beta: usize,
  fused: bool,
): void {
  scaleByChannel<f64>(y, x, first, rows, channels, inner, mean, alpha, beta, fused);
}

export function normalizeByChannelGradF32(
  gx: usize,
  gWeight: usize,
  gBias: usize,
  g: usize,
  x: usize,
  outer: usize,
  channels: usize,
  inner: usize,
  all: usize,
  mean: usize,
  rest: usize,
  invstd: usize,
  weight: usize,
  batchStatistics: bool,
  scratch: usize,
): void {
  normalizeByChannelGrad<f32>(
    gx,
    gWeight,
    gBias,
    g,
    x,
    outer,
    channels,
    inner,
    all,
    mean,
    rest,
    invstd,
    weight,
    batchStatistics,
    scratch,
  );
}

export function normalizeByChannelGradF64(
  gx: usize,
  gWeight: usize,
  gBias: usize,
  g: usize,
  x: usize,
  outer: usize,
  channels: usize,
  inner: usize,
  all: usize,
  mean: usize,
  rest: usize,
  invstd: usize,
  weight: usize,
  batchStatistics: bool,
  scratch: usize,
): void {
  normalizeByChannelGrad<f64>(
    gx,
    gWeight,
    gBias,
    g,
    x,
    outer,
    channels,
    inner,
    all,
    mean,
    rest,
    invstd,
    weight,
    batchStatistics,
    scratch,
  );
}
