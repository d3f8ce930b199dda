/*
 * Rows of normalization by channels with what follows them: y = clamp(x·a + b + residual, low, high). Where the multiply-add is one instruction all of it is one loop, in which the
 * sum of a row of the next channel can be taken too: while the one waits for the memory that it writes, the other reads.
 */
import { axpy } from "./elementwise";
import { exactFma, scaleRow } from "./exact";
import { sumOf4, sumRow } from "./rows";
import { unary } from "./unary";

/** The number of clamp among the operations of unary.ts: relu and relu6 too. */
const CLAMP: i32 = 12;

/** What follows v, with the residual at r. These are classes without fields, so that each has a loop of its own. */
class Nothing {
  @inline
  apply(v: v128, _r: usize, _low: v128, _high: v128): v128 {
    return v;
  }
  one(v: f32, _r: usize, _low: f32, _high: f32): f32 {
    return v;
  }
}

function clampOne(v: f32, low: f32, high: f32): f32 {
  const raised = v < low ? low : v;
  return raised > high ? high : raised;
}

/** pmax and pmin keep a NaN in their first operand. */
class Clamp {
  @inline
  apply(v: v128, _r: usize, low: v128, high: v128): v128 {
    return f32x4.pmin(f32x4.pmax(v, low), high);
  }
  one(v: f32, _r: usize, low: f32, high: f32): f32 {
    return clampOne(v, low, high);
  }
}
class AddAndClamp {
  @inline
  apply(v: v128, r: usize, low: v128, high: v128): v128 {
    return f32x4.pmin(f32x4.pmax(f32x4.add(v, v128.load(r)), low), high);
  }
  one(v: f32, r: usize, low: f32, high: f32): f32 {
    return clampOne(v + load<f32>(r), low, high);
  }
}

/** A row of float32 by relaxed_madd. */
function rowOf<K>(y: usize, x: usize, n: usize, a: f32, b: f32, residual: usize, low: f32, high: f32): void {
  const tail = changetype<K>(0);
  const end = x + n * 4;
  const va = f32x4.splat(a);
  const vb = f32x4.splat(b);
  const vl = f32x4.splat(low);
  const vh = f32x4.splat(high);
  const behind = y - x;
  const beside = residual - x;
  for (; x + 32 <= end; x += 32) {
    const r = x + beside;
    v128.store(x + behind, tail.apply(f32x4.relaxed_madd(v128.load(x), va, vb), r, vl, vh));
    v128.store(x + behind, tail.apply(f32x4.relaxed_madd(v128.load(x, 16), va, vb), r + 16, vl, vh), 16);
  }
  for (; x + 16 <= end; x += 16) {
    v128.store(x + behind, tail.apply(f32x4.relaxed_madd(v128.load(x), va, vb), x + beside, vl, vh));
  }
  for (; x < end; x += 4) store<f32>(x + behind, tail.one(exactFma<f32>(load<f32>(x), a, b), x + beside, low, high));
}

