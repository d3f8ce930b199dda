/*
 * Vector mathematics. Functions of v128 take four float32 (no suffix) or two float64 (F64). The float64 ones serve
 * float32 kernels: their relative error is below 1e-9, so that what they give, rounded to float32, is within 0.51 units in the
 * last place of the true value.
 *
 * Constants lie in memory, because V8 builds a vector constant with four instructions at each use and loads a broadcast number
 * with one: e^x takes 1.0 ns that way, and 1.6 the other.
 */

const EXP_LOWEST_F32 = memory.data<f32>([-104]);
const EXP_HIGHEST_F32 = memory.data<f32>([89]);
const MAGIC_F32 = memory.data<f32>([12582912]);
const LOG2E_F32 = memory.data<f32>([1.44269504]);
const LN2_LOW = memory.data<f32>([-2.1219444e-4]);
const LN2_HIGH = memory.data<f32>([0.693359375]);
const ONE_F32 = memory.data<f32>([1]);
const BIAS_F32 = memory.data<f32>([reinterpret<f32>(127)]);
const BIAS_F64 = memory.data<f64>([reinterpret<f64>(1023 << 52)]);
const EXP_LOWEST = memory.data<f64>([-709]);
const EXP_HIGHEST = memory.data<f64>([709.9]);
export const LOG2E = memory.data<f64>([1.4426950408889634]);
/** 1.5·2^52, and 1.5·2^23 above: added to a small number they round to an integer and leave it in the low bits. */
const MAGIC_F64 = memory.data<f64>([6755399441055744]);
const LN2 = memory.data<f64>([0.6931471805599453]);
export const ONE = memory.data<f64>([1]);
const EXPM1_HIGHEST = memory.data<f64>([100]);
const INFINITY = memory.data<f64>([Infinity]);
const BITS_OF_2_52 = memory.data<f64>([reinterpret<f64>(0x4330000000000000)]);
const OFFSET = memory.data<f64>([4503599627370496 + 1023]);
const MANTISSA = memory.data<f64>([reinterpret<f64>(0x000fffffffffffff)]);
const SQRT2 = memory.data<f64>([1.4142135623730951]);
const HALF = memory.data<f64>([0.5]);
const MINUS_TWENTY = memory.data<f64>([-20]);
const TWENTY = memory.data<f64>([20]);
const TWO = memory.data<f64>([2]);
const MINUS_HALF = memory.data<f64>([-0.5]);
const FOUR = memory.data<f64>([4]);
const SIXTEEN = memory.data<f64>([16]);
const QUARTER = memory.data<f64>([0.25]);
const GELU_CUBIC = memory.data<f64>([0.044715]);
const GELU_SLOPE = memory.data<f64>([-1.5957691216057308]);

/** The float32 at an address, in four lanes. */
export function splat32(constant: usize): v128 {
  return v128.load32_splat(constant);
}

/** The float64 at an address, in two lanes. */
export function splat64(constant: usize): v128 {
  return v128.load64_splat(constant);
}

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

/** The polynomial of EXP, highest power first. */
const EXP = memory.data<f32>([
  0.0013926177501010365, 0.00836317418011074, 0.041666554653757494, 0.16666577018959405, 0.5,
]);

