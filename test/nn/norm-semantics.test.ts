import { describe, expect, test } from "vitest";
import { autograd, F, full, nn, noGrad, ones, randn, type Tensor, tensor, zeros } from "../../src/index.ts";
import { ArgumentError, DTypeError, ShapeError } from "../../src/util/errors.ts";

/** Equal but for rounding; NaN equals NaN. */
function expectNear(actual: Tensor | null, expected: unknown): void {
  const flat = (value: unknown): number[] => (Array.isArray(value) ? value.flatMap(flat) : [value as number]);
  const found = flat(actual?.toArray());
  const wanted = flat(expected);
  expect(found).toHaveLength(wanted.length);
  wanted.forEach((value, i) => {
    if (Number.isFinite(value)) expect(found[i]).toBeCloseTo(value, 4);
    else expect(found[i]).toBe(value);
  });
}

const batch = () =>
  tensor([
    [1, 2],
    [3, 4],
  ]);

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

  test("evaluation by running statistics takes it", () => {
    expectNear(new nn.BatchNorm1d(3).eval().forward(ones([1, 3])), [[1, 1, 1]]);
    expectNear(new nn.InstanceNorm1d(1, { trackRunningStats: true }).eval().forward(full([1, 1, 1], 2)), [[[2]]]);
    expectNear(new nn.LayerNorm(1).forward(full([2, 1], 5)), [[0], [0]]);
    expect(new nn.GroupNorm(2, 2).forward(ones([2, 2])).toArray()).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });

  test("the batch was counted all the same", () => {
    const layer = new nn.BatchNorm1d(3);
    expect(() => layer.forward(ones([1, 3]))).toThrow(ShapeError);
    expect(layer.numBatchesTracked?.item()).toBe(1);
    expect(layer.runningMean?.toArray()).toEqual([0, 0, 0]);
  });
});

