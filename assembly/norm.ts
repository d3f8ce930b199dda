/*
 * Normalization by channels: x is [outer, all, inner], of which `channels` are done, from the given addresses on. When inner > 1 some channels are walked
 * together, row by row, all passes over them before the next ones; when inner is 1 the channels lie side by side, see columns.ts.
 */
import { columnScaleShiftRow, columnScaleShiftRows, ROWS_TOGETHER } from "./column-rows";
import { columnMoments } from "./columns";
import { axpy } from "./elementwise";
import { exactFma } from "./exact";
import { sumRow, sumSquares } from "./rows";
import { scaleTailRow, scaleTailRowAndSum } from "./scale-rows";
import { unary } from "./unary";

export { isFused } from "./exact";

/** Bytes of a group of channels that stay in the second cache from one pass to the next, beside what is written and the next group. */
const CACHE: usize = 262144;

/** Bytes of neighbouring channels in one image that are walked at a time at least: of shorter runs, too little is fetched ahead ([64, 256, 196]: the gradient takes 2.24 ms instead of 2.46). */
const RUN: usize = 3072;

/** How many channels, of `bytes` each and `row` of them in one image, are walked together: as many as stay in cache, and runs of RUN at least. */
export function channelsTogether(bytes: usize, row: usize, channels: usize): usize {
  const inCache = CACHE / max(1, bytes);
  const inRun = (RUN + row - 1) / max(1, row);
  return max(1, min(channels, max(inCache, inRun)));
}

function addTo(sum: usize, v: f64): void {
  store<f64>(sum, load<f64>(sum) + v);
}

/** What row kernels need of the scratch memory; behind it are float64 of every channel. */
export const HEAD: usize = 2048;

/** y = activation(y + residual) along a row; the activation's number is negative for none. */
function applyTail<T>(y: usize, residual: usize, n: usize, op: i32, p: f64, q: f64, scratch: usize): void {
  if (residual) axpy<T>(y, residual, n, 1, scratch);
  if (op >= 0) unary<T>(op, y, y, n, p, q, scratch);
}

/** sums[c] += Σ x of some channels, of which one's rows are `row` bytes and lie `stride` bytes apart. */
function addSums<T>(sums: usize, x: usize, outer: usize, channels: usize, inner: usize, stride: usize): void {
  for (let p = x; p < x + outer * stride; p += stride) {
    for (let c: usize = 0; c < channels; c++) addTo(sums + c * 8, sumRow<T>(p + c * inner * sizeof<T>(), inner));
  }
}

