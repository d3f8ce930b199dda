import { autograd, F, full, manualSeed, nn, optim, randn, type Tensor, tensor } from "evenkeel";
import { beforeEach, describe, expect, test } from "vitest";
import { relativeError } from "./compare.ts";

beforeEach(() => manualSeed(2));

const double = { dtype: "float64" } as const;
const leaf = (...shape: number[]) => randn(shape, double).requiresGrad_();

describe("every layer's gradients can be differentiated, in training and in evaluation", () => {
  const layers: Record<string, [make: () => nn.Module, shape: number[]]> = {
    BatchNorm1d: [() => new nn.BatchNorm1d(2, double), [3, 2]],
    "BatchNorm1d without affine": [() => new nn.BatchNorm1d(2, { ...double, affine: false }), [3, 2]],
    BatchNorm2d: [() => new nn.BatchNorm2d(2, { ...double, bias: false }), [2, 2, 2, 1]],
    BatchNorm3d: [() => new nn.BatchNorm3d(2, double), [2, 2, 1, 2, 1]],
    SyncBatchNorm: [() => new nn.SyncBatchNorm(2, double), [3, 2]],
    InstanceNorm1d: [() => new nn.InstanceNorm1d(2, { ...double, affine: true, trackRunningStats: true }), [2, 2, 3]],
    "InstanceNorm1d, unbatched": [() => new nn.InstanceNorm1d(2, double), [2, 3]],
    GroupNorm: [() => new nn.GroupNorm(2, 4, double), [2, 4, 2]],
    LayerNorm: [() => new nn.LayerNorm([2, 2], double), [2, 2, 2]],
    RMSNorm: [() => new nn.RMSNorm([3], double), [2, 3]],
    "RMSNorm without affine": [() => new nn.RMSNorm([3], { ...double, elementwiseAffine: false }), [2, 3]],
    LocalResponseNorm: [() => new nn.LocalResponseNorm(2, { alpha: 1 }), [1, 3, 2]],
    FrozenBatchNorm2d: [() => new nn.FrozenBatchNorm2d(2, double), [1, 2, 2, 1]],
  };
  test.each(Object.entries(layers))("%s", (_, [make, shape]) => {
    for (const training of [true, false]) {
      const layer = make();
      for (const parameter of layer.parameters()) parameter.detach().normal_();
      layer.train(training);
      const run = (x: Tensor) => nn.withoutStatisticsUpdate(() => layer.forward(x));
      const inputs = [leaf(...shape), ...layer.parameters()];
      expect(autograd.gradcheck(run, inputs)).toBe(true);
      expect(autograd.gradgradcheck(run, inputs)).toBe(true);
    }
  });

  test("F.normalize", () => {
    for (const p of [1, 2, 3]) {
      const run = (x: Tensor) => F.normalize(x, { p });
      const x = leaf(2, 3);
      expect(autograd.gradcheck(run, [x])).toBe(true);
      expect(autograd.gradgradcheck(run, [x])).toBe(true);
    }
  });

  test("one layer used twice: each use counts for itself", () => {
    const layer = new nn.BatchNorm1d(2, double);
    const run = (x: Tensor) => nn.withoutStatisticsUpdate(() => layer.forward(layer.forward(x).mul(x)));
    const inputs = [leaf(3, 2), ...layer.parameters()];
    expect(autograd.gradcheck(run, inputs)).toBe(true);
    expect(autograd.gradgradcheck(run, inputs)).toBe(true);
  });
});