/** e^x of four float32, within 1 unit in the last place, denormal results included. V8 inlines no WebAssembly functions, and the call would take a sixth of its time. */
// @inline
export function exp(x: v128): v128 {
  // Beyond these limits the result is 0 or infinity. pmax and pmin keep a NaN in their first operand.
  x = f32x4.pmin(f32x4.pmax(x, splat32(EXP_LOWEST_F32)), splat32(EXP_HIGHEST_F32));
  // Adding the magic number rounds to an integer and leaves it in the low bits.
  const magic = splat32(MAGIC_F32);
  const t = madd<f32>(x, splat32(LOG2E_F32), magic);
  const n = f32x4.sub(t, magic);
  // ln 2 in two parts, the first of 10 bits, so that its product with n is exact.
  const r = nmadd<f32>(n, splat32(LN2_LOW), nmadd<f32>(n, splat32(LN2_HIGH), x));
  let y = splat32(EXP);
  y = madd<f32>(y, r, splat32(EXP + 4));
  y = madd<f32>(y, r, splat32(EXP + 8));
  y = madd<f32>(y, r, splat32(EXP + 12));
  y = madd<f32>(y, r, splat32(EXP + 16));
  y = f32x4.add(madd<f32>(y, f32x4.mul(r, r), r), splat32(ONE_F32));
  // 2^n as a product of two halves: n reaches −150 and 128, beyond one exponent.
  const k = i32x4.sub(t, magic);
  const half = i32x4.shr_s(k, 1);
  const bias = splat32(BIAS_F32);
  const scale1 = i32x4.shl(i32x4.add(half, bias), 23);
  const scale2 = i32x4.shl(i32x4.add(i32x4.sub(k, half), bias), 23);
  return f32x4.mul(f32x4.mul(y, scale1), scale2);
}

/** The same for −87 <= x <= 0, to the bit: 2^n is added to the exponent. */
// @inline
function expNear(x: v128): v128 {
  const magic = splat32(MAGIC_F32);
  const t = madd<f32>(x, splat32(LOG2E_F32), magic);
  const n = f32x4.sub(t, magic);
  const r = nmadd<f32>(n, splat32(LN2_LOW), nmadd<f32>(n, splat32(LN2_HIGH), x));
  let y = splat32(EXP);
  y = madd<f32>(y, r, splat32(EXP + 4));
  y = madd<f32>(y, r, splat32(EXP + 8));
  y = madd<f32>(y, r, splat32(EXP + 12));
  y = madd<f32>(y, r, splat32(EXP + 16));
  y = f32x4.add(madd<f32>(y, f32x4.mul(r, r), r), splat32(ONE_F32));
  // The magic number's low bits are zeros.
  return i32x4.add(y, i32x4.shl(t, 23));
}

/** 1 / (1 + e^−x) of four float32, within 2 units in the last place on both sides. */
export function sigmoid(x: v128): v128 {
  const one = splat32(ONE_F32);
  const low = v128.or(x, f32x4.splat(-0.0));
  let e: v128;
  // NaN, or where e^x is denormal, are not.
  if (i32x4.bitmask(f32x4.ge(low, f32x4.splat(-87))) === 15) e = expNear(low);
  else e = exp(low);
  return f32x4.div(v128.bitselect(e, one, f32x4.lt(x, f32x4.splat(0))), f32x4.add(one, e));
}

/** The polynomial of EXPM1_RATIO, highest power first. */
const EXPM1_RATIO = memory.data<f64>([
  2.4867872634522084e-5, 0.00019907571766911045, 0.001388883910688638, 0.008333283535021089, 0.04166666678627901,
  0.16666666786321874, 0.499999999999551, 0.9999999999955084,
]);

/** (e^r − 1) / r for |r| <= ln 2 / 2 */
function expm1Ratio(r: v128): v128 {
  let y = splat64(EXPM1_RATIO);
  y = madd<f64>(y, r, splat64(EXPM1_RATIO + 8));
  y = madd<f64>(y, r, splat64(EXPM1_RATIO + 16));
  y = madd<f64>(y, r, splat64(EXPM1_RATIO + 24));
  y = madd<f64>(y, r, splat64(EXPM1_RATIO + 32));
  y = madd<f64>(y, r, splat64(EXPM1_RATIO + 40));
  y = madd<f64>(y, r, splat64(EXPM1_RATIO + 48));
  return madd<f64>(y, r, splat64(EXPM1_RATIO + 56));
}

/** 2^n from MAGIC_F64 + n: 0 at n = −1023, infinity at n = 1024 */
function powerOfTwo(t: v128): v128 {
  return i64x2.add(i64x2.shl(t, 52), splat64(BIAS_F64));
}

