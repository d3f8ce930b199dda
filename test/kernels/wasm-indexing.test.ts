import { describe, expect, it } from "vitest";
import type { DType } from "../../src/kernels/dtype.ts";
import { isReference, noise, put, reference, runBoth, tested } from "./both.ts";

const dtypes: DType[] = ["float32", "float64", "int32", "int64", "uint8", "bool"];

/** [outer, size, count, inner] */
const shapes: [number, number, number, number][] = [
  [1, 5, 3, 1],
  [2, 5, 7, 1],
  [3, 4, 4, 3],
  [2, 6, 9, 8],
  [1, 3, 5, 301],
  [0, 3, 2, 2],
  [2, 3, 0, 4],
];

const indices = noise(4000, 1, 21).map((v) => Math.abs(Math.floor(v * 1000)));

describe.skipIf(isReference)(`indexing, ${tested.simd}`, () => {
  it.each(dtypes)("%s", (dtype) => {
    const x = put(
      dtype,
      noise(5000, 90, 4).map((v) => (dtype === "bool" ? Number(v > 0) : Math.abs(Math.round(v)))),
    );
    for (const [outer, size, count, inner] of shapes) {
      const all = put(
        "int64",
        indices.map((v) => v % size),
      );
      const taken = outer * count * inner;
      const whole = outer * size * inner;
      const start = new Array<number>(whole).fill(1);
      for (const op of ["gather", "indexSelect"] as const) {
        const [actual, expected] = runBoth(dtype, taken, (k, out) => {
          expect(k[op](dtype, out, x, all, outer, size, count, inner)).toBe(-1);
        });
        expect(actual, `${op} ${outer}×${size}→${count}×${inner}`).toEqual(expected);
      }
      for (const op of ["scatterAdd", "indexAdd"] as const) {
        const add = (k: typeof tested, out: number) => {
          expect(k[op](dtype, out, x, all, outer, size, count, inner)).toBe(-1);
        };
        const [actual, expected] = runBoth(dtype, whole, add, start);
        expect(actual, `${op} ${outer}×${size}→${count}×${inner}`).toEqual(expected);
      }
    }
  });

  it("bytes of images as pixels, to the bit", () => {
    const inner = 301;
    const x = put(
      "uint8",
      Array.from({ length: 3 * inner }, (_, i) => i % 256),
    );
    const index = put("int64", [2, 0, 0, 1]);
    const [actual, expected] = runBoth("float32", 4 * inner, (k, out) => {
      expect(k.selectPixels(out, x, index, 3, 4, inner)).toBe(-1);
    });
    expect(actual).toEqual(expected);
    expect(expected.slice(inner, inner + 256)).toEqual(Array.from({ length: 256 }, (_, i) => Math.fround(i / 255)));
    runBoth("float32", 4, (k, out) => expect(k.selectPixels(out, x, index, 2, 4, 1)).toBe(0), noise(4));
  });

  it.each([-1, 5, 2 ** 40])("finds the index %d out of range", (wrong) => {
    const x = put("float32", noise(100));
    for (const op of ["gather", "indexSelect", "scatterAdd", "indexAdd"] as const) {
      const index = put("int64", [0, 4, 1, wrong, 2, wrong]);
      runBoth("float32", 20, (k, out) => expect(k[op]("float32", out, x, index, 1, 5, 6, 1), op).toBe(3), noise(20));
    }
  });

  it.each(["float32", "float64"] as const)("negative log-likelihood of %s", (dtype) => {
    for (const [n, classes, inner] of [
      [1, 2, 1],
      [7, 10, 1],
      [3, 4, 5],
      [0, 3, 2],
    ]) {
      const logp = put(dtype, noise(n * classes * inner, 3));
      const itemBytes = dtype === "float32" ? 4 : 8;
      const g = put(dtype, noise(n * inner, 1, 6));
      const weights = put(dtype, noise(classes, 1, 7).map(Math.abs));
      const target = put(
        "int64",
        indices.slice(0, n * inner).map((v, i) => (i % 3 === 1 ? -100 : v % classes)),
      );
      for (const weight of [0, weights]) {
        const [loss, expectedLoss] = runBoth(dtype, n * inner, (k, out) => {
          expect(k.nll(dtype, out, 0, logp, target, weight, n, classes, inner, -100)).toBe(-1);
        });
        const [total, expectedTotal] = runBoth(dtype, n * inner + 1, (k, out) => {
          k.nll(dtype, out + itemBytes, out, logp, target, weight, n, classes, inner, -100);
        });
        expect(total[0]).toBe(expectedTotal[0]);
        if (weight === 0) expect(total[0]).toBe(indices.slice(0, n * inner).filter((_, i) => i % 3 !== 1).length);
        expect(loss.map((v) => v + 0)).toEqual(expectedLoss.map((v) => v + 0));
        const [grad, expectedGrad] = runBoth(dtype, n * classes * inner, (k, out) => {
          expect(k.nllGrad(dtype, out, g, target, weight, n, classes, inner, -100)).toBe(-1);
        });
        expect(grad.map((v) => v + 0)).toEqual(expectedGrad.map((v) => v + 0));
      }
    }
  });

  it("finds a label out of range", () => {
    const logp = put("float32", noise(20));
    const target = put("int64", [0, -100, 5, 1]);
    runBoth("float32", 20, (k, out) => {
      expect(k.nll("float32", out, 0, logp, target, 0, 4, 5, 1, -100)).toBe(2);
      expect(k.nllGrad("float32", out, logp, target, 0, 4, 5, 1, -100)).toBe(2);
    });
    expect(reference.name).toBe("reference");
  });
});
