import { describe, expect, it } from "vitest";
import { tensor, zeros } from "../../src/index.ts";
import {
  adaptiveAvgPool1d,
  adaptiveAvgPool2d,
  adaptiveMaxPool1d,
  adaptiveMaxPool2d,
  type OutputSize,
} from "../../src/ops/adaptive-pool.ts";
import { avgPool1d, avgPool2d, maxPool1d, maxPool2d, type Sizes } from "../../src/ops/pool.ts";
import { checkGradients, leaf, random } from "./checking.ts";
import { testLayers } from "./layers.ts";

describe("golden", () => {
  testLayers({
    MaxPool1d: (x, _, { args, options }) => maxPool1d(x, args[0] as Sizes, options),
    MaxPool2d: (x, _, { args, options }) => maxPool2d(x, args[0] as Sizes, options),
    AvgPool1d: (x, _, { args, options }) => avgPool1d(x, args[0] as Sizes, options),
    AvgPool2d: (x, _, { args, options }) => avgPool2d(x, args[0] as Sizes, options),
    AdaptiveAvgPool1d: (x, _, { args }) => adaptiveAvgPool1d(x, args[0] as OutputSize),
    AdaptiveAvgPool2d: (x, _, { args }) => adaptiveAvgPool2d(x, args[0] as OutputSize),
    AdaptiveMaxPool1d: (x, _, { args }) => adaptiveMaxPool1d(x, args[0] as OutputSize),
    AdaptiveMaxPool2d: (x, _, { args }) => adaptiveMaxPool2d(x, args[0] as OutputSize),
  });
});

describe("gradients", () => {
  it("max pooling", () => {
    checkGradients((x) => maxPool2d(x, 2, { stride: 1 }), [leaf([1, 2, 3, 4], 1)]);
    checkGradients((x) => maxPool2d(x, [3, 2], { stride: 2, padding: [1, 0], ceilMode: true }), [leaf([2, 4, 5], 2)]);
    checkGradients((x) => maxPool2d(x.transpose(2, 3), 2, { dilation: 2, stride: 1 }), [leaf([1, 1, 4, 4], 3)]);
    checkGradients((x) => maxPool1d(x, 3, { stride: 2, padding: 1 }), [leaf([2, 2, 5], 4)]);
    checkGradients((x) => adaptiveMaxPool2d(x, [2, 3]), [leaf([1, 2, 3, 4], 5)]);
    checkGradients((x) => adaptiveMaxPool1d(x, 2), [leaf([2, 5], 6)]);
  });

  it("average pooling", () => {
    checkGradients((x) => avgPool2d(x, 2, { stride: 1 }), [leaf([1, 2, 3, 4], 1)]);
    checkGradients(
      (x) => avgPool2d(x, 3, { stride: 2, padding: 1, ceilMode: true, countIncludePad: false }),
      [leaf([1, 4, 5], 2)],
    );
    checkGradients((x) => avgPool2d(x.transpose(2, 3), 2, { divisorOverride: 3 }), [leaf([1, 1, 4, 4], 3)]);
    checkGradients((x) => avgPool1d(x, 3, { padding: 1 }), [leaf([2, 2, 5], 4)]);
    checkGradients((x) => adaptiveAvgPool2d(x, [2, 3]), [leaf([1, 2, 3, 4], 5)]);
    checkGradients((x) => adaptiveAvgPool1d(x, 2), [leaf([2, 5], 6)]);
  });
});

describe("positions of the maxima", () => {
  it("count within the plane", () => {
    const x = tensor([
      [
        [1, 5, 2, 0],
        [0, 3, 9, 1],
        [7, 2, 1, 1],
        [0, 0, 4, 8],
      ],
    ]);
    const [values, indices] = maxPool2d(x, 2, { returnIndices: true });
    expect(values.toArray()).toEqual([
      [
        [5, 9],
        [7, 8],
      ],
    ]);
    expect(indices.dtype).toBe("int64");
    expect(indices.toArray()).toEqual([
      [
        [1, 6],
        [8, 15],
      ],
    ]);
    expect(maxPool1d(x.select(1, 0), 2, { returnIndices: true })[1].toArray()).toEqual([[1, 2]]);
    expect(adaptiveMaxPool2d(x, 1, { returnIndices: true })[1].toArray()).toEqual([[[6]]]);
    expect(adaptiveMaxPool1d(x.select(1, 2), 1, { returnIndices: true })[1].toArray()).toEqual([[0]]);
  });

  it("a NaN is a maximum", () => {
    expect(
      maxPool2d(
        tensor([
          [
            [1, NaN],
            [3, 4],
          ],
        ]),
        2,
      ).item(),
    ).toBeNaN();
  });

  it("overlapping windows add their gradients", () => {
    const x = tensor([[[1, 5, 2]]], { requiresGrad: true });
    maxPool1d(x, 2, { stride: 1 }).backward(tensor([[[3, 4]]]));
    expect(x.grad!.toArray()).toEqual([[[0, 7, 0]]]);
  });
});

