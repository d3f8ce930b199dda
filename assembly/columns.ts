/*
 * Sums down columns, many columns side by side; rows lie `all` elements apart, of which `columns` are summed. Rows are taken in blocks that stay
 * in the first cache while groups of eight columns walk down them. Moments of float32 are those of differences from a pivot near the mean, see row-moments.ts.
 */
import { madd, widen, widenHigh } from "./rows";

const BLOCK_BYTES: usize = 32768;

function rowsPerBlock(rowBytes: usize): usize {
  return max(1, BLOCK_BYTES / max(1, rowBytes));
}

/** Two elements, in float64. */
function pair<T>(x: usize): v128 {
  return sizeof<T>() === 4 ? widen(x) : v128.load(x);
}

function addTo(sums: usize, v: v128): void {
  v128.store(sums, f64x2.add(v128.load(sums), v));
}

/** sums[c] += Σ x[r, c] */
export function columnSums<T>(sums: usize, x: usize, rows: usize, columns: usize, all: usize): void {
  const size: usize = sizeof<T>();
  const row = all * size;
  const step = rowsPerBlock(row);
  for (let r: usize = 0; r < rows; r += step) {
    const first = x + r * row;
    const bytes = min(step, rows - r) * row;
    let c: usize = 0;
    for (; c + 8 <= columns; c += 8) {
      let s0 = f64x2.splat(0);
      let s1 = s0;
      let s2 = s0;
      let s3 = s0;
      const end = first + c * size + bytes;
      for (let p = first + c * size; p < end; p += row) {
        s0 = f64x2.add(s0, pair<T>(p));
        s1 = f64x2.add(s1, pair<T>(p + 2 * size));
        s2 = f64x2.add(s2, pair<T>(p + 4 * size));
        s3 = f64x2.add(s3, pair<T>(p + 6 * size));
      }
      const to = sums + c * 8;
      addTo(to, s0);
      addTo(to + 16, s1);
      addTo(to + 32, s2);
      addTo(to + 48, s3);
    }
    for (; c < columns; c++) {
      let sum = load<f64>(sums + c * 8);
      const end = first + c * size + bytes;
      for (let p = first + c * size; p < end; p += row) sum += <f64>load<T>(p);
      store<f64>(sums + c * 8, sum);
    }
  }
}

/** sums[c] += Σ (x[r, c] − means[c])², the means in float64 */
function columnSquares<T>(sums: usize, x: usize, rows: usize, columns: usize, all: usize, means: usize): void {
  const size: usize = sizeof<T>();
  const row = all * size;
  const step = rowsPerBlock(row);
  for (let r: usize = 0; r < rows; r += step) {
    const first = x + r * row;
    const bytes = min(step, rows - r) * row;
    let c: usize = 0;
    for (; c + 8 <= columns; c += 8) {
      const m0 = v128.load(means + c * 8);
      const m1 = v128.load(means + c * 8, 16);
      const m2 = v128.load(means + c * 8, 32);
      const m3 = v128.load(means + c * 8, 48);
      let s0 = f64x2.splat(0);
      let s1 = s0;
      let s2 = s0;
      let s3 = s0;
      const end = first + c * size + bytes;
      for (let p = first + c * size; p < end; p += row) {
        const d0 = f64x2.sub(pair<T>(p), m0);
        const d1 = f64x2.sub(pair<T>(p + 2 * size), m1);
        const d2 = f64x2.sub(pair<T>(p + 4 * size), m2);
        const d3 = f64x2.sub(pair<T>(p + 6 * size), m3);
        s0 = f64x2.add(s0, f64x2.mul(d0, d0));
        s1 = f64x2.add(s1, f64x2.mul(d1, d1));
        s2 = f64x2.add(s2, f64x2.mul(d2, d2));
        s3 = f64x2.add(s3, f64x2.mul(d3, d3));
      }
      const to = sums + c * 8;
      addTo(to, s0);
      addTo(to + 16, s1);
      addTo(to + 32, s2);
      addTo(to + 48, s3);
    }
    for (; c < columns; c++) {
      const m = load<f64>(means + c * 8);
      let sum = load<f64>(sums + c * 8);
      const end = first + c * size + bytes;
      for (let p = first + c * size; p < end; p += row) {
        const d = <f64>load<T>(p) - m;
        sum += d * d;
      }
      store<f64>(sums + c * 8, sum);
    }
  }
}

