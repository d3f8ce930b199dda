import { describe, expect, test } from "vitest";
import { F, nn, ones, randn, zeros } from "../../src/index.ts";
import { DTypeError, ShapeError } from "../../src/util/errors.ts";

describe("the rank of the input", () => {
  const shape = (rank: number) => ones(new Array(rank).fill(2));
  const layers = {
    BatchNorm1d: { layer: () => new nn.BatchNorm1d(2), ranks: [2, 3], expected: "2D or 3D" },
    BatchNorm2d: { layer: () => new nn.BatchNorm2d(2), ranks: [4], expected: "4D" },
    BatchNorm3d: { layer: () => new nn.BatchNorm3d(2), ranks: [5], expected: "5D" },
    InstanceNorm1d: { layer: () => new nn.InstanceNorm1d(2), ranks: [2, 3], expected: "2D or 3D" },
    InstanceNorm2d: { layer: () => new nn.InstanceNorm2d(2), ranks: [3, 4], expected: "3D or 4D" },
    InstanceNorm3d: { layer: () => new nn.InstanceNorm3d(2), ranks: [4, 5], expected: "4D or 5D" },
  };
  test.each(Object.entries(layers))("%s", (_, { layer, ranks, expected }) => {
    for (let rank = 0; rank <= 6; rank++) {
      const run = () => layer().forward(shape(rank));
      if (ranks.includes(rank)) expect(run().ndim).toBe(rank);
      else {
        expect(run).toThrow(ShapeError);
        expect(run).toThrow(`expected ${expected} input (got ${rank}D input)`);
      }
    }
  });

  test("the error says what to use instead", () => {
    expect(() => new nn.BatchNorm2d(2).forward(shape(2))).toThrow("use BatchNorm1d for [N, C] or [N, C, L]");
    expect(() => new nn.BatchNorm1d(2).forward(shape(4))).toThrow("use BatchNorm2d for [N, C, H, W]");
    expect(() => new nn.BatchNorm2d(2).forward(shape(5))).toThrow("use BatchNorm3d for [N, C, D, H, W]");
    expect(() => new nn.BatchNorm3d(2).forward(shape(4))).toThrow("use BatchNorm2d for [N, C, H, W]");
  });

  test("functions", () => {
    expect(() => F.batchNorm(ones([3]), zeros([3]), ones([3]))).toThrow("expected at least 2D input (got 1D input)");
    expect(() => F.instanceNorm(ones([3]))).toThrow("expected at least 2D input (got 1D input)");
    expect(() => F.groupNorm(ones([3]), 1)).toThrow("Expected at least 2 dimensions for input tensor but received 1");
  });
});

describe("the number of channels", () => {
  const [x, zero, one] = [randn([2, 3]), zeros([3]), ones([3])];
  test.each<[string, () => unknown]>([
    ["running_mean should contain 5 elements not 3", () => new nn.BatchNorm1d(3).forward(ones([2, 5]))],
    ["running_mean should contain 5 elements not 3", () => new nn.BatchNorm1d(3).eval().forward(ones([2, 5]))],
    [
      "weight should contain 5 elements not 3",
      () => new nn.BatchNorm1d(3, { trackRunningStats: false }).forward(ones([2, 5])),
    ],
    ["running_mean should contain 3 elements not 4", () => F.batchNorm(x, zeros([4]), one)],
    ["running_var should contain 3 elements not 4", () => F.batchNorm(x, zero, ones([4]))],
    ["weight should contain 3 elements not 2", () => F.batchNorm(x, zero, one, { weight: ones([2]), bias: ones([7]) })],
    ["bias should contain 3 elements not 2", () => F.batchNorm(x, zero, one, { bias: ones([2]), training: true })],
    [
      "expected input's size at dim=1 to match num_features (3), but got: 5.",
      () => new nn.InstanceNorm1d(3, { affine: true }).forward(ones([2, 5, 4])),
    ],
    [
      "expected input's size at dim=0 to match num_features (3), but got: 5.",
      () => new nn.InstanceNorm1d(3, { affine: true }).forward(ones([5, 4])),
    ],
    ["num_channels must be divisible by num_groups", () => new nn.GroupNorm(2, 5)],
    ["num_channels must be divisible by num_groups", () => new nn.GroupNorm(0, 5)],
    [
      "Expected weight to be a vector of size equal to the number of channels in input, but got weight of shape [4] and input of shape [2, 6, 3]",
      () => new nn.GroupNorm(2, 4).forward(randn([2, 6, 3])),
    ],
    [
      "Expected number of channels in input to be divisible by num_groups, but got input of shape [2, 5, 3] and num_groups=2",
      () => F.groupNorm(randn([2, 5, 3]), 2),
    ],
    [
      "Expected bias to be a vector of size equal to the number of channels in input, but got bias of shape [3] and input of shape [2, 4, 3]",
      () => F.groupNorm(randn([2, 4, 3]), 2, { bias: ones([3]) }),
    ],
    [
      "Given normalized_shape=[5], expected input with shape [*, 5], but got input of size[2, 4]",
      () => new nn.LayerNorm(5).forward(ones([2, 4])),
    ],
    [
      "Given normalized_shape=[3, 4], expected input with shape [*, 3, 4], but got input of size[4]",
      () => new nn.LayerNorm([3, 4]).forward(ones([4])),
    ],
    [
      "Expected weight to be of same shape as normalized_shape, but got weight of shape [3] and normalized_shape = [4]",
      () => F.layerNorm(ones([2, 4]), 4, { weight: ones([3]) }),
    ],
    [
      "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got normalized_shape = []",
      () => F.layerNorm(ones([2, 4]), []),
    ],
  ])("%s", (sentence, run) => {
    expect(run).toThrow(ShapeError);
    expect(run).toThrow(sentence);
  });

  test("does not matter where nothing is kept a channel", () => {
    expect(new nn.InstanceNorm1d(3).forward(randn([2, 5, 4])).shape).toEqual([2, 5, 4]);
    expect(new nn.BatchNorm1d(3, { affine: false, trackRunningStats: false }).forward(randn([2, 5])).shape).toEqual([
      2, 5,
    ]);
  });
});

