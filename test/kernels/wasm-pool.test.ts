import { afterEach, describe, expect, it } from "vitest";
import type { Backend, Pool2dShape } from "../../src/kernels/backend.ts";
import type { FloatDType } from "../../src/kernels/dtype.ts";
import { block, difference, freeBlocks, randomNumbers, reference, simd, TOLERANCE, values, wasm } from "./pair.ts";

afterEach(freeBlocks);

const BY_TWO: Partial<Pool2dShape> = { kernelHeight: 2, kernelWidth: 2, strideHeight: 2, strideWidth: 2 };
const POOLS: [string, Partial<Pool2dShape>][] = [
  ["by two", BY_TWO],
  ["by two, 17 wide", { ...BY_TWO, inHeight: 6, inWidth: 17 }],
  ["by two, 28 × 28", { ...BY_TWO, inHeight: 28, inWidth: 28 }],
  ["by two, 3 wide", { ...BY_TWO, inHeight: 3, inWidth: 3 }],
  ["by two, rounded up", { ...BY_TWO, inHeight: 9, inWidth: 11, outHeight: 5, outWidth: 6 }],
  ["overlapping", { strideHeight: 1, strideWidth: 2 }],
  ["padded", { paddingHeight: 1, paddingWidth: 1, strideHeight: 2, strideWidth: 2 }],
  ["padded, padding not counted", { paddingHeight: 1, paddingWidth: 1, countIncludePad: false }],
  [
    "padded, rounded up",
    { paddingHeight: 1, paddingWidth: 1, strideHeight: 3, strideWidth: 3, inHeight: 12, outHeight: 5 },
  ],
  ["dilated", { dilationHeight: 2, dilationWidth: 3, paddingHeight: 1, paddingWidth: 1 }],
  ["a divisor of its own", { divisorOverride: 5, paddingHeight: 1, paddingWidth: 0 }],
  ["wide windows", { kernelHeight: 2, kernelWidth: 19, inWidth: 40 }],
  ["no planes", { planes: 0 }],
];

function poolShape(part: Partial<Pool2dShape>): Pool2dShape {
  const s = {
    planes: 5,
    inHeight: 8,
    inWidth: 12,
    kernelHeight: 3,
    kernelWidth: 3,
    strideHeight: 1,
    strideWidth: 1,
    paddingHeight: 0,
    paddingWidth: 0,
    dilationHeight: 1,
    dilationWidth: 1,
    countIncludePad: true,
    divisorOverride: 0,
    ...part,
  };
  const size = (n: number, kernel: number, stride: number, padding: number, dilation: number) =>
    Math.floor((n + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1;
  return {
    outHeight: size(s.inHeight, s.kernelHeight, s.strideHeight, s.paddingHeight, s.dilationHeight),
    outWidth: size(s.inWidth, s.kernelWidth, s.strideWidth, s.paddingWidth, s.dilationWidth),
    ...s,
  };
}

/** A few distinct values, so that maxima are often shared, and now and then a NaN or an infinity. */
function crowded(seed: number): () => number {
  const next = randomNumbers(seed);
  return () => {
    const u = next();
    if (u > 0.97) return Number.NaN;
    return u < -0.97 ? Number.NEGATIVE_INFINITY : Math.round(4 * next());
  };
}

type MaxPool = "maxPool2d" | "adaptiveMaxPool2d";
type AvgPool = "avgPool2d" | "adaptiveAvgPool2d";

function max(kernels: Backend, name: MaxPool, dtype: FloatDType, s: Pool2dShape, next: () => number) {
  const [inSize, outSize] = [s.planes * s.inHeight * s.inWidth, s.planes * s.outHeight * s.outWidth];
  const x = block(dtype, inSize, next);
  const g = block(dtype, outSize, randomNumbers(7));
  const [y, alone, gx, indices] = [
    block(dtype, outSize),
    block(dtype, outSize),
    block(dtype, inSize),
    block("int64", outSize),
  ];
  kernels[name](dtype, s, y, indices, x);
  kernels[name](dtype, s, alone, 0, x);
  kernels.maxPool2dGrad(dtype, s, gx, g, indices);
  return {
    exact: [values(dtype, y, outSize), values(dtype, alone, outSize), values("int64", indices, outSize)],
    gx: values(dtype, gx, inSize),
  };
}

function average(kernels: Backend, name: AvgPool, dtype: FloatDType, s: Pool2dShape) {
  const [inSize, outSize] = [s.planes * s.inHeight * s.inWidth, s.planes * s.outHeight * s.outWidth];
  const next = randomNumbers(inSize);
  const [x, g] = [block(dtype, inSize, next), block(dtype, outSize, next)];
  const [y, gx] = [block(dtype, outSize), block(dtype, inSize)];
  kernels[name](dtype, s, y, x);
  kernels[`${name}Grad`](dtype, s, gx, g);
  return [values(dtype, y, outSize), values(dtype, gx, inSize)];
}

describe.skipIf(!simd)("pooling on WebAssembly", () => {
  for (const dtype of ["float32", "float64"] as const) {
    function check(names: [MaxPool, AvgPool], s: Pool2dShape): void {
      for (const source of [randomNumbers, crowded]) {
        const got = max(wasm, names[0], dtype, s, source(3));
        const expected = max(reference, names[0], dtype, s, source(3));
        expect(got.exact).toEqual(expected.exact);
        expect(difference(got.gx, expected.gx)).toBeLessThan(TOLERANCE[dtype]);
      }
      const averages = average(wasm, names[1], dtype, s);
      average(reference, names[1], dtype, s).forEach((part, i) => {
        expect(difference(averages[i], part)).toBeLessThan(TOLERANCE[dtype]);
      });
    }

    for (const [name, part] of POOLS) {
      it(`${dtype}: ${name}`, () => check(["maxPool2d", "avgPool2d"], poolShape(part)));
    }
    for (const [outHeight, outWidth] of [
      [1, 1],
      [3, 5],
      [8, 12],
      [7, 1],
      [11, 13],
    ]) {
      it(`${dtype}: adaptive, to ${outHeight} × ${outWidth}`, () =>
        check(["adaptiveMaxPool2d", "adaptiveAvgPool2d"], poolShape({ outHeight, outWidth })));
    }
  }
});
