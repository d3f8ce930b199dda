import fc from "fast-check";
import { expect, it } from "vitest";
import { fma64 } from "../../src/tensor/fma.ts";

/** A double as an integer times a power of two. */
function exact(x: number): [bigint, number] {
  const bits = new BigInt64Array(new Float64Array([x]).buffer)[0];
  const exponent = Number((bits >> 52n) & 0x7ffn);
  const fraction = (bits & ((1n << 52n) - 1n)) | (exponent === 0 ? 0n : 1n << 52n);
  return [bits < 0n ? -fraction : fraction, Math.max(exponent, 1) - 1075];
}

/** a·b + c in integers, rounded once. */
function reference(a: number, b: number, c: number): number {
  const [[ma, ea], [mb, eb], [mc, ec]] = [exact(a), exact(b), exact(c)];
  const e = Math.min(ea + eb, ec);
  const sum = ((ma * mb) << BigInt(ea + eb - e)) + (mc << BigInt(ec - e));
  const magnitude = sum < 0n ? -sum : sum;
  const drop = Math.max(magnitude.toString(2).length - 64, 0);
  // 64 bits, the last one sticky: BigInt's conversion rounds to nearest even from there.
  let kept = magnitude >> BigInt(drop);
  if (kept << BigInt(drop) !== magnitude) kept |= 1n;
  return (sum < 0n ? -1 : 1) * Number(kept) * 2 ** (drop + e);
}

const double = fc
  .tuple(fc.double({ min: -2, max: 2, noNaN: true }), fc.integer({ min: -40, max: 40 }))
  .map(([x, e]) => (Math.abs(x) < 1e-30 ? 0 : x * 2 ** e));

it("rounds once", () => {
  fc.assert(
    fc.property(double, double, double, (a, b, c) => {
      expect(fma64(a, b, c) === reference(a, b, c)).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

it("rounds ties and cancellations as the instruction does", () => {
  const e = Number.EPSILON;
  for (const [a, b, c] of [
    [1 + e, 1 + e, -1],
    [1 + e, 1 - e, -1],
    [1 + e, 1 + e, 1],
    [0.1, 10, -1],
    [1 + e, 1 + e / 2, e ** 3],
    [1 + e / 2, 1, e * e],
    [1 + e, 1 - e, 2 ** 53 + 2],
    [-1 - e, 1 - e, 2 ** 53 + 2],
    [2 ** 53, 1, 1 + e],
    [2 ** 53 + 2, 1, 1 - e / 2],
  ]) {
    expect(fma64(a, b, c)).toBe(reference(a, b, c));
  }
  expect(fma64(3, 4, 0)).toBe(12);
  expect(fma64(Infinity, 1, 1)).toBe(Infinity);
});