/** The same, and the sum of the row at `next`, to the bits of sumRow. */
function rowAndSumOf<K>(
  y: usize,
  x: usize,
  n: usize,
  a: f32,
  b: f32,
  residual: usize,
  low: f32,
  high: f32,
  next: usize,
): f64 {
  const tail = changetype<K>(0);
  const end = x + n * 4;
  const va = f32x4.splat(a);
  const vb = f32x4.splat(b);
  const vl = f32x4.splat(low);
  const vh = f32x4.splat(high);
  const behind = y - x;
  const beside = residual - x;
  const ahead = next - x;
  let s0 = f64x2.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  const whole = x + ((end - x) & ~63);
  if (x < whole) {
    do {
      const r = x + beside;
      v128.store(x + behind, tail.apply(f32x4.relaxed_madd(v128.load(x), va, vb), r, vl, vh));
      v128.store(x + behind, tail.apply(f32x4.relaxed_madd(v128.load(x, 16), va, vb), r + 16, vl, vh), 16);
      v128.store(x + behind, tail.apply(f32x4.relaxed_madd(v128.load(x, 32), va, vb), r + 32, vl, vh), 32);
      v128.store(x + behind, tail.apply(f32x4.relaxed_madd(v128.load(x, 48), va, vb), r + 48, vl, vh), 48);
      // Never: it ends V8's basic block, and values are widened from memory, not from a register, which takes twice as long.
      if (x === 0) break;
      const p = x + ahead;
      s0 = f64x2.add(s0, f64x2.promote_low_f32x4(v128.load64_zero(p)));
      s1 = f64x2.add(s1, f64x2.promote_low_f32x4(v128.load64_zero(p, 8)));
      s2 = f64x2.add(s2, f64x2.promote_low_f32x4(v128.load64_zero(p, 16)));
      s3 = f64x2.add(s3, f64x2.promote_low_f32x4(v128.load64_zero(p, 24)));
      s0 = f64x2.add(s0, f64x2.promote_low_f32x4(v128.load64_zero(p, 32)));
      s1 = f64x2.add(s1, f64x2.promote_low_f32x4(v128.load64_zero(p, 40)));
      s2 = f64x2.add(s2, f64x2.promote_low_f32x4(v128.load64_zero(p, 48)));
      s3 = f64x2.add(s3, f64x2.promote_low_f32x4(v128.load64_zero(p, 56)));
      x += 64;
    } while (x < whole);
  }
  for (; x + 16 <= end; x += 16) {
    v128.store(x + behind, tail.apply(f32x4.relaxed_madd(v128.load(x), va, vb), x + beside, vl, vh));
    s0 = f64x2.add(s0, f64x2.promote_low_f32x4(v128.load64_zero(x + ahead)));
    s1 = f64x2.add(s1, f64x2.promote_low_f32x4(v128.load64_zero(x + ahead, 8)));
  }
  let sum = sumOf4(s0, s1, s2, s3);
  for (; x < end; x += 4) {
    store<f32>(x + behind, tail.one(exactFma<f32>(load<f32>(x), a, b), x + beside, low, high));
    sum += <f64>load<f32>(x + ahead);
  }
  return sum;
}

/** y = activation(x·a + b + residual) along a row, the multiply-add rounded once; `residual` may be 0, and `op`, the activation's number, below 0 for none. */
export function scaleTailRow<T>(
  y: usize,
  x: usize,
  n: usize,
  a: T,
  b: T,
  residual: usize,
  op: i32,
  p: f64,
  q: f64,
  fused: bool,
  scratch: usize,
): void {
  if (ASC_FEATURE_RELAXED_SIMD && sizeof<T>() === 4 && fused && (op === CLAMP || op < 0)) {
    const low = op < 0 ? -Infinity : p;
    const high = op < 0 ? Infinity : q;
    if (residual) rowOf<AddAndClamp>(y, x, n, <f32>a, <f32>b, residual, <f32>low, <f32>high);
    else if (op < 0) rowOf<Nothing>(y, x, n, <f32>a, <f32>b, 0, 0, 0);
    else rowOf<Clamp>(y, x, n, <f32>a, <f32>b, 0, <f32>low, <f32>high);
    return;
  }
  scaleRow<T>(y, x, n, a, b, fused);
  if (residual) axpy<T>(y, residual, n, 1, scratch);
  if (op >= 0) unary<T>(op, y, y, n, p, q, scratch);
}

/** The same, and the sum of the row at `next`. */
export function scaleTailRowAndSum<T>(
  y: usize,
  x: usize,
  n: usize,
  a: T,
  b: T,
  residual: usize,
  op: i32,
  p: f64,
  q: f64,
  fused: bool,
  scratch: usize,
  next: usize,
): f64 {
  if (ASC_FEATURE_RELAXED_SIMD && sizeof<T>() === 4 && fused && (op === CLAMP || op < 0)) {
    const low = op < 0 ? -Infinity : p;
    const high = op < 0 ? Infinity : q;
    if (residual) return rowAndSumOf<AddAndClamp>(y, x, n, <f32>a, <f32>b, residual, <f32>low, <f32>high, next);
    if (op < 0) return rowAndSumOf<Nothing>(y, x, n, <f32>a, <f32>b, 0, 0, 0, next);
    return rowAndSumOf<Clamp>(y, x, n, <f32>a, <f32>b, 0, <f32>low, <f32>high, next);
  }
  scaleTailRow<T>(y, x, n, a, b, residual, op, p, q, fused, scratch);
  return sumRow<T>(next, n);
}