describe("running statistics", () => {
  test("move by momentum towards the mean and the unbiased variance", () => {
    const layer = new nn.BatchNorm1d(2, { momentum: 0.5 });
    layer.forward(batch());
    expectNear(layer.runningMean, [1, 1.5]);
    expectNear(layer.runningVar, [1.5, 1.5]);
    layer.eval().forward(batch());
    expectNear(layer.runningMean, [1, 1.5]);
    expect(layer.numBatchesTracked?.item()).toBe(1);
    layer.resetRunningStats();
    expect([layer.runningMean, layer.runningVar, layer.numBatchesTracked].map((x) => x?.toArray())).toEqual([
      [0, 0],
      [1, 1],
      0,
    ]);
  });

  test.each([
    [0, [0, 0], [1, 1]],
    [1, [2, 3], [2, 2]],
    [-0.5, [-1, -1.5], [0.5, 0.5]],
  ])("momentum %d", (momentum, mean, variance) => {
    const layer = new nn.BatchNorm1d(2, { momentum });
    layer.forward(batch());
    expectNear(layer.runningMean, mean);
    expectNear(layer.runningVar, variance);
  });

  test("momentum null averages all batches evenly", () => {
    const layer = new nn.BatchNorm1d(2, { momentum: null });
    const batches = [
      [
        [1, 2],
        [3, 4],
      ],
      [
        [10, 20],
        [30, 80],
      ],
      [
        [0, 0],
        [1, 1],
      ],
    ];
    const means = [
      [2, 3],
      [11, 26.5],
      [7.4999995, 17.833332],
    ];
    const variances = [
      [2, 2],
      [101, 901],
      [67.49999, 600.83331],
    ];
    batches.forEach((values, i) => {
      layer.forward(tensor(values));
      expectNear(layer.runningMean, means[i]);
      for (const c of [0, 1]) expect(layer.runningVar?.toArray()[c] / variances[i][c]).toBeCloseTo(1, 6);
      expect(layer.numBatchesTracked?.item()).toBe(i + 1);
    });
  });

  test("tracking switched off later: training leaves them alone, evaluation still uses them", () => {
    const layer = new nn.BatchNorm1d(2);
    layer.forward(batch());
    layer.trackRunningStats = false;
    const x = tensor([
      [1, 2],
      [30, 40],
    ]);
    expectNear(layer.forward(x), [
      [-1, -1],
      [1, 1],
    ]);
    expectNear(layer.runningMean, [0.2, 0.3]);
    expectNear(layer.runningVar, [1.1, 1.1]);
    expect(layer.numBatchesTracked?.item()).toBe(1);
    layer.forward(full([2, 2], Number.NaN));
    expectNear(layer.runningMean, [0.2, 0.3]);
    expectNear(layer.eval().forward(x), [
      [0.7627667, 1.6208792],
      [28.413057, 37.852295],
    ]);
  });

  test("one of them removed is an error in evaluation, both are the batch's own", () => {
    const layer = new nn.BatchNorm1d(2).eval();
    layer.runningVar = null;
    expect(() => layer.forward(batch())).toThrow("running_var must be defined in evaluation mode");
    layer.runningMean = null;
    expectNear(layer.forward(batch()), [
      [-1, -1],
      [1, 1],
    ]);
    expect(() => F.batchNorm(batch(), null, ones([2]))).toThrow("running_mean must be defined in evaluation mode");
    expect(() => F.batchNorm(batch(), null, null)).toThrow(ArgumentError);
    const sentence = "running_mean and running_var must either both be None or neither be None";
    expect(() => F.batchNorm(batch(), zeros([2]), null, { training: true })).toThrow(sentence);
    expect(() => F.instanceNorm(randn([2, 2, 3]), null, ones([2]))).toThrow(sentence);
    expect(() => F.instanceNorm(randn([2, 2, 3]), null, null, { useInputStats: false })).toThrow(
      "Expected running_mean and running_var to be defined when use_input_stats is false",
    );
  });

  test("instance norm takes the average over the images, and counts nothing", () => {
    const layer = new nn.InstanceNorm1d(2, { trackRunningStats: true });
    const x = tensor([
      [
        [1, 3],
        [2, 4],
      ],
      [
        [5, 7],
        [0, 10],
      ],
    ]);
    layer.forward(x);
    expectNear(layer.runningMean, [0.4, 0.4]);
    expectNear(layer.runningVar, [1.1, 3.5]);
    expect(layer.numBatchesTracked?.item()).toBe(0);
    const even = new nn.InstanceNorm1d(2, { trackRunningStats: true, momentum: null });
    even.forward(x);
    expectNear(even.runningMean, [0, 0]);
  });

  test("are updated through forward passes that record nothing too", () => {
    const layer = new nn.BatchNorm1d(2);
    noGrad(() => layer.forward(batch()));
    expectNear(layer.runningMean, [0.2, 0.3]);
  });

  test("reset with the parameters", () => {
    const layer = new nn.BatchNorm1d(2);
    layer.forward(batch());
    layer.weight?.detach().fill_(5);
    layer.bias?.detach().fill_(5);
    layer.resetParameters();
    expect([...layer.stateDict().values()].map((value) => value.toArray())).toEqual([
      [1, 1],
      [0, 0],
      [0, 0],
      [1, 1],
      0,
    ]);
  });
});

