/*
 * Normalization by channels whose statistics are not this array's alone, see norm.ts: between the sums and what is written from them lies an exchange with other ranks, so each
 * is one walk over the array in the order of memory.
 */
import { columnGradRow, columnScaleRow } from "./column-rows";
import { addGradSums, gradRow, KeptRelu, Straight, ThroughRelu } from "./grad-rows";
import { HEAD } from "./norm";
import { madd, sumBoth, sumRow, widen } from "./rows";

/** Adds Σ (x − shift) of a row to the float64 at `sum`, and Σ (x − shift)² to the one at `squares`, all in float64. */
function addMoments<T>(sum: usize, squares: usize, x: usize, n: usize, shift: f64): void {
  const end = x + n * sizeof<T>();
  const m = f64x2.splat(shift);
  let s0 = f64x2.splat(0);
  let s1 = s0;
  let q0 = s0;
  let q1 = s0;
  if (sizeof<T>() === 4) {
    for (; x + 16 <= end; x += 16) {
      const d0 = f64x2.sub(widen(x), m);
      const d1 = f64x2.sub(widen(x + 8), m);
      s0 = f64x2.add(s0, d0);
      s1 = f64x2.add(s1, d1);
      q0 = madd<f64>(d0, d0, q0);
      q1 = madd<f64>(d1, d1, q1);
    }
  } else {
    for (; x + 32 <= end; x += 32) {
      const d0 = f64x2.sub(v128.load(x), m);
      const d1 = f64x2.sub(v128.load(x, 16), m);
      s0 = f64x2.add(s0, d0);
      s1 = f64x2.add(s1, d1);
      q0 = madd<f64>(d0, d0, q0);
      q1 = madd<f64>(d1, d1, q1);
    }
  }
  let s = sumBoth<f64>(s0, s1);
  let q = sumBoth<f64>(q0, q1);
  for (; x < end; x += sizeof<T>()) {
    const d = <f64>load<T>(x) - shift;
    s += d;
    q += d * d;
  }
  store<f64>(sum, load<f64>(sum) + s);
  store<f64>(squares, load<f64>(squares) + q);
}

/**
 * Means and Σ (x − mean)² of channels, float64, in one walk: sums of deviations from the first row's mean. That lies no further from the mean than √outer standard deviations,
 * since its row is part of them, so the square of the sum takes at most log₂ outer bits of float64's 53. `inner` > 1. `scratch` holds HEAD bytes.
 */
export function momentsInOrder<T>(
  mean: usize,
  m2: usize,
  x: usize,
  outer: usize,
  channels: usize,
  inner: usize,
  all: usize,
  scratch: usize,
): void {
  const row = inner * sizeof<T>();
  const sums = scratch + HEAD;
  const count = <f64>outer * <f64>inner;
  memory.fill(sums, 0, channels * 8);
  memory.fill(m2, 0, channels * 8);
  for (let c: usize = 0; c < channels; c++) {
    const first = count > 0 ? sumRow<T>(x + c * row, inner) / <f64>inner : 0;
    // What is not finite shows in the sums; they should not become NaN where PyTorch's are infinite.
    store<f64>(mean + c * 8, isFinite(first) ? first : 0);
  }
  for (let p = x; p < x + outer * all * row; p += all * row) {
    for (let c: usize = 0; c < channels; c++) {
      addMoments<T>(sums + c * 8, m2 + c * 8, p + c * row, inner, load<f64>(mean + c * 8));
    }
  }
  if (count === 0) return;
  for (let c: usize = 0; c < channels; c++) {
    const sum = load<f64>(sums + c * 8);
    const squares = load<f64>(m2 + c * 8);
    store<f64>(mean + c * 8, load<f64>(mean + c * 8) + sum / count);
    store<f64>(m2 + c * 8, max<f64>(0, squares - (sum * sum) / count));
  }
}

/**
 * gWeight = Σ g·x̂ and gBias = Σ g of channels. Behind ReLU with the output at `source` (or 0), g is what comes through it, and is put at `before` (or 0). `inner` > 1.
 * `scratch` holds HEAD bytes, and behind them two float64 of every channel.
 */
export function gradSumsInOrder<T>(
  gWeight: usize,
  gBias: usize,
  g: usize,
  x: usize,
  outer: usize,
  channels: usize,
  inner: usize,
  all: usize,
  mean: usize,
  invstd: usize,
  source: usize,
  before: usize,
  scratch: usize,
): void {
  const size: usize = sizeof<T>();
  const row = inner * size;
  const sums = scratch + HEAD;
  const products = sums + channels * 8;
  memory.fill(sums, 0, channels * 16);
  for (let r: usize = 0; r < outer * all * row; r += all * row) {
    for (let c: usize = 0; c < channels; c++) {
      const i = r + c * row;
      const m = load<T>(mean + c * size);
      const s = sums + c * 8;
      const p = products + c * 8;
      if (!source) addGradSums<T, Straight>(s, p, g + i, x + i, inner, m, 0, 0, 0, 0);
      else if (before) addGradSums<T, KeptRelu>(s, p, g + i, x + i, inner, m, source + i, before + i, 0, 0);
      else addGradSums<T, ThroughRelu>(s, p, g + i, x + i, inner, m, source + i, 0, 0, 0);
    }
  }
  for (let c: usize = 0; c < channels; c++) {
    const at = c * size;
    store<T>(gWeight + at, <T>(load<f64>(products + c * 8) * <f64>load<T>(invstd + at)));
    store<T>(gBias + at, <T>load<f64>(sums + c * 8));
  }
}

/**
 * gx = (g − gMean − (x − mean)·k)·invstd·weight for `rows` rows of one channel each, from number `first` on; with inner = 1 rows are all channels side by side. Behind ReLU with the
 * output at `source` (or 0; inner > 1), g is what comes through it.
 */
export function givenGradByChannel<T>(
  gx: usize,
  g: usize,
  x: usize,
  first: usize,
  rows: usize,
  channels: usize,
  inner: usize,
  mean: usize,
  invstd: usize,
  weight: usize,
  gMean: usize,
  k: usize,
  source: usize,
): void {
  const size: usize = sizeof<T>();
  const bytes = (inner === 1 ? channels : inner) * size;
  for (let r = first; r < first + rows; r++) {
    const p = r * bytes;
    if (inner === 1) {
      columnGradRow<T>(gx + p, g + p, x + p, channels, gMean, mean, k, invstd);
      columnScaleRow<T>(gx + p, gx + p, channels, weight);
      continue;
    }
    const at = (r % channels) * size;
    const m = load<T>(mean + at);
    const scale = <T>(load<T>(invstd + at) * load<T>(weight + at));
    const level = load<T>(gMean + at);
    const slope = load<T>(k + at);
    if (source) gradRow<T, ThroughRelu>(gx + p, g + p, x + p, inner, level, m, slope, scale, source + p, 0);
    else gradRow<T, Straight>(gx + p, g + p, x + p, inner, level, m, slope, scale, 0, 0);
  }
}
