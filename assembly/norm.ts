/*
 * Normalization by channels: x is [outer, all, inner], of which `channels` are done, from the given addresses on. When inner > 1 some channels are walked
 * together, row by row, all passes over them before the next ones; when inner is 1 the channels lie side by side, see columns.ts.
 */
import { columnGradRow, columnGradSums, columnMoments, columnScaleRow, columnScaleShiftRow } from "./columns";
import { axpy } from "./elementwise";
import { exactFma, scaleRow } from "./exact";
import { unaryGrad } from "./gradient";
import { addGradSums, gradRow, scaleGradRow, sumRow, sumSquares } from "./rows";
import { unary } from "./unary";

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

/** What row kernels need of the scratch memory; behind it are float64 of every channel. */
const HEAD: usize = 2048;

/** y = activation(y + residual) along a row; the activation's number is negative for none. */
function applyTail<T>(y: usize, residual: usize, n: usize, op: i32, p: f64, q: f64, scratch: usize): void {
  if (residual) axpy<T>(y, residual, n, 1, scratch);
  if (op >= 0) unary<T>(op, y, y, n, p, q, scratch);
}

/** `scratch` holds HEAD bytes, and behind them two float64 of every channel. */
export function momentsByChannel<T>(
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
    columnMoments<T>(mean, rest, m2, x, outer, channels, all, scratch + HEAD);
    return;
  }
  const row = inner * size;
  const stride = all * row;
  const count = <f64>outer * <f64>inner;
  const together = channelsTogether(outer * row, channels);
  const sums = scratch + HEAD;
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
export function finishMoments<T>(
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

export function invstd<T>(out: usize, variance: usize, n: usize, eps: f64): void {
  for (let at: usize = 0; at < n * sizeof<T>(); at += sizeof<T>()) {
    const v = <T>(load<T>(variance + at) + <T>eps);
    store<T>(out + at, <T>(<T>1 / sqrt<T>(v)));
  }
}

/** α = invstd·weight and β = fma(−mean, α, bias) of every channel; down columns, where y = (x − mean)·α + β, β = bias − rest·α. */
export function affineByChannel<T>(
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
export function scaleByChannel<T>(
  y: usize,
  x: usize,
  first: usize,
  rows: usize,
  channels: usize,
  inner: usize,
  mean: usize,
  alpha: usize,
  beta: usize,
  residual: usize,
  op: i32,
  p: f64,
  q: f64,
  fused: bool,
  scratch: usize,
): void {
  const size: usize = sizeof<T>();
  const length = inner === 1 ? channels : inner;
  for (let r = first; r < first + rows; r++) {
    const at = r * length * size;
    if (inner === 1) columnScaleShiftRow<T>(y + at, x + at, channels, mean, alpha, beta);
    else {
      const c = (r % channels) * size;
      scaleRow<T>(y + at, x + at, inner, load<T>(alpha + c), load<T>(beta + c), fused);
    }
    applyTail<T>(y + at, residual ? residual + at : 0, length, op, p, q, scratch);
  }
}

/**
 * Batch normalization by the batch's own statistics: moments, the running ones, and y = activation(normalized + residual), all of a group of channels while they are
 * in cache. `scratch` holds HEAD bytes, and behind them five float64 of every channel.
 */
export function batchNorm<T>(
  y: usize,
  mean: usize,
  rest: usize,
  invstd: usize,
  runningMean: usize,
  runningVar: usize,
  x: usize,
  outer: usize,
  channels: usize,
  inner: usize,
  all: usize,
  weight: usize,
  bias: usize,
  eps: f64,
  momentum: f64,
  residual: usize,
  op: i32,
  p: f64,
  q: f64,
  fused: bool,
  scratch: usize,
): void {
  const size: usize = sizeof<T>();
  const row = inner * size;
  const stride = all * row;
  const count = <f64>max(1, outer * inner);
  const together = inner === 1 ? max(1, channels) : channelsTogether(outer * row, channels);
  const m2 = scratch + HEAD + channels * 16;
  const alpha = m2 + channels * 8;
  const beta = alpha + channels * 8;
  for (let c: usize = 0; c < channels; c += together) {
    const n = min(together, channels - c);
    const at = c * size;
    const m = mean + at;
    const s = invstd + at;
    const rm = runningMean ? runningMean + at : 0;
    const rv = runningVar ? runningVar + at : 0;
    momentsByChannel<T>(m, rest + at, m2, x + c * row, outer, n, inner, all, scratch);
    finishMoments<T>(s, rm, rv, m, m2, n, count, eps, momentum);
    affineByChannel<T>(alpha, beta, n, inner, m, rest + at, s, weight ? weight + at : 0, bias ? bias + at : 0);
    for (let r = c * row; r < outer * stride; r += stride) {
      if (inner === 1) {
        columnScaleShiftRow<T>(y + r, x + r, n, m, alpha, beta);
        applyTail<T>(y + r, residual ? residual + r : 0, n, op, p, q, scratch);
        continue;
      }
      for (let d: usize = 0; d < n; d++) {
        const i = r + d * row;
        scaleRow<T>(y + i, x + i, inner, load<T>(alpha + d * size), load<T>(beta + d * size), fused);
        applyTail<T>(y + i, residual ? residual + i : 0, inner, op, p, q, scratch);
      }
    }
  }
}

/**
 * Where an activation followed, number `op`, the gradient before it is g·f'(source), and is put `before`. `scratch` holds HEAD bytes, two float64 of every channel, and
 * behind them gMean, k and the weights.
 */
export function normalizeByChannelGrad<T>(
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
  before: usize,
  source: usize,
  op: i32,
  p: f64,
  scratch: usize,
): void {
  const size: usize = sizeof<T>();
  const row = inner * size;
  const stride = all * row;
  const end = outer * stride;
  const count = <f64>outer * <f64>inner;
  const needsSums = batchStatistics || gWeight !== 0 || gBias !== 0;
  const columns = inner === 1;
  const streams: usize = op < 0 ? 2 : 3;
  const together = columns ? max(1, channels) : channelsTogether(streams * outer * row, channels);
  const h = op < 0 ? g : before;
  const sums = scratch + HEAD;
  const products = sums + channels * 8;
  const gMeans = products + channels * 8;
  const ks = gMeans + channels * size;
  const weights = ks + channels * size;
  memory.fill(sums, 0, channels * 16);
  if (columns) {
    if (op >= 0) {
      for (let i: usize = 0; i < end; i += stride) {
        unaryGrad<T>(op, before + i, g + i, source + i, channels, p, 0, scratch);
      }
    }
    if (needsSums) columnGradSums<T>(sums, products, h, x, outer, channels, all, mean);
  }
  for (let c: usize = 0; c < channels; c += together) {
    const last = min(c + together, channels);
    if ((needsSums || op >= 0) && !columns) {
      for (let r: usize = 0; r < end; r += stride) {
        for (let d = c; d < last; d++) {
          const i = r + d * row;
          if (op >= 0) unaryGrad<T>(op, before + i, g + i, source + i, inner, p, 0, scratch);
          if (needsSums) addGradSums<T>(sums + d * 8, products + d * 8, h + i, x + i, inner, load<T>(mean + d * size));
        }
      }
    }
    for (let d = c; d < last; d++) {
      const at = d * size;
      const scale = load<T>(invstd + at);
      const sum = load<f64>(sums + d * 8);
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
    for (let r = end; r > 0; ) {
      r -= stride;
      if (columns) {
        if (batchStatistics) columnGradRow<T>(gx + r, h + r, x + r, channels, gMeans, mean, ks, invstd, weights);
        else columnScaleRow<T>(gx + r, h + r, channels, invstd, weights);
        continue;
      }
      for (let d = c; d < last; d++) {
        const at = d * size;
        const i = r + d * row;
        const scale = load<T>(invstd + at);
        const w = load<T>(weights + at);
        if (!batchStatistics) scaleGradRow<T>(gx + i, h + i, inner, scale, w);
        else
          gradRow<T>(gx + i, h + i, x + i, inner, load<T>(gMeans + at), load<T>(mean + at), load<T>(ks + at), scale, w);
      }
    }
  }
}
