/*
 * Normalization by rows: x is [rows, channels, inner], every row has its own moments, and element (r, c, i) takes weight number
 * (r mod groups)·channels + c. Without a mean (RMS norm) it counts as 0 and takes no part in the gradient. `rest` is what the mean's rounding lost: of two nearly equal
 * values no digit would be left without it. While a row is written, one or two rows further on the sums are taken in the same loop: the one waits for memory while the
 * other computes, and nothing waits for the root.
 */
import {
  addLanes,
  addSingle,
  finishRow,
  inLanes,
  LANES_BYTES,
  momentsOfRow,
  pivot,
  rowMean,
  rowVariance,
  startRow,
} from "./row-moments";
import { madd } from "./rows";

/** y = (x − mean)·scale + shift */
function normalizeRow<T>(y: usize, x: usize, n: usize, mean: T, scale: T, shift: T): void {
  const end = x + n * sizeof<T>();
  const vm = v128.splat<T>(mean);
  const va = v128.splat<T>(scale);
  const vb = v128.splat<T>(shift);
  const behind = y - x;
  for (; x + 32 <= end; x += 32) {
    v128.store(x + behind, madd<T>(v128.sub<T>(v128.load(x), vm), va, vb));
    v128.store(x + behind, madd<T>(v128.sub<T>(v128.load(x, 16), vm), va, vb), 16);
  }
  for (; x + 16 <= end; x += 16) v128.store(x + behind, madd<T>(v128.sub<T>(v128.load(x), vm), va, vb));
  for (; x < end; x += sizeof<T>()) store<T>(x + behind, <T>(<T>(<T>(load<T>(x) - mean) * scale) + shift));
}

/** The same, and the sums of another row of n at `next`. */
function normalizeAndSum(y: usize, x: usize, n: usize, mean: f32, scale: f32, shift: f32, next: usize): void {
  const bytes = n * 4;
  const vm = f32x4.splat(mean);
  const va = f32x4.splat(scale);
  const vb = f32x4.splat(shift);
  const p = f32x4.splat(pivot);
  let at: usize = 0;
  while (at + 16 <= bytes) {
    const stop = min(bytes, at + LANES_BYTES);
    let s0 = f32x4.splat(0);
    let s1 = s0;
    let q0 = s0;
    let q1 = s0;
    for (; at + 32 <= stop; at += 32) {
      v128.store(y + at, madd<f32>(f32x4.sub(v128.load(x + at), vm), va, vb));
      const d0 = f32x4.sub(v128.load(next + at), p);
      s0 = f32x4.add(s0, d0);
      q0 = madd<f32>(d0, d0, q0);
      v128.store(y + at, madd<f32>(f32x4.sub(v128.load(x + at, 16), vm), va, vb), 16);
      const d1 = f32x4.sub(v128.load(next + at, 16), p);
      s1 = f32x4.add(s1, d1);
      q1 = madd<f32>(d1, d1, q1);
    }
    for (; at + 16 <= stop; at += 16) {
      v128.store(y + at, madd<f32>(f32x4.sub(v128.load(x + at), vm), va, vb));
      const d = f32x4.sub(v128.load(next + at), p);
      s0 = f32x4.add(s0, d);
      q0 = madd<f32>(d, d, q0);
    }
    addLanes(s0, s1, q0, q1);
  }
  addSingle(next + at, next + bytes);
  normalizeRow<f32>(y + at, x + at, (bytes - at) >> 2, mean, scale, shift);
}

/** (x − mean)·scale + shift, and that times the weight and plus the bias if there is one */
function weighted<T>(x: v128, mean: v128, scale: v128, shift: v128, weight: v128, bias: usize): v128 {
  const d = madd<T>(v128.sub<T>(x, mean), scale, shift);
  return bias ? madd<T>(d, weight, v128.load(bias)) : v128.mul<T>(d, weight);
}

/** y = ((x − mean)·scale + shift)·weight + bias, weight and bias along the row */
function normalizeBy<T>(y: usize, x: usize, n: usize, mean: T, scale: T, shift: T, weight: usize, bias: usize): void {
  const bytes = n * sizeof<T>();
  const vm = v128.splat<T>(mean);
  const va = v128.splat<T>(scale);
  const vb = v128.splat<T>(shift);
  let at: usize = 0;
  for (; at + 16 <= bytes; at += 16) {
    const b = bias ? bias + at : 0;
    v128.store(y + at, weighted<T>(v128.load(x + at), vm, va, vb, v128.load(weight + at), b));
  }
  for (; at < bytes; at += sizeof<T>()) {
    const d = <T>(<T>(<T>(load<T>(x + at) - mean) * scale) + shift);
    const v = <T>(d * load<T>(weight + at));
    store<T>(y + at, bias ? <T>(v + load<T>(bias + at)) : v);
  }
}

