import { describe, expect, test } from "vitest";
import { autograd, F, full, nn, noGrad, ones, randn, type Tensor, tensor, zeros } from "../../src/index.ts";
import { ArgumentError } from "../../src/util/errors.ts";

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
  test("one value a channel is taken in evaluation by running statistics, and where others share its moments", () => {
    expectNear(new nn.BatchNorm1d(3).eval().forward(ones([1, 3])), [[1, 1, 1]]);
    expectNear(new nn.InstanceNorm1d(1, { trackRunningStats: true }).eval().forward(full([1, 1, 1], 2)), [[[2]]]);
    expectNear(new nn.LayerNorm(1).forward(full([2, 1], 5)), [[0], [0]]);
    expect(new nn.GroupNorm(2, 2).forward(ones([2, 2])).toArray()).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });

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
