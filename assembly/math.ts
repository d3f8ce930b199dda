/*
 * Vector mathematics. Functions of v128 take four float32 (no suffix) or two float64 (F64). The float64 ones serve
 * float32 kernels: their relative error is below 1e-9, so that what they give, rounded to float32, is within 0.51 units in the
 * last place of the true value.
 */

/** a·b + c: one instruction and one rounding in the relaxed build, two of each in the base build. */
export function madd<T>(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return v128.relaxed_madd<T>(a, b, c);
  return v128.add<T>(v128.mul<T>(a, b), c);
}

/** c − a·b, likewise. */
export function nmadd<T>(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return v128.relaxed_nmadd<T>(a, b, c);
  return v128.sub<T>(c, v128.mul<T>(a, b));
}

/** Lanes 0 and 1 of four float32, as float64. */
export function lowF64(v: v128): v128 {
  return f64x2.promote_low_f32x4(v);
}

/** Lanes 2 and 3 of four float32, as float64. */
export function highF64(v: v128): v128 {
  return f64x2.promote_low_f32x4(v128.shuffle<i64>(v, v, 1, 0));
}

/** Four float64 rounded to float32. */
export function joinF32(low: v128, high: v128): v128 {
  return v128.shuffle<i64>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2);
}

/** The sum of two float64 lanes. */
export function sumF64(v: v128): f64 {
  return f64x2.extract_lane(v, 0) + f64x2.extract_lane(v, 1);
}

/** e^x of four float32, within 1 unit in the last place, denormal results included. */
export function exp(x: v128): v128 {
  // Beyond these limits the result is 0 or infinity. pmax and pmin keep a NaN in their first operand.
  x = f32x4.pmin(f32x4.pmax(x, f32x4.splat(-104)), f32x4.splat(89));
  // Adding 1.5·2^23 rounds to an integer and leaves it in the low bits.
  const magic = f32x4.splat(12582912);
  const t = madd<f32>(x, f32x4.splat(1.44269504), magic);
  const n = f32x4.sub(t, magic);
  // ln 2 in two parts, the first of 10 bits, so that its product with n is exact.
  const r = nmadd<f32>(n, f32x4.splat(-2.1219444e-4), nmadd<f32>(n, f32x4.splat(0.693359375), x));
  let y = f32x4.splat(0.0013926177501010365);
  y = madd<f32>(y, r, f32x4.splat(0.00836317418011074));
  y = madd<f32>(y, r, f32x4.splat(0.041666554653757494));
  y = madd<f32>(y, r, f32x4.splat(0.16666577018959405));
  y = madd<f32>(y, r, f32x4.splat(0.5));
  y = f32x4.add(madd<f32>(y, f32x4.mul(r, r), r), f32x4.splat(1));
  // 2^n as a product of two halves: n reaches −150 and 128, beyond one exponent.
  const k = i32x4.sub(t, magic);
  const half = i32x4.shr_s(k, 1);
  const bias = i32x4.splat(127);
  const scale1 = i32x4.shl(i32x4.add(half, bias), 23);
  const scale2 = i32x4.shl(i32x4.add(i32x4.sub(k, half), bias), 23);
  return f32x4.mul(f32x4.mul(y, scale1), scale2);
}

/** 1 / (1 + e^−x) of four float32, within 2 units in the last place on both sides. */
export function sigmoid(x: v128): v128 {
  const one = f32x4.splat(1);
  const e = exp(f32x4.neg(f32x4.abs(x)));
  return f32x4.div(v128.bitselect(e, one, f32x4.lt(x, f32x4.splat(0))), f32x4.add(one, e));
}

/** 1.5·2^52: added to a small number it rounds to an integer and leaves it in the low bits. */
const MAGIC: f64 = 6755399441055744;

