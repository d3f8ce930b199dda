/*
 * Sums along one contiguous row, in float64. float32 rows are widened two lanes at a time, into four partial sums.
 */

/** Two float32 at an address, widened. */
export function widen(x: usize): v128 {
  return f64x2.promote_low_f32x4(v128.load64_zero(x));
}

/** The upper two lanes of float32, widened. */
export function widenHigh(v: v128): v128 {
  return f64x2.promote_low_f32x4(v128.shuffle<i64>(v, v, 1, 1));
}

/** The sum of four partial sums. */
export function sumOf4(s0: v128, s1: v128, s2: v128, s3: v128): f64 {
  const s = f64x2.add(f64x2.add(s0, s1), f64x2.add(s2, s3));
  return f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1);
}

/** Σ x */
export function sumRow<T>(x: usize, n: usize): f64 {
  const end = x + n * sizeof<T>();
  let s0 = f64x2.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  if (sizeof<T>() === 4) {
    for (; x + 64 <= end; x += 64) {
      s0 = f64x2.add(s0, f64x2.promote_low_f32x4(v128.load64_zero(x)));
      s1 = f64x2.add(s1, f64x2.promote_low_f32x4(v128.load64_zero(x, 8)));
      s2 = f64x2.add(s2, f64x2.promote_low_f32x4(v128.load64_zero(x, 16)));
      s3 = f64x2.add(s3, f64x2.promote_low_f32x4(v128.load64_zero(x, 24)));
      s0 = f64x2.add(s0, f64x2.promote_low_f32x4(v128.load64_zero(x, 32)));
      s1 = f64x2.add(s1, f64x2.promote_low_f32x4(v128.load64_zero(x, 40)));
      s2 = f64x2.add(s2, f64x2.promote_low_f32x4(v128.load64_zero(x, 48)));
      s3 = f64x2.add(s3, f64x2.promote_low_f32x4(v128.load64_zero(x, 56)));
    }
    for (; x + 16 <= end; x += 16) {
      s0 = f64x2.add(s0, widen(x));
      s1 = f64x2.add(s1, widen(x + 8));
    }
  } else {
    for (; x + 64 <= end; x += 64) {
      s0 = f64x2.add(s0, v128.load(x));
      s1 = f64x2.add(s1, v128.load(x, 16));
      s2 = f64x2.add(s2, v128.load(x, 32));
      s3 = f64x2.add(s3, v128.load(x, 48));
    }
  }
  let sum = sumOf4(s0, s1, s2, s3);
  for (; x < end; x += sizeof<T>()) sum += <f64>load<T>(x);
  return sum;
}

/**
 * Σ (x − mean)², each difference and square rounded to T, as PyTorch's batch norm does. float32 squares go through 64 bytes at `buffer`, since two lanes
 * are widened from memory in half the time that they take from a register.
 */
export function sumSquares<T>(x: usize, n: usize, mean: T, buffer: usize): f64 {
  const end = x + n * sizeof<T>();
  const m = v128.splat<T>(mean);
  let s0 = f64x2.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  for (; x + 64 <= end; x += 64) {
    const d0 = v128.sub<T>(v128.load(x), m);
    const d1 = v128.sub<T>(v128.load(x, 16), m);
    const d2 = v128.sub<T>(v128.load(x, 32), m);
    const d3 = v128.sub<T>(v128.load(x, 48), m);
    if (sizeof<T>() === 4) {
      v128.store(buffer, v128.mul<T>(d0, d0));
      v128.store(buffer, v128.mul<T>(d1, d1), 16);
      v128.store(buffer, v128.mul<T>(d2, d2), 32);
      v128.store(buffer, v128.mul<T>(d3, d3), 48);
      s0 = f64x2.add(s0, f64x2.promote_low_f32x4(v128.load64_zero(buffer)));
      s1 = f64x2.add(s1, f64x2.promote_low_f32x4(v128.load64_zero(buffer, 8)));
      s2 = f64x2.add(s2, f64x2.promote_low_f32x4(v128.load64_zero(buffer, 16)));
      s3 = f64x2.add(s3, f64x2.promote_low_f32x4(v128.load64_zero(buffer, 24)));
      s0 = f64x2.add(s0, f64x2.promote_low_f32x4(v128.load64_zero(buffer, 32)));
      s1 = f64x2.add(s1, f64x2.promote_low_f32x4(v128.load64_zero(buffer, 40)));
      s2 = f64x2.add(s2, f64x2.promote_low_f32x4(v128.load64_zero(buffer, 48)));
      s3 = f64x2.add(s3, f64x2.promote_low_f32x4(v128.load64_zero(buffer, 56)));
    } else {
      s0 = f64x2.add(s0, v128.mul<T>(d0, d0));
      s1 = f64x2.add(s1, v128.mul<T>(d1, d1));
      s2 = f64x2.add(s2, v128.mul<T>(d2, d2));
      s3 = f64x2.add(s3, v128.mul<T>(d3, d3));
    }
  }
  for (; x + 16 <= end; x += 16) {
    let d = v128.sub<T>(v128.load(x), m);
    d = v128.mul<T>(d, d);
    if (sizeof<T>() === 4) {
      s0 = f64x2.add(s0, f64x2.promote_low_f32x4(d));
      s1 = f64x2.add(s1, widenHigh(d));
    } else {
      s0 = f64x2.add(s0, d);
    }
  }
  let sum = sumOf4(s0, s1, s2, s3);
  for (; x < end; x += sizeof<T>()) {
    const d = <T>(load<T>(x) - mean);
    sum += <f64>(<T>(d * d));
  }
  return sum;
}

/** Σ (x − mean)², all in float64. */
export function sumSquaresWide<T>(x: usize, n: usize, mean: f64): f64 {
  if (sizeof<T>() === 8) return sumSquares<f64>(x, n, mean, 0);
  const end = x + n * 4;
  const m = f64x2.splat(mean);
  let s0 = f64x2.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  for (; x + 32 <= end; x += 32) {
    let d = f64x2.sub(widen(x), m);
    s0 = madd64(d, d, s0);
    d = f64x2.sub(widen(x + 8), m);
    s1 = madd64(d, d, s1);
    d = f64x2.sub(widen(x + 16), m);
    s2 = madd64(d, d, s2);
    d = f64x2.sub(widen(x + 24), m);
    s3 = madd64(d, d, s3);
  }
  let sum = sumOf4(s0, s1, s2, s3);
  for (; x < end; x += 4) {
    const d = <f64>load<f32>(x) - mean;
    sum += d * d;
  }
  return sum;
}

function madd64(a: v128, b: v128, c: v128): v128 {
  return f64x2.add(c, f64x2.mul(a, b));
}

/** The sum of four lanes, in float64. */
function sumLanes(v: v128): f64 {
  const s = f64x2.add(f64x2.promote_low_f32x4(v), widenHigh(v));
  return f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1);
}

/** Bytes of a row whose float32 products are summed as such, 64 in each of 8 lanes, before it goes on in float64. */
export const LANE_BYTES: usize = 2048;

/** a·b + c, in one step where there is one: for gradients, whose last bits nothing depends on. */
export function madd<T>(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return v128.relaxed_madd<T>(a, b, c);
  return v128.add<T>(v128.mul<T>(a, b), c);
}

/** The sum of the lanes of two vectors, in float64. */
export function sumBoth<T>(a: v128, b: v128): f64 {
  const s = v128.add<T>(a, b);
  return sizeof<T>() === 4 ? sumLanes(s) : f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1);
}