describe("bad input gets PyTorch's sentence", () => {
  const x = zeros([1, 1, 4, 4]);
  const sentences: [() => unknown, string][] = [
    [() => maxPool2d(zeros([4, 4]), 2), "non-empty 3D or 4D (batch mode) tensor expected for input"],
    [
      () => maxPool2d(zeros([1, 1, 1, 1]), 2),
      "Given input size: (1x1x1). Calculated output size: (1x0x0). Output size is too small",
    ],
    [
      () => avgPool2d(zeros([1, 1, 1, 1]), 2),
      "Given input size: (1x1x1). Calculated output size: (1x0x0). Output size is too small",
    ],
    [
      () => avgPool1d(zeros([1, 1, 1]), 2),
      "Given input size: (1x1x1). Calculated output size: (1x1x0). Output size is too small",
    ],
    [
      () => maxPool2d(x, 2, { padding: 2 }),
      "pad should be at most half of kernel size, but got pad=2 and kernel_size=2",
    ],
    [() => avgPool2d(x, 2, { padding: -1 }), "pad must be non-negative, but got pad: -1"],
    [() => maxPool2d(x, 2, { stride: 0 }), "stride should not be zero"],
    [() => maxPool2d(x, 2, { dilation: 0 }), "dilation should be greater than zero"],
    [() => maxPool2d(x, [2, 2, 2]), "max_pool2d: kernel_size must either be a single int, or a tuple of two ints"],
    [
      () => avgPool2d(x, 2, { stride: [1, 1, 1] }),
      "avg_pool2d: stride must either be omitted, a single int, or a tuple of two ints",
    ],
    [
      () => maxPool2d(zeros([1, 0, 4, 4]), 2),
      "Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, but got:[1, 0, 4, 4]",
    ],
    [
      () => maxPool1d(zeros([4]), 2),
      "max_pool1d: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for input, but got:[4]",
    ],
    [() => maxPool2d(x.long(), 2), "\"max_pool2d\" not implemented for 'Long'"],
    [() => avgPool2d(x, 2, { divisorOverride: 0 }), "divisor must be not zero"],
    [() => adaptiveAvgPool2d(zeros([4, 4]), 2), "adaptive_avg_pool2d(): Expected 3D or 4D tensor, but got [4, 4]"],
    [
      () => adaptiveAvgPool2d(x, -1),
      "adaptive_avg_pool2d: elements of output_size must be greater than or equal to 0 but received {-1, -1}",
    ],
    [() => adaptiveAvgPool2d(x, [1, 1, 1]), "adaptive_avg_pool2d: output_size must be 2"],
    [
      () => adaptiveAvgPool2d(zeros([1, 1, 0, 4]), 2),
      "adaptive_avg_pool2d(): Expected input to have non-zero size for non-batch dimensions, but input has sizes [1, 1, 0, 4] with dimension 2 being empty",
    ],
    [
      () => adaptiveAvgPool1d(zeros([4]), 2),
      "Expected 2 to 3 dimensions, but got 1-dimensional tensor for argument #1 'self' (while checking arguments for adaptive_avg_pool1d)",
    ],
  ];
  it.each(sentences.map(([run, sentence]) => [sentence, run] as const))("%s", (sentence, run) => {
    expect(run).toThrow(sentence);
  });

  it("but an empty batch is none, and null keeps a size", () => {
    expect(maxPool2d(zeros([0, 1, 4, 4]), 2).shape).toEqual([0, 1, 2, 2]);
    expect(adaptiveAvgPool2d(random([1, 1, 4, 6], 1), [null, 2]).shape).toEqual([1, 1, 4, 2]);
  });
});
