import { expect } from "vitest";
import { type Tensor, tensor } from "../../src/index.ts";
import type { Golden } from "../golden/read.ts";

/** A golden tensor as one of ours. */
export function fromGolden({ data, shape, dtype }: Golden): Tensor {
  return tensor(data, { shape, dtype });
}

/** The largest difference of two lists of numbers, relative to the largest number expected. */
export function relativeError(found: ArrayLike<number | bigint>, expected: ArrayLike<number | bigint>): number {
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const [a, b] = [Number(found[i]), Number(expected[i])];
    if (Object.is(a, b)) continue;
    const d = Math.abs(a - b);
    if (Number.isNaN(d)) return Number.POSITIVE_INFINITY;
    difference = Math.max(difference, d);
    largest = Math.max(largest, Math.abs(b));
  }
  return difference === 0 ? 0 : difference / Math.max(largest, 1e-30);
}

/** Shape, dtype and values: to the bit where the limit is 0, else to within `limit` of the largest element. */
export function expectGolden(found: Tensor | null, golden: Golden, what: string, limit: number): void {
  expect(found, what).not.toBeNull();
  const { shape, dtype } = found as Tensor;
  expect({ shape, dtype }, what).toEqual({ shape: golden.shape, dtype: golden.dtype });
  const values = (found as Tensor).toTypedArray();
  if (limit === 0) expect([...values], what).toEqual([...golden.data]);
  else expect(relativeError(values, golden.data), what).toBeLessThanOrEqual(limit);
}