/** (e^r − 1) / r for |r| <= ln 2 / 2 */
function expm1Ratio(r: v128): v128 {
  let y = f64x2.splat(2.4867872634522084e-5);
  y = madd<f64>(y, r, f64x2.splat(0.00019907571766911045));
  y = madd<f64>(y, r, f64x2.splat(0.001388883910688638));
  y = madd<f64>(y, r, f64x2.splat(0.008333283535021089));
  y = madd<f64>(y, r, f64x2.splat(0.04166666678627901));
  y = madd<f64>(y, r, f64x2.splat(0.16666666786321874));
  y = madd<f64>(y, r, f64x2.splat(0.499999999999551));
  return madd<f64>(y, r, f64x2.splat(0.9999999999955084));
}

/** 2^n from MAGIC + n: 0 at n = −1023, infinity at n = 1024 */
function powerOfTwo(t: v128): v128 {
  return i64x2.add(i64x2.shl(t, 52), i64x2.splat(1023 << 52));
}

/** e^x, exactly 0 below −709 and infinity above 709.5 */
export function expF64(x: v128): v128 {
  x = f64x2.pmin(f64x2.pmax(x, f64x2.splat(-709)), f64x2.splat(709.9));
  const t = f64x2.add(f64x2.mul(x, f64x2.splat(1.4426950408889634)), f64x2.splat(MAGIC));
  const r = nmadd<f64>(f64x2.sub(t, f64x2.splat(MAGIC)), f64x2.splat(0.6931471805599453), x);
  return f64x2.mul(powerOfTwo(t), madd<f64>(expm1Ratio(r), r, f64x2.splat(1)));
}

/** e^x − 1 with a small relative error near 0 too; x above 100 counts as 100 */
export function expm1F64(x: v128): v128 {
  x = f64x2.pmin(f64x2.pmax(x, f64x2.splat(-709)), f64x2.splat(100));
  const t = f64x2.add(f64x2.mul(x, f64x2.splat(1.4426950408889634)), f64x2.splat(MAGIC));
  const r = nmadd<f64>(f64x2.sub(t, f64x2.splat(MAGIC)), f64x2.splat(0.6931471805599453), x);
  const scale = powerOfTwo(t);
  return madd<f64>(scale, f64x2.mul(expm1Ratio(r), r), f64x2.sub(scale, f64x2.splat(1)));
}

/** The natural logarithm of normal numbers, 0, infinity and NaN; NaN below 0 */
export function logF64(x: v128): v128 {
  const infinity = f64x2.splat(Infinity);
  const one = f64x2.splat(1);
  // x = m·2^e with m in (√½, √2]. The exponent's bits under those of 2^52 are the number 2^52 + exponent.
  let e = f64x2.sub(v128.or(i64x2.shr_u(x, 52), i64x2.splat(0x4330000000000000)), f64x2.splat(4503599627370496 + 1023));
  let m = v128.or(v128.and(x, i64x2.splat(0x000fffffffffffff)), one);
  const large = f64x2.gt(m, f64x2.splat(1.4142135623730951));
  m = v128.bitselect(f64x2.mul(m, f64x2.splat(0.5)), m, large);
  e = f64x2.add(e, v128.and(large, one));
  // log m = 2 artanh s
  const s = f64x2.div(f64x2.sub(m, one), f64x2.add(m, one));
  const u = f64x2.mul(s, s);
  let y = f64x2.splat(0.23616988018825041);
  y = madd<f64>(y, u, f64x2.splat(0.2853501866115047));
  y = madd<f64>(y, u, f64x2.splat(0.4000038518245024));
  y = madd<f64>(y, u, f64x2.splat(0.6666666524498865));
  y = madd<f64>(y, u, f64x2.splat(2.0000000000083777));
  y = madd<f64>(e, f64x2.splat(0.6931471805599453), f64x2.mul(y, s));
  y = v128.bitselect(infinity, y, f64x2.eq(x, infinity));
  y = v128.bitselect(f64x2.neg(infinity), y, f64x2.eq(x, f64x2.splat(0)));
  return v128.or(y, v128.not(f64x2.ge(x, f64x2.splat(0))));
}