/** The means of some channels from their sums, and m2; deviations from the rounded mean are PyTorch's recipe. `squares` is room for a float64 of each. */
function deviations<T>(
  mean: usize,
  rest: usize,
  m2: usize,
  sums: usize,
  squares: usize,
  x: usize,
  outer: usize,
  channels: usize,
  inner: usize,
  stride: usize,
  scratch: usize,
): void {
  const size: usize = sizeof<T>();
  const count = <f64>outer * <f64>inner;
  for (let c: usize = 0; c < channels; c++) {
    store<T>(mean + c * size, <T>(count > 0 ? load<f64>(sums + c * 8) / count : 0));
    store<T>(rest + c * size, 0);
    store<f64>(squares + c * 8, 0);
  }
  // Backwards, since the rows that were summed last are still in cache.
  for (let left = outer; left > 0; left--) {
    const p = x + (left - 1) * stride;
    for (let c: usize = 0; c < channels; c++) {
      addTo(squares + c * 8, sumSquares<T>(p + c * inner * size, inner, load<T>(mean + c * size), scratch));
    }
  }
  for (let c: usize = 0; c < channels; c++) store<T>(m2 + c * size, <T>load<f64>(squares + c * 8));
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
  const sums = scratch + HEAD;
  if (inner === 1) {
    columnMoments<T>(mean, rest, m2, x, outer, channels, all, sums);
    return;
  }
  const row = inner * size;
  const together = channelsTogether(outer * row, row, channels);
  const squares = sums + channels * 8;
  memory.fill(sums, 0, channels * 8);
  for (let c: usize = 0; c < channels; c += together) {
    const n = min(together, channels - c);
    const at = c * size;
    const from = x + c * row;
    addSums<T>(sums, from, outer, n, inner, all * row);
    deviations<T>(mean + at, rest + at, m2 + at, sums, squares, from, outer, n, inner, all * row, scratch);
    memory.fill(sums, 0, n * 8);
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

/** y = activation(fma(x, α, β) + residual) for `rows` rows of one channel each, from number `first` on in the order of memory; with inner = 1 rows are all channels side by side, and y = (x − mean)·α + β. */
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
  const bytes = (inner === 1 ? channels : inner) * size;
  for (let r = first; r < first + rows; r++) {
    const at = r * bytes;
    const addend = residual ? residual + at : 0;
    if (inner === 1) {
      columnScaleShiftRow<T>(y + at, x + at, channels, mean, alpha, beta);
      applyTail<T>(y + at, addend, channels, op, p, q, scratch);
      continue;
    }
    const c = (r % channels) * size;
    const a = load<T>(alpha + c);
    const b = load<T>(beta + c);
    scaleTailRow<T>(y + at, x + at, inner, a, b, addend, op, p, q, fused, scratch);
  }
}

/** y = activation(fma(x, α, β) + residual) of all channels side by side */
function scaleColumns<T>(
  y: usize,
  x: usize,
  outer: usize,
  channels: usize,
  all: usize,
  mean: usize,
  alpha: usize,
  beta: usize,
  residual: usize,
  op: i32,
  p: f64,
  q: f64,
  scratch: usize,
): void {
  const stride = all * sizeof<T>();
  // What does not stay in the second cache waits for memory, and waits less in the order of memory: [4096, 256] 0.51 ms instead of 0.56.
  const groups = outer * stride <= 1048576 ? outer - (outer % ROWS_TOGETHER) : 0;
  for (let r: usize = 0; r < outer; r++) {
    const at = r * stride;
    if (r >= groups) columnScaleShiftRow<T>(y + at, x + at, channels, mean, alpha, beta);
    else if (r % ROWS_TOGETHER === 0) columnScaleShiftRows<T>(y + at, x + at, channels, stride, mean, alpha, beta);
    applyTail<T>(y + at, residual ? residual + at : 0, channels, op, p, q, scratch);
  }
}

/**
 * Batch normalization by the batch's own statistics: moments, the running ones, and y = activation(normalized + residual), all of a group of channels while they are
 * in cache. While a group is written the sums of the next one are taken. `scratch` holds HEAD bytes, and behind them five float64 of every channel.
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
  const columns = inner === 1;
  const row = inner * size;
  const stride = all * row;
  const count = <f64>max(1, outer * inner);
  const together = columns ? max(1, channels) : channelsTogether(outer * row, row, channels);
  const sums = scratch + HEAD;
  const squares = sums + channels * 8;
  const m2 = squares + channels * 8;
  const alpha = m2 + channels * 8;
  const beta = alpha + channels * 8;
  if (columns) columnMoments<T>(mean, rest, m2, x, outer, channels, all, sums);
  else {
    memory.fill(sums, 0, channels * 8);
    addSums<T>(sums, x, outer, min(together, channels), inner, stride);
  }
  for (let c: usize = 0; c < channels; c += together) {
    const n = min(together, channels - c);
    const at = c * size;
    const m = mean + at;
    const s = invstd + at;
    const from = x + c * row;
    if (!columns) deviations<T>(m, rest + at, m2, sums + c * 8, squares, from, outer, n, inner, stride, scratch);
    const rm = runningMean ? runningMean + at : 0;
    const rv = runningVar ? runningVar + at : 0;
    finishMoments<T>(s, rm, rv, m, m2, n, count, eps, momentum);
    affineByChannel<T>(alpha, beta, n, inner, m, rest + at, s, weight ? weight + at : 0, bias ? bias + at : 0);
    if (columns) {
      scaleColumns<T>(y, x, outer, channels, all, mean, alpha, beta, residual, op, p, q, scratch);
      return;
    }
    for (let r = c * row; r < outer * stride; r += stride) {
      for (let d: usize = 0; d < n; d++) {
        const i = r + d * row;
        const a = load<T>(alpha + d * size);
        const b = load<T>(beta + d * size);
        const next = c + together + d;
        const addend = residual ? residual + i : 0;
        if (next >= channels) {
          scaleTailRow<T>(y + i, x + i, inner, a, b, addend, op, p, q, fused, scratch);
          continue;
        }
        const j = x + i + together * row;
        addTo(sums + next * 8, scaleTailRowAndSum<T>(y + i, x + i, inner, a, b, addend, op, p, q, fused, scratch, j));
      }
    }
  }
}
