/*
 * Pooling over planes. What an output pools along an axis is a window of int32: start, end, step, and how many elements an average counts when padding counts.
 * A table holds one window for every output row and behind them one for every output column; adaptive pooling differs only in its table.
 */
import { sumRow } from "./rows";

const START: usize = 0;
const END: usize = 4;
const STEP: usize = 8;
const PADDED: usize = 12;
const WINDOW_BYTES: usize = 16;

function get(p: usize, field: usize): i32 {
  return load<i32>(p + field);
}

/** One output of max pooling: the largest, or the last NaN. */
function maxOf<T>(out: usize, index: usize, x: usize, inWidth: i32, row: usize, column: usize): void {
  let best = <T>-Infinity;
  let bestAt = get(row, START) * inWidth + get(column, START);
  const end = get(column, END);
  for (let h = get(row, START); h < get(row, END); h += get(row, STEP)) {
    for (let w = get(column, START); w < end; w += get(column, STEP)) {
      const at = h * inWidth + w;
      const value = load<T>(x + <usize>at * sizeof<T>());
      if (value > best || value !== value) {
        best = value;
        bestAt = at;
      }
    }
  }
  store<T>(out, best);
  if (index) store<i64>(index, bestAt);
}

function maxPool<T>(
  out: usize,
  indices: usize,
  x: usize,
  planes: usize,
  inHeight: usize,
  inWidth: usize,
  outHeight: usize,
  outWidth: usize,
  windows: usize,
  halves: bool,
): void {
  const size: usize = sizeof<T>();
  const columns = windows + outHeight * WINDOW_BYTES;
  for (let p: usize = 0; p < planes; p++) {
    for (let r: usize = 0; r < outHeight; r++) {
      const row = windows + r * WINDOW_BYTES;
      let c: usize = 0;
      if (size === 4 && halves) {
        const first = 2 * r * inWidth;
        for (; c + 4 <= outWidth; c += 4) {
          maxOfHalves(out, indices, x + (first + 2 * c) * 4, inWidth, <i32>(first + 2 * c));
          out += 16;
          if (indices) indices += 32;
        }
      }
      for (; c < outWidth; c++) {
        maxOf<T>(out, indices, x, <i32>inWidth, row, columns + c * WINDOW_BYTES);
        out += size;
        if (indices) indices += 8;
      }
    }
    x += inHeight * inWidth * size;
  }
}

/** Four outputs of max pooling by 2 × 2 with stride 2, in the order in which maxOf meets the elements. */
function maxOfHalves(out: usize, indices: usize, x: usize, inWidth: usize, at: i32): void {
  const below = x + inWidth * 4;
  const top0 = v128.load(x);
  const top1 = v128.load(x, 16);
  const low0 = v128.load(below);
  const low1 = v128.load(below, 16);
  let best = v128.shuffle<f32>(top0, top1, 0, 2, 4, 6);
  let place = i32x4.splat(0);
  let v = v128.shuffle<f32>(top0, top1, 1, 3, 5, 7);
  let wins = v128.or(f32x4.gt(v, best), f32x4.ne(v, v));
  best = v128.bitselect(v, best, wins);
  place = v128.bitselect(i32x4.splat(1), place, wins);
  v = v128.shuffle<f32>(low0, low1, 0, 2, 4, 6);
  wins = v128.or(f32x4.gt(v, best), f32x4.ne(v, v));
  best = v128.bitselect(v, best, wins);
  place = v128.bitselect(i32x4.splat(<i32>inWidth), place, wins);
  v = v128.shuffle<f32>(low0, low1, 1, 3, 5, 7);
  wins = v128.or(f32x4.gt(v, best), f32x4.ne(v, v));
  best = v128.bitselect(v, best, wins);
  place = v128.bitselect(i32x4.splat(<i32>inWidth + 1), place, wins);
  v128.store(out, best);
  if (!indices) return;
  place = i32x4.add(place, i32x4.add(i32x4.splat(at), i32x4(0, 2, 4, 6)));
  v128.store(indices, i64x2.extend_low_i32x4_u(place));
  v128.store(indices, i64x2.extend_high_i32x4_u(place), 16);
}

function maxPoolGrad<T>(gx: usize, g: usize, indices: usize, planes: usize, inSize: usize, outSize: usize): void {
  const size: usize = sizeof<T>();
  memory.fill(gx, 0, planes * inSize * size);
  for (let p: usize = 0; p < planes; p++) {
    for (let i: usize = 0; i < outSize; i++) {
      const to = gx + load<u32>(indices) * size;
      store<T>(to, <T>(load<T>(to) + load<T>(g)));
      g += size;
      indices += 8;
    }
    gx += inSize * size;
  }
}

function divisorOf(row: usize, column: usize, countPadding: bool, fixed: f64): f64 {
  if (fixed !== 0) return fixed;
  if (countPadding) return <f64>(get(row, PADDED) * get(column, PADDED));
  return <f64>((get(row, END) - get(row, START)) * (get(column, END) - get(column, START)));
}

