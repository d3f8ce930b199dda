import { describe, expect, test } from "vitest";
import {
  F,
  Generator,
  manualSeed,
  memoryUsage,
  nn,
  noGrad,
  optim,
  randn,
  type Tensor,
  tensor,
  tools,
} from "../../src/index.ts";

/** A model that tells four directions apart, trained for a moment. */
function trained(): nn.Sequential {
  manualSeed(1);
  const model = new nn.Sequential(new nn.Linear(2, 16), new nn.BatchNorm1d(16), new nn.ReLU(), new nn.Linear(16, 4));
  const optimizer = new optim.Adam(model.parameters(), { lr: 0.02 });
  const generator = new Generator(2);
  for (let step = 0; step < 80; step++) {
    optimizer.zeroGrad();
    const [x, labels] = sample(64, generator);
    F.crossEntropy(model.forward(x), labels).backward();
    optimizer.step();
  }
  return model.eval();
}

function sample(n: number, generator: Generator): [Tensor, Tensor] {
  const x = randn([n, 2], { generator });
  const labels = x.toArray().map(([a, b]: number[]) => (a > 0 ? 1 : 0) + (b > 0 ? 2 : 0));
  return [x, tensor(labels, { dtype: "int64" })];
}

const accuracy = (scores: Tensor, labels: Tensor) => scores.argmax(1).eq(labels).float().mean().item();
const shifted = (x: Tensor) => x.mul(0.4).add(1.5);

describe("adaBn", () => {
  test("wins back what a shift of the input took, and reset takes it back", async () => {
    const model = trained();
    const [x, labels] = sample(256, new Generator(3));
    const score = (input: Tensor) => noGrad(() => accuracy(model.forward(input), labels));
    const [clean, lost] = [score(x), score(shifted(x))];
    const state = [...model.stateDict().values()].map((value) => value.toArray());
    const adapted = await tools.adaBn(model, [shifted(x)]);
    const won = score(shifted(x));
    expect(clean).toBeGreaterThan(0.9);
    expect(lost).toBeLessThan(0.6);
    expect(won).toBeGreaterThan(0.9);
    expect(adapted.layers[0].meanShift).toBeGreaterThan(0.5);
    expect(JSON.parse(JSON.stringify(adapted)).samples).toBe(256);
    adapted.reset();
    expect([...model.stateDict().values()].map((value) => value.toArray())).toEqual(state);
  });

  test("a prior keeps a part of the source's statistics", async () => {
    const model = new nn.Sequential(new nn.BatchNorm1d(1));
    await tools.adaBn(model, [tensor([[3], [5]])], { prior: 6 });
    expect(model.getBuffer("0.running_mean")!.item()).toBeCloseTo(1, 6);
    expect(model.getBuffer("0.running_var")!.item()).toBeCloseTo(0.75 * 1 + 0.25 * 2, 6);
    await expect(tools.adaBn(model, [tensor([[3], [5]])], { prior: -1 })).rejects.toThrow("prior is -1");
  });
});

describe("Tent", () => {
  const entropy = (scores: Tensor) => F.softmax(scores, 1).mul(F.logSoftmax(scores, 1)).sum(1).neg().mean().item();

  test("makes predictions more certain by γ and β alone, and adapts to a shift", () => {
    const model = trained();
    const before = new Map([...model.stateDict()].map(([key, value]) => [key, value.toArray()]));
    const [x, labels] = sample(128, new Generator(4));
    const tent = new tools.Tent(model, { optimizer: (parameters) => new optim.SGD(parameters, { lr: 0.05 }) });
    const first = tent.forward(shifted(x));
    for (let step = 0; step < 10; step++) tent.forward(shifted(x));
    const last = tent.forward(shifted(x));
    expect(entropy(last)).toBeLessThan(entropy(first));
    expect(accuracy(last, labels)).toBeGreaterThan(0.85);
    const changed = [...model.stateDict()].filter(([key, value]) => `${value.toArray()}` !== `${before.get(key)}`);
    expect(changed.map(([key]) => key)).toEqual(["1.weight", "1.bias"]);

    tent.reset();
    expect(tent.forward(shifted(x)).toArray()).toEqual(first.toArray());
    tent.reset();
    tent.close();
    expect([...model.stateDict().values()].map((value) => value.toArray())).toEqual([...before.values()]);
    expect(model.modules().some(({ training }) => training)).toBe(false);
    expect(model.parameters().every((p) => p.requiresGrad)).toBe(true);
    expect(model.getParameter("1.weight").grad).toBeNull();
  });

  test("episodic adaptation starts anew, Adam's memory too", () => {
    const tent = new tools.Tent(trained(), { episodic: true, steps: 3 });
    const [x] = sample(32, new Generator(5));
    const first = tent.forward(x).toArray();
    expect(tent.forward(x).toArray()).toEqual(first);
  });

  test("leaves no memory behind, and says what it cannot adapt", () => {
    const tent = new tools.Tent(trained());
    const [x] = sample(32, new Generator(6));
    for (let i = 0; i < 2; i++) tent.forward(x).dispose();
    const { tensors } = memoryUsage();
    for (let i = 0; i < 5; i++) tent.forward(x).dispose();
    expect(memoryUsage().tensors).toBe(tensors);
    expect(() => new tools.Tent(new nn.Linear(2, 2))).toThrow("no batch normalization");
    const images = new tools.Tent(new nn.Sequential(new nn.BatchNorm2d(2)));
    expect(() => images.forward(randn([2, 2, 2, 2]))).toThrow("class scores [N, classes]");
  });
});
