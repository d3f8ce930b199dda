import { afterEach, describe, expect, it } from "vitest";
import type { Conv2dShape } from "../../src/kernels/backend.ts";
import { allowWinograd } from "../../src/kernels/wasm/winograd.ts";
import { block, freeBlocks, randomNumbers, reference, simd, values, wasm } from "./pair.ts";

afterEach(() => {
  allowWinograd(true);
  freeBlocks();
});

/** [batch, in, height, width, out, padding, groups] of 3×3 convolutions; each has enough channels, and images, for Winograd's algorithm. */
const SHAPES: readonly (readonly [number, number, number, number, number, number, number])[] = [
  [12, 16, 8, 8, 16, 1, 1],
  [24, 16, 4, 4, 24, 1, 1],
  [3, 17, 9, 13, 19, 1, 1],
  [2, 30, 10, 18, 21, 0, 1],
  [4, 21, 12, 7, 37, 2, 1],
  [3, 48, 5, 30, 50, 1, 1],
  [2, 48, 16, 12, 36, 1, 2],
  [5, 64, 7, 8, 33, 1, 1],
  [8, 20, 9, 4, 130, 2, 1],
  // Wider than the band in which rows are made: a second part of it, of one tile and fewer columns than a vector.
  [1, 16, 6, 69, 17, 1, 1],
  // Blocks of whole images and of enough tiles for register tiles of five: 18 with 16 channels, 25 with more.
  [16, 16, 12, 12, 16, 1, 1],
  [8, 20, 20, 20, 17, 1, 1],
];

/** Of stride 2, and which passes go by Winograd's algorithm: the gradient of the input with a padding of 1. */
const STRIDED: readonly (readonly [...(typeof SHAPES)[number], passes: string])[] = [
  [5, 24, 8, 8, 24, 1, 1, "forward, input"],
  [1, 30, 32, 48, 40, 1, 1, "forward, input, weight"],
  [3, 42, 32, 31, 74, 1, 2, "forward, input, weight"],
  [5, 64, 7, 8, 33, 1, 1, "forward, input"],
  [3, 34, 33, 17, 45, 0, 1, "forward, weight"],
  [6, 22, 13, 21, 30, 2, 1, "forward, weight"],
  // Blocks of whole images, and of enough tiles for register tiles of five.
  [16, 16, 32, 32, 32, 1, 1, "forward, input, weight"],
  [16, 34, 16, 16, 33, 1, 1, "forward, input, weight"],
  [8, 16, 24, 40, 24, 0, 1, "forward, weight"],
];

function shapeOf(numbers: readonly [...(typeof SHAPES)[number], ...string[]], stride = 1) {
  const [batch, inChannels, height, width, outChannels, padding, groups] = numbers;
  const outSize = (size: number) => Math.floor((size + 2 * padding - 3) / stride) + 1;
  return {
    ...{ batch, inChannels, inHeight: height, inWidth: width, outChannels, groups },
    ...{ outHeight: outSize(height), outWidth: outSize(width), kernelHeight: 3, kernelWidth: 3 },
    ...{ strideHeight: stride, strideWidth: stride, dilationHeight: 1, dilationWidth: 1 },
    ...{ paddingHeight: padding, paddingWidth: padding },
  };
}

type Passes = readonly [forward: number[], inputGrad: number[], weightGrad: number[]];

/** All three passes with inputs made by `next`, which is called for each input of theirs. */
function passes(kernels: typeof wasm, s: Conv2dShape, inputs: readonly (() => number)[]): Passes {
  const inSize = s.batch * s.inChannels * s.inHeight * s.inWidth;
  const outSize = s.batch * s.outChannels * s.outHeight * s.outWidth;
  const wSize = (s.outChannels * s.inChannels * 9) / s.groups;
  const sizes = [inSize, outSize, wSize, s.outChannels];
  const [x, g, w, bias] = sizes.map((n, i) => block("float32", n, inputs[i]));
  const [y, gx, gw] = [outSize, inSize, wSize].map((n) => block("float32", n));
  kernels.conv2d("float32", s, y, x, w, bias);
  kernels.conv2dInputGrad("float32", s, gx, g, w);
  kernels.conv2dWeightGrad("float32", s, gw, g, x);
  return [values("float32", y, outSize), values("float32", gx, inSize), values("float32", gw, wSize)];
}

/** The root mean square of a difference, relative to that of what is expected. */
function error(got: readonly number[], expected: readonly number[]): number {
  const squares = (next: (i: number) => number) => expected.reduce((sum, _, i) => sum + next(i) ** 2, 0);
  return Math.sqrt(squares((i) => got[i] - expected[i]) / squares((i) => expected[i]));
}

const normal = () => [1, 2, 3, 4].map(randomNumbers);

describe.skipIf(!simd)("Winograd's algorithm", () => {
  it.each(SHAPES)("[%i, %i, %i, %i] to %i channels, padding %i, %i groups", (...numbers) => {
    const s = shapeOf(numbers);
    const expected = passes(reference, s, normal());
    const got = passes(wasm, s, normal());
    allowWinograd(false);
    const plain = passes(wasm, s, normal());
    for (let pass = 0; pass < 3; pass++) {
      // Two to four times the error of plain sums, which grows with the root of the number of channels; a wrong constant gives 1e-3 or more.
      expect(error(got[pass], expected[pass])).toBeLessThan(1.5e-6);
      // The plain sums of the weights' gradient go over up to 3200 places, whose error is 4.9e-7; those of other passes and shapes stay below 4e-7.
      expect(error(plain[pass], expected[pass])).toBeLessThan(6e-7);
    }
    // If both were one path, nothing above would be about Winograd's algorithm.
    for (const pass of [0, 1, 2]) expect(got[pass]).not.toEqual(plain[pass]);
  });

  it.each(STRIDED)("[%i, %i, %i, %i] to %i channels, padding %i, %i groups, stride 2: %s", (...numbers) => {
    const s = shapeOf(numbers, 2);
    const expected = passes(reference, s, normal());
    const got = passes(wasm, s, normal());
    allowWinograd(false);
    const plain = passes(wasm, s, normal());
    const names = ["forward", "input", "weight"].filter((_, pass) => {
      // As above; at most 7.4e-7.
      expect(error(got[pass], expected[pass])).toBeLessThan(1.2e-6);
      return got[pass].some((value, i) => value !== plain[pass][i]);
    });
    expect(names.join(", ")).toBe(numbers[7]);
  });

  it("keeps NaN within its tiles, and reads nothing outside the image", () => {
    const s = shapeOf([1, 16, 16, 16, 16, 1, 1]);
    const inputs = normal();
    let at = 0;
    const clean = passes(wasm, s, normal());
    const x = inputs[0];
    inputs[0] = () => x() + (at++ === 5 * 16 + 5 ? Number.NaN : 0);
    const [y] = passes(wasm, s, inputs);
    const bad = y.map((value, i) => (Number.isNaN(value) ? i : -1)).filter((i) => i >= 0);
    const within = bad.every((i) => (i >> 4) % 16 >= 4 && (i >> 4) % 16 < 8 && i % 16 >= 4 && i % 16 < 8);
    expect(within && bad.length >= 16 * 9).toBe(true);
    expect(y.filter((_, i) => !bad.includes(i))).toEqual(clean[0].filter((_, i) => !bad.includes(i)));
  });
});
