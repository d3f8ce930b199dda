import {
  ArgumentError,
  autograd,
  DTypeError,
  F,
  manualSeed,
  memoryUsage,
  nn,
  noGrad,
  ones,
  optim,
  randn,
  ShapeError,
  type Tensor,
  tensor,
  tidy,
  zeros,
} from "evenkeel";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { relativeError } from "./compare.ts";

beforeEach(() => manualSeed(5));

const near = (found: Tensor | null, expected: Tensor | null, limit = 2e-6) =>
  expect(relativeError(found?.toTypedArray() ?? [], expected?.toTypedArray() ?? [Number.NaN])).toBeLessThanOrEqual(
    limit,
  );

const ACTIVATIONS = {
  relu: F.relu,
  relu6: F.relu6,
  leakyRelu: F.leakyRelu,
  sigmoid: F.sigmoid,
  tanh: F.tanh,
  silu: F.silu,
  gelu: F.gelu,
} as const;

describe("BatchNormAct2d is batch norm, sum and activation in one", () => {
  const names = [...Object.keys(ACTIVATIONS), null] as F.NormActivation[];

  function pair(activation: F.NormActivation | null) {
    const [layer, bn] = [new nn.BatchNormAct2d(3, { activation }), new nn.BatchNorm2d(3)];
    for (const each of [layer, bn]) {
      each.weight?.detach().copy_(tensor([1, -2, 3]));
      each.bias?.detach().copy_(tensor([0.5, 0, -1]));
    }
    const act = activation ? ACTIVATIONS[activation] : (x: Tensor) => x;
    return { layer, bn, act };
  }

  // 3 × 7 leaves elements behind the last whole vector; of channels of 40 × 41 × 41 only one is walked at a time, with the sums of the next one.
  const small = [
    [2, 3, 4, 5],
    [2, 3, 3, 7],
  ];
  const cases = small.flatMap((shape) => names.map((name) => [name, shape] as const));
  test.each([...cases, ["relu", [40, 3, 41, 41]] as const])(
    "%s, %j: values, gradients and statistics",
    (activation, shape) => {
      for (const withResidual of [false, true]) {
        const { layer, bn, act } = pair(activation);
        for (const training of [true, false]) {
          layer.train(training);
          bn.train(training);
          const data = [randn(shape), randn(shape), randn(shape)];
          const run = (forward: (x: Tensor, residual: Tensor | null) => Tensor, owner: nn.Module) => {
            const [x, residual] = data.slice(0, 2).map((t) => t.clone().requiresGrad_());
            owner.zeroGrad();
            const y = forward(x, withResidual ? residual : null);
            y.backward(data[2]);
            return [y, x.grad, residual.grad, ...owner.parameters().map((p) => p.grad), ...owner.buffers()];
          };
          const ours = run((x, residual) => layer.forward(x, { residual }), layer);
          const theirs = run((x, r) => act(r ? bn.forward(x).add(r) : bn.forward(x)), bn);
          expect(ours).toHaveLength(theirs.length);
          ours.forEach((found, i) => {
            if (!theirs[i]) expect(found).toBeNull();
            else near(found, theirs[i], i === 0 ? 1e-6 : 5e-6);
          });
        }
      }
    },
  );

  test.each(names)("%s: derivatives by gradcheck, twice, in training and evaluation", (activation) => {
    const double = { dtype: "float64" } as const;
    const leaf = (...shape: number[]) => randn(shape, double).requiresGrad_();
    const running: [Tensor, Tensor] = [randn([2], double), ones([2], double)];
    for (const training of [true, false]) {
      const run = (x: Tensor, residual: Tensor, weight: Tensor, bias: Tensor) =>
        F.batchNormAct(x, ...running, { weight, bias, training, momentum: 0, residual, activation });
      const inputs = [leaf(3, 2, 2, 1), leaf(3, 2, 2, 1), leaf(2), leaf(2)];
      expect(autograd.gradcheck(run, inputs)).toBe(true);
      expect(autograd.gradgradcheck(run, inputs)).toBe(true);
    }
  });

  test("keeps the output alone, where three layers keep three arrays; silu keeps no more", () => {
    const shape = [4, 3, 16, 16];
    const bytes = 4 * 3 * 16 * 16 * 4;
    const [x, residual] = [randn(shape).requiresGrad_(), randn(shape).requiresGrad_()];
    const held = (forward: () => Tensor) =>
      tidy(() => {
        const before = memoryUsage().scoped;
        const y = forward();
        const after = memoryUsage().scoped - before;
        // backward still works: what is missing is computed again
        y.backward(randn(shape));
        return Math.round(after / bytes);
      });
    for (const activation of ["relu", "silu"] as const) {
      const { layer, bn, act } = pair(activation);
      expect(held(() => act(bn.forward(x).add(residual)))).toBe(3);
      expect(held(() => layer.forward(x, { residual }))).toBe(1);
    }
  });

  test("loads a BatchNorm2d's state, prints its activation, and takes masks and several inputs", () => {
    const { layer, bn } = pair("relu");
    bn.forward(randn([4, 3, 2, 2]));
    layer.loadStateDict(bn.stateDict());
    expect(String(layer)).toBe(
      "BatchNormAct2d(3, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True, activation='relu')",
    );
    const x = randn([2, 3, 2, 2]);
    const whole = layer.forward(x, { residual: x });
    const parts = layer.forwardMany(x.split(1), x.split(1));
    near(parts[1], whole.narrow(0, 1, 1));
    near(layer.forward(x, { residual: x, mask: ones([2, 2, 2], { dtype: "bool" }) }), whole);
  });

  test("refuses what does not fit", () => {
    const layer = new nn.BatchNormAct2d(3);
    const x = randn([2, 3, 2, 2]);
    expect(() => layer.forward(randn([2, 3]))).toThrow("expected 4D input (got 2D input)");
    expect(() => layer.forward(x, { residual: randn([2, 3, 2, 1]) })).toThrow(ShapeError);
    expect(() => new nn.BatchNormAct2d(3, { activation: "elu" as never }).forward(x)).toThrow(
      'batch norm cannot be joined with "elu": use one of relu, relu6, leakyRelu, sigmoid, tanh, silu, gelu',
    );
  });

  test("a bias that is changed or gone before backward changes no gradient", () => {
    const [data, upstream, shift] = [randn([4, 3, 5, 5]), randn([4, 3, 5, 5]), [0.5, -1, 0]];
    const gradient = (meanwhile: (bias: Tensor) => void) => {
      const [x, weight, bias] = [data.clone().requiresGrad_(), tensor([1, -2, 3]), tensor(shift)];
      const y = F.batchNormAct(x, null, null, { weight, bias, training: true, activation: "relu" });
      meanwhile(bias);
      y.backward(upstream);
      return x.grad;
    };
    const expected = gradient(() => {});
    expect(gradient((bias) => bias.add_(5))?.toArray()).toEqual(expected?.toArray());
    expect(gradient((bias) => bias.dispose())?.toArray()).toEqual(expected?.toArray());
  });

  test("changing the output in place before backward is noticed", () => {
    const y = new nn.BatchNormAct2d(3).forward(randn([2, 3, 2, 2]).requiresGrad_());
    noGrad(() => y.mul_(2));
    expect(() => y.sum().backward()).toThrow("modified by an inplace operation");
  });
});

