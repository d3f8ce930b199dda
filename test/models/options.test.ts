import { expect, test } from "vitest";
import { Generator, models, nn, noGrad, randn } from "../../src/index.ts";
import { fillState } from "./fill-state.ts";

test("DenseNet loads the keys of torchvision's published files", () => {
  const make = () => new models.DenseNet([2, 2], { growthRate: 4, numInitFeatures: 8, numClasses: 3 }).eval();
  const [model, other] = [make(), make()];
  fillState(model, new Generator(1), 0);
  // Such files have no counters and no metadata.
  const old = [...model.stateDict()]
    .filter(([key]) => !key.endsWith("num_batches_tracked"))
    .map(([key, value]) => [key.replace(/(denselayer\d\.(?:norm|conv))([12])/, "$1.$2"), value] as const);
  expect(old.map(([key]) => key)).toContain("features.denseblock2.denselayer1.norm.2.running_var");
  expect(other.loadStateDict(new Map(old))).toEqual({ missingKeys: [], unexpectedKeys: [] });
  const x = randn([1, 3, 32, 32]);
  expect(other.forward(x).toArray()).toEqual(model.forward(x).toArray());
});

test("DenseNet's dropout acts in training only", () => {
  const model = new models.DenseNet([2], { growthRate: 4, numInitFeatures: 8, numClasses: 3, dropRate: 0.5 });
  const x = randn([2, 3, 32, 32]);
  const run = () => noGrad(() => nn.withoutStatisticsUpdate(() => model.forward(x).toArray()));
  expect(run()).not.toEqual(run());
  model.eval();
  expect(run()).toEqual(run());
});

test("shortcuts without parameters: every other pixel, and zeros around its channels", () => {
  const model = models.resnet20({ shortcut: "pad" });
  expect([...model.stateDict().keys()].some((key) => key.includes("downsample"))).toBe(false);
  const shortcut = (model.layer2.at(0) as models.BasicBlock).downsample!;
  const x = randn([1, 16, 4, 4]);
  const y = shortcut.forward(x);
  expect(y.shape).toEqual([1, 32, 2, 2]);
  expect(y.at(0, 8 + 3, 1, 1).item()).toBe(x.at(0, 3, 2, 2).item());
  expect(y.narrow(1, 0, 8).abs().max().item() + y.narrow(1, 24, 8).abs().max().item()).toBe(0);
  expect(model.forward(randn([2, 3, 32, 32])).shape).toEqual([2, 10]);
});

test("other normalizations, widths and numbers of classes", () => {
  const norm = (channels: number) => new nn.GroupNorm(4, channels);
  for (const model of [
    models.resnet20({ norm, numClasses: 3 }),
    models.mobilenetV2({ norm, widthMult: 0.25, numClasses: 3 }),
  ]) {
    expect(model.buffers()).toEqual([]);
    expect(noGrad(() => model.forward(randn([1, 3, 32, 32]))).shape).toEqual([1, 3]);
  }
});
