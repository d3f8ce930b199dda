import { describe, expect, it } from "vitest";
import { type DType, ITEM_BYTES } from "../../src/kernels/dtype.ts";
import { isReference, noise, put, runBoth, tested } from "./both.ts";

const dtypes: DType[] = ["float32", "float64", "int32", "int64", "uint8", "bool"];

function contiguous(sizes: readonly number[]): number[] {
  return sizes.map((_, axis) => sizes.slice(axis + 1).reduce((a, b) => a * b, 1));
}

describe.skipIf(isReference)(`memory, ${tested.simd}`, () => {
  it.each(dtypes)("fills %s", (dtype) => {
    for (let n = 0; n <= 17; n++) {
      for (const value of [0, 1, -3.7, 200.9]) {
        if (dtype === "uint8" && value < 0) continue;
        const [actual, expected] = runBoth(dtype, n, (k, out) => k.fill(dtype, out, n, value));
        expect(actual, `${n} of ${value}`).toEqual(expected);
      }
    }
  });

  it.each(dtypes)("converts from %s", (from) => {
    const floats = [0, -0, 1.9, -1.9, 255, 256.5, 2147483647, -2147483649, 3e9, 1e19, -1e19, 5e-324, 1e39];
    const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    const integers = [0, 1, -1, 127, 255, 256, -129, 2147483647, -2147483648];
    const large = [2 ** 53, -(2 ** 53) + 1, 2 ** 40 + 2 ** 16 + 1, 2 ** 62 + 2 ** 38 + 2 ** 10];
    let values = [...integers, ...(from === "int64" ? large : [])];
    if (from.startsWith("float")) values = [...floats, ...special, ...noise(17, 300)];
    if (from === "uint8") values = Array.from({ length: 275 }, (_, i) => i % 256);
    if (from === "bool") values = [0, 1, 1, 0, 1];
    const x = put(from, values);
    for (const to of dtypes) {
      const [actual, expected] = runBoth(to, values.length, (k, out) => k.convert(from, to, out, x, values.length));
      expect(actual, `to ${to}`).toEqual(expected);
    }
  });

  /** sizes, and the order of x's axes (x is contiguous over its own order), or strides of x */
  const copies: [string, number[], number[]][] = [
    ["no axes", [], []],
    ["contiguous", [3, 5, 7], [35, 7, 1]],
    ["a slice", [4, 6], [11, 1]],
    ["a narrow slice", [9, 3], [4, 1]],
    ["long rows", [3, 301], [302, 1]],
    ["every other", [7, 5], [20, 2]],
    ["a broadcast row", [5, 6], [0, 1]],
    ["a broadcast column", [5, 6], [1, 0]],
    ["one value", [3, 3, 3], [0, 0, 0]],
    ["a transpose", [5, 7], [1, 5]],
    ["a transpose in whole tiles", [32, 48], [1, 32]],
    ["a transpose with edges", [37, 21], [1, 40]],
    ["to channels last", [2, 5, 6, 3], [90, 6, 1, 30]],
    ["from channels last", [2, 3, 5, 6], [90, 1, 18, 3]],
    ["axes reversed", [4, 3, 5, 2], [1, 4, 12, 60]],
    ["axes of size 1", [1, 4, 1, 3], [99, 1, 77, 4]],
    ["empty", [3, 0, 2], [0, 2, 1]],
  ];

  it.each(copies)("copies %s", (_, sizes, strides) => {
    for (const dtype of ["float32", "float64", "uint8"] as const) {
      const n = sizes.reduce((a, b) => a * b, 1);
      const x = put(
        dtype,
        noise(2500, 100).map((v) => Math.abs(Math.round(v))),
      );
      const [actual, expected] = runBoth(dtype, n, (k, out) =>
        k.copyStrided(ITEM_BYTES[dtype], sizes, out, contiguous(sizes), x, strides),
      );
      expect(actual, dtype).toEqual(expected);
    }
  });

  it("copies into strided places", () => {
    const x = put("float32", noise(60));
    const zeros = new Array<number>(200).fill(0);
    const targets = [
      [1, 15, 3],
      [20, 5, 1],
      [40, 10, 2],
      [5, 60, 1],
    ];
    for (const outStrides of targets) {
      for (const xStrides of [
        [20, 5, 1],
        [1, 3, 12],
        [0, 1, 4],
      ]) {
        const [actual, expected] = runBoth(
          "float32",
          200,
          (k, out) => k.copyStrided(4, [3, 3, 5], out, outStrides, x, xStrides),
          zeros,
        );
        expect(actual, `${outStrides} from ${xStrides}`).toEqual(expected);
      }
    }
  });
});
