import { describe, expect, test } from "vitest";
import {
  F,
  Generator,
  manualSeed,
  models,
  nn,
  noGrad,
  optim,
  rand,
  randn,
  type Tensor,
  tensor,
  tools,
} from "../../src/index.ts";

const SIZES = { batch: 32, channels: 8 };

/** A small network and the data that it was trained on for 100 steps. */
function healthy(): { model: nn.Sequential; data: Tensor[] } {
  manualSeed(7);
  const { channels } = SIZES;
  const model = new nn.Sequential(
    new nn.Conv2d(3, channels, 3, { bias: false }),
    new nn.BatchNorm2d(channels),
    new nn.ReLU(),
    new nn.AdaptiveAvgPool2d(1),
    new nn.Flatten(),
    new nn.Linear(channels, 16, { bias: false }),
    new nn.BatchNorm1d(16),
    new nn.ReLU(),
    new nn.Linear(16, 2),
  );
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.02 });
  const generator = new Generator(8);
  const batch = () => randn([SIZES.batch, 3, 6, 6], { generator });
  for (let step = 0; step < 100; step++) {
    optimizer.zeroGrad();
    const x = batch();
    const labels = x.mean([1, 2, 3]).gt(0).long();
    F.crossEntropy(model.forward(x), labels).backward();
    optimizer.step();
  }
  return { model, data: [batch(), batch(), batch()] };
}

const codes = ({ findings }: tools.Inspection) => findings.map(({ path, code }) => `${path} ${code}`);

describe("a healthy model", () => {
  test("has no findings, with and without data, and its distributions are told", async () => {
    const { model, data } = healthy();
    model.train();
    const state = [...model.stateDict().values()].map((x) => x.toArray());
    const result = await tools.inspect(model, { data });
    expect(codes(result)).toEqual([]);
    expect(codes(await tools.inspect(model))).toEqual([]);
    expect(codes(await tools.inspect(model.stateDict()))).toEqual([]);
    expect(result.data).toMatchObject({ batches: 3, samples: 96 });
    expect(result.data!.agreement).toBeGreaterThan(0.8);
    expect(result.layers.map(({ path, kind, channels, batches }) => [path, kind, channels, batches])).toEqual([
      ["1", "BatchNorm2d", 8, 100],
      ["6", "BatchNorm1d", 16, 100],
    ]);
    const { runningVar } = result.layers[0];
    expect(runningVar!.histogram.reduce((a, b) => a + b)).toBe(8);
    expect(runningVar!.min).toBeLessThanOrEqual(runningVar!.q25);
    expect(runningVar!.median).toBeLessThanOrEqual(runningVar!.max);
    expect(JSON.parse(JSON.stringify(result))).toEqual(result);
    // The model is as it was.
    expect([...model.stateDict().values()].map((x) => x.toArray())).toEqual(state);
    expect(model.modules().every(({ training }) => training)).toBe(true);
  });
});

describe.each([
  ["float16", 11],
  ["bfloat16", 8],
] as const)("a model in %s", (dtype, bits) => {
  test("has the same findings and, to its digits, the same numbers", async () => {
    const { model } = healthy();
    noGrad(() => {
      const norm = model.at(1) as nn.BatchNorm2d;
      norm.weight!.narrow(0, 3, 1).fill_(1e-6);
      norm.runningVar!.narrow(0, 2, 1).fill_(-1);
      (model.at(6) as nn.BatchNorm1d).bias!.narrow(0, 5, 1).fill_(Number.NaN);
    });
    const full = await tools.inspect(model.stateDict());
    expect(codes(full).sort()).toEqual(["1 dead-channels", "1 negative-variance", "6 not-finite"]);
    const reduced = model.to(dtype);
    for (const source of [reduced, reduced.stateDict()]) {
      const result = await tools.inspect(source);
      expect(codes(result)).toEqual(codes(full));
      expect(result.layers.map(({ batches, channels }) => [batches, channels])).toEqual([
        [100, 8],
        [100, 16],
      ]);
      for (const [i, layer] of result.layers.entries()) {
        for (const name of ["weight", "bias", "runningMean", "runningVar"] as const) {
          const [got, expected] = [layer[name]!, full.layers[i][name]!];
          expect(got.nonFinite).toBe(expected.nonFinite);
          for (const at of ["min", "q25", "median", "q75", "max", "mean"] as const) {
            const size = Math.max(Math.abs(expected.min), Math.abs(expected.max));
            expect(Math.abs(got[at] - expected[at]), `${layer.path} ${name} ${at}`).toBeLessThanOrEqual(
              size * 2 ** -bits,
            );
          }
        }
      }
    }
  });
});

