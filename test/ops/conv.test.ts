import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { zeros } from "../../src/index.ts";
import { type ConvOptions, conv1d, conv2d } from "../../src/ops/conv.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { checkGradients, expectClose, leaf, random } from "./checking.ts";
import { testLayers } from "./layers.ts";

describe("golden", () => {
  testLayers({
    Conv1d: (x, { weight, bias }, { options }) => conv1d(x, weight, bias, options),
    Conv2d: (x, { weight, bias }, { options }) => conv2d(x, weight, bias, options),
  });
});

describe("gradients", () => {
  const forms: ConvOptions[] = [
    {},
    { stride: [1, 2], padding: [1, 0] },
    { dilation: [2, 1], padding: "same" },
    { padding: "same", groups: 2 },
    { stride: 2, padding: 1, groups: 2, dilation: 2 },
  ];
  it.each(forms)("conv2d %o", (options) => {
    const { groups = 1 } = options;
    const inputs = () => [leaf([2, 2, 3, 4], 1), leaf([2, 2 / groups, 2, 2], 2), leaf([2], 3)];
    checkGradients((x, w, b) => conv2d(x, w, b, options), inputs());
    checkGradients((x, w) => conv2d(x, w, null, options), inputs().slice(0, 2));
  });

  it("conv1d, and inputs without a batch", () => {
    checkGradients(
      (x, w, b) => conv1d(x, w, b, { stride: 2, padding: 1 }),
      [leaf([2, 2, 5], 4), leaf([2, 2, 3], 5), leaf([2], 6)],
    );
    checkGradients(
      (x, w, b) => conv1d(x, w, b, { padding: "same" }),
      [leaf([2, 4], 4), leaf([2, 2, 2], 5), leaf([2], 6)],
    );
    checkGradients((x, w, b) => conv2d(x, w, b), [leaf([2, 3, 3], 4), leaf([1, 2, 2, 2], 5), leaf([1], 6)]);
  });

  it("of views", () => {
    checkGradients(
      (x, w) => conv2d(x.transpose(2, 3), w.transpose(2, 3)),
      [leaf([1, 2, 3, 4], 7), leaf([2, 2, 2, 2], 8)],
    );
  });
});

function naive(x: Tensor, w: Tensor, stride: number, padding: number, dilation: number, groups: number): Float64Array {
  const [n, c, h, width] = x.shape;
  const [o, per, kh, kw] = w.shape;
  const oh = Math.floor((h + 2 * padding - dilation * (kh - 1) - 1) / stride) + 1;
  const ow = Math.floor((width + 2 * padding - dilation * (kw - 1) - 1) / stride) + 1;
  const [xs, ws] = [x.toTypedArray() as Float32Array, w.toTypedArray() as Float32Array];
  const out = new Float64Array(n * o * oh * ow);
  for (let at = 0; at < out.length; at++) {
    const [b, co, y, z] = [
      Math.floor(at / (o * oh * ow)),
      Math.floor(at / (oh * ow)) % o,
      Math.floor(at / ow) % oh,
      at % ow,
    ];
    const first = Math.floor(co / (o / groups)) * per;
    for (let ci = 0; ci < per; ci++) {
      for (let i = 0; i < kh; i++) {
        for (let j = 0; j < kw; j++) {
          const [r, s] = [y * stride - padding + i * dilation, z * stride - padding + j * dilation];
          if (r < 0 || r >= h || s < 0 || s >= width) continue;
          out[at] += xs[((b * c + first + ci) * h + r) * width + s] * ws[((co * per + ci) * kh + i) * kw + j];
        }
      }
    }
  }
  return out;
}

