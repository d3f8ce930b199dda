/*
 * Normalization of rows in pairs, of float32: while two rows are written the sums of the next two are taken in the same loop, the one waits for memory while the other
 * computes. The rows of a pair lie half the tensor apart, since the processor fetches one stream ahead in each page; a weight along the row is loaded once for both.
 */
import { finishRow, pivotOf, rowMean, rowVariance } from "./row-moments";
import { madd, sumBoth } from "./rows";

/** What is done with (x − mean)·scale + shift. Classes without fields, so that each has a loop of its own. */
export class Bare {
  @inline
  factor(_weight: usize): v128 {
    return f32x4.splat(1);
  }
  @inline
  term(_bias: usize): v128 {
    return f32x4.splat(0);
  }
  @inline
  apply(v: v128, _factor: v128, _term: v128): v128 {
    return v;
  }
  one(v: f32, _weight: usize, _bias: usize): f32 {
    return v;
  }
}
export class Weighted {
  @inline
  factor(weight: usize): v128 {
    return v128.load(weight);
  }
  @inline
  term(_bias: usize): v128 {
    return f32x4.splat(0);
  }
  @inline
  apply(v: v128, factor: v128, _term: v128): v128 {
    return f32x4.mul(v, factor);
  }
  one(v: f32, weight: usize, _bias: usize): f32 {
    return v * load<f32>(weight);
  }
}
export class Affine {
  @inline
  factor(weight: usize): v128 {
    return v128.load(weight);
  }
  @inline
  term(bias: usize): v128 {
    return v128.load(bias);
  }
  @inline
  apply(v: v128, factor: v128, term: v128): v128 {
    return madd<f32>(v, factor, term);
  }
  one(v: f32, weight: usize, bias: usize): f32 {
    return <f32>(v * load<f32>(weight)) + load<f32>(bias);
  }
}

/** Bytes that are summed in float32: 64 values in each lane. */
const LANE_BYTES: usize = 1024;

/** Of the two rows that are summed: Σ (x − pivot) and Σ (x − pivot)² of what was added. */
let pivot0: f32 = 0;
let pivot1: f32 = 0;
let sum0: f64 = 0;
let sum1: f64 = 0;
let squares0: f64 = 0;
let squares1: f64 = 0;

/**
 * n values of two rows that are `far` bytes apart: y = (x − mean)·scale + shift, and that times the weight and plus the bias along the row; and the sums of n values at `next` and of those
 * `far` behind it. Loops test at their end: only then V8 keeps out of a loop what it does not change.
 */
function normalizeTwo<A>(
  y0: usize,
  x0: usize,
  next0: usize,
  far: usize,
  n: usize,
  mean0: f32,
  scale0: f32,
  shift0: f32,
  mean1: f32,
  scale1: f32,
  shift1: f32,
  weight: usize,
  bias: usize,
): void {
  const way = changetype<A>(0);
  const bytes = n * 4;
  const whole = bytes & ~15;
  const y1 = y0 + far;
  const x1 = x0 + far;
  const next1 = next0 + far;
  const m0 = f32x4.splat(mean0);
  const a0 = f32x4.splat(scale0);
  const b0 = f32x4.splat(shift0);
  const m1 = f32x4.splat(mean1);
  const a1 = f32x4.splat(scale1);
  const b1 = f32x4.splat(shift1);
  const p0 = f32x4.splat(pivot0);
  const p1 = f32x4.splat(pivot1);
  const zero = f32x4.splat(0);
  let total0: f64 = 0;
  let total1: f64 = 0;
  let wide0: f64 = 0;
  let wide1: f64 = 0;
  let at: usize = 0;
  if (whole) {
    do {
      const stop = min(whole, at + LANE_BYTES);
      let s0 = zero;
      let s1 = zero;
      let q0 = zero;
      let q1 = zero;
      do {
        const w = way.factor(weight + at);
        const b = way.term(bias + at);
        v128.store(y0 + at, way.apply(madd<f32>(f32x4.sub(v128.load(x0 + at), m0), a0, b0), w, b));
        v128.store(y1 + at, way.apply(madd<f32>(f32x4.sub(v128.load(x1 + at), m1), a1, b1), w, b));
        const d0 = f32x4.sub(v128.load(next0 + at), p0);
        const d1 = f32x4.sub(v128.load(next1 + at), p1);
        s0 = f32x4.add(s0, d0);
        q0 = madd<f32>(d0, d0, q0);
        s1 = f32x4.add(s1, d1);
        q1 = madd<f32>(d1, d1, q1);
        at += 16;
      } while (at < stop);
      total0 += sumBoth<f32>(s0, zero);
      total1 += sumBoth<f32>(s1, zero);
      wide0 += sumBoth<f32>(q0, zero);
      wide1 += sumBoth<f32>(q1, zero);
    } while (at < whole);
  }
  for (; at < bytes; at += 4) {
    const d0 = <f64>load<f32>(next0 + at) - <f64>pivot0;
    const d1 = <f64>load<f32>(next1 + at) - <f64>pivot1;
    const v0 = <f32>(<f32>(load<f32>(x0 + at) - mean0) * scale0) + shift0;
    const v1 = <f32>(<f32>(load<f32>(x1 + at) - mean1) * scale1) + shift1;
    store<f32>(y0 + at, way.one(v0, weight + at, bias + at));
    store<f32>(y1 + at, way.one(v1, weight + at, bias + at));
    total0 += d0;
    total1 += d1;
    wide0 += d0 * d0;
    wide1 += d1 * d1;
  }
  sum0 += total0;
  sum1 += total1;
  squares0 += wide0;
  squares1 += wide1;
}

