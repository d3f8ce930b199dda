import { highF64, lowF64, sumF64 } from "./math";
import { BLOCK, BLOCK_BYTES, BLOCKS, copyRest, REST } from "./scratch";

/*
 * Reductions of float32 over the middle axis of [outer, size, inner]. Sums are accumulated in float64. Rows (inner = 1) keep
 * their accumulators in registers; columns are taken a block at a time, with the accumulators in scratch, so that memory is read in order.
 */

class Max {
  apply(a: v128, b: v128): v128 {
    return f32x4.max(a, b);
  }
}
class Min {
  apply(a: v128, b: v128): v128 {
    return f32x4.min(a, b);
  }
}

/** The sum of n float32. */
export function sumRow(x: usize, n: usize): f64 {
  const end = x + (n << 2);
  const vectors = x + ((n & ~7) << 2);
  let a = f64x2.splat(0);
  let b = a;
  let c = a;
  let d = a;
  for (; x < vectors; x += 32) {
    const v = v128.load(x);
    const w = v128.load(x, 16);
    a = f64x2.add(a, lowF64(v));
    b = f64x2.add(b, highF64(v));
    c = f64x2.add(c, lowF64(w));
    d = f64x2.add(d, highF64(w));
  }
  let total = sumF64(f64x2.add(f64x2.add(a, b), f64x2.add(c, d)));
  for (; x < end; x += 4) total += <f64>load<f32>(x);
  return total;
}

function productRow(x: usize, n: usize): f64 {
  let total: f64 = 1;
  for (const end = x + (n << 2); x < end; x += 4) total *= <f64>load<f32>(x);
  return total;
}

/** Σ (x − mean)² */
function squaresRow(x: usize, n: usize, mean: f64): f64 {
  const end = x + (n << 2);
  const vectors = x + ((n & ~3) << 2);
  const m = f64x2.splat(mean);
  let a = f64x2.splat(0);
  let b = a;
  for (; x < vectors; x += 16) {
    const v = v128.load(x);
    const low = f64x2.sub(lowF64(v), m);
    const high = f64x2.sub(highF64(v), m);
    a = f64x2.add(a, f64x2.mul(low, low));
    b = f64x2.add(b, f64x2.mul(high, high));
  }
  let total = sumF64(f64x2.add(a, b));
  for (; x < end; x += 4) {
    const d = <f64>load<f32>(x) - mean;
    total += d * d;
  }
  return total;
}

/** The largest or smallest of n >= 1 float32; NaN if there is one. */
function extremeRow<Op>(x: usize, n: usize): f32 {
  const op = changetype<Op>(0);
  const end = x + (n << 2);
  let a = v128.load32_splat(x);
  if (n < 4) {
    for (; x < end; x += 4) a = op.apply(a, v128.load32_splat(x));
    return f32x4.extract_lane(a, 0);
  }
  // The last vectors may take elements twice, which changes nothing.
  let b = a;
  let c = a;
  let d = a;
  for (; x + 64 <= end; x += 64) {
    a = op.apply(a, v128.load(x));
    b = op.apply(b, v128.load(x, 16));
    c = op.apply(c, v128.load(x, 32));
    d = op.apply(d, v128.load(x, 48));
  }
  for (; x + 16 <= end; x += 16) a = op.apply(a, v128.load(x));
  b = op.apply(b, v128.load(end - 16));
  a = op.apply(op.apply(a, b), op.apply(c, d));
  a = op.apply(a, v128.shuffle<i64>(a, a, 1, 0));
  a = op.apply(a, v128.shuffle<i32>(a, a, 1, 0, 3, 2));
  return f32x4.extract_lane(a, 0);
}

export function maxRow(x: usize, n: usize): f32 {
  return extremeRow<Max>(x, n);
}