function avgPool<T>(
  out: usize,
  x: usize,
  planes: usize,
  inHeight: usize,
  inWidth: usize,
  outHeight: usize,
  outWidth: usize,
  windows: usize,
  countPadding: bool,
  fixedDivisor: f64,
): void {
  const size: usize = sizeof<T>();
  const columns = windows + outHeight * WINDOW_BYTES;
  for (let p: usize = 0; p < planes; p++) {
    for (let r: usize = 0; r < outHeight; r++) {
      const row = windows + r * WINDOW_BYTES;
      const top = get(row, START);
      const bottom = get(row, END);
      for (let c: usize = 0; c < outWidth; c++) {
        const column = columns + c * WINDOW_BYTES;
        const width = get(column, END) - get(column, START);
        let sum: f64 = 0;
        if (width > 0 && bottom > top) {
          const left = <usize>get(column, START);
          for (let h = top; h < bottom; h++) {
            let from = x + (<usize>h * inWidth + left) * size;
            if (width >= 8) sum += sumRow<T>(from, <usize>width);
            else {
              for (const end = from + <usize>width * size; from < end; from += size) sum += <f64>load<T>(from);
            }
          }
          sum /= divisorOf(row, column, countPadding, fixedDivisor);
        }
        store<T>(out, <T>sum);
        out += size;
      }
    }
    x += inHeight * inWidth * size;
  }
}

/** x[i] += value */
function addToRow<T>(x: usize, n: usize, value: T): void {
  const end = x + n * sizeof<T>();
  const v = v128.splat<T>(value);
  for (; x + 16 <= end; x += 16) v128.store(x, v128.add<T>(v128.load(x), v));
  for (; x < end; x += sizeof<T>()) store<T>(x, <T>(load<T>(x) + value));
}

function avgPoolGrad<T>(
  gx: usize,
  g: usize,
  planes: usize,
  inHeight: usize,
  inWidth: usize,
  outHeight: usize,
  outWidth: usize,
  windows: usize,
  countPadding: bool,
  fixedDivisor: f64,
): void {
  const size: usize = sizeof<T>();
  const columns = windows + outHeight * WINDOW_BYTES;
  memory.fill(gx, 0, planes * inHeight * inWidth * size);
  for (let p: usize = 0; p < planes; p++) {
    for (let r: usize = 0; r < outHeight; r++) {
      const row = windows + r * WINDOW_BYTES;
      for (let c: usize = 0; c < outWidth; c++) {
        const column = columns + c * WINDOW_BYTES;
        const width = get(column, END) - get(column, START);
        if (width > 0) {
          const value = <T>(<f64>load<T>(g) / divisorOf(row, column, countPadding, fixedDivisor));
          for (let h = get(row, START); h < get(row, END); h++) {
            addToRow<T>(gx + (<usize>h * inWidth + <usize>get(column, START)) * size, <usize>width, value);
          }
        }
        g += size;
      }
    }
    gx += inHeight * inWidth * size;
  }
}

/** Max pooling of planes; `halves` says that the windows are 2 × 2 with stride 2. `indices` may be 0. */
export function maxPoolF32(
  out: usize,
  indices: usize,
  x: usize,
  planes: usize,
  inHeight: usize,
  inWidth: usize,
  outHeight: usize,
  outWidth: usize,
  windows: usize,
  halves: bool,
): void {
  maxPool<f32>(out, indices, x, planes, inHeight, inWidth, outHeight, outWidth, windows, halves);
}

export function maxPoolF64(
  out: usize,
  indices: usize,
  x: usize,
  planes: usize,
  inHeight: usize,
  inWidth: usize,
  outHeight: usize,
  outWidth: usize,
  windows: usize,
  halves: bool,
): void {
  maxPool<f64>(out, indices, x, planes, inHeight, inWidth, outHeight, outWidth, windows, halves);
}

/** Adds each gradient at the place of its maximum. */
export function maxPoolGradF32(
  gx: usize,
  g: usize,
  indices: usize,
  planes: usize,
  inSize: usize,
  outSize: usize,
): void {
  maxPoolGrad<f32>(gx, g, indices, planes, inSize, outSize);
}

export function maxPoolGradF64(
  gx: usize,
  g: usize,
  indices: usize,
  planes: usize,
  inSize: usize,
  outSize: usize,
): void {
  maxPoolGrad<f64>(gx, g, indices, planes, inSize, outSize);
}

/** Average pooling; a fixed divisor of 0 stands for none. */
export function avgPoolF32(
  out: usize,
  x: usize,
  planes: usize,
  inHeight: usize,
  inWidth: usize,
  outHeight: usize,
  outWidth: usize,
  windows: usize,
  countPadding: bool,
  fixedDivisor: f64,
): void {
  avgPool<f32>(out, x, planes, inHeight, inWidth, outHeight, outWidth, windows, countPadding, fixedDivisor);
}

export function avgPoolF64(
  out: usize,
  x: usize,
  planes: usize,
  inHeight: usize,
  inWidth: usize,
  outHeight: usize,
  outWidth: usize,
  windows: usize,
  countPadding: bool,
  fixedDivisor: f64,
): void {
  avgPool<f64>(out, x, planes, inHeight, inWidth, outHeight, outWidth, windows, countPadding, fixedDivisor);
}

/** Spreads each gradient over its window. */
export function avgPoolGradF32(
  gx: usize,
  g: usize,
  planes: usize,
  inHeight: usize,
  inWidth: usize,
  outHeight: usize,
  outWidth: usize,
  windows: usize,
  countPadding: bool,
  fixedDivisor: f64,
): void {
  avgPoolGrad<f32>(gx, g, planes, inHeight, inWidth, outHeight, outWidth, windows, countPadding, fixedDivisor);
}

export function avgPoolGradF64(
  gx: usize,
  g: usize,
  planes: usize,
  inHeight: usize,
  inWidth: usize,
  outHeight: usize,
  outWidth: usize,
  windows: usize,
  countPadding: bool,
  fixedDivisor: f64,
): void {
  avgPoolGrad<f64>(gx, g, planes, inHeight, inWidth, outHeight, outWidth, windows, countPadding, fixedDivisor);
}
