import { describe, expect, it } from "vitest";
import type { ReduceOp } from "../../src/kernels/backend.ts";
import { expectUlps, isReference, noise, put, read, reference, runBoth, tested } from "./both.ts";

/** [outer, size, inner] */
const shapes: [number, number, number][] = [];
for (let size = 1; size <= 18; size++) shapes.push([3, size, 1], [2, size, 5]);
for (let inner = 2; inner <= 9; inner++) shapes.push([2, 6, inner]);
shapes.push([1, 1000, 1], [2, 37, 1027], [1, 3, 2500], [0, 4, 2], [2, 4, 0]);

const largest = Math.max(...shapes.map(([outer, size, inner]) => outer * size * inner));
const data = noise(largest, 3, 77);
const x = put("float32", data);
const g = put("float32", noise(largest, 1, 5));
const withNaN = put(
  "float32",
  data.map((v, i) => (i % 41 === 17 ? Number.NaN : Math.round(v * 2) + 0)),
);

describe.skipIf(isReference)(`reductions, ${tested.simd}`, () => {
  it.each(["sum", "mean", "prod", "max", "min", "any", "all"] as ReduceOp[])("%s", (op) => {
    const dtype = op === "any" || op === "all" ? "bool" : "float32";
    for (const [outer, size, inner] of shapes) {
      const [actual, expected] = runBoth(dtype, outer * inner, (k, out) =>
        k.reduce(op, "float32", out, x, outer, size, inner),
      );
      expectUlps(actual, expected, op === "max" || op === "min" ? 0 : 1, `${op} of ${outer}×${size}×${inner}`);
    }
  });

  it("sums nothing to 0", () => {
    const [actual] = runBoth("float32", 3, (k, out) => k.reduce("sum", "float32", out, x, 3, 0, 1));
    expect(actual).toEqual([0, 0, 0]);
  });

  it("keeps float64's accuracy in long sums", () => {
    const values = noise(100_003, 1, 9).map((v) => Math.fround(v + 1000));
    const at = put("float32", values);
    const total = values.reduce((a, b) => a + b, 0);
    const [[sum]] = runBoth("float32", 1, (k, out) => k.reduce("sum", "float32", out, at, 1, values.length, 1));
    expect(sum).toBe(Math.fround(total));
  });

  it.each(["max", "min"] as const)("positions of %s, the first of equals, and NaN before all", (op) => {
    for (const source of [x, withNaN]) {
      for (const [outer, size, inner] of shapes) {
        const n = outer * inner;
        const message = `${outer}×${size}×${inner}`;
        const indices = runBoth("int64", n, (k, out) => k.extremum(op, "float32", 0, out, source, outer, size, inner));
        expect(indices[0], message).toEqual(indices[1]);
        const both = runBoth("float32", n, (k, out) => k.extremum(op, "float32", out, 0, source, outer, size, inner));
        expect(both[0], message).toEqual(both[1]);
        const reduced = runBoth("float32", n, (k, out) => k.reduce(op, "float32", out, source, outer, size, inner));
        expect(reduced[0], message).toEqual(both[1]);
      }
    }
  });

  it.each([0, 1, 3])("variance with correction %d", (correction) => {
    const offset = put(
      "float32",
      data.map((v) => v + 1000),
    );
    for (const [outer, size, inner] of shapes) {
      const n = outer * inner;
      const means = [put("float32", new Array(n).fill(9)), put("float32", new Array(n).fill(9))];
      const [actual, expected] = runBoth("float32", n, (k, out) => {
        const mean = k === reference ? means[1] : means[0];
        k.variance("float32", out, mean, offset, outer, size, inner, correction);
      });
      expectUlps(actual, expected, 1, `variance of ${outer}×${size}×${inner}`);
      expectUlps(read("float32", means[0], n), read("float32", means[1], n), 1, "mean");
      const [without] = runBoth("float32", n, (k, out) =>
        k.variance("float32", out, 0, offset, outer, size, inner, correction),
      );
      expect(without).toEqual(actual);
    }
  });

  it.each([false, true])("softmax, logarithm: %s", (log) => {
    for (const [outer, size, inner] of shapes) {
      const n = outer * size * inner;
      const message = `${outer}×${size}×${inner}`;
      const [actual, expected] = runBoth("float32", n, (k, out) =>
        k.softmax("float32", log, out, x, outer, size, inner),
      );
      expectUlps(actual, expected, 3, message);
      const y = put("float32", expected);
      const [gx, wanted] = runBoth("float32", n, (k, out) =>
        k.softmaxGrad("float32", log, out, g, y, outer, size, inner),
      );
      for (const [i, v] of gx.entries()) {
        expect(Math.abs(v - wanted[i]), message).toBeLessThan(3e-7 * (1 + Math.abs(wanted[i])));
      }
    }
  });

  it("softmax of extreme rows", () => {
    const rows = [1e38, -1e38, 0, -Infinity, 3, 3, 200, 0, -200, 1000, 1000.001, 999, Infinity, 0, 1, NaN, 1, 2];
    const at = put("float32", rows);
    for (const log of [false, true]) {
      for (const [outer, size, inner] of [
        [6, 3, 1],
        [1, 3, 6],
        [2, 3, 3],
      ]) {
        const [actual, expected] = runBoth("float32", 18, (k, out) =>
          k.softmax("float32", log, out, at, outer, size, inner),
        );
        expectUlps(actual, expected, 3, `${outer}×${size}×${inner}`);
      }
    }
  });
});
