import { ArgumentError, manualSeed, nn, optim, randn, ShapeError } from "evenkeel";
import { beforeEach, describe, expect, test } from "vitest";

const SHAPE_SENTENCE =
  "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in `load_state_dict` when trying to load an " +
  "uninitialized parameter into an initialized one. Call `forward` to initialize the parameters before accessing their attributes.";

beforeEach(() => manualSeed(1));

describe("a lazy layer becomes an ordinary one with the input's channels", () => {
  const kinds = [
    [nn.LazyBatchNorm1d, nn.BatchNorm1d, [6, 3]],
    [nn.LazyBatchNorm1d, nn.BatchNorm1d, [6, 3, 5]],
    [nn.LazyBatchNorm2d, nn.BatchNorm2d, [2, 3, 4, 5]],
    [nn.LazyBatchNorm3d, nn.BatchNorm3d, [2, 3, 2, 2, 2]],
    [nn.LazyInstanceNorm1d, nn.InstanceNorm1d, [2, 3, 5]],
    [nn.LazyInstanceNorm2d, nn.InstanceNorm2d, [2, 3, 4, 5]],
    [nn.LazyInstanceNorm3d, nn.InstanceNorm3d, [2, 3, 2, 2, 2]],
  ] as const;
  test.each(kinds)("%o", (Lazy, Ordinary, shape) => {
    for (const affine of [true, false]) {
      for (const trackRunningStats of [true, false]) {
        const options = { affine, trackRunningStats, momentum: 0.3 };
        const [layer, expected] = [new Lazy(options), new Ordinary(3, options)];
        expect(layer.className).toBe(`Lazy${expected.className}`);
        expect(String(layer)).toBe(`Lazy${String(expected).replace("(3,", "(0,")}`);
        const x = randn([...shape]);
        expect(layer.forward(x).toArray()).toEqual(expected.forward(x).toArray());
        expect(layer.constructor).toBe(Ordinary);
        expect(layer).not.toBeInstanceOf(Lazy);
        expect(String(layer)).toBe(String(expected));
        expect([...layer.stateDict().keys()]).toEqual([...expected.stateDict().keys()]);
        for (const [key, value] of expected.stateDict())
          expect(layer.stateDict().get(key)?.toArray()).toEqual(value.toArray());
      }
    }
  });

  test("without options all of them learn and track, instance norm too", () => {
    const keys = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"];
    for (const [Lazy, , shape] of kinds) {
      const layer = new Lazy();
      expect(String(layer)).toContain("(0, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)");
      layer.forward(randn([...shape]));
      expect([...layer.stateDict().keys()]).toEqual(keys);
    }
  });

  test("the parameters stay the same objects, and learn", () => {
    const layer = new nn.LazyBatchNorm2d();
    const { weight } = layer;
    expect(layer.parameters()).toHaveLength(2);
    expect(String(weight)).toBe("<UninitializedParameter>");
    expect(String(layer.runningMean)).toBe("<UninitializedBuffer>");
    layer
      .forward(randn([2, 3, 2, 2]))
      .square()
      .sum()
      .backward();
    expect(layer.weight).toBe(weight);
    expect(weight).toBeInstanceOf(nn.Parameter);
    expect(weight).not.toBeInstanceOf(nn.UninitializedParameter);
    expect(weight?.grad?.shape).toEqual([3]);
    const optimizer = new optim.SGD(layer.parameters(), { lr: 0.1 });
    optimizer.step();
    expect(weight?.toArray()).not.toEqual([1, 1, 1]);
  });

  test("an input of another rank leaves it as it is", () => {
    const layer = new nn.LazyBatchNorm2d();
    expect(() => layer.forward(randn([3, 4]))).toThrow(ShapeError);
    expect(() => layer.forward(randn([3, 4]))).toThrow("expected 4D input (got 2D input)");
    expect(layer).toBeInstanceOf(nn.LazyBatchNorm2d);
    expect(layer.weight).toBeInstanceOf(nn.UninitializedParameter);
  });

  test("an instance norm without a batch dimension takes the channels from the first one", () => {
    const layer = new nn.LazyInstanceNorm2d({ affine: true });
    layer.forward(randn([3, 4, 5]));
    expect(layer.weight?.shape).toEqual([3]);
  });

  test("bias false, float64, hooks, evaluation first, several inputs as one batch", () => {
    const layer = new nn.LazyBatchNorm1d({ bias: false, dtype: "float64" });
    const seen: number[] = [];
    layer.registerForwardHook((module) => {
      seen.push((module as nn.BatchNorm1d).numFeatures);
    });
    layer.eval();
    for (let i = 0; i < 2; i++) layer.forward(randn([4, 3], { dtype: "float64" }));
    expect(seen).toEqual([3, 3]);
    expect(layer.constructor).toBe(nn.BatchNorm1d);
    expect([layer.bias, layer.weight?.dtype, layer.runningVar?.dtype]).toEqual([null, "float64", "float64"]);
    const joint = new nn.LazyBatchNorm1d();
    joint.forwardMany([randn([2, 3]), randn([4, 3])]);
    expect([joint.className, joint.numBatchesTracked?.item()]).toEqual(["BatchNorm1d", 1]);
  });

  test("in a model", () => {
    const model = new nn.Sequential(new nn.Linear(4, 5), new nn.LazyBatchNorm1d(), new nn.ReLU());
    expect(model.forward(randn([8, 4])).shape).toEqual([8, 5]);
    expect(String(model)).toContain("(1): BatchNorm1d(5, eps=1e-05");
  });
});