/** e^x, exactly 0 below −709 and infinity above 709.5 */
export function expF64(x: v128): v128 {
  x = f64x2.pmin(f64x2.pmax(x, splat64(EXP_LOWEST)), splat64(EXP_HIGHEST));
  const t = f64x2.add(f64x2.mul(x, splat64(LOG2E)), splat64(MAGIC_F64));
  const r = nmadd<f64>(f64x2.sub(t, splat64(MAGIC_F64)), splat64(LN2), x);
  return f64x2.mul(powerOfTwo(t), madd<f64>(expm1Ratio(r), r, splat64(ONE)));
}

/** e^x − 1 with a small relative error near 0 too; x above 100 counts as 100 */
export function expm1F64(x: v128): v128 {
  x = f64x2.pmin(f64x2.pmax(x, splat64(EXP_LOWEST)), splat64(EXPM1_HIGHEST));
  const t = f64x2.add(f64x2.mul(x, splat64(LOG2E)), splat64(MAGIC_F64));
  const r = nmadd<f64>(f64x2.sub(t, splat64(MAGIC_F64)), splat64(LN2), x);
  const scale = powerOfTwo(t);
  return madd<f64>(scale, f64x2.mul(expm1Ratio(r), r), f64x2.sub(scale, splat64(ONE)));
}

/** The polynomial of LOG, highest power first. */
const LOG = memory.data<f64>([
  0.23616988018825041, 0.2853501866115047, 0.4000038518245024, 0.6666666524498865, 2.0000000000083777,
]);

/** The natural logarithm of normal numbers, 0, infinity and NaN; NaN below 0 */
export function logF64(x: v128): v128 {
  const infinity = splat64(INFINITY);
  const one = splat64(ONE);
  // x = m·2^e with m in (√½, √2]. The exponent's bits under those of 2^52 are the number 2^52 + exponent.
  let e = f64x2.sub(v128.or(i64x2.shr_u(x, 52), splat64(BITS_OF_2_52)), splat64(OFFSET));
  let m = v128.or(v128.and(x, splat64(MANTISSA)), one);
  const large = f64x2.gt(m, splat64(SQRT2));
  m = v128.bitselect(f64x2.mul(m, splat64(HALF)), m, large);
  e = f64x2.add(e, v128.and(large, one));
  // log m = 2 artanh s
  const s = f64x2.div(f64x2.sub(m, one), f64x2.add(m, one));
  const u = f64x2.mul(s, s);
  let y = splat64(LOG);
  y = madd<f64>(y, u, splat64(LOG + 8));
  y = madd<f64>(y, u, splat64(LOG + 16));
  y = madd<f64>(y, u, splat64(LOG + 24));
  y = madd<f64>(y, u, splat64(LOG + 32));
  y = madd<f64>(e, splat64(LN2), f64x2.mul(y, s));
  y = v128.bitselect(infinity, y, f64x2.eq(x, infinity));
  y = v128.bitselect(f64x2.neg(infinity), y, f64x2.eq(x, f64x2.splat(0)));
  return v128.or(y, v128.not(f64x2.ge(x, f64x2.splat(0))));
}

/** log(1 + x) */
export function log1pF64(x: v128): v128 {
  const one = splat64(ONE);
  const y = f64x2.add(one, x);
  // What rounding took from y; NaN, and then nothing, at x = −1 and infinity.
  const lost = f64x2.div(f64x2.sub(x, f64x2.sub(y, one)), y);
  return f64x2.add(logF64(y), v128.and(lost, f64x2.eq(lost, lost)));
}

/** tanh x */
export function tanhF64(x: v128): v128 {
  const t = expm1F64(f64x2.mul(f64x2.pmin(f64x2.pmax(x, splat64(MINUS_TWENTY)), splat64(TWENTY)), splat64(TWO)));
  return f64x2.div(t, f64x2.add(t, splat64(TWO)));
}