/** log(1 + x) */
export function log1pF64(x: v128): v128 {
  const one = f64x2.splat(1);
  const y = f64x2.add(one, x);
  // What rounding took from y; NaN, and then nothing, at x = −1 and infinity.
  const lost = f64x2.div(f64x2.sub(x, f64x2.sub(y, one)), y);
  return f64x2.add(logF64(y), v128.and(lost, f64x2.eq(lost, lost)));
}

/** tanh x */
export function tanhF64(x: v128): v128 {
  const t = expm1F64(f64x2.mul(f64x2.pmin(f64x2.pmax(x, f64x2.splat(-20)), f64x2.splat(20)), f64x2.splat(2)));
  return f64x2.div(t, f64x2.add(t, f64x2.splat(2)));
}

/** e^(−x²/2) */
export function gaussF64(x: v128): v128 {
  return expF64(f64x2.mul(f64x2.mul(x, x), f64x2.splat(-0.5)));
}

/**
 * Φ(x), the normal distribution function, given gauss = e^(−x²/2): small in relative error on the left too. With z = |x|,
 * Φ(−z)·e^(z²/2)·(z + 4) is a polynomial in (z − 4) / (z + 4).
 */
export function normalF64(x: v128, gauss: v128): v128 {
  const four = f64x2.splat(4);
  const one = f64x2.splat(1);
  const z = f64x2.pmin(f64x2.abs(x), f64x2.splat(16));
  const w = f64x2.div(one, f64x2.add(z, four));
  const t = f64x2.mul(f64x2.sub(z, four), w);
  let y = f64x2.splat(1.5655059008067602e-5);
  y = madd<f64>(y, t, f64x2.splat(-1.379291188345168e-5));
  y = madd<f64>(y, t, f64x2.splat(-0.0002172362001544952));
  y = madd<f64>(y, t, f64x2.splat(0.00014510292186634943));
  y = madd<f64>(y, t, f64x2.splat(0.001627069211485075));
  y = madd<f64>(y, t, f64x2.splat(-0.0034837762307856302));
  y = madd<f64>(y, t, f64x2.splat(-0.007539769432979219));
  y = madd<f64>(y, t, f64x2.splat(0.060397165151932206));
  y = madd<f64>(y, t, f64x2.splat(-0.1865218768351089));
  y = madd<f64>(y, t, f64x2.splat(0.38713737031227474));
  y = madd<f64>(y, t, f64x2.splat(-0.6078966416115774));
  y = madd<f64>(y, t, f64x2.splat(0.7552851306685519));
  const tail = f64x2.mul(f64x2.mul(y, w), gauss);
  return v128.bitselect(tail, f64x2.sub(one, tail), f64x2.lt(x, f64x2.splat(0)));
}

/** erf x = 2Φ(√2·x) − 1, and a series near 0 */
export function erfF64(x: v128): v128 {
  const u = f64x2.mul(x, x);
  let y = f64x2.splat(0.005092303331184156);
  y = madd<f64>(y, u, f64x2.splat(-0.02685900254153766));
  y = madd<f64>(y, u, f64x2.splat(0.11283775703493175));
  y = madd<f64>(y, u, f64x2.splat(-0.3761263877855361));
  y = madd<f64>(y, u, f64x2.splat(1.128379167093955));
  const far = f64x2.mul(x, f64x2.splat(1.4142135623730951));
  const twice = f64x2.mul(normalF64(far, gaussF64(far)), f64x2.splat(2));
  return v128.bitselect(f64x2.mul(y, x), f64x2.sub(twice, f64x2.splat(1)), f64x2.lt(f64x2.abs(x), f64x2.splat(0.25)));
}

/** What geluTanh multiplies x with: ½(1 + tanh u) = 1 / (1 + e^−2u), u = √(2/π)·(x + 0.044715·x³) */
export function geluSigmoid(x: v128): v128 {
  const one = f64x2.splat(1);
  const cubic = f64x2.add(f64x2.mul(f64x2.mul(x, x), f64x2.splat(0.044715)), one);
  const e = expF64(f64x2.mul(f64x2.mul(x, cubic), f64x2.splat(-1.5957691216057308)));
  return f64x2.div(one, f64x2.add(one, e));
}