/** Fewer rows are summed in float64. */
const LEAST_ROWS: usize = 16;
/** Columns that are summed together; whether they are summed again is decided for all of them. */
const TOGETHER: usize = 8;
/** Squares of float32 have all their digits down to here, with something to spare. */
const LEAST: f64 = 1e-28;

/** Σ (x − pivot) and Σ (x − pivot)² of every column, added to `sums` and `squares`: differences of float32 in lanes, of a block of rows at most, and behind them in float64. */
export function sumAbout(
  sums: usize,
  squares: usize,
  x: usize,
  rows: usize,
  columns: usize,
  all: usize,
  pivots: usize,
): void {
  const row = all * 4;
  const step = min(GRAD_ROWS, rowsPerBlock(row));
  for (let r: usize = 0; r < rows; r += step) {
    const first = x + r * row;
    const bytes = min(step, rows - r) * row;
    let c: usize = 0;
    for (; c + TOGETHER <= columns; c += TOGETHER) {
      const p0 = v128.load(pivots + c * 4);
      const p1 = v128.load(pivots + c * 4, 16);
      let s0 = f32x4.splat(0);
      let s1 = s0;
      let q0 = s0;
      let q1 = s0;
      const end = first + c * 4 + bytes;
      for (let p = first + c * 4; p < end; p += row) {
        const d0 = f32x4.sub(v128.load(p), p0);
        const d1 = f32x4.sub(v128.load(p, 16), p1);
        s0 = f32x4.add(s0, d0);
        s1 = f32x4.add(s1, d1);
        q0 = madd<f32>(d0, d0, q0);
        q1 = madd<f32>(d1, d1, q1);
      }
      addLanes<f32>(sums + c * 8, s0);
      addLanes<f32>(sums + c * 8 + 32, s1);
      addLanes<f32>(squares + c * 8, q0);
      addLanes<f32>(squares + c * 8 + 32, q1);
    }
    for (; c < columns; c++) {
      const pivot = <f64>load<f32>(pivots + c * 4);
      let sum = load<f64>(sums + c * 8);
      let square = load<f64>(squares + c * 8);
      const end = first + c * 4 + bytes;
      for (let p = first + c * 4; p < end; p += row) {
        const d = <f64>load<f32>(p) - pivot;
        sum += d;
        square += d * d;
      }
      store<f64>(sums + c * 8, sum);
      store<f64>(squares + c * 8, square);
    }
  }
}

/** The means of sixteen rows from all over. */
export function pivotsOf(pivots: usize, x: usize, rows: usize, columns: usize, all: usize): void {
  const step = (rows >> 4) * all * 4;
  let c: usize = 0;
  for (; c + 4 <= columns; c += 4) {
    let sum = f32x4.splat(0);
    for (let i: usize = 0, p = x + c * 4; i < 16; i++, p += step) sum = f32x4.add(sum, v128.load(p));
    v128.store(pivots + c * 4, f32x4.mul(sum, f32x4.splat(0.0625)));
  }
  for (; c < columns; c++) {
    let sum: f32 = 0;
    for (let i: usize = 0, p = x + c * 4; i < 16; i++, p += step) sum += load<f32>(p);
    store<f32>(pivots + c * 4, sum * 0.0625);
  }
}