describe("FrozenBatchNorm2d", () => {
  test("is a BatchNorm2d in evaluation with nothing to train", () => {
    const bn = new nn.BatchNorm2d(3);
    bn.weight?.detach().copy_(tensor([1, 2, 3]));
    bn.forward(randn([4, 3, 5, 5]));
    const layer = new nn.FrozenBatchNorm2d(3);
    expect(layer.loadStateDict(bn.stateDict())).toEqual({ missingKeys: [], unexpectedKeys: [] });
    expect([...layer.stateDict().keys()]).toEqual(["weight", "bias", "running_mean", "running_var"]);
    const [a, b] = [randn([2, 3, 4, 4]).requiresGrad_(), randn([2, 3, 4, 4])];
    const [ours, theirs] = [layer.train().forward(a), bn.eval().forward(a)];
    expect(ours.toArray()).toEqual(theirs.toArray());
    ours.backward(b);
    theirs.backward(b);
    // twice the gradient of one of them
    near(a.grad, autograd.grad([bn.forward(a)], [a], { gradOutputs: [b.mul(2)] })[0], 0);
    expect(layer.parameters()).toEqual([]);
    expect(layer.getBuffer("running_mean")?.toArray()).toEqual(bn.runningMean?.toArray());
    expect(layer.mixesBatch).toBe(false);
  });

  test("gives torchvision's numbers for its formula", () => {
    const layer = new nn.FrozenBatchNorm2d(1, { eps: 1e-3 });
    layer.loadStateDict({
      weight: tensor([2]),
      bias: tensor([1]),
      running_mean: tensor([3]),
      running_var: tensor([4]),
    });
    const x = tensor([[[[1, 5]]]]);
    const scale = 2 / Math.sqrt(4.001);
    near(layer.forward(x), tensor([[[[1 * scale + 1 - 3 * scale, 5 * scale + 1 - 3 * scale]]]]));
    expect(() => layer.forward(randn([2, 1]))).toThrow("expected 4D input (got 2D input)");
    expect(() => layer.forward(randn([2, 2, 1, 1]))).toThrow("running_mean should contain 2 elements not 1");
  });
});

