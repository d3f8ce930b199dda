import { afterEach, describe, expect, it } from "vitest";
import type { Conv2dShape, GemmShape } from "../../src/kernels/backend.ts";
import type { FloatDType } from "../../src/kernels/dtype.ts";
import { heap } from "../../src/kernels/heap.ts";
import { block, difference, freeBlocks, randomNumbers, reference, simd, TOLERANCE, values, wasm } from "./pair.ts";

afterEach(freeBlocks);

const DTYPES: FloatDType[] = ["float32", "float64"];

/** A product with both operands in one of their layouts: row-major, transposed, or every second element of a wider row. */
function gemmShape(batch: number, m: number, n: number, k: number, layout: number, accumulate: boolean): GemmShape {
  const [rowMajor, transposed] = [(r: number, c: number) => [r * c, c, 1], (r: number, c: number) => [r * c, 1, r]];
  const spread = (r: number, c: number) => [2 * r * c, 2 * c, 2];
  const layouts = [rowMajor, transposed, spread];
  const [a, b] = [layouts[layout % 3](m, k), layouts[Math.floor(layout / 3)](k, n)];
  return {
    batch,
    m,
    n,
    k,
    aStrides: a as [number, number, number],
    bStrides: b as [number, number, number],
    outStrides: [m * (n + 1), n + 1],
    accumulate,
  };
}

