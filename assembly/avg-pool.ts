import { END, get, PADDED, START, WINDOW_BYTES } from "./pool-windows";
import { widen } from "./rows";

/*
 * Average pooling takes four planes at once, one in each lane of two vectors: the sums of a window are in one order, each waiting for the one before, and four
 * planes hide that and share what finding a window costs.
 */

/** An element of two planes, in float64. */
function both<T>(x: usize, y: usize): v128 {
  if (sizeof<T>() === 8) return v128.load64_lane(y, v128.load64_zero(x), 1);
  return f64x2.promote_low_f32x4(v128.load32_lane(y, v128.load32_zero(x), 1));
}

/** Σ of a row of two planes, each in the order of sumRow. */
function sumRows<T>(x: usize, y: usize, n: usize): v128 {
  const end = x + n * sizeof<T>();
  let a0 = f64x2.splat(0);
  let a1 = a0;
  let a2 = a0;
  let a3 = a0;
  let b0 = a0;
  let b1 = a0;
  let b2 = a0;
  let b3 = a0;
  if (sizeof<T>() === 4) {
    for (; x + 64 <= end; x += 64, y += 64) {
      a0 = f64x2.add(f64x2.add(a0, widen(x)), widen(x + 32));
      a1 = f64x2.add(f64x2.add(a1, widen(x + 8)), widen(x + 40));
      a2 = f64x2.add(f64x2.add(a2, widen(x + 16)), widen(x + 48));
      a3 = f64x2.add(f64x2.add(a3, widen(x + 24)), widen(x + 56));
      b0 = f64x2.add(f64x2.add(b0, widen(y)), widen(y + 32));
      b1 = f64x2.add(f64x2.add(b1, widen(y + 8)), widen(y + 40));
      b2 = f64x2.add(f64x2.add(b2, widen(y + 16)), widen(y + 48));
      b3 = f64x2.add(f64x2.add(b3, widen(y + 24)), widen(y + 56));
    }
    for (; x + 16 <= end; x += 16, y += 16) {
      a0 = f64x2.add(a0, widen(x));
      a1 = f64x2.add(a1, widen(x + 8));
      b0 = f64x2.add(b0, widen(y));
      b1 = f64x2.add(b1, widen(y + 8));
    }
  } else {
    for (; x + 64 <= end; x += 64, y += 64) {
      a0 = f64x2.add(a0, v128.load(x));
      a1 = f64x2.add(a1, v128.load(x, 16));
      a2 = f64x2.add(a2, v128.load(x, 32));
      a3 = f64x2.add(a3, v128.load(x, 48));
      b0 = f64x2.add(b0, v128.load(y));
      b1 = f64x2.add(b1, v128.load(y, 16));
      b2 = f64x2.add(b2, v128.load(y, 32));
      b3 = f64x2.add(b3, v128.load(y, 48));
    }
  }
  const a = f64x2.add(f64x2.add(a0, a1), f64x2.add(a2, a3));
  const b = f64x2.add(f64x2.add(b0, b1), f64x2.add(b2, b3));
  let sum = f64x2.add(v128.shuffle<f64>(a, b, 0, 2), v128.shuffle<f64>(a, b, 1, 3));
  for (; x < end; x += sizeof<T>(), y += sizeof<T>()) sum = f64x2.add(sum, both<T>(x, y));
  return sum;
}