/** Adds n float32 to as many float64. */
function addRow(totals: usize, x: usize, n: usize): void {
  const end = x + (n << 2);
  for (const vectors = x + ((n & ~3) << 2); x < vectors; x += 16, totals += 32) {
    const v = v128.load(x);
    v128.store(totals, f64x2.add(v128.load(totals), lowF64(v)));
    v128.store(totals, f64x2.add(v128.load(totals, 16), highF64(v)), 16);
  }
  for (; x < end; x += 4, totals += 8) store<f64>(totals, load<f64>(totals) + <f64>load<f32>(x));
}

function multiplyRow(totals: usize, x: usize, n: usize): void {
  for (const end = x + (n << 2); x < end; x += 4, totals += 8) {
    store<f64>(totals, load<f64>(totals) * <f64>load<f32>(x));
  }
}

/** Adds (x − mean)² to n float64, each with its own mean. */
function addSquares(totals: usize, means: usize, x: usize, n: usize): void {
  const end = x + (n << 2);
  for (const vectors = x + ((n & ~3) << 2); x < vectors; x += 16, totals += 32, means += 32) {
    const v = v128.load(x);
    const low = f64x2.sub(lowF64(v), v128.load(means));
    const high = f64x2.sub(highF64(v), v128.load(means, 16));
    v128.store(totals, f64x2.add(v128.load(totals), f64x2.mul(low, low)));
    v128.store(totals, f64x2.add(v128.load(totals, 16), f64x2.mul(high, high)), 16);
  }
  for (; x < end; x += 4, totals += 8, means += 8) {
    const d = <f64>load<f32>(x) - load<f64>(means);
    store<f64>(totals, load<f64>(totals) + d * d);
  }
}

function fillF64Block(block: usize, n: usize, value: f64): void {
  for (const end = block + (n << 3); block < end; block += 8) store<f64>(block, value);
}

/** out[i] = totals[i] / divisor, rounded */
function divideBlock(out: usize, totals: usize, n: usize, divisor: f64): void {
  for (const end = out + (n << 2); out < end; out += 4, totals += 8)
    store<f32>(out, <f32>(load<f64>(totals) / divisor));
}

/** out = op(out, x) over n elements */
function foldRow<Op>(out: usize, x: usize, n: usize, scratch: usize): void {
  const op = changetype<Op>(0);
  for (const end = out + ((n & ~3) << 2); out < end; out += 16, x += 16) {
    v128.store(out, op.apply(v128.load(out), v128.load(x)));
  }
  const rest = (n & 3) << 2;
  if (rest === 0) return;
  const a = scratch + REST;
  const b = a + 16;
  copyRest(a, out, rest);
  copyRest(b, x, rest);
  v128.store(a, op.apply(v128.load(a), v128.load(b)));
  copyRest(out, a, rest);
}

/** The sums (or products) of `columns` <= BLOCK columns, as float64 in a block. */
function totalColumns(product: bool, totals: usize, x: usize, size: usize, inner: usize, columns: usize): void {
  fillF64Block(totals, columns, product ? 1 : 0);
  for (let j: usize = 0; j < size; j++, x += inner << 2) {
    if (product) multiplyRow(totals, x, columns);
    else addRow(totals, x, columns);
  }
}

function extremeColumns<Op>(out: usize, x: usize, size: usize, inner: usize, scratch: usize): void {
  memory.copy(out, x, inner << 2);
  for (let j: usize = 1; j < size; j++) {
    x += inner << 2;
    foldRow<Op>(out, x, inner, scratch);
  }
}

