/*
 * Pooling over planes. What an output pools along an axis is a window of int32: start, end, step, and how many elements an average counts when padding counts.
 * A table holds one window for every output row and behind them one for every output column; adaptive pooling differs only in its table.
 */
import { sumRow } from "./rows";

const START: usize = 0;
const END: usize = 4;
const STEP: usize = 8;
const PADDED: usize = 12;
/** Max pooling, which needs no PADDED, notes there how far apart a window and the next three lie, see spacing. */
const APART: usize = 12;
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

/** How far apart four neighbouring windows lie if they are the same but for that, else 0. */
function spacing(column: usize): i32 {
  const apart = get(column + WINDOW_BYTES, START) - get(column, START);
  for (let i = 1; i < 4; i++) {
    const next = column + <usize>i * WINDOW_BYTES;
    if (get(next, START) - get(column, START) !== i * apart) return 0;
    if (get(next, END) - get(column, END) !== i * apart) return 0;
  }
  return apart;
}

/** Four float32 that lie `apart` elements from each other; nothing beyond them is read. */
function every(x: usize, apart: usize): v128 {
  if (apart === 1) return v128.load(x);
  if (apart === 2) return v128.shuffle<f32>(v128.load(x), v128.load(x, 12), 0, 2, 5, 7);
  let v = v128.load32_zero(x);
  v = v128.load32_lane(x + apart * 4, v, 1);
  v = v128.load32_lane(x + apart * 8, v, 2);
  return v128.load32_lane(x + apart * 12, v, 3);
}

/** Four outputs of max pooling whose windows lie `apart`. Selecting needs no branches, of which none could be predicted. */
function maxOfFour(out: usize, index: usize, x: usize, inWidth: i32, row: usize, column: usize, apart: i32): void {
  const first = get(column, START);
  const end = get(column, END);
  const step = get(column, STEP);
  const places = i32x4.mul(i32x4(0, 1, 2, 3), i32x4.splat(apart));
  let best = f32x4.splat(-Infinity);
  let bestAt = i32x4.splat(get(row, START) * inWidth + first);
  for (let h = get(row, START); h < get(row, END); h += get(row, STEP)) {
    for (let w = first; w < end; w += step) {
      const at = h * inWidth + w;
      const v = every(x + <usize>at * 4, <usize>apart);
      const wins = v128.or(f32x4.gt(v, best), f32x4.ne(v, v));
      best = v128.bitselect(v, best, wins);
      bestAt = v128.bitselect(i32x4.splat(at), bestAt, wins);
    }
  }
  v128.store(out, best);
  if (!index) return;
  bestAt = i32x4.add(bestAt, places);
  v128.store(index, i64x2.extend_low_i32x4_u(bestAt));
  v128.store(index, i64x2.extend_high_i32x4_u(bestAt), 16);
}

/** Max pooling of planes; `indices` may be 0. */
export function maxPool<T>(
  out: usize,
  indices: usize,
  x: usize,
  planes: usize,
  inHeight: usize,
  inWidth: usize,
  outHeight: usize,
  outWidth: usize,
  windows: usize,
): void {
  const size: usize = sizeof<T>();
  const columns = windows + outHeight * WINDOW_BYTES;
  for (let c: usize = 0; c < outWidth; c++) {
    const column = columns + c * WINDOW_BYTES;
    store<i32>(column + APART, size === 4 && c + 4 <= outWidth ? spacing(column) : 0);
  }
  for (let p: usize = 0; p < planes; p++) {
    for (let r: usize = 0; r < outHeight; r++) {
      const row = windows + r * WINDOW_BYTES;
      let c: usize = 0;
      while (c < outWidth) {
        // The last four may overlap those before them.
        const at = outWidth >= 4 ? min(c, outWidth - 4) : c;
        const apart = get(columns + at * WINDOW_BYTES, APART);
        if (apart > 0) {
          const column = columns + at * WINDOW_BYTES;
          maxOfFour(out + at * size, indices ? indices + at * 8 : 0, x, <i32>inWidth, row, column, apart);
          c = at + 4;
        } else {
          const column = columns + c * WINDOW_BYTES;
          maxOf<T>(out + c * size, indices ? indices + c * 8 : 0, x, <i32>inWidth, row, column);
          c++;
        }
      }
      out += outWidth * size;
      if (indices) indices += outWidth * 8;
    }
    x += inHeight * inWidth * size;
  }
}

/** Adds each gradient at the place of its maximum. */
export function maxPoolGrad<T>(
  gx: usize,
  g: usize,
  indices: usize,
  planes: usize,
  inSize: usize,
  outSize: usize,
): void {
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

/** Average pooling; a fixed divisor of 0 stands for none. */
export function avgPool<T>(
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

/** Spreads each gradient over its window. */
export function avgPoolGrad<T>(
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