const CONVOLUTIONS: [string, Partial<Conv2dShape>][] = [
  ["3 × 3, padded", { inChannels: 5, outChannels: 6, paddingHeight: 1, paddingWidth: 1 }],
  ["3 × 3, not padded", { inChannels: 3, outChannels: 9 }],
  ["many channels", { inChannels: 70, outChannels: 101, inHeight: 5, inWidth: 4, paddingHeight: 1, paddingWidth: 1 }],
  [
    "stride 2",
    { batch: 2, inChannels: 4, outChannels: 5, strideHeight: 2, strideWidth: 2, paddingHeight: 1, paddingWidth: 1 },
  ],
  [
    "stride 2, channels in several blocks, and part of a tile behind whole ones",
    {
      ...{ batch: 2, inChannels: 140, outChannels: 133, inHeight: 4, inWidth: 21 },
      ...{ strideHeight: 2, strideWidth: 2, paddingHeight: 1, paddingWidth: 1 },
    },
  ],
  [
    "stride 2, an image in several bands",
    {
      ...{ batch: 1, inChannels: 20, outChannels: 18, inHeight: 66, inWidth: 90, kernelHeight: 5 },
      ...{ strideHeight: 2, strideWidth: 2, paddingHeight: 2, paddingWidth: 1 },
    },
  ],
  [
    "stride 3 × 2, dilation 2 × 3",
    {
      inChannels: 3,
      outChannels: 4,
      inHeight: 14,
      inWidth: 13,
      strideHeight: 3,
      strideWidth: 2,
      dilationHeight: 2,
      dilationWidth: 3,
      paddingHeight: 2,
      paddingWidth: 1,
    },
  ],
  [
    "stride 2, many small images",
    {
      ...{ batch: 21, inChannels: 9, outChannels: 23, inHeight: 7, inWidth: 7, strideHeight: 2, strideWidth: 2 },
      ...{ paddingHeight: 1, paddingWidth: 1 },
    },
  ],
  [
    "stride 3 × 2, many small images of odd sizes, dilation",
    {
      ...{ batch: 11, inChannels: 3, outChannels: 5, inHeight: 9, inWidth: 12, strideHeight: 3, strideWidth: 2 },
      ...{ kernelHeight: 2, kernelWidth: 4, dilationHeight: 2, paddingHeight: 0, paddingWidth: 3 },
    },
  ],
  [
    "stride 2 across alone, eight images whose last column no output meets",
    { batch: 8, inChannels: 2, outChannels: 32, inHeight: 5, inWidth: 6, strideWidth: 2 },
  ],
  [
    "stride 2, small images in several groups, eight channels side by side",
    {
      ...{ batch: 73, inChannels: 16, outChannels: 28, inHeight: 7, inWidth: 6, strideHeight: 2, strideWidth: 2 },
      ...{ paddingHeight: 1, paddingWidth: 1 },
    },
  ],
  [
    "stride 3 × 2, two small images, taps that meet no input",
    {
      ...{ batch: 2, inChannels: 8, outChannels: 8, inHeight: 3, inWidth: 4, strideHeight: 3, strideWidth: 2 },
      ...{ kernelHeight: 2, kernelWidth: 5, dilationHeight: 4, paddingHeight: 1, paddingWidth: 3 },
    },
  ],
  ...[0, 1, 2].map((padding): [string, Partial<Conv2dShape>] => [
    `stride 2, one channel, padding ${2 - padding} × ${padding}`,
    {
      ...{ inChannels: 1, outChannels: 4 + 4 * padding, inHeight: 9 + padding, inWidth: 19 - padding },
      ...{ strideHeight: 2, strideWidth: 2, paddingHeight: 2 - padding, paddingWidth: padding },
    },
  ]),
  [
    "stride 2, images of one column",
    {
      ...{ batch: 12, inChannels: 6, outChannels: 7, inHeight: 4, inWidth: 1, strideHeight: 2, strideWidth: 2 },
      ...{ kernelHeight: 3, kernelWidth: 3, paddingHeight: 1, paddingWidth: 1 },
    },
  ],
  ["1 × 1", { inChannels: 7, outChannels: 9, kernelHeight: 1, kernelWidth: 1 }],
  [
    "1 × 1, stride 2",
    { inChannels: 7, outChannels: 9, kernelHeight: 1, kernelWidth: 1, strideHeight: 2, strideWidth: 2 },
  ],
  [
    "1 × 1, stride 2, rows of eight outputs",
    {
      ...{ inChannels: 14, outChannels: 23, inHeight: 7, inWidth: 16, kernelHeight: 1, kernelWidth: 1 },
      ...{ strideHeight: 2, strideWidth: 2 },
    },
  ],
  [
    "1 × 1, stride 2, an odd number of rows and of columns, tiles across rows, groups",
    {
      ...{ inChannels: 10, outChannels: 18, inHeight: 11, inWidth: 13, kernelHeight: 1, kernelWidth: 1, groups: 2 },
      ...{ strideHeight: 2, strideWidth: 2 },
    },
  ],
  [
    "1 × 1, stride 3 across, tiles of five and of four rows",
    {
      ...{ inChannels: 32, outChannels: 38, inHeight: 4, inWidth: 28, kernelHeight: 1, kernelWidth: 1 },
      strideWidth: 3,
    },
  ],
  [
    "stride 2, rows that end inside a tile",
    {
      ...{ inChannels: 18, outChannels: 16, inHeight: 7, inWidth: 42, strideHeight: 2, strideWidth: 2 },
      ...{ paddingHeight: 1, paddingWidth: 1 },
    },
  ],
  [
    "1 × 1, padded",
    { inChannels: 2, outChannels: 3, kernelHeight: 1, kernelWidth: 1, paddingHeight: 1, paddingWidth: 2 },
  ],
  [
    "2 × 5 kernel, uneven padding",
    { inChannels: 2, outChannels: 3, kernelHeight: 2, kernelWidth: 5, paddingHeight: 0, paddingWidth: 2 },
  ],
  ["more padding than kernel", { inChannels: 2, outChannels: 3, paddingHeight: 4, paddingWidth: 3 }],
  ["two groups", { inChannels: 6, outChannels: 10, groups: 2, paddingHeight: 1, paddingWidth: 1 }],
  ["depthwise", { inChannels: 6, outChannels: 6, groups: 6, paddingHeight: 1, paddingWidth: 1 }],
  [
    "depthwise, stride 2",
    { inChannels: 5, outChannels: 5, groups: 5, strideHeight: 2, strideWidth: 2, paddingHeight: 1, paddingWidth: 1 },
  ],
  ...[4, 5, 8, 14, 21].flatMap((size, i): [string, Partial<Conv2dShape>][] =>
    [1, 2].map((stride) => [
      `depthwise, stride ${stride}, ${size + 1} × ${size}, padding ${(i + stride) % 3} × ${(i + 1) % 3}`,
      {
        ...{ inChannels: 3, outChannels: 3, groups: 3, inHeight: size + 1, inWidth: size },
        ...{ strideHeight: stride, strideWidth: stride, paddingHeight: (i + stride) % 3, paddingWidth: (i + 1) % 3 },
      },
    ]),
  ),
  [
    "depthwise, dilated, wide",
    {
      inChannels: 3,
      outChannels: 3,
      groups: 3,
      inWidth: 37,
      dilationHeight: 2,
      dilationWidth: 2,
      paddingHeight: 2,
      paddingWidth: 2,
    },
  ],
  ["depthwise, two outputs a channel", { inChannels: 3, outChannels: 6, groups: 3 }],
  [
    "depthwise, more padding than kernel",
    { inChannels: 3, outChannels: 3, groups: 3, paddingHeight: 3, paddingWidth: 4 },
  ],
  ["one dimension", { inChannels: 4, outChannels: 5, inHeight: 1, inWidth: 21, kernelHeight: 1, paddingWidth: 1 }],
  ["one output position", { batch: 11, inChannels: 3, outChannels: 5, inHeight: 3, inWidth: 3 }],
  [
    "images of 2 × 2",
    { batch: 33, inChannels: 3, outChannels: 5, inHeight: 2, inWidth: 2, paddingHeight: 1, paddingWidth: 1 },
  ],
  [
    "a large image",
    { batch: 1, inChannels: 1, outChannels: 33, inHeight: 70, inWidth: 90, paddingHeight: 1, paddingWidth: 1 },
  ],
  [
    "one channel, rows of four positions, in bands",
    { batch: 3, inChannels: 1, outChannels: 32, inHeight: 70, inWidth: 92, paddingHeight: 1, paddingWidth: 1 },
  ],
  [
    "few taps, rows of four positions",
    {
      ...{ batch: 5, inChannels: 4, outChannels: 7, inHeight: 9, inWidth: 12, kernelHeight: 1, kernelWidth: 1 },
      strideHeight: 2,
    },
  ],
  [
    "a wide image of many channels",
    { batch: 1, inChannels: 23, outChannels: 40, inHeight: 40, inWidth: 66, paddingHeight: 1, paddingWidth: 1 },
  ],
  [
    "kernel as large as the image",
    { inChannels: 3, outChannels: 4, inHeight: 17, inWidth: 16, kernelHeight: 17, kernelWidth: 16 },
  ],
  ["no images", { batch: 0, inChannels: 3, outChannels: 4 }],
];