describe("one value a channel has no variance", () => {
  const perChannel = (shown: string) => `Expected more than 1 value per channel when training, got input size ${shown}`;
  const spatial = (shown: string) => `Expected more than 1 spatial element when training, got input size ${shown}`;
  test.each<[string, () => unknown]>([
    [perChannel("torch.Size([1, 3])"), () => new nn.BatchNorm1d(3).forward(ones([1, 3]))],
    [perChannel("torch.Size([1, 3, 1])"), () => new nn.BatchNorm1d(3).forward(ones([1, 3, 1]))],
    [perChannel("torch.Size([1, 3, 1, 1])"), () => new nn.BatchNorm2d(3).forward(ones([1, 3, 1, 1]))],
    [
      perChannel("torch.Size([1, 3])"),
      () => new nn.BatchNorm1d(3, { trackRunningStats: false }).eval().forward(ones([1, 3])),
    ],
    [perChannel("torch.Size([1, 3])"), () => F.batchNorm(ones([1, 3]), null, null, { training: true })],
    [perChannel("[1, 6]"), () => new nn.GroupNorm(6, 6).forward(ones([1, 6]))],
    [perChannel("[1, 3, 1]"), () => new nn.GroupNorm(3, 3).forward(ones([1, 3, 1]))],
    [spatial("torch.Size([2, 2, 1])"), () => new nn.InstanceNorm1d(2).forward(ones([2, 2, 1]))],
    [spatial("torch.Size([2, 2, 1, 1])"), () => new nn.InstanceNorm2d(2).eval().forward(ones([2, 2, 1, 1]))],
    [spatial("torch.Size([2, 2])"), () => F.instanceNorm(ones([2, 2]))],
  ])("%s", (sentence, run) => {
    expect(run).toThrow(ShapeError);
    expect(run).toThrow(sentence);
  });

  test("the batch was counted all the same", () => {
    const layer = new nn.BatchNorm1d(3);
    expect(() => layer.forward(ones([1, 3]))).toThrow(ShapeError);
    expect(layer.numBatchesTracked?.item()).toBe(1);
    expect(layer.runningMean?.toArray()).toEqual([0, 0, 0]);
  });
});

describe("dtypes", () => {
  test.each<[string, () => unknown]>([
    [`"batch_norm" not implemented for 'Long'`, () => new nn.BatchNorm1d(2).forward(ones([2, 2], { dtype: "int64" }))],
    [`"batch_norm" not implemented for 'Long'`, () => F.instanceNorm(ones([2, 2, 2], { dtype: "int64" }))],
    [`"LayerNormKernelImpl" not implemented for 'Int'`, () => F.layerNorm(ones([2, 2], { dtype: "int32" }), 2)],
    [`"GroupNormKernelImpl" not implemented for 'Bool'`, () => F.groupNorm(ones([2, 2], { dtype: "bool" }), 2)],
    [
      "mixed dtype (CPU): all inputs must share same datatype.: the input is float64, weight float32",
      () => new nn.BatchNorm1d(2).forward(ones([2, 2], { dtype: "float64" })),
    ],
    [
      "mixed dtype (CPU): expect parameter to have scalar type of Float: the input is float32, weight float64",
      () => new nn.LayerNorm(2, { dtype: "float64" }).forward(ones([2, 2])),
    ],
    [
      "expected scalar type Double but found Float: the input is float64, running_mean float32",
      () =>
        F.batchNorm(ones([2, 2], { dtype: "float64" }), ones([2]), ones([2]), {
          weight: ones([2], { dtype: "float64" }),
        }),
    ],
    [
      "mixed dtype (CPU): expect parameter to have scalar type of Float: the input is bfloat16, weight float64",
      () => new nn.GroupNorm(1, 2, { dtype: "float64" }).forward(ones([2, 2], { dtype: "bfloat16" })),
    ],
    [
      "expected scalar type BFloat16 but found Float: the input is bfloat16, bias float32",
      () =>
        F.layerNorm(ones([2, 2], { dtype: "bfloat16" }), 2, {
          weight: ones([2], { dtype: "bfloat16" }),
          bias: ones([2]),
        }),
    ],
  ])("%s", (sentence, run) => {
    expect(run).toThrow(DTypeError);
    expect(run).toThrow(sentence);
  });

  test("float64 layers keep float64 statistics", () => {
    const layer = new nn.BatchNorm1d(2, { dtype: "float64" });
    expect(layer.forward(ones([3, 2], { dtype: "float64" })).dtype).toBe("float64");
    expect([layer.runningMean?.dtype, layer.runningVar?.dtype]).toEqual(["float64", "float64"]);
  });
});
