/*
 * Scalar mathematics that JavaScript lacks, in float64.
 */

/**
 * fma(a, b, c) of float32 values, rounded once to float32.
 * The product is exact in float64 (48 bits), so only the sum rounds twice: to float64, then to float32. The second
 * rounding goes
 * wrong only where the float64 sum is a midpoint of two floats and the true sum is not; then the error term of the sum
 * says which side it lies on.
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

/*
 * Where PyTorch's bits are owed, every float32 operation is rounded on its own. These two take `single` (whether to do
 * so) as an argument instead of
 * being chosen as functions: V8 inlines them, while a chosen function costs 100 ns an element once a process has used
 * both dtypes.
 */

/** x rounded to float32 if `single`. */
export function round(single: boolean, x: number): number {
  return single ? Math.fround(x) : x;
}

/**
 * a·b + c: fused and rounded to float32 if `single`; else in plain float64, which JavaScript has no fused operation
 * for.
 */
export function fma(single: boolean, a: number, b: number, c: number): number {
  return single ? fma32(a, b, c) : a * b + c;
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
 * erf and erfc: the rational Chebyshev approximations of W. J. Cody, "Rational Chebyshev approximations for the error
 * function",
 * Mathematics of Computation 23 (1969), with the coefficients published with CALERF. Relative error about 1e-16.
 */
const SMALL_P = [0.18577770618460315, 3.1611237438705655, 113.86415415105016, 377.485237685302, 3209.3775891384694];
const SMALL_Q = [1, 23.601290952344122, 244.02463793444417, 1282.6165260773723, 2844.236833439171];
const MIDDLE_P = [
  2.1531153547440383e-8, 0.5641884969886701, 8.883149794388377, 66.11919063714163, 298.6351381974001, 881.952221241769,
  1712.0476126340707, 2051.0783778260716, 1230.3393547979972,
];
const MIDDLE_Q = [
  1, 15.744926110709835, 117.6939508913125, 537.1811018620099, 1621.3895745666903, 3290.7992357334597,
  4362.619090143247, 3439.3676741437216, 1230.3393548037495,
];
const LARGE_P = [
  0.016315387137302097, 0.30532663496123236, 0.36034489994980445, 0.12578172611122926, 0.016083785148742275,
  0.0006587491615298378,
];
const LARGE_Q = [
  1, 2.568520192289822, 1.8729528499234673, 0.5279051029514285, 0.06051834131244132, 0.0023352049762686918,
];
const INV_SQRT_PI = 0.5641895835477563;

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
  if (Number.isNaN(x)) return x;
  return x > 0 ? 1 - erfcTail(size) : erfcTail(size) - 1;
}

/** 1 − erf(x) without cancellation. */
export function erfc(x: number): number {
  if (Math.abs(x) <= 0.46875) return 1 - erf(x);
  if (Number.isNaN(x)) return x;
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
