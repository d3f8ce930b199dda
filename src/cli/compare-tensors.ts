import type { DType } from "../tensor/dtype.ts";
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

/** The distance of two tensors of one shape. NaN equals NaN; against a number it is infinitely far. */
export function distance(a: Tensor, b: Tensor): Distance {
  const [x, y] = [a.toTypedArray(), b.toTypedArray()];
  const sameDType: DType | null = a.dtype === b.dtype ? a.dtype : null;
  const bits = sameDType && [bitsOf(a), bitsOf(b)];
  let [different, maxAbs, largest] = [0, 0, 0];
  let maxUlp = bits?.[0] ? 0n : null;
  for (let i = 0; i < x.length; i++) {
    const size = Math.abs(Number(y[i]));
    if (Number.isFinite(size)) largest = Math.max(largest, size);
    if (x[i] === y[i] || Object.is(x[i], y[i])) continue;
    different++;
    const d = differenceOf(x[i], y[i]);
    const far = Number.isNaN(d) ? Number.POSITIVE_INFINITY : d;
    maxAbs = Math.max(maxAbs, far);
    if (maxUlp !== null && bits?.[0] && bits[1] && Number.isFinite(far)) {
      const steps = ordered(bits[0].at(i), bits[0].width) - ordered(bits[1].at(i), bits[1].width);
      const size = steps < 0n ? -steps : steps;
      if (size > maxUlp) maxUlp = size;
    }
  }
  const maxRel = maxAbs === 0 ? 0 : largest === 0 ? Number.POSITIVE_INFINITY : maxAbs / largest;
  return {
    count: different,
    maxAbs,
    maxRel,
    maxUlp: maxUlp === null || maxAbs === Number.POSITIVE_INFINITY ? null : Number(maxUlp),
  };
}
