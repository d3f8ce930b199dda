import { describe, expect, it } from "vitest";
import type { BinaryOp, CompareOp } from "../../src/kernels/backend.ts";
import type { DType } from "../../src/kernels/dtype.ts";
import { isReference, noise, put, runBoth, tested } from "./both.ts";

const binaries: BinaryOp[] = ["add", "sub", "mul", "div", "pow", "maximum", "minimum", "remainder", "atan2"];
const compares: CompareOp[] = ["eq", "ne", "lt", "le", "gt", "ge"];
const dtypes: DType[] = ["float32", "float64", "int32", "int64", "uint8", "bool"];

/** sizes, strides of a, strides of b */
const patterns: [string, number[], number[], number[]][] = [
  ["no axes", [], [], []],
  ["a row and a row", [4, 5], [5, 1], [0, 1]],
  ["rows and a column", [6, 9], [9, 1], [1, 0]],
  ["a scalar and rows", [6, 9], [0, 0], [9, 1]],
  ["two scalars", [3, 7], [0, 0], [0, 0]],
  ["channels", [2, 3, 17], [51, 17, 1], [0, 1, 0]],
  ["transposed", [7, 6], [6, 1], [1, 7]],
  ["both strided", [5, 4], [2, 10], [0, 3]],
  ["row outer product", [5, 8], [1, 0], [0, 1]],
  ["many axes", [2, 3, 2, 3], [18, 1, 9, 3], [0, 3, 0, 1]],
  ["a long stride", [2, 2100], [4200, 2], [1, 2]],
  ["empty", [0, 3], [3, 1], [3, 1]],
];

function values(dtype: DType, n: number, seed: number): number[] {
  const x = noise(n, 4, seed);
  if (dtype === "bool") return x.map((v) => (v > 0 ? 1 : 0));
  if (dtype === "uint8") return x.map((v) => Math.round(Math.abs(v)) + (v > 2 ? 200 : 1));
  if (dtype.startsWith("int")) return x.map((v) => Math.round(v) || 1);
  return x.map((v, i) => (i % 7 === 3 ? 1.5 : i === 11 ? Number.NaN : v));
}

describe.skipIf(isReference)(`elementwise, ${tested.simd}`, () => {
  const count = (sizes: number[]) => sizes.reduce((a, b) => a * b, 1);

  for (const dtype of dtypes) {
    const a = put(dtype, values(dtype, 9000, 3));
    const b = put(dtype, values(dtype, 9000, 8));
    const condition = put("bool", values("bool", 9000, 5));

    describe(dtype, () => {
      it("of every length", () => {
        for (let n = 0; n <= 35; n++) {
          for (const op of binaries) {
            if (dtype === "bool" || (dtype !== "float32" && dtype !== "float64" && ["pow", "atan2"].includes(op)))
              continue;
            const [actual, expected] = runBoth(dtype, n, (k, out) => k.binary(op, dtype, [n], out, a, [1], b, [1]));
            expect(actual, `${op} of ${n}`).toEqual(expected);
          }
          for (const op of compares) {
            const [actual, expected] = runBoth("bool", n, (k, out) => k.compare(op, dtype, [n], out, a, [1], b, [1]));
            expect(actual, `${op} of ${n}`).toEqual(expected);
          }
          const [actual, expected] = runBoth(dtype, n, (k, out) =>
            k.where(dtype, [n], out, condition, [1], a, [1], b, [1]),
          );
          expect(actual, `where of ${n}`).toEqual(expected);
        }
      });

      it.each(patterns)("%s", (_, sizes, aStrides, bStrides) => {
        const n = count(sizes);
        if (dtype !== "bool") {
          for (const op of ["add", "sub", "mul", "div", "maximum", "minimum"] as const) {
            const [actual, expected] = runBoth(dtype, n, (k, out) =>
              k.binary(op, dtype, sizes, out, a, aStrides, b, bStrides),
            );
            expect(actual, op).toEqual(expected);
          }
        }
        for (const op of compares) {
          const [actual, expected] = runBoth("bool", n, (k, out) =>
            k.compare(op, dtype, sizes, out, a, aStrides, b, bStrides),
          );
          expect(actual, op).toEqual(expected);
        }
        for (const [c, x, y] of [
          [aStrides, bStrides, aStrides],
          [bStrides, aStrides, bStrides],
          [sizes.map(() => 0), aStrides, bStrides],
          [bStrides, sizes.map(() => 0), aStrides],
        ]) {
          const [actual, expected] = runBoth(dtype, n, (k, out) =>
            k.where(dtype, sizes, out, condition, c, a, x, b, y),
          );
          expect(actual, "where").toEqual(expected);
        }
      });
    });
  }

  it("writes over an input it reads contiguously", () => {
    const values = noise(50, 2);
    const b = put("float32", noise(5));
    const [actual, expected] = runBoth(
      "float32",
      50,
      (k, out) => k.binary("mul", "float32", [10, 5], out, out, [5, 1], b, [0, 1]),
      values,
    );
    expect(actual).toEqual(expected);
  });

  it.each(["float32", "float64", "int32"] as const)("axpy of %s", (dtype) => {
    const x = put(dtype, values(dtype, 20, 4));
    for (let n = 0; n <= 17; n++) {
      const start = values(dtype, 20, 6).slice(0, n);
      const [actual, expected] = runBoth(dtype, n, (k, out) => k.axpy(dtype, out, x, n, 2), start);
      expect(actual).toEqual(expected);
    }
  });
});
