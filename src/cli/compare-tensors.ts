import { isReduced } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** How far two tensors of one shape are apart; plain data. */
export interface Distance {
  /** elements that differ */
  count: number;
  maxAbs: number;
  /** maxAbs relative to the largest size in the second */
  maxRel: number;
  /** numbers of the dtype between the two, where both have it; null for whole numbers, different dtypes, and where a NaN or infinity stands against a number */
  maxUlp: number | null;
}

/** Maps the bits of a float to whole numbers in the order of the floats. */
function ordered(bits: bigint, width: bigint): bigint {
  const sign = 1n << (width - 1n);
  return bits & sign ? sign - bits : bits;
}

/** The bits of a float's elements. */
function bitsOf(x: Tensor): { at: (i: number) => bigint; width: bigint } | null {
  const { dtype } = x;
  if (isReduced(dtype)) {
    const bits = x.toBits();
    return { at: (i) => BigInt(bits[i]), width: 16n };
  }
  if (dtype === "float32") {
    const bits = new Uint32Array((x.toTypedArray() as Float32Array).buffer);
    return { at: (i) => BigInt(bits[i]), width: 32n };
  }
  if (dtype === "float64") {
    const bits = new BigUint64Array((x.toTypedArray() as Float64Array).buffer);
    return { at: (i) => bits[i], width: 64n };
  }
  return null;
}

/** Whole numbers beyond 2 ** 53 keep their digits until they are subtracted. */
function differenceOf(a: number | bigint, b: number | bigint): number {
  if (typeof a === "bigint" && typeof b === "bigint") return Math.abs(Number(a - b));
  return Math.abs(Number(a) - Number(b));
}

/** The largest number of floats between two tensors' elements; null where they are no floats of one dtype. */
function ulpsBetween(a: Tensor, b: Tensor): number | null {
  const [x, y] = [bitsOf(a), a.dtype === b.dtype ? bitsOf(b) : null];
  if (!x || !y) return null;
  let most = 0n;
  for (let i = 0; i < a.numel; i++) {
    const [p, q] = [x.at(i), y.at(i)];
    if (p === q) continue;
    const steps = ordered(p, x.width) - ordered(q, y.width);
    const size = steps < 0n ? -steps : steps;
    if (size > most) most = size;
  }
  return Number(most);
}

/** The distance of two tensors of one shape. NaN equals NaN; against a number it is infinitely far. */
export function distance(a: Tensor, b: Tensor): Distance {
  const [x, y] = [a.toTypedArray(), b.toTypedArray()];
  let [different, maxAbs, largest] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    const size = Math.abs(Number(y[i]));
    if (size > largest && size < Number.POSITIVE_INFINITY) largest = size;
    if (x[i] === y[i] || Object.is(x[i], y[i])) continue;
    different++;
    const d = differenceOf(x[i], y[i]);
    maxAbs = Math.max(maxAbs, Number.isNaN(d) ? Number.POSITIVE_INFINITY : d);
  }
  if (different === 0) return { count: 0, maxAbs: 0, maxRel: 0, maxUlp: null };
  const maxRel = largest === 0 ? Number.POSITIVE_INFINITY : maxAbs / largest;
  const maxUlp = Number.isFinite(maxAbs) ? ulpsBetween(a, b) : null;
  return { count: different, maxAbs, maxRel, maxUlp };
}