it("agrees with plain loops", () => {
  const small = (min: number, max: number) => fc.integer({ min, max });
  const geometry = fc.record({
    n: small(0, 3),
    groups: small(1, 3),
    perGroup: small(1, 5),
    outPerGroup: small(1, 9),
    height: small(3, 9),
    width: small(3, 20),
    kernelHeight: small(1, 3),
    kernelWidth: small(1, 3),
    stride: small(1, 3),
    padding: small(0, 2),
    dilation: small(1, 2),
  });
  fc.assert(
    fc.property(geometry, (s) => {
      fc.pre(s.height + 2 * s.padding >= s.dilation * (s.kernelHeight - 1) + 1);
      fc.pre(s.width + 2 * s.padding >= s.dilation * (s.kernelWidth - 1) + 1);
      const x = random([s.n, s.groups * s.perGroup, s.height, s.width], 1);
      const w = random([s.groups * s.outPerGroup, s.perGroup, s.kernelHeight, s.kernelWidth], 2);
      const { stride, padding, dilation, groups } = s;
      const y = conv2d(x, w, null, { stride, padding, dilation, groups });
      expectClose(y.toTypedArray() as Float32Array, naive(x, w, stride, padding, dilation, groups), 1e-5, 1e-5);
    }),
    { numRuns: 60 },
  );
});

describe("bad input gets PyTorch's sentence", () => {
  const [x, w] = [zeros([1, 3, 8, 8]), zeros([8, 3, 3, 3])];
  const sentences: [() => unknown, string][] = [
    [
      () => conv2d(zeros([1, 4, 8, 8]), w),
      "Given groups=1, weight of size [8, 3, 3, 3], expected input[1, 4, 8, 8] to have 3 channels, but got 4 channels instead",
    ],
    [
      () => conv2d(zeros([4, 8, 8]), w),
      "Given groups=1, weight of size [8, 3, 3, 3], expected input[1, 4, 8, 8] to have 3 channels, but got 4 channels instead",
    ],
    [
      () => conv2d(zeros([4, 8]), w),
      "Expected 3D (unbatched) or 4D (batched) input to conv2d, but got input of size: [4, 8]",
    ],
    [
      () => conv1d(x, zeros([8, 3, 3])),
      "Expected 2D (unbatched) or 3D (batched) input to conv1d, but got input of size: [1, 3, 8, 8]",
    ],
    [
      () => conv1d(zeros([1, 3, 8]), w),
      "Expected 4-dimensional input for 4-dimensional weight [8, 3, 3, 3], but got 3-dimensional input of size [1, 3, 8] instead",
    ],
    [
      () => conv2d(x, w, zeros([7])),
      "Given weight of size [8, 3, 3, 3], expected bias to be 1-dimensional with 8 elements, but got bias of size [7] instead",
    ],
    [
      () => conv2d(zeros([1, 3, 2, 2]), w),
      "Calculated padded input size per channel: (2 x 2). Kernel size: (3 x 3). Kernel size can't be greater than actual input size",
    ],
    [
      () => conv1d(zeros([1, 3, 2]), zeros([8, 3, 3]), null, { padding: 1, dilation: 3 }),
      "Calculated padded input size per channel: (4). Kernel size: (7). Kernel size can't be greater than actual input size",
    ],
    [() => conv2d(x.double(), w), "expected scalar type Double but found Float"],
    [() => conv2d(x, w, zeros([8]).double()), "Input type (float) and bias type (double) should be the same"],
    [
      () => conv2d(zeros([1, 6, 8, 8]), w, null, { groups: 3 }),
      "Given groups=3, expected weight to be divisible by 3 at dimension 0, but got weight of size [[8, 3, 3, 3]] instead",
    ],
    [() => conv2d(x, w, null, { groups: 0 }), "non-positive groups is not supported"],
    [() => conv2d(x, w, null, { stride: 0 }), "non-positive stride is not supported"],
    [() => conv2d(x, w, null, { padding: -1 }), "negative padding is not supported"],
    [() => conv2d(x, w, null, { dilation: 0 }), "dilation should be greater than zero, but got [0, 0]"],
    [
      () => conv2d(x, w, null, { padding: "same", stride: 2 }),
      "padding='same' is not supported for strided convolutions",
    ],
    [() => conv2d(x, w, null, { padding: "full" as "same" }), "Invalid padding string: 'full'"],
    [
      () => conv2d(x, w, null, { stride: [1, 1, 1] }),
      "expected stride to be a single integer value or a list of 2 values to match the convolution dimensions, but got stride=[1, 1, 1]",
    ],
  ];
  it.each(sentences.map(([run, sentence]) => [sentence, run] as const))("%s", (sentence, run) => {
    expect(run).toThrow(sentence);
  });

  it("but an empty batch is none", () => {
    expect(conv2d(zeros([0, 3, 8, 8]), w).shape).toEqual([0, 8, 6, 6]);
  });
});
