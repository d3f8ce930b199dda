import { fma64 } from "./fma.ts";

/**
 * Box and Muller's transform in PyTorch's CPU arithmetic: two uniform values become two normal ones,
 * `r·cos θ` and `r·sin θ` with `r = √(−2·ln u₁)`, `θ = 2π·u₂`.
 *
 * PyTorch's AVX2 build (also used on AVX-512 machines) computes float32 with Cephes's polynomials for ln, sin and cos,
 * eight lanes at a time, and the compiler contracts multiply-adds into fused ones; its build without AVX2 calls libm
 * and differs in the last bits. These functions follow the AVX2 build.
 */

const f32 = Math.fround;

// Cephes's single precision coefficients (Moshier), each rounded to float32. As single constants: read from an array, each costs a bounds check and a load.
const LOG0 = f32(7.0376836292e-2);
const LOG1 = f32(-1.151461031e-1);
const LOG2 = f32(1.167699874e-1);
const LOG3 = f32(-1.2420140846e-1);
const LOG4 = f32(1.4249322787e-1);
const LOG5 = f32(-1.6668057665e-1);
const LOG6 = f32(2.0000714765e-1);
const LOG7 = f32(-2.4999993993e-1);
const LOG8 = f32(3.3333331174e-1);
const SQRT_HALF = f32(Math.SQRT1_2);
const LN2_HIGH = 0.693359375;
const LN2_LOW = f32(-2.1219444e-4);
const FOUR_OVER_PI = f32(1.27323954473516);
const QUARTER_PI0 = 0.78515625;
const QUARTER_PI1 = 2.4187564849853516e-4;
const QUARTER_PI2 = f32(3.774894977445941e-8);
const COS0 = f32(2.443315711809948e-5);
const COS1 = f32(-1.388731625493765e-3);
const COS2 = f32(4.166664568298827e-2);
const SIN0 = f32(-1.9515295891e-4);
const SIN1 = f32(8.3321608736e-3);
const SIN2 = f32(-1.6666654611e-1);
const TWO_PI = f32(2 * Math.PI);
/** 2⁻ⁿ at n */
const HALVES = Float64Array.from({ length: 26 }, (_, n) => 2 ** -n);

/** A fused multiply-add of floats: the product is exact in float64, so rounding once to float32 is all but exact. */
function fma32(a: number, b: number, c: number): number {
  return f32(a * b + c);
}

/** ln(k·2⁻²⁴) of an integer k from 1 to 2²⁴, as Cephes's logf. */
function log24(k: number): number {
  const bits = 32 - Math.clz32(k);
  let x = k * HALVES[bits];
  let exponent = bits - 24;
  if (x < SQRT_HALF) {
    x += x;
    exponent -= 1;
  }
  x -= 1;
  const z = f32(x * x);
  let y = fma32(LOG0, x, LOG1);
  y = fma32(y, x, LOG2);
  y = fma32(y, x, LOG3);
  y = fma32(y, x, LOG4);
  y = fma32(y, x, LOG5);
  y = fma32(y, x, LOG6);
  y = fma32(y, x, LOG7);
  y = fma32(y, x, LOG8);
  y = f32(y * x);
  y = fma32(y, z, f32(exponent * LN2_LOW));
  y = fma32(-0.5, z, y);
  return fma32(exponent, LN2_HIGH, f32(x + y));
}

/** Turns 16 uniform floats from `at` on into 16 normal ones in place, as PyTorch's `normal_fill_16_AVX2`. */
export function normalBlock32(data: Float32Array, at: number, mean: number, std: number): void {
  for (let j = at; j < at + 8; j++) {
    const radius = f32(Math.sqrt(-2 * log24((1 - data[j]) * 0x1000000)));
    const theta = f32(TWO_PI * data[j + 8]);
    const octant = (f32(theta * FOUR_OVER_PI) + 1) & ~1;
    let x = fma32(-octant, QUARTER_PI0, theta);
    x = fma32(-octant, QUARTER_PI1, x);
    x = fma32(-octant, QUARTER_PI2, x);
    const z = f32(x * x);
    const c2 = fma32(fma32(COS0, z, COS1), z, COS2);
    const even = f32(fma32(f32(c2 * z), z, -0.5 * z) + 1);
    const s2 = fma32(fma32(SIN0, z, SIN1), z, SIN2);
    const odd = fma32(f32(s2 * z), x, x);
    const swapped = (octant & 2) !== 0;
    const cos = ((octant + 2) & 4) === 0 ? 1 : -1;
    const sin = (octant & 4) === 0 ? 1 : -1;
    data[j] = f32(radius * cos * (swapped ? odd : even)) * std + mean;
    data[j + 8] = f32(radius * sin * (swapped ? even : odd)) * std + mean;
  }
}

/** Turns 16 uniform doubles from `at` on into 16 normal ones in place, as PyTorch's `normal_fill_16<double>`. */
export function normalBlock64(data: Float64Array, at: number, mean: number, std: number): void {
  for (let j = at; j < at + 8; j++) {
    const radius = Math.sqrt(-2 * Math.log(1 - data[j]));
    const theta = 2 * Math.PI * data[j + 8];
    data[j] = fma64(radius * Math.cos(theta), std, mean);
    data[j + 8] = fma64(radius * Math.sin(theta), std, mean);
  }
}