/** Whether one of n columns is so far from its pivot that taking it off the squares would cost more than two bits. */
function isFar(sums: usize, squares: usize, n: usize, count: f64): bool {
  for (let at: usize = 0; at < n * 8; at += 8) {
    const sum = load<f64>(sums + at);
    if (5 * sum * sum > 4 * load<f64>(squares + at) * count) return true;
  }
  return false;
}

/** Whether float32 held the squares of n columns; of equal values there are none. */
function isHeld(sums: usize, squares: usize, n: usize, count: f64): bool {
  for (let at: usize = 0; at < n * 8; at += 8) {
    const square = load<f64>(squares + at);
    const none = square === 0 && load<f64>(sums + at) === 0;
    if (!none && !(square > LEAST * count && square < f64.MAX_VALUE)) return false;
  }
  return true;
}

/** Leaves the means, in float64, in `means`, and Σ (x − mean)² in `squares`. `pivots` is room for a float32 of each column. */
function momentsInLanes(
  means: usize,
  squares: usize,
  x: usize,
  rows: usize,
  columns: usize,
  all: usize,
  pivots: usize,
): void {
  pivotsOf(pivots, x, rows, columns, all);
  sumAbout(means, squares, x, rows, columns, all, pivots);
  settle(means, squares, x, rows, columns, all, pivots);
}

/** The same from the sums about the pivots, which lie where the results go; columns that are far from their pivots, or too large or small for float32, are summed again. */
export function settle(
  means: usize,
  squares: usize,
  x: usize,
  rows: usize,
  columns: usize,
  all: usize,
  pivots: usize,
): void {
  const count = <f64>rows;
  for (let c: usize = 0; c < columns; c += TOGETHER) {
    const n = min(TOGETHER, columns - c);
    const p = pivots + c * 4;
    const s = means + c * 8;
    const q = squares + c * 8;
    if (isFar(s, q, n, count)) {
      for (let i: usize = 0; i < n; i++) {
        store<f32>(p + i * 4, <f32>(<f64>load<f32>(p + i * 4) + load<f64>(s + i * 8) / count));
      }
      memory.fill(s, 0, n * 8);
      memory.fill(q, 0, n * 8);
      sumAbout(s, q, x + c * 4, rows, n, all, p);
    }
    if (isHeld(s, q, n, count)) {
      for (let i: usize = 0; i < n; i++) {
        const sum = load<f64>(s + i * 8);
        store<f64>(q + i * 8, max<f64>(0, load<f64>(q + i * 8) - (sum * sum) / count));
        store<f64>(s + i * 8, <f64>load<f32>(p + i * 4) + sum / count);
      }
      continue;
    }
    memory.fill(s, 0, n * 8);
    memory.fill(q, 0, n * 8);
    exactMoments<f32>(s, q, x + c * 4, rows, n, all);
  }
}

/** The same, all in float64. */
function exactMoments<T>(means: usize, squares: usize, x: usize, rows: usize, columns: usize, all: usize): void {
  columnSums<T>(means, x, rows, columns, all);
  for (let at = means; at < means + columns * 8; at += 8) {
    store<f64>(at, rows > 0 ? load<f64>(at) / <f64>rows : 0);
  }
  columnSquares<T>(squares, x, rows, columns, all, means);
}

/** Mean, what its rounding lost, and Σ (x − mean)² of every column. `scratch` holds two float64 of each. */
export function columnMoments<T>(
  mean: usize,
  rest: usize,
  m2: usize,
  x: usize,
  rows: usize,
  columns: usize,
  all: usize,
  scratch: usize,
): void {
  const means = scratch;
  const squares = scratch + columns * 8;
  memory.fill(scratch, 0, columns * 16);
  if (sizeof<T>() === 4 && rows >= LEAST_ROWS) momentsInLanes(means, squares, x, rows, columns, all, mean);
  else exactMoments<T>(means, squares, x, rows, columns, all);
  storeMoments<T>(mean, rest, m2, columns, means, squares);
}

