/*
 * Mean and variance of one contiguous row. Of float32, deviations from a pivot near the mean are summed in float32 lanes, at most 64 in a row, and those sums in float64.
 * x − pivot is exact or off by half a last bit of a deviation, so the mean comes out as if all had been done in float64, and the variance to a last bit of float32.
 */
import { madd, sumBoth, sumRow, sumSquaresWide } from "./rows";

/** What finishRow found. */
export let rowMean: f64 = 0;
export let rowVariance: f64 = 0;

/** Σ (x − pivot) and Σ (x − pivot)² of what addRun has added. */
let sum: f64 = 0;
let squares: f64 = 0;

/** Shorter rows are summed in float64: they have no sixteen values to spare for a pivot. */
const SHORT: usize = 32;
/** Bytes that are summed in float32: 64 values in each of 8 lanes. */
const LANES_BYTES: usize = 2048;
/** Squares of float32 have all their digits down to here, with something to spare; smaller variances are computed in float64, and so are those that are not finite. */
const LEAST: f64 = 1e-28;

/** Whether rows of so many are summed in float32. */
export function inLanes<T>(n: usize): bool {
  return sizeof<T>() === 4 && n >= SHORT;
}

/** A number near the mean of a row: that of sixteen values from all over it. */
export function pivotOf(x: usize, n: usize): f32 {
  const quarter = (n >> 2) << 2;
  const a = f32x4.add(v128.load(x), v128.load(x + quarter));
  const b = f32x4.add(v128.load(x + 2 * quarter), v128.load(x + 3 * quarter));
  const s = f32x4.add(a, b);
  const t = f32x4.add(s, v128.shuffle<i32>(s, s, 2, 3, 0, 1));
  return (f32x4.extract_lane(t, 0) + f32x4.extract_lane(t, 1)) * 0.0625;
}

/** Adds n values of a row. */
function addRun(x: usize, n: usize, pivot: f32): void {
  const end = x + n * 4;
  const p = f32x4.splat(pivot);
  while (x + 16 <= end) {
    const stop = min(end, x + LANES_BYTES);
    let s0 = f32x4.splat(0);
    let s1 = s0;
    let q0 = s0;
    let q1 = s0;
    for (; x + 32 <= stop; x += 32) {
      const d0 = f32x4.sub(v128.load(x), p);
      const d1 = f32x4.sub(v128.load(x, 16), p);
      s0 = f32x4.add(s0, d0);
      s1 = f32x4.add(s1, d1);
      q0 = madd<f32>(d0, d0, q0);
      q1 = madd<f32>(d1, d1, q1);
    }
    for (; x + 16 <= stop; x += 16) {
      const d = f32x4.sub(v128.load(x), p);
      s0 = f32x4.add(s0, d);
      q0 = madd<f32>(d, d, q0);
    }
    sum += sumBoth<f32>(s0, s1);
    squares += sumBoth<f32>(q0, q1);
  }
  for (; x < end; x += 4) {
    const d = <f64>load<f32>(x) - <f64>pivot;
    sum += d;
    squares += d * d;
  }
}

/**
 * The mean, 0 if the row is not `centred`, and the variance about it, from Σ (x − pivot) and Σ (x − pivot)²; where that and eps are tiny or not finite, from sums in
 * float64.
 */
export function finishRow(x: usize, n: usize, centred: bool, pivot: f32, first: f64, second: f64, eps: f64): void {
  const count = <f64>n;
  // Taking the pivot's distance from the mean off the squares loses digits if it is larger than the deviations.
  if (centred && 2 * first * first > second * count) {
    pivot += <f32>(first / count);
    sum = 0;
    squares = 0;
    addRun(x, n, pivot);
    first = sum;
    second = squares;
  }
  const off = centred ? first / count : 0;
  const variance = second / count - off * off;
  if (variance + eps > LEAST && variance < f64.MAX_VALUE) {
    rowMean = <f64>pivot + off;
    rowVariance = variance;
  } else exactMoments<f32>(x, n, centred);
}

function exactMoments<T>(x: usize, n: usize, centred: bool): void {
  const count = <f64>n;
  rowMean = centred ? sumRow<T>(x, n) / count : 0;
  rowVariance = sumSquaresWide<T>(x, n, rowMean) / count;
}

/** Mean and variance of a row. */
export function momentsOfRow<T>(x: usize, n: usize, centred: bool, eps: f64): void {
  if (!inLanes<T>(n)) {
    exactMoments<T>(x, n, centred);
    return;
  }
  const pivot = centred ? pivotOf(x, n) : 0;
  sum = 0;
  squares = 0;
  addRun(x, n, pivot);
  finishRow(x, n, centred, pivot, sum, squares, eps);
}
