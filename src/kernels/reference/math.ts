import type { FloatDType } from "../dtype.ts";

/*
 * Scalar mathematics that JavaScript lacks, in float64.
 */

/**
 * fma(a, b, c) of float32 values, rounded once to float32.
 * The product is exact in float64 (48 bits), so only the sum rounds twice: to float64, then to float32. The second rounding goes
 * wrong only where the float64 sum is a midpoint of two floats and the true sum is not; then the error term of the sum says which side it lies on.
 */
export function fma32(a: number, b: number, c: number): number {
  const product = a * b;
  const sum = product + c;
  const rounded = Math.fround(sum);
  const rest = sum - rounded;
  if (rest === 0) return rounded;
  // The float on the other side of the sum, if the sum is a midpoint; no float at all (or NaN) otherwise.
  const other = rounded + 2 * rest;
  if (Math.fround(other) !== other) return rounded;
  const part = sum - product;
  const error = product - (sum - part) + (c - part);
  return error !== 0 && error > 0 === rest > 0 ? other : rounded;
}

/** Rounds to the dtype: where PyTorch's bits are owed, every float32 operation is rounded on its own. */
export function rounder(dtype: FloatDType): (x: number) => number {
  return dtype === "float32" ? Math.fround : (x) => x;
}

/** a·b + c in float64, not fused: JavaScript has no fused one, and only float32 results are matched to the bit. */
export function mulAdd(a: number, b: number, c: number): number {
  return a * b + c;
}

/** Rounds half to even, as torch.round; keeps the sign of zero. */
export function roundHalfEven(x: number): number {
  const rounded = Math.round(x);
  return Math.abs(x - Math.trunc(x)) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/** x ** p as in C: 1 to any power is 1, and so is −1 to an infinite one, where JavaScript has NaN. */
export function pow(x: number, p: number): number {
  if (x === 1 || (x === -1 && Math.abs(p) === Infinity)) return 1;
  return x ** p;
}

export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/*
 * erf and erfc: the rational Chebyshev approximations of W. J. Cody, "Rational Chebyshev approximations for the error function",
 * Mathematics of Computation 23 (1969), with the coefficients published with CALERF. Relative error about 1e-16.
 */
const SMALL_P = [
  1.85777706184603153e-1, 3.1611237438705656, 1.13864154151050156e2, 3.77485237685302021e2, 3.20937758913846947e3,
];
const SMALL_Q = [1, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3];
const MIDDLE_P = [
  2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1, 2.98635138197400131e2,
  8.8195222124176909e2, 1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3,
];
const MIDDLE_Q = [
  1, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3, 3.29079923573345963e3,
  4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3,
];
const LARGE_P = [
  1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1,
  1.60837851487422766e-2, 6.58749161529837803e-4,
];
const LARGE_Q = [
  1, 2.56852019228982242, 1.87295284992346725, 5.27905102951428412e-1, 6.05183413124413191e-2, 2.33520497626869185e-3,
];
const INV_SQRT_PI = 0.56418958354775628695;

/** Horner's rule, highest power first. */
function polynomial(coefficients: readonly number[], x: number): number {
  let value = 0;
  for (let i = 0; i < coefficients.length; i++) value = value * x + coefficients[i];
  return value;
}

function ratio(p: readonly number[], q: readonly number[], x: number): number {
  return polynomial(p, x) / polynomial(q, x);
}

/** erfc for x > 0.46875. */
function erfcTail(x: number): number {
  if (x > 27) return 0;
  let scaled: number;
  if (x <= 4) {
    scaled = ratio(MIDDLE_P, MIDDLE_Q, x);
  } else {
    const z = 1 / (x * x);
    scaled = (INV_SQRT_PI - z * ratio(LARGE_P, LARGE_Q, z)) / x;
  }
  // exp(−x²) from a short head whose square is exact: rounding x² itself would cost x² units in the last place.
  const head = Math.trunc(x * 16) / 16;
  return Math.exp(-head * head) * Math.exp(-(x - head) * (x + head)) * scaled;
}

/** The error function 2/√π ∫₀ˣ exp(−t²) dt. */
export function erf(x: number): number {
  const size = Math.abs(x);
  if (size <= 0.46875) return x * ratio(SMALL_P, SMALL_Q, x * x);
  if (x !== x) return x;
  return x > 0 ? 1 - erfcTail(size) : erfcTail(size) - 1;
}

/** 1 − erf(x) without cancellation. */
export function erfc(x: number): number {
  if (Math.abs(x) <= 0.46875) return 1 - erf(x);
  if (x !== x) return x;
  return x > 0 ? erfcTail(x) : 2 - erfcTail(-x);
}

/** Φ(x), the normal distribution function, accurate in both tails. */
export function normalCdf(x: number): number {
  return 0.5 * erfc(-x * Math.SQRT1_2);
}

/** φ(x), the normal density. */
export function normalPdf(x: number): number {
  return Math.exp(-0.5 * x * x) * (INV_SQRT_PI * Math.SQRT1_2);
}
