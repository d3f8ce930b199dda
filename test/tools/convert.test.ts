import { describe, expect, test } from "vitest";
import { F, nn, noGrad, randn, type Tensor, tensor, tools } from "../../src/index.ts";

const values = (x: Tensor | null | undefined) => x?.toArray();

describe("convert", () => {
  const make = () =>
    new nn.Sequential(
      new nn.Conv2d(3, 48, 3),
      new nn.BatchNorm2d(48, { eps: 1e-3 }),
      new nn.Sequential(new nn.ReLU(), new nn.Conv2d(48, 10, 1), new nn.BatchNorm2d(10, { affine: false })),
      new nn.Flatten(),
      new nn.BatchNorm1d(40),
    );

  test("to group norm: γ, β and eps stay, groups divide the channels", () => {
    const model = make();
    const norm = model.at(1) as nn.BatchNorm2d;
    noGrad(() => norm.weight!.uniform_());
    norm.bias!.requiresGrad = false;
    const { changes } = tools.convert(model, "group", { groups: 20 });
    expect(changes.map(({ path, to }) => `${path} ${to}`)).toEqual([
      "1 GroupNorm(16, 48, eps=0.001, affine=True)",
      "4 GroupNorm(20, 40, eps=1e-05, affine=True)",
      "2.2 GroupNorm(10, 10, eps=1e-05, affine=False)",
    ]);
    expect(changes.every(({ note }) => note === "statistics-dropped")).toBe(true);
    const made = model.at(1) as nn.GroupNorm;
    expect(values(made.weight)).toEqual(values(norm.weight));
    expect([made.weight!.requiresGrad, made.bias!.requiresGrad]).toEqual([true, false]);
    expect(model.forward(randn([2, 3, 4, 4])).shape).toEqual([2, 40]);
  });

  test("to frozen: evaluation stays the same, other ranks are left and reported", () => {
    const model = make();
    model.forward(randn([4, 3, 4, 4]));
    const x = randn([2, 3, 4, 4]);
    const before = values(model.eval().forward(x));
    const { changes } = tools.convert(model, "frozen");
    expect(changes.map(({ path, note }) => [path, note])).toEqual([
      ["1", undefined],
      ["4", "unsupported"],
      ["2.2", undefined],
    ]);
    expect(values(model.forward(x))).toEqual(before);
    model.train();
    expect(model.at(1)).toBeInstanceOf(nn.FrozenBatchNorm2d);
    expect(JSON.parse(JSON.stringify(changes))).toHaveLength(3);
  });

  test("to sync: the same parameters; a shared layer stays shared; a lone layer is replaced", () => {
    const shared = new nn.BatchNorm1d(3);
    const { weight } = shared;
    const model = new nn.Sequential(shared, new nn.ReLU(), shared);
    expect(tools.convert(model, "sync").changes).toHaveLength(1);
    expect(model.at(0)).toBe(model.at(2));
    expect((model.at(0) as nn.SyncBatchNorm).weight).toBe(weight);
    expect(tools.convert(model, "sync").changes).toEqual([]);
    expect(tools.convert(new nn.BatchNorm1d(4), "group").model).toBeInstanceOf(nn.GroupNorm);
    expect(() => tools.convert(model, "layer" as "group")).toThrow("cannot become");
    expect(() => tools.convert(model, "group", { groups: 0 })).toThrow("groups is 0");
  });
});

