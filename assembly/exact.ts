/*
 * a·b + c of float32 with a single rounding, whatever the build. In float64 the product is exact and the sum is rounded once; narrowing it rounds again,
 * which goes wrong only if the float64 sum was inexact and fell on the middle between two float32: its low 29 bits are then 1 followed by zeros. Those
 * lanes are redone with the lost part taken into account. Results below 2⁻¹²⁶ are not looked after.
 */
import { widenHigh } from "./rows";

/** Whether relaxed_madd rounds once on this processor: x = 1 + 2⁻¹² gives x·x − (1 + 2⁻¹¹) = 2⁻²⁴ if it does, and 0 if not. */
export function isFused(x: f32): bool {
  if (!ASC_FEATURE_RELAXED_SIMD) return false;
  const v = f32x4.splat(x);
  return f32x4.extract_lane(f32x4.relaxed_madd(v, v, f32x4.splat(-1.00048828125)), 0) !== 0;
}

/** a·b + c, rounded once. */
export function exactFma<T>(a: T, b: T, c: T): T {
  if (sizeof<T>() === 8) return <T>(a * b + c);
  const product = <f64>a * <f64>b;
  const addend = <f64>c;
  let sum = product + addend;
  const back = sum - product;
  const lost = product - (sum - back) + (addend - back);
  const bits = reinterpret<i64>(sum);
  // Rounding to odd: an inexact sum never ends in 0, so the second rounding cannot mistake it for a middle.
  if (lost !== 0 && lost === lost && !(bits & 1)) sum = reinterpret<f64>(bits + (lost > 0 === sum > 0 ? 1 : -1));
  return <T>sum;
}

/** The same for four lanes. */
export function exactFma4(a: v128, b: v128, c: v128): v128 {
  const low = f64x2.add(f64x2.mul(f64x2.promote_low_f32x4(a), f64x2.promote_low_f32x4(b)), f64x2.promote_low_f32x4(c));
  const high = f64x2.add(f64x2.mul(widenHigh(a), widenHigh(b)), widenHigh(c));
  const tail = v128.and(v128.shuffle<i32>(low, high, 0, 2, 4, 6), i32x4.splat(0x1fffffff));
  if (v128.any_true(i32x4.eq(tail, i32x4.splat(0x10000000)))) return exactLanes(a, b, c);
  return v128.shuffle<i64>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2);
}

function exactLanes(a: v128, b: v128, c: v128): v128 {
  let out = f32x4.splat(exactFma<f32>(f32x4.extract_lane(a, 0), f32x4.extract_lane(b, 0), f32x4.extract_lane(c, 0)));
  out = f32x4.replace_lane(
    out,
    1,
    exactFma<f32>(f32x4.extract_lane(a, 1), f32x4.extract_lane(b, 1), f32x4.extract_lane(c, 1)),
  );
  out = f32x4.replace_lane(
    out,
    2,
    exactFma<f32>(f32x4.extract_lane(a, 2), f32x4.extract_lane(b, 2), f32x4.extract_lane(c, 2)),
  );
  return f32x4.replace_lane(
    out,
    3,
    exactFma<f32>(f32x4.extract_lane(a, 3), f32x4.extract_lane(b, 3), f32x4.extract_lane(c, 3)),
  );
}

/** y = x·a + b along a row, rounded once. `fused` says that relaxed_madd does so. */
export function scaleRow<T>(y: usize, x: usize, n: usize, a: T, b: T, fused: bool): void {
  const end = x + n * sizeof<T>();
  const va = v128.splat<T>(a);
  const vb = v128.splat<T>(b);
  if (ASC_FEATURE_RELAXED_SIMD && fused) {
    for (; x + 16 <= end; x += 16) {
      v128.store(y, v128.relaxed_madd<T>(v128.load(x), va, vb));
      y += 16;
    }
  } else {
    for (; x + 16 <= end; x += 16) {
      v128.store(y, fmaVector<T>(v128.load(x), va, vb));
      y += 16;
    }
  }
  for (; x < end; x += sizeof<T>()) {
    store<T>(y, exactFma<T>(load<T>(x), a, b));
    y += sizeof<T>();
  }
}

/** y = x·a + b with a and b along the row too. */
export function scaleRowBy<T>(y: usize, x: usize, n: usize, a: usize, b: usize, fused: bool): void {
  const end = x + n * sizeof<T>();
  for (; x + 16 <= end; x += 16) {
    const va = v128.load(a);
    const vb = v128.load(b);
    let v = v128.load(x);
    if (ASC_FEATURE_RELAXED_SIMD && fused) v = v128.relaxed_madd<T>(v, va, vb);
    else v = fmaVector<T>(v, va, vb);
    v128.store(y, v);
    y += 16;
    a += 16;
    b += 16;
  }
  for (; x < end; x += sizeof<T>()) {
    store<T>(y, exactFma<T>(load<T>(x), load<T>(a), load<T>(b)));
    y += sizeof<T>();
    a += sizeof<T>();
    b += sizeof<T>();
  }
}

function fmaVector<T>(a: v128, b: v128, c: v128): v128 {
  if (sizeof<T>() === 8) return f64x2.add(f64x2.mul(a, b), c);
  return exactFma4(a, b, c);
}