describe("a gradient penalty trains, with PyTorch's loss curve", () => {
  // (‖∂y/∂x‖² − 1)² of the network below from PyTorch 2.13: torch.manual_seed(2), SGD with lr 0.01
  const curves: Record<string, [make: () => nn.Module, penalties: number[]]> = {
    BatchNorm1d: [
      () => new nn.BatchNorm1d(8),
      [0.871675, 0.835689, 0.884938, 0.74833, 0.823701, 0.805563, 0.747671, 0.830929, 0.788244, 0.832989],
    ],
    LayerNorm: [
      () => new nn.LayerNorm(8),
      [0.713063, 0.694016, 0.675179, 0.655356, 0.633983, 0.610225, 0.582081, 0.544501, 0.496927, 0.486159],
    ],
    GroupNorm: [
      () => new nn.GroupNorm(2, 8),
      [2.298925, 0.901677, 0.904193, 0.853, 0.829928, 0.910459, 0.884592, 0.859199, 0.830534, 0.815437],
    ],
    RMSNorm: [
      () => new nn.RMSNorm(8),
      [0.848455, 0.830287, 0.799522, 0.784375, 0.79276, 0.756876, 0.748843, 0.756092, 0.718829, 0.705604],
    ],
  };
  test.each(Object.entries(curves))("%s, three layers deep", (_, [make, penalties]) => {
    const layers = [new nn.Linear(3, 8), make(), new nn.Tanh()];
    for (let i = 0; i < 2; i++) layers.push(new nn.Linear(8, 8), make(), new nn.Tanh());
    const model = new nn.Sequential(...layers, new nn.Linear(8, 1));
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.01 });
    const x = randn([16, 3]);
    for (const expected of penalties) {
      optimizer.zeroGrad();
      const input = x.clone().requiresGrad_();
      const [slope] = autograd.grad([model.forward(input).sum()], [input], { createGraph: true });
      const penalty = (slope as Tensor).square().sum(1).sub(1).square().mean();
      penalty.backward();
      optimizer.step();
      expect(Math.abs(penalty.item() - expected)).toBeLessThan(5e-3 * expected);
    }
  });
});

describe("no variance and eps 0", () => {
  test("batch norm's second derivatives are PyTorch's: the flat channel takes part in nothing", () => {
    const x = tensor(
      [
        [1, 2],
        [1, 3],
      ],
      double,
    ).requiresGrad_();
    const weight = tensor([2, 3], double).requiresGrad_();
    const y = F.batchNorm(x, null, null, { weight, training: true, eps: 0 });
    const [g] = autograd.grad([y], [x], {
      gradOutputs: [
        tensor(
          [
            [0.5, 1],
            [0.3, 0.2],
          ],
          double,
        ),
      ],
      createGraph: true,
    });
    const [gx, gw] = autograd.grad(
      [
        (g as Tensor)
          .mul(
            tensor(
              [
                [1, 2],
                [3, 4],
              ],
              double,
            ),
          )
          .sum(),
      ],
      [x, weight],
    );
    for (const found of [g, gx, gw]) {
      const values = found?.flatten().toArray() as number[];
      expect(Math.max(...values.map(Math.abs))).toBeLessThan(1e-12);
    }
  });

  test("layer, group and RMS norm divide by zero there", () => {
    for (const run of [
      (x: Tensor) => F.layerNorm(x, 2, { eps: 0 }),
      (x: Tensor) => F.groupNorm(x, 1, { eps: 0 }),
      (x: Tensor) => F.rmsNorm(x, 2, { eps: 0 }),
    ]) {
      const x = full([2, 2], 0, double).requiresGrad_();
      const [g] = autograd.grad([run(x).square().sum()], [x], { createGraph: true });
      expect(g?.flatten().toArray().every(Number.isNaN)).toBe(true);
    }
  });
});

test("float32: gradients with a history are those of the kernels", () => {
  for (const layer of [new nn.BatchNorm2d(3), new nn.GroupNorm(1, 3), new nn.InstanceNorm2d(3, { affine: true })]) {
    for (const parameter of layer.parameters()) parameter.detach().normal_();
    for (const training of [true, false]) {
      layer.train(training);
      const [x, g] = [randn([4, 3, 5, 5]).requiresGrad_(), randn([4, 3, 5, 5])];
      const wanted = [x, ...layer.parameters()];
      const y = layer.forward(x);
      const fast = autograd.grad([y], wanted, { gradOutputs: [g], retainGraph: true });
      const slow = autograd.grad([y], wanted, { gradOutputs: [g], createGraph: true });
      fast.forEach((found, i) => {
        expect(relativeError(found?.toTypedArray() ?? [], slow[i]?.toTypedArray() ?? [])).toBeLessThan(1e-5);
      });
    }
  }
});
