import fc from "fast-check";
import { expect, test } from "vitest";
import { erf, erfc, fma32, normalCdf, roundHalfEven } from "../../src/kernels/reference/math.ts";

const f32 = (x: number) => Math.fround(x);
const bits = new DataView(new ArrayBuffer(4));

function floatOf(pattern: number): number {
  bits.setUint32(0, pattern);
  return bits.getFloat32(0);
}

/** A finite float64 as a multiple of 2⁻³⁰⁰, exactly. Floats and products of floats are such multiples. */
function exact(x: number): bigint {
  let [mantissa, power] = [x, 300];
  while (!Number.isInteger(mantissa)) {
    mantissa *= 2;
    power--;
  }
  return BigInt(mantissa) << BigInt(power);
}

/** The exact a·b + c, rounded once to the nearest of the floats around an estimate, ties to even. */
function exactFma(a: number, b: number, c: number): number {
  const sum = exact(a * b) + exact(c);
  const estimate = f32(a * b + c);
  bits.setFloat32(0, estimate);
  const pattern = bits.getUint32(0);
  const candidates = [pattern, pattern + 1, pattern - 1].map(floatOf).filter(Number.isFinite);
  const distance = (x: number) => {
    const d = exact(x) - sum;
    return d < 0n ? -d : d;
  };
  const even = (x: number) => {
    bits.setFloat32(0, x);
    return (bits.getUint32(0) & 1) === 0;
  };
  return candidates.reduce((best, x) => {
    const [d, e] = [distance(x), distance(best)];
    return d < e || (d === e && even(x)) ? x : best;
  });
}

test("fma32 against exact integers", () => {
  const float = fc.float({ noNaN: true, noDefaultInfinity: true, min: f32(-1e15), max: f32(1e15) });
  fc.assert(
    fc.property(float, float, float, (a, b, c) => {
      if (a * b + c === 0) return;
      expect(fma32(a, b, c)).toBe(exactFma(a, b, c));
    }),
    { numRuns: 2000 },
  );
});

test("fma32 is rounded once, where rounding to float64 first goes wrong", () => {
  // (1 + 2⁻²³)(1 − 2⁻²³) = 1 − 2⁻⁴⁶. Beside c = 2²⁴ + 2m, 1 is half a unit in the last place and float64 drops the 2⁻⁴⁶ that decides.
  const [a, b] = [1 + 2 ** -23, 1 - 2 ** -23];
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2 ** 23 - 1 }),
      fc.integer({ min: -60, max: 60 }),
      fc.boolean(),
      (m, power, minus) => {
        const c = (2 ** 24 + 2 * m) * 2 ** power;
        const scaled = (minus ? -b : b) * 2 ** power;
        expect(fma32(a, scaled, c)).toBe(c);
        expect(fma32(a, scaled, c)).toBe(exactFma(a, scaled, c));
        if (m % 2 === 1) expect(f32(a * scaled + c)).not.toBe(c);
      },
    ),
    { numRuns: 500 },
  );
});

test("fma32 of infinities, NaN and overflow", () => {
  expect(fma32(Infinity, 1, 1)).toBe(Infinity);
  expect(fma32(Infinity, 0, 1)).toBeNaN();
  expect(fma32(f32(3e38), 2, 0)).toBe(Infinity);
  expect(fma32(f32(3e38), 2, f32(-3.4e38))).toBe(f32(2 * f32(3e38) + f32(-3.4e38)));
});

test.each([
  [0.3, 0.3286267594591274],
  [0.5, 0.5204998778130465],
  [1, 0.8427007929497149],
  [2, 0.9953222650189527],
  [4.5, 0.9999999998033839],
])("erf(%d)", (x, value) => {
  expect(Math.abs(erf(x) / value - 1)).toBeLessThan(5e-16);
  expect(erf(-x)).toBe(-erf(x));
});

test.each([
  [0.6, 0.3961439091520741],
  [3, 2.209049699858544e-5],
  [10, 2.088487583762545e-45],
  [26, 5.663192408856143e-296],
])("erfc(%d) keeps its relative precision", (x, value) => {
  expect(Math.abs(erfc(x) / value - 1)).toBeLessThan(1e-15);
  expect(erfc(-x)).toBe(2 - value);
});

test("the ends of erf and of the normal distribution", () => {
  expect([erf(Infinity), erf(-Infinity), erfc(Infinity), erfc(-Infinity), erf(0)]).toEqual([1, -1, 0, 2, 0]);
  expect(erf(Number.NaN)).toBeNaN();
  expect(erfc(Number.NaN)).toBeNaN();
  expect([normalCdf(0), normalCdf(Infinity), normalCdf(-Infinity)]).toEqual([0.5, 1, 0]);
  expect(Math.abs(normalCdf(-20) / 2.753624118606234e-89 - 1)).toBeLessThan(1e-13);
});

test("halves round to even, and zeros keep their sign", () => {
  expect([-2.5, -1.5, 0.5, 1.5, 2.5, 4503599627370495.5].map(roundHalfEven)).toEqual([
    -2, -2, 0, 2, 2, 4503599627370496,
  ]);
  expect(roundHalfEven(-0.5)).toBe(-0);
  expect(roundHalfEven(-0.2)).toBe(-0);
});