describe("fromKeras", () => {
  test("batch norm in evaluation gives Keras's formula", () => {
    const layer = new nn.Sequential(new nn.BatchNorm2d(2)).eval();
    const keras = { gamma: tensor([2, 3]), moving_mean: tensor([1, -1]), moving_variance: tensor([4, 0.5]) };
    const changes = tools.fromKeras(layer, { "0": { ...keras, momentum: 0.9 } });
    expect(changes.map(({ what, from, to }) => [what, from, to])).toEqual([
      ["momentum", "0.9", "0.1"],
      ["eps", "0.00001", "0.001"],
      ["beta", "none", "0"],
    ]);
    const y = layer
      .forward(tensor([[[[3]], [[1]]]]))
      .flatten()
      .toArray();
    expect(y[0]).toBeCloseTo((2 * 2) / Math.sqrt(4.001), 6);
    expect(y[1]).toBeCloseTo((3 * 2) / Math.sqrt(0.501), 6);
    const again = tools.fromKeras(layer, { "0": { ...keras, valuesPerChannel: 5 } });
    expect(again.at(-1)).toMatchObject({ what: "variance", to: "unbiased: times 5 / 4" });
    expect(layer.getBuffer("0.running_var")!.toArray()).toEqual([5, 0.625]);
  });

  test("kernels: a convolution of [height, width, in, out] over channels-last images", () => {
    const [h, w, cin, cout] = [2, 3, 2, 4];
    const kernel = randn([h, w, cin, cout]);
    const model = new nn.Sequential(new nn.Conv2d(cin, cout, [h, w]));
    const bias = randn([cout]);
    expect(tools.fromKeras(model, { "0": { kernel, bias } })).toEqual([
      { path: "0", what: "layout", from: "[2, 3, 2, 4]", to: "[4, 2, 2, 3]" },
    ]);
    const image = randn([1, h, w, cin]);
    // One position: the sum over all of image · kernel.
    const expected = image
      .reshape([1, -1])
      .matmul(kernel.reshape([-1, cout]))
      .add(bias)
      .toArray()[0];
    const found = model
      .forward(image.permute([0, 3, 1, 2]))
      .flatten()
      .toArray();
    for (const [i, value] of expected.entries()) expect(found[i]).toBeCloseTo(value, 5);
  });

  test("depthwise kernels, sequences, and a dense layer after Flatten", () => {
    const depthwise = randn([3, 3, 2, 2]);
    const model = new nn.Sequential(
      new nn.Conv2d(2, 4, 3, { groups: 2 }),
      new nn.Linear(12, 5),
      new nn.Conv1d(2, 3, 4),
    );
    const kernel = randn([12, 5]);
    tools.fromKeras(model, {
      "0": { depthwise_kernel: depthwise },
      "1": { kernel, flattened: [2, 3, 2] },
      "2": { kernel: randn([4, 2, 3]) },
    });
    const weight = model.getParameter("0.weight");
    // output channel = input channel · multiplier + which
    for (const [c, m] of [
      [0, 1],
      [1, 0],
    ]) {
      expect(weight.at(c * 2 + m, 0, 1, 2).item()).toBe(depthwise.at(1, 2, c, m).item());
    }
    const image = randn([1, 2, 3, 2]);
    const keras = image.flatten(1).matmul(kernel).toArray()[0];
    const ours = F.linear(image.permute([0, 3, 1, 2]).flatten(1), model.getParameter("1.weight")).toArray()[0];
    for (const [i, value] of keras.entries()) expect(ours[i]).toBeCloseTo(value, 5);
  });

  test("what does not fit is refused", () => {
    const model = new nn.Sequential(new nn.Linear(2, 3, { bias: false }), new nn.ReLU());
    expect(() => tools.fromKeras(model, { "0": { kernel: randn([3, 2]) } })).toThrow("the layer takes");
    expect(() => tools.fromKeras(model, { "0": { bias: randn([3]) } })).toThrow("has none");
    expect(() => tools.fromKeras(model, { "0": { kernel: randn([2]) } })).toThrow("expected 2");
    expect(() => tools.fromKeras(model, { "1": {} })).toThrow("1 is a ReLU");
    expect(() => tools.fromKeras(model, { "0": { kernel: randn([2, 3]), flattened: [2, 2, 2] } })).toThrow("flattened");
  });

  test("nothing is written unless everything fits", () => {
    const model = new nn.Sequential(new nn.BatchNorm1d(2), new nn.Linear(2, 3));
    const before = [...model.stateDict().values()].map((value) => [...value.toTypedArray()]);
    const fits = { gamma: tensor([2, 3]), moving_variance: tensor([4, 5]), momentum: 0.5, valuesPerChannel: 3 };
    expect(() => tools.fromKeras(model, { "0": fits, "1": { kernel: randn([3, 2]) } })).toThrow("the layer takes");
    expect(() => tools.fromKeras(model, { "0": { ...fits, moving_mean: randn([3]) } })).toThrow("the layer takes");
    expect([...model.stateDict().values()].map((value) => [...value.toTypedArray()])).toEqual(before);
    const { momentum, eps } = model.getSubmodule("0") as nn.BatchNorm1d;
    expect([momentum, eps]).toEqual([0.1, 1e-5]);
  });
});
