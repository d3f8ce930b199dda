import {
  ArgumentError,
  autograd,
  cat,
  F,
  manualSeed,
  memoryUsage,
  nn,
  optim,
  randint,
  randn,
  type Tensor,
  tensor,
} from "evenkeel";
import { beforeEach, describe, expect, test } from "vitest";
import { relativeError } from "./compare.ts";

beforeEach(() => manualSeed(11));

const near = (found: Tensor | null, expected: Tensor | null, limit: number, what: string) =>
  expect(
    relativeError(found?.toTypedArray() ?? [], expected?.toTypedArray() ?? [Number.NaN]),
    what,
  ).toBeLessThanOrEqual(limit);

/** Two copies of a network: PyTorch's initialisation from the same seed. */
function twins(make: () => nn.Module): [nn.Module, nn.Module] {
  const copies = [0, 1].map(() => {
    manualSeed(7);
    return make();
  });
  return copies as [nn.Module, nn.Module];
}

const networks: Record<string, [make: () => nn.Module, shape: number[]]> = {
  MLP: [
    () =>
      new nn.Sequential(
        new nn.Linear(6, 8, { bias: false }),
        new nn.BatchNorm1d(8),
        new nn.ReLU(),
        new nn.Linear(8, 8),
        new nn.BatchNorm1d(8, { momentum: null }),
        new nn.Tanh(),
        new nn.Linear(8, 3),
      ),
    [6],
  ],
  CNN: [
    () =>
      new nn.Sequential(
        new nn.InstanceNorm2d(2, { trackRunningStats: true, affine: true, bias: false }),
        new nn.Conv2d(2, 4, 3, { bias: false }),
        new nn.BatchNorm2d(4),
        new nn.ReLU(),
        new nn.Sequential(new nn.Conv2d(4, 4, 3), new nn.BatchNormAct2d(4)),
        new nn.Flatten(),
        new nn.Linear(16, 3),
      ),
    [2, 6, 6],
  ],
};

describe.each(Object.entries(networks))(
  "%s: micro-batches through forwardMany are the large batch",
  (_, [make, shape]) => {
    test("outputs, losses, gradients, running statistics and weights over three steps of unequal micro-batches", () => {
      const [whole, pieces] = twins(make);
      const optimizers = [whole, pieces].map((model) => new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 }));
      const sizes = [5, 2, 1, 4];
      for (let step = 0; step < 3; step++) {
        const x = randn([12, ...shape]);
        const labels = randint(0, 3, [12]);
        for (const optimizer of optimizers) optimizer.zeroGrad();
        const outputs = whole.forward(x);
        const loss = F.crossEntropy(outputs, labels);
        loss.backward();
        const parts = pieces.forwardMany(x.split(sizes));
        const targets = labels.split(sizes);
        const losses = parts.map((part, i) => F.crossEntropy(part, targets[i]).mul(sizes[i] / 12));
        const sum = losses.reduce((a, b) => a.add(b));
        sum.backward();
        near(sum, loss, 1e-6, "loss");
        // Against the largest output of the batch: all three of a piece of one image may be small differences of large terms.
        near(cat(parts), outputs, 1e-6, "outputs");
        const expected = new Map(whole.namedParameters());
        for (const [name, parameter] of pieces.namedParameters()) {
          const grad = expected.get(name)?.grad ?? null;
          // A bias before batch norm has no gradient but rounding.
          if ((grad?.abs().max().item() ?? 0) > 1e-6) near(parameter.grad, grad, 1e-5, `gradient of ${name}`);
        }
        for (const optimizer of optimizers) optimizer.step();
        const buffers = new Map(whole.namedBuffers());
        for (const [name, buffer] of pieces.namedBuffers()) near(buffer, buffers.get(name) ?? null, 1e-6, name);
        for (const [name, parameter] of pieces.namedParameters())
          near(parameter, expected.get(name) ?? null, 1e-5, name);
      }
    });

    test("ordinary accumulation is something else", () => {
      const [whole, pieces] = twins(make);
      const x = randn([8, ...shape]);
      const expected = whole.forward(x).narrow(0, 0, 4);
      expect(relativeError(pieces.forward(x.narrow(0, 0, 4)).toTypedArray(), expected.toTypedArray())).toBeGreaterThan(
        0.01,
      );
    });

    test("in evaluation the pieces pass one by one", () => {
      const [whole, pieces] = twins(make);
      const x = randn([4, ...shape]);
      const expected = whole.eval().forward(x);
      near(pieces.eval().forwardMany(x.split([1, 3]))[1], expected.narrow(0, 1, 3), 1e-6, "outputs");
    });
  },
);