/** e^(−x²/2) */
export function gaussF64(x: v128): v128 {
  return expF64(f64x2.mul(f64x2.mul(x, x), splat64(MINUS_HALF)));
}

/** The polynomial of NORMAL, highest power first. */
const NORMAL = memory.data<f64>([
  1.5655059008067602e-5, -1.379291188345168e-5, -0.0002172362001544952, 0.00014510292186634943, 0.001627069211485075,
  -0.0034837762307856302, -0.007539769432979219, 0.060397165151932206, -0.1865218768351089, 0.38713737031227474,
  -0.6078966416115774, 0.7552851306685519,
]);

/**
 * Φ(x), the normal distribution function, given gauss = e^(−x²/2): small in relative error on the left too. With z = |x|,
 * Φ(−z)·e^(z²/2)·(z + 4) is a polynomial in (z − 4) / (z + 4).
 */
export function normalF64(x: v128, gauss: v128): v128 {
  const four = splat64(FOUR);
  const one = splat64(ONE);
  const z = f64x2.pmin(f64x2.abs(x), splat64(SIXTEEN));
  const w = f64x2.div(one, f64x2.add(z, four));
  const t = f64x2.mul(f64x2.sub(z, four), w);
  let y = splat64(NORMAL);
  y = madd<f64>(y, t, splat64(NORMAL + 8));
  y = madd<f64>(y, t, splat64(NORMAL + 16));
  y = madd<f64>(y, t, splat64(NORMAL + 24));
  y = madd<f64>(y, t, splat64(NORMAL + 32));
  y = madd<f64>(y, t, splat64(NORMAL + 40));
  y = madd<f64>(y, t, splat64(NORMAL + 48));
  y = madd<f64>(y, t, splat64(NORMAL + 56));
  y = madd<f64>(y, t, splat64(NORMAL + 64));
  y = madd<f64>(y, t, splat64(NORMAL + 72));
  y = madd<f64>(y, t, splat64(NORMAL + 80));
  y = madd<f64>(y, t, splat64(NORMAL + 88));
  const tail = f64x2.mul(f64x2.mul(y, w), gauss);
  return v128.bitselect(tail, f64x2.sub(one, tail), f64x2.lt(x, f64x2.splat(0)));
}

/** The polynomial of ERF, highest power first. */
const ERF = memory.data<f64>([
  0.005092303331184156, -0.02685900254153766, 0.11283775703493175, -0.3761263877855361, 1.128379167093955,
]);

/** erf x = 2Φ(√2·x) − 1, and a series near 0 */
export function erfF64(x: v128): v128 {
  const u = f64x2.mul(x, x);
  let y = splat64(ERF);
  y = madd<f64>(y, u, splat64(ERF + 8));
  y = madd<f64>(y, u, splat64(ERF + 16));
  y = madd<f64>(y, u, splat64(ERF + 24));
  y = madd<f64>(y, u, splat64(ERF + 32));
  const far = f64x2.mul(x, splat64(SQRT2));
  const twice = f64x2.mul(normalF64(far, gaussF64(far)), splat64(TWO));
  return v128.bitselect(f64x2.mul(y, x), f64x2.sub(twice, splat64(ONE)), f64x2.lt(f64x2.abs(x), splat64(QUARTER)));
}

/** What geluTanh multiplies x with: ½(1 + tanh u) = 1 / (1 + e^−2u), u = √(2/π)·(x + 0.044715·x³) */
export function geluSigmoid(x: v128): v128 {
  const one = splat64(ONE);
  const cubic = f64x2.add(f64x2.mul(f64x2.mul(x, x), splat64(GELU_CUBIC)), one);
  const e = expF64(f64x2.mul(f64x2.mul(x, cubic), splat64(GELU_SLOPE)));
  return f64x2.div(one, f64x2.add(one, e));
}