function convShape(part: Partial<Conv2dShape>): Conv2dShape {
  const s = {
    batch: 3,
    inChannels: 1,
    inHeight: 9,
    inWidth: 11,
    outChannels: 1,
    kernelHeight: 3,
    kernelWidth: 3,
    strideHeight: 1,
    strideWidth: 1,
    paddingHeight: 0,
    paddingWidth: 0,
    dilationHeight: 1,
    dilationWidth: 1,
    groups: 1,
    ...part,
  };
  const size = (n: number, kernel: number, stride: number, padding: number, dilation: number) =>
    Math.floor((n + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1;
  return {
    ...s,
    outHeight: size(s.inHeight, s.kernelHeight, s.strideHeight, s.paddingHeight, s.dilationHeight),
    outWidth: size(s.inWidth, s.kernelWidth, s.strideWidth, s.paddingWidth, s.dilationWidth),
  };
}

describe.skipIf(!simd)("matrix products on WebAssembly", () => {
  for (const dtype of DTYPES) {
    for (let layout = 0; layout < 9; layout++) {
      it(`${dtype}, layout ${layout}: sizes around the tile`, () => {
        const sizes = [
          [1, 1, 1],
          [1, 17, 5],
          [17, 1, 9],
          [1, 40, 3],
          [40, 1, 7],
          [2, 3, 4],
          [4, 8, 16],
          [5, 9, 3],
          [7, 17, 33],
          [13, 12, 1],
          [97, 11, 260],
          [9, 131, 5],
          [3, 530, 2],
          [5, 6, 0],
          [0, 3, 2],
          [3, 0, 2],
        ];
        for (const [m, n, k] of sizes) {
          for (const accumulate of [false, true]) {
            const batch = m * n * k < 2000 ? 3 : 1;
            const shape = gemmShape(batch, m, n, k, layout, accumulate);
            const next = randomNumbers(m + n + k);
            const [a, b] = [block(dtype, 2 * batch * m * k, next), block(dtype, 2 * batch * k * n, next)];
            const count = batch * m * (n + 1);
            const start = Array.from({ length: count }, next);
            let at = 0;
            const outs = [wasm, reference].map((kernels) => {
              at = 0;
              const out = block(dtype, count, () => start[at++]);
              kernels.gemm(dtype, shape, out, a, b);
              return values(dtype, out, count);
            });
            // The column behind the last is no part of the output and stays as it was.
            expect(difference(outs[0], outs[1])).toBeLessThan(TOLERANCE[dtype]);
            freeBlocks();
          }
        }
      });
    }

    for (const [name, part] of CONVOLUTIONS) {
      it(`convolution, ${dtype}: ${name}`, () => {
        const s = convShape(part);
        const next = randomNumbers(s.inChannels * s.outHeight);
        const inSize = s.batch * s.inChannels * s.inHeight * s.inWidth;
        const outSize = s.batch * s.outChannels * s.outHeight * s.outWidth;
        const wSize = (s.outChannels * s.inChannels * s.kernelHeight * s.kernelWidth) / s.groups;
        const [x, g] = [block(dtype, inSize, next), block(dtype, outSize, next)];
        const [w, bias] = [block(dtype, wSize, next), block(dtype, s.outChannels, next)];
        const before = heap.usage().blocks;
        const results = [wasm, reference].map((kernels) => {
          const [plain, biased, gx, gw] = [outSize, outSize, inSize, wSize].map((n) => block(dtype, n));
          kernels.conv2d(dtype, s, plain, x, w, 0);
          kernels.conv2d(dtype, s, biased, x, w, bias);
          kernels.conv2dInputGrad(dtype, s, gx, g, w);
          kernels.conv2dWeightGrad(dtype, s, gw, g, x);
          return [
            values(dtype, plain, outSize),
            values(dtype, biased, outSize),
            values(dtype, gx, inSize),
            values(dtype, gw, wSize),
          ];
        });
        results[1].forEach((part, i) => {
          expect(difference(results[0][i], part)).toBeLessThan(TOLERANCE[dtype]);
        });
        expect(heap.usage().blocks).toBe(before + 8);
      });
    }

    it(`sums by channel, ${dtype}`, () => {
      for (const [outer, channels, inner] of [
        [3, 5, 17],
        [7, 9, 1],
        [2, 3, 4],
        [1, 1, 100],
        [0, 3, 4],
        [400, 33, 1],
      ]) {
        const x = block(dtype, outer * channels * inner, randomNumbers(inner));
        const sums = [wasm, reference].map((kernels) => {
          const out = block(dtype, channels);
          kernels.sumByChannel(dtype, out, x, outer, channels, inner);
          return values(dtype, out, channels);
        });
        expect(difference(sums[0], sums[1])).toBeLessThan(TOLERANCE[dtype]);
      }
    });
  }
});
