import { describe, expect, test } from "vitest";
import { F, manualSeed, nn, ones, randn, type Tensor, tensor, zeros } from "../../src/index.ts";
import { ArgumentError } from "../../src/util/errors.ts";

describe("options that do not go together are refused with PyTorch's sentences", () => {
  test.each<[string, () => unknown]>([
    ["in_channels must be divisible by groups", () => new nn.Conv2d(3, 4, 3, { groups: 2 })],
    ["out_channels must be divisible by groups", () => new nn.Conv2d(4, 3, 3, { groups: 2 })],
    ["groups must be a positive integer", () => new nn.Conv2d(4, 4, 3, { groups: 0 })],
    ["in_channels must be a positive integer", () => new nn.Conv1d(0, 4, 3)],
    ["out_channels must be a positive integer", () => new nn.Conv1d(4, 1.5, 3)],
    [
      "Invalid padding string 'full', should be one of {'same', 'valid'}",
      () => new nn.Conv2d(4, 4, 3, { padding: "full" as never }),
    ],
    [
      "padding='same' is not supported for strided convolutions",
      () => new nn.Conv2d(4, 4, 3, { padding: "same", stride: [1, 2] }),
    ],
    ["kernel_size is (0, 0)", () => new nn.Conv2d(1, 1, 0)],
    ["kernel_size is (3, 3, 3)", () => new nn.Conv2d(1, 1, [3, 3, 3] as never)],
    ["stride is (0,)", () => new nn.Conv1d(1, 1, 3, { stride: 0 })],
    ["padding is (-1, -1)", () => new nn.Conv2d(1, 1, 3, { padding: -1 })],
    ["dilation is (1.5, 1.5)", () => new nn.Conv2d(1, 1, 3, { dilation: 1.5 })],
    ["inFeatures is -1", () => new nn.Linear(-1, 2)],
    ["num_features is -1", () => new nn.BatchNorm1d(-1)],
    ["num_features is undefined", () => new nn.BatchNorm1d(undefined as never)],
    ["dropout probability has to be between 0 and 1, but got 1.5", () => new nn.Dropout({ p: 1.5 })],
    [
      "Implicit dimension choice for softmax has been deprecated. Change the call to include dim=X as an argument.",
      () => new nn.Softmax(undefined as never),
    ],
    ["Implicit dimension choice for log_softmax has been deprecated.", () => new nn.LogSoftmax({} as never)],
    [
      "approximate argument must be either none or tanh.",
      () => new nn.GELU({ approximate: "erf" as never }).forward(ones([1])),
    ],
  ])("%s", (sentence, make) => {
    expect(make).toThrow(ArgumentError);
    expect(make).toThrow(sentence);
  });

  test("and wrong inputs by the layer's operation", () => {
    expect(() => new nn.Linear(2, 3).forward(ones([2, 5]))).toThrow(
      "mat1 and mat2 shapes cannot be multiplied (2x5 and 2x3)",
    );
    expect(() => new nn.Conv2d(3, 4, 3).forward(ones([1, 2, 5, 5]))).toThrow(
      "to have 3 channels, but got 2 channels instead",
    );
    expect(() => new nn.Conv2d(3, 4, 3).forward(ones([5, 5]))).toThrow(
      "Expected 3D (unbatched) or 4D (batched) input to conv2d, but got input of size: [5, 5]",
    );
    expect(() => new nn.MaxPool2d(4).forward(ones([1, 3, 3]))).toThrow("Output size is too small");
  });
});

describe("activations are their functions, with their options", () => {
  const x = tensor([-2, -0.5, 0, 1, 7, 30]);
  test.each<[string, nn.Module, Tensor]>([
    ["ReLU", new nn.ReLU(), F.relu(x)],
    ["ReLU6", new nn.ReLU6(), F.relu6(x)],
    ["LeakyReLU", new nn.LeakyReLU(), F.leakyRelu(x, { negativeSlope: 0.01 })],
    ["LeakyReLU 0.3", new nn.LeakyReLU({ negativeSlope: 0.3 }), F.leakyRelu(x, { negativeSlope: 0.3 })],
    ["Sigmoid", new nn.Sigmoid(), F.sigmoid(x)],
    ["Tanh", new nn.Tanh(), F.tanh(x)],
    ["GELU", new nn.GELU(), F.gelu(x)],
    ["GELU tanh", new nn.GELU({ approximate: "tanh" }), F.gelu(x, { approximate: "tanh" })],
    ["SiLU", new nn.SiLU(), F.silu(x)],
    ["Softplus", new nn.Softplus(), F.softplus(x)],
    ["Softplus 2, 3", new nn.Softplus({ beta: 2, threshold: 3 }), F.softplus(x, { beta: 2, threshold: 3 })],
    ["Softmax", new nn.Softmax({ dim: 0 }), F.softmax(x, 0)],
    ["LogSoftmax", new nn.LogSoftmax({ dim: -1 }), F.logSoftmax(x, 0)],
  ])("%s", (_, layer, expected) => {
    expect(layer.forward(x).toArray()).toEqual(expected.toArray());
  });

  test("differ from each other", () => {
    expect(new nn.GELU().forward(x).toArray()).not.toEqual(new nn.GELU({ approximate: "tanh" }).forward(x).toArray());
    expect(new nn.Softplus().forward(x).toArray()).not.toEqual(new nn.Softplus({ threshold: 0 }).forward(x).toArray());
  });
});

describe("dropout layers", () => {
  test("draw as F.dropout in training, and do nothing in evaluation", () => {
    const x = ones([4, 5]);
    manualSeed(7);
    const expected = F.dropout(x, { p: 0.3 }).toArray();
    manualSeed(7);
    const layer = new nn.Dropout({ p: 0.3 });
    expect(layer.forward(x).toArray()).toEqual(expected);
    expect(layer.eval().forward(x)).toBe(x);
  });

  test("Dropout2d drops channels", () => {
    manualSeed(0);
    const means = new nn.Dropout2d()
      .forward(ones([4, 4, 3, 3]))
      .mean([2, 3])
      .flatten()
      .toArray() as number[];
    expect(new Set(means)).toEqual(new Set([0, 2]));
  });
});

describe("shapes", () => {
  test("Flatten, Unflatten, Identity", () => {
    const x = randn([2, 3, 4, 5]);
    expect(new nn.Flatten().forward(x).shape).toEqual([2, 60]);
    expect(new nn.Flatten({ startDim: 0, endDim: 2 }).forward(x).shape).toEqual([24, 5]);
    expect(new nn.Unflatten(1, [1, 3]).forward(x).shape).toEqual([2, 1, 3, 4, 5]);
    expect(new nn.Identity(54, { anything: true }).forward(x)).toBe(x);
  });

  test("a linear layer takes any number of leading dimensions, and no features", () => {
    expect(new nn.Linear(4, 2).forward(zeros([3, 5, 4])).shape).toEqual([3, 5, 2]);
    expect(new nn.Linear(0, 2).forward(zeros([3, 0])).shape).toEqual([3, 2]);
  });
});