/** Writes the moments of row r. */
export function storeMoments<T>(mean: usize, rest: usize, invstd: usize, r: usize, eps: f64): void {
  const at = r * sizeof<T>();
  if (mean) {
    const m = <T>rowMean;
    store<T>(mean + at, m);
    store<T>(rest + at, <T>(rowMean - <f64>m));
  }
  store<T>(invstd + at, <T>(1 / sqrt<f64>(rowVariance + eps)));
}

/** rowNorm of row number `first` and `pairs` − 1 more, and of as many rows from `first + apart` on, in runs of `run` values that share a weight; along the row it is one run. */
export function normalizePairs<A>(
  y: usize,
  mean: usize,
  rest: usize,
  invstd: usize,
  x: usize,
  first: usize,
  pairs: usize,
  apart: usize,
  groups: usize,
  length: usize,
  run: usize,
  weight: usize,
  bias: usize,
  eps: f64,
): void {
  const along = idof<A>() !== idof<Bare>();
  const centred = mean !== 0;
  const channels = length / run;
  const row = length * 4;
  const far = apart * row;
  // The first visit has no rows to write yet: it writes where the second one will.
  for (let i: usize = 0; i <= pairs; i++) {
    const r = first + max<usize>(i, 1) - 1;
    const sums = first + min(i, pairs - 1);
    const next = x + sums * row;
    pivot0 = centred ? pivotOf(next, length) : 0;
    pivot1 = centred ? pivotOf(next + far, length) : 0;
    sum0 = 0;
    sum1 = 0;
    squares0 = 0;
    squares1 = 0;
    const m0 = centred ? load<f32>(mean + r * 4) : <f32>0;
    const m1 = centred ? load<f32>(mean + (r + apart) * 4) : <f32>0;
    const lost0: f64 = centred ? <f64>load<f32>(rest + r * 4) : 0;
    const lost1: f64 = centred ? <f64>load<f32>(rest + (r + apart) * 4) : 0;
    const scale0 = load<f32>(invstd + r * 4);
    const scale1 = load<f32>(invstd + (r + apart) * 4);
    const w0 = (r % groups) * channels * 4;
    const w1 = ((r + apart) % groups) * channels * 4;
    for (let c: usize = 0; c < channels; c++) {
      let a0 = scale0;
      let a1 = scale1;
      let b0: f64 = 0;
      let b1: f64 = 0;
      if (!along) {
        if (weight) {
          a0 *= load<f32>(weight + w0 + c * 4);
          a1 *= load<f32>(weight + w1 + c * 4);
        }
        if (bias) {
          b0 = <f64>load<f32>(bias + w0 + c * 4);
          b1 = <f64>load<f32>(bias + w1 + c * 4);
        }
      }
      const k = c * run * 4;
      const to = y + r * row + k;
      const from = x + r * row + k;
      const shift0 = <f32>(b0 - lost0 * <f64>a0);
      const shift1 = <f32>(b1 - lost1 * <f64>a1);
      normalizeTwo<A>(to, from, next + k, far, run, m0, a0, shift0, m1, a1, shift1, weight, bias);
    }
    if (i < pairs) {
      finishRow(next, length, centred, pivot0, sum0, squares0, eps);
      storeMoments<f32>(mean, rest, invstd, sums, eps);
      finishRow(next + far, length, centred, pivot1, sum1, squares1, eps);
      storeMoments<f32>(mean, rest, invstd, sums + apart, eps);
    }
  }
}