/** op: 0 sum, 1 mean, 2 product, 3 max, 4 min */
export function reduceF32(
  op: i32,
  out: usize,
  x: usize,
  outer: usize,
  size: usize,
  inner: usize,
  scratch: usize,
): void {
  const divisor: f64 = op === 1 ? <f64>size : 1;
  const slice = (size * inner) << 2;
  for (let o: usize = 0; o < outer; o++, x += slice, out += inner << 2) {
    if (op === 3 && inner === 1) store<f32>(out, maxRow(x, size));
    else if (op === 4 && inner === 1) store<f32>(out, extremeRow<Min>(x, size));
    else if (op === 3) extremeColumns<Max>(out, x, size, inner, scratch);
    else if (op === 4) extremeColumns<Min>(out, x, size, inner, scratch);
    else if (inner === 1) store<f32>(out, <f32>((op === 2 ? productRow(x, size) : sumRow(x, size)) / divisor));
    else {
      for (let i: usize = 0; i < inner; i += BLOCK) {
        const columns = min<usize>(BLOCK, inner - i);
        totalColumns(op === 2, scratch + BLOCKS, x + (i << 2), size, inner, columns);
        divideBlock(out + (i << 2), scratch + BLOCKS, columns, divisor);
      }
    }
  }
}

/** `mean` may be 0. NaN where size <= correction. */
export function varianceF32(
  out: usize,
  mean: usize,
  x: usize,
  outer: usize,
  size: usize,
  inner: usize,
  correction: f64,
  scratch: usize,
): void {
  const count = <f64>size;
  const divisor: f64 = count > correction ? count - correction : NaN;
  const means = scratch + BLOCKS;
  const totals = means + BLOCK_BYTES;
  for (let o: usize = 0; o < outer; o++, x += (size * inner) << 2) {
    for (let i: usize = 0; i < inner; i += BLOCK) {
      const columns = min<usize>(BLOCK, inner - i);
      const from = x + (i << 2);
      if (inner === 1) {
        const average = sumRow(x, size) / count;
        store<f64>(means, average);
        store<f64>(totals, squaresRow(x, size, average));
      } else {
        totalColumns(false, means, from, size, inner, columns);
        for (let c: usize = 0; c < columns; c++) store<f64>(means + (c << 3), load<f64>(means + (c << 3)) / count);
        fillF64Block(totals, columns, 0);
        for (let j: usize = 0; j < size; j++) addSquares(totals, means, from + ((j * inner) << 2), columns);
      }
      divideBlock(out, totals, columns, divisor);
      out += columns << 2;
      if (mean !== 0) {
        divideBlock(mean, means, columns, 1);
        mean += columns << 2;
      }
    }
  }
}

function isNan(x: f32): bool {
  return !(x <= Infinity);
}

/** Where in n float32 the first element equal to `value` is, which occurs; the first NaN if `value` is NaN. */
function find(x: usize, n: usize, value: f32): usize {
  const start = x;
  const v = f32x4.splat(value);
  if (!isNan(value)) {
    for (const end = x + ((n & ~3) << 2); x < end; x += 16) if (v128.any_true(f32x4.eq(v128.load(x), v))) break;
    while (load<f32>(x) !== value) x += 4;
  } else {
    while (!isNan(load<f32>(x))) x += 4;
  }
  return (x - start) >> 2;
}

/** Values (may be 0) and int64 positions (may be 0) of the first largest or smallest elements; a NaN wins. */
export function extremumF32(
  isMin: i32,
  values: usize,
  indices: usize,
  x: usize,
  outer: usize,
  size: usize,
  inner: usize,
): void {
  for (let o: usize = 0; o < outer; o++, x += (size * inner) << 2) {
    for (let i: usize = 0; i < inner; i++) {
      let at = x + (i << 2);
      let best = load<f32>(at);
      let position: usize = 0;
      if (inner === 1) {
        best = isMin ? extremeRow<Min>(x, size) : extremeRow<Max>(x, size);
        if (indices !== 0) position = find(x, size, best);
      } else {
        for (let j: usize = 1; j < size && !isNan(best); j++) {
          at += inner << 2;
          const value = load<f32>(at);
          if (isNan(value) || (isMin ? value < best : value > best)) {
            best = value;
            position = j;
          }
        }
      }
      if (values !== 0) {
        store<f32>(values, best);
        values += 4;
      }
      if (indices !== 0) {
        store<i64>(indices, position);
        indices += 8;
      }
    }
  }
}
