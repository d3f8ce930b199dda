import { exp, highF64, joinF32, logF64, lowF64, sumF64 } from "./math";
import { maxRow, sumRow } from "./reduce";
import { loadPart, storePart } from "./scratch";

/*
 * softmax and its logarithm over the middle axis of [outer, size, inner], float32 with sums in float64. Rows (inner = 1) go along
 * memory; otherwise four neighbouring columns go down together.
 */

/** e^(x − top), with what rounding takes from the difference given back: it would cost as many units as the difference is large. */
function expDifference(x: v128, top: v128): v128 {
  const d = f32x4.sub(x, top);
  const back = f32x4.add(d, top);
  const lost = f32x4.sub(f32x4.sub(x, back), f32x4.add(top, f32x4.sub(d, back)));
  const e = exp(d);
  // An infinite difference has lost NaN.
  return f32x4.add(e, f32x4.mul(e, v128.and(lost, f32x4.eq(lost, lost))));
}

function logTotal(total: f64): f64 {
  return f64x2.extract_lane(logF64(f64x2.splat(total)), 0);
}

/** (x − top) − log total, with top and log total as float64 of the low and the high lanes */
function logLanes(x: v128, topLow: v128, topHigh: v128, logLow: v128, logHigh: v128): v128 {
  return joinF32(f64x2.sub(f64x2.sub(lowF64(x), topLow), logLow), f64x2.sub(f64x2.sub(highF64(x), topHigh), logHigh));
}

function softmaxRow(log: bool, out: usize, x: usize, n: usize): void {
  const maximum = maxRow(x, n);
  const top = f32x4.splat(maximum);
  let low = f64x2.splat(0);
  let high = low;
  for (let i: usize = 0; i < n; i += 4) {
    const count = min<usize>(4, n - i);
    let e = expDifference(loadPart(x + (i << 2), count << 2), top);
    if (count < 4) e = v128.and(e, i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(<i32>count)));
    low = f64x2.add(low, lowF64(e));
    high = f64x2.add(high, highF64(e));
    if (!log) storePart(out + (i << 2), e, count << 2);
  }
  const total = sumF64(f64x2.add(low, high));
  const divisor = f32x4.splat(<f32>total);
  const wideTop = f64x2.splat(<f64>maximum);
  const wideLog = f64x2.splat(logTotal(total));
  for (let i: usize = 0; i < n; i += 4) {
    const count = min<usize>(4, n - i);
    const to = out + (i << 2);
    const v = loadPart(log ? x + (i << 2) : to, count << 2);
    const y = log ? logLanes(v, wideTop, wideTop, wideLog, wideLog) : f32x4.div(v, divisor);
    storePart(to, y, count << 2);
  }
}

function softmaxColumns(log: bool, out: usize, x: usize, size: usize, inner: usize, count: usize): void {
  const bytes = size * (inner << 2);
  let top = loadPart(x, count << 2);
  for (let j: usize = inner << 2; j < bytes; j += inner << 2) {
    top = f32x4.max(top, loadPart(x + j, count << 2));
  }
  let low = f64x2.splat(0);
  let high = low;
  for (let j: usize = 0; j < bytes; j += inner << 2) {
    const e = expDifference(loadPart(x + j, count << 2), top);
    low = f64x2.add(low, lowF64(e));
    high = f64x2.add(high, highF64(e));
    if (!log) storePart(out + j, e, count << 2);
  }
  const total = joinF32(low, high);
  const logLow = logF64(low);
  const logHigh = logF64(high);
  for (let j: usize = 0; j < bytes; j += inner << 2) {
    const v = loadPart((log ? x : out) + j, count << 2);
    const y = log ? logLanes(v, lowF64(top), highF64(top), logLow, logHigh) : f32x4.div(v, total);
    storePart(out + j, y, count << 2);
  }
}

/** softmax, or its logarithm */
export function softmaxF32(log: bool, out: usize, x: usize, outer: usize, size: usize, inner: usize): void {
  const slice = (size * inner) << 2;
  for (let o: usize = 0; o < outer; o++, x += slice, out += slice) {
    if (inner === 1) softmaxRow(log, out, x, size);
    else {
      for (let i: usize = 0; i < inner; i += 4) {
        softmaxColumns(log, out + (i << 2), x + (i << 2), size, inner, min<usize>(4, inner - i));
      }
    }
  }
}

function dotRow(a: usize, b: usize, n: usize): f64 {
  const end = a + (n << 2);
  let low = f64x2.splat(0);
  let high = low;
  for (const vectors = a + ((n & ~3) << 2); a < vectors; a += 16, b += 16) {
    const v = v128.load(a);
    const w = v128.load(b);
    low = f64x2.add(low, f64x2.mul(lowF64(v), lowF64(w)));
    high = f64x2.add(high, f64x2.mul(highF64(v), highF64(w)));
  }
  let total = sumF64(f64x2.add(low, high));
  for (; a < end; a += 4, b += 4) total += <f64>load<f32>(a) * <f64>load<f32>(b);
  return total;
}

/** y·(g − total), or g − e^y·total for the logarithm; total as float64 of the low and the high lanes */
function gradLanes(log: bool, g: v128, y: v128, low: v128, high: v128): v128 {
  if (log) {
    const e = exp(y);
    return joinF32(f64x2.sub(lowF64(g), f64x2.mul(lowF64(e), low)), f64x2.sub(highF64(g), f64x2.mul(highF64(e), high)));
  }
  return joinF32(f64x2.mul(lowF64(y), f64x2.sub(lowF64(g), low)), f64x2.mul(highF64(y), f64x2.sub(highF64(g), high)));
}

/** From the output y: gx = y·(g − Σ g·y), or g − e^y·Σ g for the logarithm. */
export function softmaxGradF32(
  log: bool,
  gx: usize,
  g: usize,
  y: usize,
  outer: usize,
  size: usize,
  inner: usize,
): void {
  const slice = (size * inner) << 2;
  const step: usize = inner === 1 ? 16 : inner << 2;
  for (let o: usize = 0; o < outer; o++, gx += slice, g += slice, y += slice) {
    // A row is done four elements at a time, columns four columns at a time.
    for (let i: usize = 0; i < inner; i += 4) {
      const columns = min<usize>(4, inner - i);
      const start = i << 2;
      let low = f64x2.splat(0);
      let high = low;
      if (inner === 1) {
        low = f64x2.splat(log ? sumRow(g, size) : dotRow(g, y, size));
        high = low;
      } else {
        for (let j = start; j < slice; j += step) {
          const v = loadPart(g + j, columns << 2);
          const w = log ? f32x4.splat(1) : loadPart(y + j, columns << 2);
          low = f64x2.add(low, f64x2.mul(lowF64(v), lowF64(w)));
          high = f64x2.add(high, f64x2.mul(highF64(v), highF64(w)));
        }
      }
      for (let j = start; j < slice; j += step) {
        const count = inner === 1 ? min<usize>(4, (slice - j) >> 2) : columns;
        const v = loadPart(g + j, count << 2);
        const w = loadPart(y + j, count << 2);
        storePart(gx + j, gradLanes(log, v, w, low, high), count << 2);
      }
    }
  }
}