describe("masked statistics", () => {
  /** Sequences of 5, 3 and 1 in an array of 5 positions, filled with junk behind their ends. */
  const lengths = [5, 3, 1];
  const mask = tensor(lengths.map((n) => Array.from({ length: 5 }, (_, i) => i < n)));
  const padded = (junk: number) => {
    const counted = mask.unsqueeze(1);
    return randn([3, 2, 5]).add(4).where(counted, junk);
  };
  /** The positions that count, as one [1, C, 9]. */
  const packed = (x: Tensor) => {
    const columns = lengths.map((n, i) => x.select(0, i).narrow(1, 0, n));
    return tensor(
      columns[0].toArray().map((_: unknown, c: number) => columns.flatMap((t) => t.toArray()[c])),
    ).unsqueeze(0);
  };

  test("padding does not pollute moments and running statistics; it is normalized by them", () => {
    const [layer, expected] = [new nn.BatchNorm1d(2), new nn.BatchNorm1d(2)];
    const x = padded(1000);
    const y = layer.forward(x, { mask });
    near(packed(y), expected.forward(packed(x)));
    near(layer.runningMean, expected.runningMean);
    near(layer.runningVar, expected.runningVar);
    expect(layer.numBatchesTracked?.item()).toBe(1);
    const [a, b] = [y.toArray()[0][0][0], y.toArray()[2][0][4]];
    const slope = (b - a) / (1000 - x.toArray()[0][0][0]);
    expect(slope).toBeCloseTo(1 / Math.sqrt(packed(x).select(1, 0).var(1, { correction: 0 }).item() + 1e-5), 3);
  });

  test("what stands in the padding does not matter to the rest, nor to its gradients", () => {
    const data = padded(0);
    const g = randn([3, 2, 5]).where(mask.unsqueeze(1), 0);
    const run = (junk: number) => {
      const x = data.where(mask.unsqueeze(1), junk).requiresGrad_();
      const layer = new nn.BatchNorm1d(2);
      const y = layer.forward(x, { mask });
      y.backward(g);
      return [y.where(mask.unsqueeze(1), 0), x.grad, layer.weight?.grad ?? null, layer.runningVar];
    };
    const [clean, dirty] = [run(0), run(-777)];
    clean.forEach((expected, i) => {
      expect(dirty[i]?.toArray()).toEqual(expected?.toArray());
    });
  });

  test("all true is no mask; evaluation ignores it", () => {
    const x = randn([3, 2, 5]);
    const all = ones([3, 5], { dtype: "bool" });
    const [a, b] = [new nn.BatchNorm1d(2), new nn.BatchNorm1d(2)];
    near(a.forward(x, { mask: all }), b.forward(x));
    near(a.runningVar, b.runningVar);
    expect(a.eval().forward(x, { mask }).toArray()).toEqual(a.forward(x).toArray());
    const rows = tensor([true, true, false, true]);
    const samples = randn([4, 3]);
    const kept = samples.indexSelect(0, tensor([0, 1, 3], { dtype: "int64" }));
    const [c, d] = [new nn.BatchNorm1d(3), new nn.BatchNorm1d(3)];
    near(c.forward(samples, { mask: rows }).narrow(0, 3, 1), d.forward(kept).narrow(0, 2, 1));
    near(c.runningVar, d.runningVar);
  });

  test("fewer than two positions leave the running statistics, and give no NaN", () => {
    for (const count of [0, 1]) {
      const layer = new nn.BatchNorm1d(2);
      const few = tensor([count === 1, false, false]);
      const y = layer.forward(
        tensor([
          [5, 6],
          [7, 8],
          [9, 10],
        ]),
        { mask: few },
      );
      expect([layer.runningMean?.toArray(), layer.runningVar?.toArray()]).toEqual([
        [0, 0],
        [1, 1],
      ]);
      expect(y.toArray().flat().every(Number.isFinite)).toBe(true);
    }
  });

  test("derivatives by gradcheck, twice", () => {
    const double = { dtype: "float64" } as const;
    const leaf = (...shape: number[]) => randn(shape, double).requiresGrad_();
    const small = tensor([
      [true, false],
      [true, true],
      [false, true],
    ]);
    const run = (x: Tensor, weight: Tensor, bias: Tensor) =>
      F.batchNorm(x, null, null, { weight, bias, training: true, mask: small });
    const inputs = [leaf(3, 2, 2), leaf(2), leaf(2)];
    expect(autograd.gradcheck(run, inputs)).toBe(true);
    expect(autograd.gradgradcheck(run, inputs)).toBe(true);
  });

  test("refuses a mask of another shape or dtype", () => {
    const layer = new nn.BatchNorm1d(2);
    const x = randn([3, 2, 5]);
    expect(() => layer.forward(x, { mask: ones([3, 5]) })).toThrow(DTypeError);
    expect(() => layer.forward(x, { mask: ones([3, 2, 5], { dtype: "bool" }) })).toThrow(
      "the mask of batch norm has shape [3, 2, 5]: for an input of shape [3, 2, 5] it is [3, 5]",
    );
  });
});

