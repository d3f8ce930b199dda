const SPLIT = 2 ** 27 + 1;

/**
 * A fused multiply-add of doubles: a·b + c rounded once, as the machine's instruction gives it.
 *
 * Exact for results in the normal range below 2⁹⁹⁶. Sources: Dekker's product, Knuth's sum, and Boldo & Melquiond,
 * "Emulation of a FMA and correctly-rounded sums" (2008): the small parts are added with rounding to odd.
 */
export function fma64(a: number, b: number, c: number): number {
  const p = a * b;
  if (c === 0 || !Number.isFinite(p)) return p + c;
  const ah = a * SPLIT - (a * SPLIT - a);
  const bh = b * SPLIT - (b * SPLIT - b);
  const al = a - ah;
  const bl = b - bh;
  const pLow = al * bl - (p - ah * bh - al * bh - ah * bl);
  const sum = p + c;
  const t = sum - p;
  const sumLow = p - (sum - t) + (c - t);
  return sum + addToOdd(pLow, sumLow);
}

const word = new Float64Array(1);
const bits = new BigInt64Array(word.buffer);

/** a + b rounded to the neighbour whose last bit is one, unless the sum is exact. */
function addToOdd(a: number, b: number): number {
  const sum = a + b;
  const t = sum - a;
  const error = a - (sum - t) + (b - t);
  if (error === 0) return sum;
  word[0] = sum;
  // Stepping the bits away from zero when the rest points away from zero, else towards zero.
  if ((bits[0] & 1n) === 0n) bits[0] += error > 0 === sum > 0 ? 1n : -1n;
  return word[0];
}