/** Means and Σ (x − mean)² of float64, rounded, and what the means lose. */
export function storeMoments<T>(
  mean: usize,
  rest: usize,
  m2: usize,
  columns: usize,
  means: usize,
  squares: usize,
): void {
  for (let c: usize = 0; c < columns; c++) {
    const m = load<f64>(means + c * 8);
    store<T>(mean + c * sizeof<T>(), <T>m);
    store<T>(rest + c * sizeof<T>(), <T>(m - <f64>(<T>m)));
    store<T>(m2 + c * sizeof<T>(), <T>load<f64>(squares + c * 8));
  }
}

/** Rows whose float32 gradients are summed as such before it goes on in float64: they need not be exact. */
const GRAD_ROWS: usize = 32;

/** Adds the lanes of T to as many float64. */
function addLanes<T>(sums: usize, v: v128): void {
  if (sizeof<T>() === 8) {
    addTo(sums, v);
    return;
  }
  addTo(sums, f64x2.promote_low_f32x4(v));
  addTo(sums + 16, widenHigh(v));
}

/** sums[c] = Σ g[r, c] and products[c] = Σ g[r, c]·(x[r, c] − mean[c]) */
export function columnGradSums<T>(
  sums: usize,
  products: usize,
  g: usize,
  x: usize,
  rows: usize,
  columns: usize,
  all: usize,
  mean: usize,
): void {
  const size: usize = sizeof<T>();
  const lanes: usize = 16 / size;
  const row = all * size;
  const step = min(GRAD_ROWS, rowsPerBlock(2 * row));
  const behind = x - g;
  memory.fill(sums, 0, columns * 8);
  memory.fill(products, 0, columns * 8);
  for (let r: usize = 0; r < rows; r += step) {
    const first = g + r * row;
    const bytes = min(step, rows - r) * row;
    let c: usize = 0;
    for (; c + 2 * lanes <= columns; c += 2 * lanes) {
      const m0 = v128.load(mean + c * size);
      const m1 = v128.load(mean + c * size, 16);
      let s0 = v128.splat<T>(0);
      let s1 = s0;
      let p0 = s0;
      let p1 = s0;
      const end = first + c * size + bytes;
      for (let p = first + c * size; p < end; p += row) {
        const v0 = v128.load(p);
        const v1 = v128.load(p, 16);
        s0 = v128.add<T>(s0, v0);
        s1 = v128.add<T>(s1, v1);
        p0 = madd<T>(v128.sub<T>(v128.load(p + behind), m0), v0, p0);
        p1 = madd<T>(v128.sub<T>(v128.load(p + behind, 16), m1), v1, p1);
      }
      addLanes<T>(sums + c * 8, s0);
      addLanes<T>(sums + (c + lanes) * 8, s1);
      addLanes<T>(products + c * 8, p0);
      addLanes<T>(products + (c + lanes) * 8, p1);
    }
    for (; c + lanes <= columns; c += lanes) {
      const m = v128.load(mean + c * size);
      let s0 = v128.splat<T>(0);
      let p0 = s0;
      const end = first + c * size + bytes;
      for (let p = first + c * size; p < end; p += row) {
        const v = v128.load(p);
        s0 = v128.add<T>(s0, v);
        p0 = madd<T>(v128.sub<T>(v128.load(p + behind), m), v, p0);
      }
      addLanes<T>(sums + c * 8, s0);
      addLanes<T>(products + c * 8, p0);
    }
    for (; c < columns; c++) {
      const m = load<T>(mean + c * size);
      let sum = load<f64>(sums + c * 8);
      let product = load<f64>(products + c * 8);
      const end = first + c * size + bytes;
      for (let p = first + c * size; p < end; p += row) {
        const v = load<T>(p);
        sum += <f64>v;
        product += <f64>(<T>(<T>(load<T>(p + behind) - m) * v));
      }
      store<f64>(sums + c * 8, sum);
      store<f64>(products + c * 8, product);
    }
  }
}
