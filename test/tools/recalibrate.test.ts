import { describe, expect, test } from "vitest";
import { manualSeed, memoryUsage, nn, randn, type Tensor, tensor, tools } from "../../src/index.ts";
import { type Golden, readGolden } from "../golden/read.ts";
import { expectGolden, fromGolden, relativeError } from "../nn/compare.ts";

interface Update {
  kind: string;
  name: string;
  batches: Golden[];
  mean: Golden;
  var: Golden;
  count: number;
  trueMean: Golden;
  trueVar: Golden;
}

const cases = readGolden<Update>("tools").filter(({ kind }) => kind === "update");

function seeded(): nn.Sequential {
  manualSeed(0);
  const model = new nn.Sequential(new nn.Linear(3, 2), new nn.BatchNorm1d(2, { momentum: 0.3 }));
  model.getBuffer("1.running_mean")!.fill_(7);
  return model;
}

describe("updateBn is PyTorch's, recalibrate is the mean and variance of everything", () => {
  test.each(cases)("$name", async (golden) => {
    const batches = golden.batches.map(fromGolden);
    const model = seeded();
    await tools.updateBn(batches, model);
    expectGolden(model.getBuffer("1.running_mean"), golden.mean, "mean", 1e-6);
    expectGolden(model.getBuffer("1.running_var"), golden.var, "variance", 1e-6);
    expect(model.getBuffer("1.num_batches_tracked")!.item()).toBe(golden.count);
    expect(String(model.at(1))).toContain("momentum=0.3");

    const { batches: count, samples } = await tools.recalibrate(model, batches);
    expect([count, samples]).toEqual([batches.length, batches.reduce((sum, x) => sum + x.shape[0], 0)]);
    const [mean, variance] = ["1.running_mean", "1.running_var"].map((key) => model.getBuffer(key)!.toTypedArray());
    expect(relativeError(mean, golden.trueMean.data)).toBeLessThanOrEqual(1e-6);
    expect(relativeError(variance, golden.trueVar.data)).toBeLessThanOrEqual(1e-6);
    expect(String(model.at(1))).toContain("momentum=0.3");
  });

  test("the two differ where batches do", async () => {
    const batches = [tensor([...Array(10).keys()].map((x) => [x / 10])), tensor([[5], [6]])];
    const model = new nn.Sequential(new nn.BatchNorm1d(1));
    await tools.updateBn(batches, model);
    expect(model.getBuffer("0.running_mean")!.item()).toBeCloseTo((0.45 + 5.5) / 2, 6);
    await tools.recalibrate(model, batches);
    expect(model.getBuffer("0.running_mean")!.item()).toBeCloseTo((4.5 + 11) / 12, 6);
  });
});

test("modes are as before, frozen layers stay, batches may be lists, and only so many are used", async () => {
  const model = new nn.Sequential(new nn.BatchNorm1d(2), new nn.Dropout(), new nn.BatchNorm1d(2)).eval();
  model.at(1).train();
  tools.freeze(model.at(2));
  const data = [1, 2, 3].map((n): [Tensor, Tensor] => [randn([4, 2]).add(n), tensor([0])]);
  for (const run of [() => tools.updateBn(data, model), () => tools.recalibrate(model, data)]) {
    await run();
    expect(model.modules().map(({ training }) => training)).toEqual([false, false, true, false]);
    expect(model.getBuffer("0.num_batches_tracked")!.item()).toBe(3);
    expect(model.getBuffer("2.num_batches_tracked")!.item()).toBe(0);
  }
  const { batches, layers } = await tools.recalibrate(model, data, { batches: 1 });
  expect([batches, layers[0].values, layers.length]).toEqual([1, 4, 1]);
});

test("an error leaves everything as it was", async () => {
  const model = new nn.Sequential(new nn.BatchNorm1d(2));
  model.forward(randn([8, 2]).add(3));
  const before = [...model.stateDict().values()].map((x) => x.toArray());
  const bad = [randn([4, 2]), randn([1, 2])];
  await expect(tools.updateBn(bad, model)).rejects.toThrow("Expected more than 1 value per channel");
  await expect(tools.recalibrate(model, bad)).rejects.toThrow("Expected more than 1 value per channel");
  await expect(tools.recalibrate(model, [])).rejects.toThrow("there are no batches");
  expect([...model.stateDict().values()].map((x) => x.toArray())).toEqual(before);
  expect(String(model.at(0))).toContain("momentum=0.1");
});

test("a cumulative average stays one, NaN in old statistics does not, and no memory is left behind", async () => {
  const model = new nn.Sequential(new nn.BatchNorm1d(2, { momentum: null }));
  model.getBuffer("0.running_var")!.fill_(Number.NaN);
  const data = [randn([16, 2]), randn([16, 2])];
  await tools.recalibrate(model, data);
  const before = memoryUsage();
  await tools.recalibrate(model, data);
  expect(memoryUsage().tensors).toBeLessThanOrEqual(before.tensors);
  expect(model.getBuffer("0.running_var")!.isfinite().all().item()).toBe(1);
  expect(String(model.at(0))).toContain("momentum=None");
});