/** The same, and the sums of another row of n at `next`. */
function normalizeByAndSum(
  y: usize,
  x: usize,
  n: usize,
  mean: f32,
  scale: f32,
  shift: f32,
  weight: usize,
  bias: usize,
  next: usize,
): void {
  const bytes = n * 4;
  const vm = f32x4.splat(mean);
  const va = f32x4.splat(scale);
  const vb = f32x4.splat(shift);
  const p = f32x4.splat(pivot);
  let at: usize = 0;
  while (at + 16 <= bytes) {
    const stop = min(bytes, at + LANES_BYTES);
    let s0 = f32x4.splat(0);
    let s1 = s0;
    let q0 = s0;
    let q1 = s0;
    for (; at + 32 <= stop; at += 32) {
      const x0 = madd<f32>(f32x4.sub(v128.load(x + at), vm), va, vb);
      const x1 = madd<f32>(f32x4.sub(v128.load(x + at, 16), vm), va, vb);
      const w0 = v128.load(weight + at);
      const w1 = v128.load(weight + at, 16);
      if (bias) {
        v128.store(y + at, madd<f32>(x0, w0, v128.load(bias + at)));
        v128.store(y + at, madd<f32>(x1, w1, v128.load(bias + at, 16)), 16);
      } else {
        v128.store(y + at, f32x4.mul(x0, w0));
        v128.store(y + at, f32x4.mul(x1, w1), 16);
      }
      const d0 = f32x4.sub(v128.load(next + at), p);
      const d1 = f32x4.sub(v128.load(next + at, 16), p);
      s0 = f32x4.add(s0, d0);
      s1 = f32x4.add(s1, d1);
      q0 = madd<f32>(d0, d0, q0);
      q1 = madd<f32>(d1, d1, q1);
    }
    for (; at + 16 <= stop; at += 16) {
      const b = bias ? bias + at : 0;
      v128.store(y + at, weighted<f32>(v128.load(x + at), vm, va, vb, v128.load(weight + at), b));
      const d = f32x4.sub(v128.load(next + at), p);
      s0 = f32x4.add(s0, d);
      q0 = madd<f32>(d, d, q0);
    }
    addLanes(s0, s1, q0, q1);
  }
  addSingle(next + at, next + bytes);
  normalizeBy<f32>(y + at, x + at, (bytes - at) >> 2, mean, scale, shift, weight + at, bias ? bias + at : 0);
}

/** Rows of so many bytes: the root of one is found while two others are written. */
const SMALL: usize = 16384;
/** Rows of more bytes than this do not stay in the second cache beside the next one. */
const LARGE: usize = 262144;
/** Channels of at least so many values are summed by themselves, so that it can be done while another is written. */
const RUN: usize = 64;

/** Moments of every row, and y = (x − mean)·invstd·weight + bias. */
export function rowNorm<T>(
  y: usize,
  mean: usize,
  rest: usize,
  invstd: usize,
  x: usize,
  rows: usize,
  groups: usize,
  channels: usize,
  inner: usize,
  weight: usize,
  bias: usize,
  eps: f64,
): void {
  const size: usize = sizeof<T>();
  const length = channels * inner;
  const bytes = length * size;
  const centred = mean !== 0;
  const plain = !weight && !bias;
  const alongRow = inner === 1 && weight !== 0;
  // Runs are by shape alone, so that sums are the same with and without weights.
  const runs = inner >= RUN ? channels : 1;
  const fusible = inLanes<T>(length) && bytes <= LARGE && (runs > 1 || plain || alongRow);
  const ahead: usize = fusible ? (bytes <= SMALL ? 2 : 1) : 0;
  for (let i: usize = 0; i < rows + ahead; i++) {
    // moments of row i, which is `ahead` of the one to be written
    const r = i - ahead;
    const both = i >= ahead && i < rows && ahead > 0;
    const next = x + i * bytes;
    if (both) startRow(next, length, centred);
    else if (i < rows) momentsOfRow<T>(next, length, runs, centred, eps);
    if (ahead === 0) storeMoments<T>(mean, rest, invstd, i, eps);
    if (i >= ahead) {
      const m = centred ? load<T>(mean + r * size) : <T>0;
      const lost = centred ? <f64>load<T>(rest + r * size) : 0;
      const scale = load<T>(invstd + r * size);
      const shift = <T>(-lost * <f64>scale);
      const first = (r % groups) * channels * size;
      const from = x + r * bytes;
      const to = y + r * bytes;
      if (alongRow) {
        const w = weight + first;
        const b = bias ? bias + first : 0;
        if (both) normalizeByAndSum(to, from, length, <f32>m, <f32>scale, <f32>shift, w, b, next);
        else normalizeBy<T>(to, from, length, m, scale, shift, w, b);
      } else {
        const run = plain && runs === 1 ? length : inner;
        for (let c: usize = 0; c * run < length; c++) {
          const at = first + c * size;
          const a = weight ? <T>(scale * load<T>(weight + at)) : scale;
          const b = <T>((bias ? <f64>load<T>(bias + at) : 0) - lost * <f64>a);
          const k = c * run * size;
          if (both) normalizeAndSum(to + k, from + k, run, <f32>m, <f32>a, <f32>b, next + k);
          else normalizeRow<T>(to + k, from + k, run, m, a, b);
        }
      }
    }
    if (both) finishRow(next, length, centred, eps);
    if (ahead > 0 && i < rows) storeMoments<T>(mean, rest, invstd, i, eps);
  }
}

function storeMoments<T>(mean: usize, rest: usize, invstd: usize, r: usize, eps: f64): void {
  const at = r * sizeof<T>();
  if (mean) {
    const m = <T>rowMean;
    store<T>(mean + at, m);
    store<T>(rest + at, <T>(rowMean - <f64>m));
  }
  store<T>(invstd + at, <T>(1 / sqrt<f64>(rowVariance + eps)));
}