describe("before the first forward pass", () => {
  test("everything that needs a shape is refused, with advice", () => {
    const { weight, runningVar } = new nn.LazyBatchNorm2d();
    for (const ask of [
      () => weight?.shape,
      () => weight?.numel,
      () => weight?.toArray(),
      () => weight?.add(1),
      () => runningVar?.fill_(2),
      () => new optim.SGD(new nn.LazyBatchNorm2d().parameters(), { lr: 0.1 }),
    ]) {
      expect(ask).toThrow(ArgumentError);
      expect(ask).toThrow(`${SHAPE_SENTENCE}: run one batch through the model first; build the optimizer after that`);
    }
  });

  test("resetting does nothing, and a dtype can be chosen", () => {
    const layer = new nn.LazyBatchNorm2d();
    layer.resetParameters();
    layer.resetRunningStats();
    new nn.Sequential(layer).double();
    expect(layer.weight).toBeInstanceOf(nn.UninitializedParameter);
    layer.forward(randn([2, 3, 2, 2], { dtype: "float64" }));
    expect([layer.weight?.dtype, layer.runningMean?.dtype]).toEqual(["float64", "float64"]);
  });

  test("its state dict has the keys; it loads into another lazy layer, and not into one with a shape", () => {
    const state = new nn.LazyBatchNorm2d().stateDict();
    expect([...state.keys()]).toEqual(["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]);
    expect(new nn.LazyBatchNorm2d().loadStateDict(state)).toEqual({ missingKeys: [], unexpectedKeys: [] });
    expect(() => new nn.BatchNorm2d(3).loadStateDict(state)).toThrow(SHAPE_SENTENCE);
  });

  test("a loaded state gives the shapes; the class changes with the first input", () => {
    const source = new nn.BatchNorm1d(3);
    source.forward(randn([8, 3]));
    source.weight?.detach().mul_(3);
    const layer = new nn.LazyBatchNorm1d();
    layer.loadStateDict(source.stateDict());
    expect(layer).toBeInstanceOf(nn.LazyBatchNorm1d);
    expect(layer.weight?.toArray()).toEqual([3, 3, 3]);
    const x = randn([4, 3]);
    expect(layer.eval().forward(x).toArray()).toEqual(source.eval().forward(x).toArray());
    expect(String(layer)).toBe(String(source));
    expect(layer.numBatchesTracked?.item()).toBe(1);
  });

  test("a partly loaded state keeps what was loaded", () => {
    const layer = new nn.LazyBatchNorm1d();
    const result = layer.loadStateDict({ weight: randn([3]).fill_(7) }, { strict: false });
    expect(result.missingKeys).toEqual(["bias", "running_mean", "running_var"]);
    layer.forward(randn([4, 3]));
    expect([layer.weight?.toArray(), layer.bias?.toArray()]).toEqual([
      [7, 7, 7],
      [0, 0, 0],
    ]);
  });
});