test("a loop over micro-batches holds no more memory from step to step", () => {
  const model = new nn.Sequential(new nn.Linear(4, 4), new nn.BatchNorm1d(4), new nn.Linear(4, 1));
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.01, momentum: 0.9 });
  const held: number[] = [];
  for (let step = 0; step < 12; step++) {
    optimizer.zeroGrad();
    const outputs = model.forwardMany(randn([6, 4]).split(2));
    const losses = outputs.map((output) => output.square().sum());
    losses.reduce((a, b) => a.add(b)).backward();
    optimizer.step();
    held.push(memoryUsage().tensors);
  }
  expect(Math.max(...held.slice(6))).toBeLessThanOrEqual(held[5]);
});

describe("batch norm over several arrays", () => {
  test("of different sizes: images of two resolutions share their moments", () => {
    const [a, b] = [randn([2, 3, 4, 4]), randn([5, 3, 2, 3]).add(2)];
    const layer = new nn.BatchNorm2d(3, { momentum: 1 });
    const [ya, yb] = layer.forwardMany([a, b]);
    const flat = (x: Tensor) => x.transpose(0, 1).reshape([3, -1]);
    const all = tensor([0, 1, 2].map((c) => [...flat(a).toArray()[c], ...flat(b).toArray()[c]]));
    near(layer.runningMean, all.mean(1), 1e-6, "mean");
    near(layer.runningVar, all.var(1), 1e-6, "variance");
    expect([ya.shape, yb.shape]).toEqual([a.shape, b.shape]);
    expect(ya.sum().add(yb.sum()).item()).toBeCloseTo(0, 3);
  });

  test("derivatives by gradcheck, twice; outputs may go unused", () => {
    const double = { dtype: "float64" } as const;
    const leaf = (...shape: number[]) => randn(shape, double).requiresGrad_();
    const run = (a: Tensor, b: Tensor, c: Tensor, weight: Tensor, bias: Tensor) =>
      F.batchNormMany([a, b, c], null, null, { weight, bias, training: true });
    const inputs = [leaf(3, 2), leaf(1, 2), leaf(2, 2), leaf(2), leaf(2)];
    expect(autograd.gradcheck(run, inputs)).toBe(true);
    expect(autograd.gradgradcheck(run, inputs)).toBe(true);
    const some = (...all: Tensor[]) => run(...(all as [Tensor, Tensor, Tensor, Tensor, Tensor]))[1];
    expect(autograd.gradcheck(some, inputs)).toBe(true);
    expect(autograd.gradgradcheck(some, inputs)).toBe(true);
  });

  test("backward again with a kept graph gives the same gradients", () => {
    const [a, b] = [randn([3, 2]).requiresGrad_(), randn([2, 2]).requiresGrad_()];
    const [ya, yb] = F.batchNormMany([a, b], null, null, { training: true });
    const loss = ya.pow(3).sum().add(yb.square().sum());
    const [first] = autograd.grad([loss], [a, b], { retainGraph: true });
    const [second, third] = autograd.grad([loss], [a, b]);
    expect(second?.toArray()).toEqual(first?.toArray());
    expect(third?.shape).toEqual([2, 2]);
    expect(() => autograd.grad([loss], [a])).toThrow("a second time");
  });

  test("one value a channel is enough beside others, and an error alone; no arrays give none", () => {
    const layer = new nn.BatchNorm1d(2);
    expect(layer.forwardMany([randn([1, 2]), randn([1, 2])])).toHaveLength(2);
    expect(() => layer.forwardMany([randn([1, 2])])).toThrow("Expected more than 1 value per channel when training");
    expect(() => layer.forwardMany([randn([1, 2]), randn([0, 2])])).toThrow("Expected more than 1 value per channel");
    expect(() => layer.forwardMany([randn([1, 2]), randn([1, 2, 2, 2])])).toThrow("expected 2D or 3D input");
    expect(() => layer.forwardMany([randn([3, 2]), randn([3, 4])])).toThrow("running_mean should contain 4 elements");
    expect(new nn.BatchNorm1d(2).forwardMany([])).toEqual([]);
  });

  test("a module of one's own has to say how: else its batch norm would see the pieces one by one", () => {
    class Block extends nn.Module {
      bn = new nn.BatchNorm1d(3);
      forward(x: Tensor): Tensor {
        return this.bn.forward(x).add(x);
      }
    }
    class Joint extends Block {
      override forwardMany(xs: readonly Tensor[]): Tensor[] {
        return this.bn.forwardMany(xs).map((y, i) => y.add(xs[i]));
      }
    }
    const xs = randn([6, 3]).split(3);
    expect(() => new nn.Sequential(new Block()).forwardMany(xs)).toThrow(ArgumentError);
    expect(() => new Block().forwardMany(xs)).toThrow(
      "Block does not say how several inputs pass through it as one batch, which its BatchNorm1d depends on",
    );
    expect(new Block().eval().forwardMany(xs)).toHaveLength(2);
    expect(new nn.Sequential(new Joint()).forwardMany(xs)).toHaveLength(2);
  });
});
