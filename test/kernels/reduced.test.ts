import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ReducedDType } from "../../src/kernels/dtype.ts";
import { heap } from "../../src/kernels/heap.ts";
import { bitsOf } from "../../src/tensor/dtype.ts";
import { tested } from "./both.ts";

/* The conversions against the formats' definitions, in arithmetic on numbers rather than on bits. */

const FORMATS = {
  float16: { exponentBits: 5, mantissaBits: 10 },
  bfloat16: { exponentBits: 8, mantissaBits: 7 },
};
const DTYPES = ["float16", "bfloat16"] as const;

/** What 16 bits stand for. */
function decoded(dtype: ReducedDType, bits: number): number {
  const { exponentBits, mantissaBits } = FORMATS[dtype];
  const bias = 2 ** (exponentBits - 1) - 1;
  const sign = bits >= 32768 ? -1 : 1;
  const exponent = Math.floor((bits % 32768) / 2 ** mantissaBits);
  const fraction = (bits % 2 ** mantissaBits) / 2 ** mantissaBits;
  if (exponent === 2 ** exponentBits - 1) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** (1 - bias) : sign * (1 + fraction) * 2 ** (exponent - bias);
}

/** The nearest value of the format to a float32, the one with an even mantissa of two equally near: found among the neighbours on its grid. */
function rounded(dtype: ReducedDType, x: number): number {
  if (!Number.isFinite(x) || x === 0) return x;
  const { exponentBits, mantissaBits } = FORMATS[dtype];
  const bias = 2 ** (exponentBits - 1) - 1;
  const exponent = Math.max(Math.floor(Math.log2(Math.abs(x))), 1 - bias);
  const step = 2 ** (exponent - mantissaBits);
  const position = Math.abs(x) / step;
  const below = Math.floor(position);
  const rest = position - below;
  const nearest = rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
  const value = nearest * step;
  return Math.sign(x) * (value >= 2 ** (bias + 1) ? Number.POSITIVE_INFINITY : value);
}

/** float32 to 16 bits by the kernel, as values. */
function narrowed(dtype: ReducedDType, values: ArrayLike<number>): number[] {
  const n = values.length;
  const x = heap.alloc(4 * n);
  const out = heap.alloc(2 * n + 2);
  heap.f32.set(values, x >>> 2);
  heap.u16[(out >>> 1) + n] = 0xa5a5;
  tested.narrow(dtype, out, x, n);
  const bits = Array.from(heap.u16.subarray(out >>> 1, (out >>> 1) + n));
  expect(heap.u16[(out >>> 1) + n], "nothing is written behind the last").toBe(0xa5a5);
  heap.free(x);
  heap.free(out);
  expect(bits, "as the scalar function").toEqual(Array.from(values, (value) => bitsOf(dtype, value)));
  return bits.map((each) => decoded(dtype, each));
}

function widened(dtype: ReducedDType, bits: ArrayLike<number>): number[] {
  const n = bits.length;
  const x = heap.alloc(2 * n);
  const out = heap.alloc(4 * n + 4);
  heap.u16.set(bits, x >>> 1);
  heap.f32[(out >>> 2) + n] = 77;
  tested.widen(dtype, out, x, n);
  const values = Array.from(heap.f32.subarray(out >>> 2, (out >>> 2) + n));
  expect(heap.f32[(out >>> 2) + n], "nothing is written behind the last").toBe(77);
  heap.free(x);
  heap.free(out);
  return values;
}

const PATTERNS = Array.from({ length: 65536 }, (_, i) => i);

describe.each(DTYPES)("%s", (dtype) => {
  test("all 65536 patterns are read exactly, and come back", () => {
    const values = widened(dtype, PATTERNS);
    const wrong = PATTERNS.filter((bits) => !Object.is(values[bits], decoded(dtype, bits)));
    expect(wrong).toEqual([]);
    const back = narrowed(dtype, values);
    expect(PATTERNS.filter((bits) => !Object.is(back[bits], values[bits]))).toEqual([]);
  });

  test("halfway between neighbours the even one is taken, and beside it the nearer", () => {
    const finite = PATTERNS.slice(0, 32767).filter((bits) => Number.isFinite(decoded(dtype, bits + 1)));
    const middle = finite.map((bits) => (decoded(dtype, bits) + decoded(dtype, bits + 1)) / 2);
    const words = new Float32Array(middle);
    expect(Array.from(words)).toEqual(middle);
    const even = narrowed(dtype, words);
    expect(finite.filter((bits, i) => even[i] !== decoded(dtype, bits + (bits % 2)))).toEqual([]);
    const ulp = new Uint32Array(words.buffer);
    for (let i = 0; i < ulp.length; i++) ulp[i]++;
    const above = narrowed(dtype, words);
    expect(finite.filter((bits, i) => above[i] !== decoded(dtype, bits + 1))).toEqual([]);
    for (let i = 0; i < ulp.length; i++) ulp[i] -= 2;
    const below = narrowed(dtype, words);
    expect(finite.filter((bits, i) => below[i] !== decoded(dtype, bits))).toEqual([]);
  });

  test("any float32 goes to the nearest value", () => {
    const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });
    fc.assert(
      fc.property(fc.array(word, { minLength: 0, maxLength: 35 }), (words) => {
        const values = new Float32Array(new Uint32Array(words).buffer);
        const expected = Array.from(values, (x) => rounded(dtype, x));
        expect(narrowed(dtype, values)).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  test("the largest and the smallest, infinities and NaN", () => {
    const [largest, smallest] = dtype === "float16" ? [65504, 2 ** -24] : [(2 - 2 ** -7) * 2 ** 127, 2 ** -133];
    const step = largest - decoded(dtype, (dtype === "float16" ? 0x7c00 : 0x7f80) - 2);
    const values = [
      largest,
      largest + step / 2,
      smallest,
      smallest / 2,
      smallest * 0.75,
      -smallest / 2,
      -0,
      Number.NaN,
    ];
    const special = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    expect(narrowed(dtype, [...values, ...special])).toEqual([
      largest,
      Number.POSITIVE_INFINITY,
      smallest,
      0,
      smallest,
      -0,
      -0,
      Number.NaN,
      ...special,
    ]);
  });
});
