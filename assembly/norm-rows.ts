/*
 * Normalization by rows: x is [rows, channels, inner], every row has its own moments, and element (r, c, i) takes weight number
 * (r mod groups)·channels + c. Without a mean (RMS norm) it counts as 0 and takes no part in the gradient. `rest` is what the mean's rounding lost: of two nearly equal
 * values no digit would be left without it. Rows of float32 that stay in the cache are taken in pairs, see row-pairs.ts.
 */
import { inLanes, momentsOfRow } from "./row-moments";
import { Affine, Bare, normalizePairs, storeMoments, Weighted } from "./row-pairs";
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

/** Rows of more bytes than this do not stay in the second cache beside the next ones. */
const LARGE: usize = 131072;
/** Channels of at least so many values are worth loops of their own. */
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
  const alongRow = inner === 1 && weight !== 0;
  // By shape alone (but for a bias without a weight), so that sums are the same with and without weights.
  if (inLanes<T>(length) && bytes <= LARGE && (inner >= RUN || (inner === 1 && groups === 1 && (alongRow || !bias)))) {
    const run = inner === 1 ? length : inner;
    const pairs = rows >> 1;
    for (let odd: usize = 0; odd <= (rows & 1); odd++) {
      // An odd row is a pair with itself.
      const first = odd ? rows - 1 : 0;
      const n = odd ? 1 : pairs;
      const apart = odd ? 0 : pairs;
      if (!n) continue;
      if (!alongRow)
        normalizePairs<Bare>(y, mean, rest, invstd, x, first, n, apart, groups, length, run, weight, bias, eps);
      else if (bias)
        normalizePairs<Affine>(y, mean, rest, invstd, x, first, n, apart, groups, length, run, weight, bias, eps);
      else normalizePairs<Weighted>(y, mean, rest, invstd, x, first, n, apart, groups, length, run, weight, bias, eps);
    }
    return;
  }
  for (let r: usize = 0; r < rows; r++) {
    const from = x + r * bytes;
    const to = y + r * bytes;
    momentsOfRow<T>(from, length, mean !== 0, eps);
    storeMoments<T>(mean, rest, invstd, r, eps);
    const m = mean ? load<T>(mean + r * size) : <T>0;
    const lost: f64 = mean ? <f64>load<T>(rest + r * size) : 0;
    const scale = load<T>(invstd + r * size);
    const first = (r % groups) * channels * size;
    if (alongRow) {
      normalizeBy<T>(to, from, length, m, scale, <T>(-lost * <f64>scale), weight + first, bias ? bias + first : 0);
      continue;
    }
    const run = weight || bias ? inner : length;
    for (let c: usize = 0; c * run < length; c++) {
      const at = first + c * size;
      const a = weight ? <T>(scale * load<T>(weight + at)) : scale;
      const b = <T>((bias ? <f64>load<T>(bias + at) : 0) - lost * <f64>a);
      const k = c * run * size;
      normalizeRow<T>(to + k, from + k, run, m, a, b);
    }
  }
}