describe("edges", () => {
  test("an empty batch is counted and changes no statistics; its gradients are zero", () => {
    const layer = new nn.BatchNorm1d(2);
    const x = zeros([0, 2], { requiresGrad: true });
    const y = layer.forward(x);
    expect(y.shape).toEqual([0, 2]);
    expect([layer.runningMean?.toArray(), layer.runningVar?.toArray(), layer.numBatchesTracked?.item()]).toEqual([
      [0, 0],
      [1, 1],
      1,
    ]);
    y.sum().backward();
    expect(x.grad?.shape).toEqual([0, 2]);
    expect([layer.weight?.grad?.toArray(), layer.bias?.grad?.toArray()]).toEqual([
      [0, 0],
      [0, 0],
    ]);
    const images = new nn.BatchNorm2d(2);
    expect(images.forward(zeros([2, 2, 0, 3])).shape).toEqual([2, 2, 0, 3]);
    expect(images.runningMean?.toArray()).toEqual([0, 0]);
    expect(images.eval().forward(zeros([0, 2, 3, 3])).shape).toEqual([0, 2, 3, 3]);
  });

  test.each<[nn.LayerNorm | nn.GroupNorm | nn.InstanceNorm1d | nn.BatchNorm2d, number[]]>([
    [new nn.LayerNorm(2), [0, 2]],
    [new nn.GroupNorm(2, 2), [0, 2, 3]],
    [new nn.InstanceNorm1d(2, { affine: true, trackRunningStats: true }), [0, 2, 3]],
    [new nn.InstanceNorm1d(2, { affine: true, trackRunningStats: true }), [3, 2, 0]],
    [new nn.BatchNorm2d(2), [3, 2, 0, 4]],
  ])("%s of an empty input of shape %j", (layer, shape) => {
    const before = layer.buffers().map((buffer) => buffer.toArray());
    const y = layer.forward(zeros(shape, { requiresGrad: true }));
    expect(y.shape).toEqual(shape);
    y.sum().backward();
    expect([layer.weight?.grad?.toArray(), layer.bias?.grad?.toArray()]).toEqual([
      [0, 0],
      [0, 0],
    ]);
    expect(
      layer
        .buffers()
        .slice(0, 2)
        .map((buffer) => buffer.toArray()),
    ).toEqual(before.slice(0, 2));
  });

  test("no variance and eps 0: batch and instance norm give 0 in training and NaN in evaluation, layer and group norm NaN", () => {
    const layer = new nn.BatchNorm1d(2, { eps: 0, momentum: 1 });
    const x = tensor(
      [
        [1, 2],
        [1, 4],
      ],
      { requiresGrad: true },
    );
    const y = layer.forward(x);
    expectNear(y, [
      [0, -1],
      [0, 1],
    ]);
    y.backward(
      tensor([
        [1, 2],
        [3, 4],
      ]),
    );
    expectNear(x.grad, [
      [0, 0],
      [0, 0],
    ]);
    expectNear(layer.weight?.grad ?? null, [0, 2]);
    expectNear(layer.bias?.grad ?? null, [4, 6]);
    expectNear(layer.eval().forward(x), [
      [Number.NaN, -Math.SQRT1_2],
      [Number.NaN, Math.SQRT1_2],
    ]);
    expectNear(new nn.BatchNorm2d(1, { eps: 0 }).forward(ones([2, 1, 2, 2])).flatten(), new Array(8).fill(0));
    expectNear(new nn.InstanceNorm1d(1, { eps: 0 }).forward(full([2, 1, 2], 5)), new Array(4).fill(0));
    expectNear(new nn.LayerNorm(2, { eps: 0 }).forward(full([2, 2], 5)), new Array(4).fill(Number.NaN));
    expectNear(new nn.GroupNorm(1, 2, { eps: 0 }).forward(full([2, 2], 5)), new Array(4).fill(Number.NaN));
  });

  test("a negative eps is taken", () => {
    expectNear(
      new nn.BatchNorm1d(2, { eps: -0.5 }).forward(
        tensor([
          [1, 2],
          [3, 5],
        ]),
      ),
      [
        [-1.4142135, -1.1338934],
        [1.4142135, 1.1338934],
      ],
    );
  });

  test("NaN and infinity stay in their channel, and reach its statistics", () => {
    for (const [bad, mean] of [
      [Number.NaN, Number.NaN],
      [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
    ]) {
      const layer = new nn.BatchNorm1d(2);
      expectNear(
        layer.forward(
          tensor([
            [1, bad],
            [3, 4],
          ]),
        ),
        [
          [-1, Number.NaN],
          [1, Number.NaN],
        ],
      );
      expectNear(layer.runningMean, [0.2, mean]);
      expectNear(layer.runningVar, [1.1, Number.NaN]);
    }
  });

  test("a transposed input gives what its copy gives", () => {
    const x = randn([2, 3, 4]);
    const [a, b] = [new nn.BatchNorm1d(4), new nn.BatchNorm1d(4)];
    const view = x.transpose(1, 2);
    expect(a.forward(view).toArray()).toEqual(b.forward(view.clone()).toArray());
    expect(a.runningMean?.toArray()).toEqual(b.runningMean?.toArray());
  });

  test("the output is not changed by the running statistics' update during evaluation's backward", () => {
    const layer = new nn.BatchNorm1d(2).eval();
    const y = layer.forward(batch().requiresGrad_()).sum();
    layer.runningMean?.fill_(3);
    expect(() => y.backward()).toThrow("modified by an inplace operation");
  });
});

describe("dtypes", () => {
  test.each<[string, () => unknown]>([
    [`"batch_norm" not implemented for 'Long'`, () => new nn.BatchNorm1d(2).forward(ones([2, 2], { dtype: "int64" }))],
    [`"batch_norm" not implemented for 'Long'`, () => F.instanceNorm(ones([2, 2, 2], { dtype: "int64" }))],
    [`"LayerNormKernelImpl" not implemented for 'Int'`, () => F.layerNorm(ones([2, 2], { dtype: "int32" }), 2)],
    [`"GroupNormKernelImpl" not implemented for 'Bool'`, () => F.groupNorm(ones([2, 2], { dtype: "bool" }), 2)],
    [
      "mixed dtype (CPU): all inputs must share same datatype.: the input is float64, running_mean float32",
      () => new nn.BatchNorm1d(2).forward(ones([2, 2], { dtype: "float64" })),
    ],
    [
      "mixed dtype (CPU): all inputs must share same datatype.: the input is float32, weight float64",
      () => new nn.LayerNorm(2, { dtype: "float64" }).forward(ones([2, 2])),
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

describe("derivatives by gradcheck, twice", () => {
  const double = { dtype: "float64" } as const;
  const leaf = (...shape: number[]) => randn(shape, double).requiresGrad_();
  const options = (weight: Tensor, bias: Tensor, rest: object = {}) => ({ weight, bias, ...rest });
  const running: [Tensor, Tensor] = [randn([3], double), full([3], 1.5, double)];
  const cases: Record<string, [autograd.TensorFunction, Tensor[]]> = {
    "batch norm in training": [
      (x, w, b) => F.batchNorm(x, null, null, options(w, b, { training: true })),
      [leaf(4, 3, 2), leaf(3), leaf(3)],
    ],
    "batch norm in evaluation": [
      (x, w, b) => F.batchNorm(x, ...running, options(w, b)),
      [leaf(4, 3), leaf(3), leaf(3)],
    ],
    "instance norm": [(x, w, b) => F.instanceNorm(x, null, null, options(w, b)), [leaf(2, 3, 4), leaf(3), leaf(3)]],
    "instance norm by running statistics": [
      (x, w, b) => F.instanceNorm(x, ...running, options(w, b, { useInputStats: false })),
      [leaf(2, 3, 2), leaf(3), leaf(3)],
    ],
    "layer norm": [(x, w, b) => F.layerNorm(x, [3, 2], options(w, b)), [leaf(2, 3, 2), leaf(3, 2), leaf(3, 2)]],
    "group norm": [(x, w, b) => F.groupNorm(x, 2, options(w, b)), [leaf(2, 4, 2), leaf(4), leaf(4)]],
  };
  test.each(Object.entries(cases))("%s", (_, [run, inputs]) => {
    expect(autograd.gradcheck(run, inputs)).toBe(true);
    expect(autograd.gradgradcheck(run, inputs)).toBe(true);
  });
});