/** Writes an output of two planes. */
function storeBoth<T>(x: usize, y: usize, values: v128): void {
  if (sizeof<T>() === 8) {
    v128.store64_lane(x, values, 0);
    v128.store64_lane(y, values, 1);
  } else {
    const rounded = f32x4.demote_f64x2_zero(values);
    v128.store32_lane(x, rounded, 0);
    v128.store32_lane(y, rounded, 1);
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
  const plane = inHeight * inWidth * size;
  const outPlane = outHeight * outWidth * size;
  const down = inWidth * size;
  for (let p: usize = 0; p < planes; p += 4) {
    // Where fewer are left, the last one is computed again.
    const last = planes - p - 1;
    const second = min<usize>(1, last);
    const third = min<usize>(2, last);
    const fourth = min<usize>(3, last);
    for (let r: usize = 0; r < outHeight; r++) {
      const row = windows + r * WINDOW_BYTES;
      const top = get(row, START);
      const bottom = get(row, END);
      for (let c: usize = 0; c < outWidth; c++) {
        const column = columns + c * WINDOW_BYTES;
        const width = get(column, END) - get(column, START);
        let low = f64x2.splat(0);
        let high = low;
        if (width > 0 && bottom > top) {
          const bytes = <usize>width * size;
          let from = x + (<usize>top * inWidth + <usize>get(column, START)) * size;
          for (let h = top; h < bottom; h++) {
            if (width >= 8) {
              low = f64x2.add(low, sumRows<T>(from, from + second * plane, <usize>width));
              high = f64x2.add(high, sumRows<T>(from + third * plane, from + fourth * plane, <usize>width));
            } else {
              for (let at = from; at < from + bytes; at += size) {
                low = f64x2.add(low, both<T>(at, at + second * plane));
                high = f64x2.add(high, both<T>(at + third * plane, at + fourth * plane));
              }
            }
            from += down;
          }
          const divisor = f64x2.splat(divisorOf(row, column, countPadding, fixedDivisor));
          low = f64x2.div(low, divisor);
          high = f64x2.div(high, divisor);
        }
        storeBoth<T>(out, out + second * outPlane, low);
        storeBoth<T>(out + third * outPlane, out + fourth * outPlane, high);
        out += size;
      }
    }
    x += 4 * plane;
    out += 3 * outPlane;
  }
}

/** x[i] += value */
function addToRow<T>(x: usize, n: usize, value: T): void {
  const end = x + n * sizeof<T>();
  const v = v128.splat<T>(value);
  for (; x + 16 <= end; x += 16) v128.store(x, v128.add<T>(v128.load(x), v));
  for (; x < end; x += sizeof<T>()) store<T>(x, <T>(load<T>(x) + value));
}

/** x[i] = value */
function fillRow<T>(x: usize, n: usize, value: T): void {
  const end = x + n * sizeof<T>();
  const v = v128.splat<T>(value);
  for (; x + 16 <= end; x += 16) v128.store(x, v);
  for (; x < end; x += sizeof<T>()) store<T>(x, value);
}

/** Copies whole elements. */
function copyRow(to: usize, from: usize, bytes: usize): void {
  const end = from + bytes;
  for (; from + 16 <= end; from += 16, to += 16) v128.store(to, v128.load(from));
  for (; from < end; from += 4, to += 4) store<u32>(to, load<u32>(from));
}

/** Whether windows cover their axis without gaps or overlap. */
function areTiles(windows: usize, count: usize, size: usize): bool {
  let end: i32 = 0;
  for (let i: usize = 0; i < count; i++) {
    const window = windows + i * WINDOW_BYTES;
    if (get(window, START) !== end || get(window, END) <= end) return false;
    end = get(window, END);
  }
  return end === <i32>size;
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
  const down = inWidth * size;
  const tiles = areTiles(windows, outHeight, inHeight) && areTiles(columns, outWidth, inWidth);
  if (!tiles) memory.fill(gx, 0, planes * inHeight * down);
  for (let p: usize = 0; p < planes; p++) {
    for (let r: usize = 0; r < outHeight; r++) {
      const row = windows + r * WINDOW_BYTES;
      const first = gx + <usize>get(row, START) * down;
      const end = gx + <usize>get(row, END) * down;
      for (let c: usize = 0; c < outWidth; c++) {
        const column = columns + c * WINDOW_BYTES;
        const width = get(column, END) - get(column, START);
        if (width > 0) {
          const value = <T>(<f64>load<T>(g) / divisorOf(row, column, countPadding, fixedDivisor));
          const across = <usize>get(column, START) * size;
          // Tiles need no sums: their first row is written, in which a sum that began with 0 has no -0.
          if (tiles) fillRow<T>(first + across, <usize>width, value + 0);
          else for (let to = first; to < end; to += down) addToRow<T>(to + across, <usize>width, value);
        }
        g += size;
      }
      if (tiles) for (let to = first + down; to < end; to += down) copyRow(to, first, down);
    }
    gx += inHeight * down;
  }
}