describe("planted faults are found", () => {
  async function inspectAfter(plant: (norm: nn.BatchNorm2d, model: nn.Sequential) => void, withData = false) {
    const { model, data } = healthy();
    noGrad(() => plant(model.at(1) as nn.BatchNorm2d, model));
    return tools.inspect(model, withData ? { data } : {});
  }
  const set = (x: Tensor, at: number, value: number) => void x.narrow(0, at, 1).fill_(value);

  test.each<[string, string, (norm: nn.BatchNorm2d) => void, Record<string, unknown>]>([
    ["error", "not-finite", (n) => set(n.bias!, 2, Number.NaN), { count: 1, total: 32, where: "bias" }],
    ["error", "negative-variance", (n) => set(n.runningVar!, 2, -1), { count: 1, channels: 8, min: -1 }],
    ["warning", "dead-channels", (n) => set(n.weight!, 3, 1e-6), { count: 1, channels: 8 }],
    ["warning", "collapsed-variance", (n) => set(n.runningVar!, 0, 1e-9), { count: 1, eps: 1e-5 }],
    ["warning", "exploding-variance", (n) => set(n.runningVar!, 0, 3e7), { count: 1, max: 3e7 }],
    ["warning", "never-updated", (n) => n.resetRunningStats(), { batches: 0 }],
    ["warning", "barely-updated", (n) => void n.numBatchesTracked!.fill_(10), { batches: 10, momentum: 0.1 }],
    ["warning", "reversed-momentum", (n) => void (n.momentum = 0.99), { momentum: 0.99, suggested: 0.01 }],
  ])("%s: %s", async (severity, code, plant, evidence) => {
    const { findings } = await inspectAfter(plant);
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatchObject({ code, severity, path: "1", evidence });
    expect(findings[0].problem + findings[0].remedy).not.toMatch(/[{}]|undefined|NaN \d/);
  });

  test("statistics that do not fit the data, and what that does to the outputs", async () => {
    const result = await inspectAfter((norm) => void norm.runningVar!.mul_(100), true);
    expect(codes(result)).toContain("1 stale-statistics");
    expect(result.findings.find(({ path }) => path === "1")!.evidence.varianceRatio).toBeCloseTo(0.01, 2);
    expect(codes(result)).toContain(" modes-disagree");
    const shifted = await inspectAfter((norm) => void norm.runningMean!.sub_(3), true);
    expect(shifted.findings.find(({ path }) => path === "1")!.evidence.meanShift).toBeGreaterThan(2);
  });

  test("small batches, and a last one of a single sample", async () => {
    const { model, data } = healthy();
    const small = data.map((x) => x.narrow(0, 0, 4));
    const result = await tools.inspect(model, { data: small });
    expect(result.findings.find(({ path }) => path === "6")).toMatchObject({
      code: "small-batch",
      evidence: { samples: 4, values: 4 },
    });
    const one = await tools.inspect(model, { data: [data[0], data[1].narrow(0, 0, 1)] });
    expect(one.findings.find(({ path }) => path === "6")).toMatchObject({ code: "single-value", severity: "error" });
    expect(
      (await tools.inspect(model.at(1), { data: [rand([4, 8, 9, 9])] })).findings.map(({ code }) => code),
    ).toContain("small-batch");
  });

  test("a bias in front of a batch norm: in a model by what passes between them, in a state dict by its place", async () => {
    const model = nn.skipInit(() => models.vgg11Bn({ numClasses: 2 }).features);
    const found = async (result: Promise<tools.Inspection>) =>
      (await result).findings
        .filter(({ code }) => code === "bias-before-norm")
        .map(({ path, evidence }) => [path, evidence.layer]);
    const expected = [0, 4, 8, 11, 15, 18, 22, 25].map((i) => [String(i + 1), String(i)]);
    expect(await found(tools.inspect(model.stateDict()))).toEqual(expected);
    expect(await found(tools.inspect(model, { data: [rand([2, 3, 32, 32])] }))).toEqual(expected);

    class Branch extends nn.Module {
      conv = new nn.Conv2d(2, 2, 1);
      bn = new nn.BatchNorm2d(2);
      forward(x: Tensor): Tensor {
        const y = this.conv.forward(x);
        return y.add(this.bn.forward(y));
      }
    }
    expect(await found(tools.inspect(new Branch(), { data: [rand([16, 2, 4, 4])] }))).toEqual([]);
  });
});

test("published checkpoints with a counter of 0, other norms, and untrained zero γ are fine", async () => {
  const { model } = healthy();
  const state = model.stateDict();
  state.set("1.num_batches_tracked", tensor(0, { dtype: "int64" }));
  expect(codes(await tools.inspect(state))).toEqual([]);
  const other = new nn.Sequential(new nn.LayerNorm([4]), new nn.GroupNorm(2, 4), new nn.Linear(4, 4));
  const { layers, findings } = await tools.inspect(other);
  expect([layers.map(({ kind }) => kind), findings]).toEqual([["LayerNorm", "GroupNorm"], []]);
  expect((await tools.inspect(Object.fromEntries(other.stateDict()))).layers.map(({ kind }) => kind)).toEqual([
    "norm",
    "norm",
  ]);
  const fresh = await tools.inspect(models.resnet20({ zeroInitResidual: true }));
  expect(new Set(fresh.findings.map(({ code }) => code))).toEqual(new Set(["never-updated"]));
});