describe("withoutStatisticsUpdate", () => {
  const state = (layer: nn.BatchNorm1d | nn.InstanceNorm1d) => layer.buffers().map((buffer) => buffer.toArray());

  test("a second forward pass counts and moves nothing, and gives the same output", () => {
    for (const momentum of [0.1, null]) {
      const layer = new nn.BatchNorm1d(3, { momentum });
      const x = randn([6, 3]);
      const first = layer.forward(x);
      const before = state(layer);
      const second = nn.withoutStatisticsUpdate(() => layer.forward(x));
      expect(second.toArray()).toEqual(first.toArray());
      expect(state(layer)).toEqual(before);
      nn.withoutStatisticsUpdate(() => layer.forwardMany(x.split(3)));
      nn.withoutStatisticsUpdate(() => layer.forward(x, { mask: ones([6], { dtype: "bool" }) }));
      expect(state(layer)).toEqual(before);
      layer.forward(x);
      expect(layer.numBatchesTracked?.item()).toBe(2);
      // a state dict taken over by `assign` may bring another dtype
      layer.numBatchesTracked = tensor([7]);
      layer.forward(x);
      expect(layer.numBatchesTracked?.toArray()).toEqual([8]);
    }
  });

  test("a batch seen first inside it leaves a cumulative average whole", () => {
    const layer = new nn.BatchNorm1d(3, { momentum: null });
    nn.withoutStatisticsUpdate(() => layer.forward(randn([6, 3])));
    expect(state(layer)).toEqual([[0, 0, 0], [1, 1, 1], 0]);
  });

  test("holds for instance norm and F.batchNorm, nested, after errors and for async bodies", async () => {
    const layer = new nn.InstanceNorm1d(2, { trackRunningStats: true });
    const mean = zeros([2]);
    nn.withoutStatisticsUpdate(() => {
      nn.withoutStatisticsUpdate(() => layer.forward(randn([2, 2, 4])));
      F.batchNorm(randn([4, 2]).add(3), mean, ones([2]), { training: true });
    });
    expect([state(layer)[0], mean.toArray()]).toEqual([
      [0, 0],
      [0, 0],
    ]);
    expect(() =>
      nn.withoutStatisticsUpdate(() => {
        throw new Error("inside");
      }),
    ).toThrow("inside");
    await nn.withoutStatisticsUpdate(async () => {
      await Promise.resolve();
      layer.forward(randn([2, 2, 4]));
    });
    expect(state(layer)[0]).toEqual([0, 0]);
    layer.forward(randn([2, 2, 4]));
    expect(state(layer)[0]).not.toEqual([0, 0]);
  });
});

test("instance norm with another number of channels warns where nothing is kept a channel, once", () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  const layer = new nn.InstanceNorm2d(5);
  for (let i = 0; i < 2; i++) layer.forward(randn([2, 3, 2, 2]));
  layer.forward(randn([2, 5, 2, 2]));
  layer.forward(randn([3, 2, 2]));
  expect(warn.mock.calls.map(([message]) => message)).toEqual(
    [1, 0].map(
      (dim) =>
        `input's size at dim=${dim} does not match num_features. You can silence this warning by not passing in num_features, which is not used because affine=False`,
    ),
  );
  warn.mockRestore();
});

test("bias false: no shift, neither in the state dict nor among the parameters", () => {
  for (const layer of [
    new nn.BatchNorm1d(3, { bias: false }),
    new nn.InstanceNorm1d(3, { affine: true, bias: false }),
    new nn.GroupNorm(1, 3, { bias: false }),
    new nn.LayerNorm([3, 4], { bias: false }),
  ]) {
    expect([...layer.stateDict().keys()].slice(0, 2)).not.toContain("bias");
    expect(layer.parameters()).toHaveLength(1);
    expect(layer.extraRepr()).toContain("ffine=True, bias=False");
    layer
      .forward(randn([2, 3, 4]))
      .square()
      .sum()
      .backward();
    new optim.SGD(layer.parameters(), { lr: 0.1 }).step();
    layer.resetParameters();
    expect(new Set(layer.weight?.flatten().toArray())).toEqual(new Set([1]));
  }
  expect(() => new nn.BatchNorm1d(-1)).toThrow(ArgumentError);
});
