import { describe, expect, test } from "vitest";
import { Generator, models, nn, noGrad, randn, runtimeInfo, type Tensor, tools } from "../../src/index.ts";
import { type Golden, readGolden } from "../golden/read.ts";
import { fillState } from "../models/fill-state.ts";
import { expectGolden, relativeError } from "../nn/compare.ts";

interface Fuse {
  kind: string;
  name: string;
  layer: "Conv2d" | "Conv1d" | "Linear";
  args: number[];
  options: object;
  bn: object;
  seed: number;
  weight: Golden;
  bias: Golden;
}

/** Relative change of the outputs that `change` makes. */
function changeBy(model: nn.Module, x: Tensor, change: () => void): number {
  const before = noGrad(() => model.forward(x)).toTypedArray();
  change();
  return relativeError(noGrad(() => model.forward(x)).toTypedArray(), before);
}

describe("fuseConvBnEval and fuseLinearBnEval are PyTorch's", () => {
  test.each(readGolden<Fuse>("tools").filter(({ kind }) => kind === "fuse"))("$name", (golden) => {
    const { layer: name, args, options, bn } = golden;
    // biome-ignore lint/suspicious/noExplicitAny: the golden file names the class and its arguments
    const layer: any = new (nn[name] as any)(...args, options).eval();
    const norm = new (name === "Conv2d" ? nn.BatchNorm2d : nn.BatchNorm1d)(args[1], bn).eval();
    const generator = new Generator(golden.seed);
    noGrad(() => {
      for (const p of [...layer.parameters(), ...norm.parameters(), norm.runningMean!]) p.normal_({ generator });
      norm.runningVar!.uniform_({ from: 0.5, to: 1.5, generator });
    });
    const fused = name === "Linear" ? tools.fuseLinearBnEval(layer, norm) : tools.fuseConvBnEval(layer, norm);
    expectGolden(fused.weight, golden.weight, "weight", 1e-6);
    expectGolden(fused.bias, golden.bias, "bias", 1e-6);
    expect(fused.weight.requiresGrad).toBe(true);
    expect(fused.bias!.requiresGrad).toBe(layer.bias !== null);
    const text = String(layer).replace("bias=False", "bias=True");
    expect(String(fused).replace(")", ", bias=True)")).toContain(text.slice(0, text.indexOf("kernel")));
  });

  test("dtype, requiresGrad and PyTorch's sentences", () => {
    const conv = new nn.Conv2d(1, 2, 1, { dtype: "float64" });
    const bn = new nn.BatchNorm2d(2);
    conv.weight.requiresGrad = false;
    expect(() => tools.fuseConvBnEval(conv, bn)).toThrow("Fusion only for eval!");
    const fused = tools.fuseConvBnEval(conv.eval(), bn.eval());
    expect([fused.weight.dtype, fused.bias!.dtype, fused.weight.requiresGrad]).toEqual(["float64", "float64", false]);
    const untracked = new nn.BatchNorm2d(2, { trackRunningStats: false }).eval();
    expect(() => tools.fuseConvBnEval(conv, untracked)).toThrow("bn.running_mean and bn.running_var must not be None");
    const linear = new nn.Linear(3, 4).eval();
    expect(() => tools.fuseLinearBnEval(linear, new nn.BatchNorm1d(3).eval())).toThrow(
      "To fuse, linear.out_features == bn.num_features or bn.num_features == 1",
    );
    expect(tools.fuseLinearBnEval(linear, new nn.BatchNorm1d(1).eval()).bias!.shape).toEqual([4]);
  });
});

const MODELS = [
  ["resnet18", 20, 0],
  ["resnet50", 53, 0],
  ["resnet20", 21, 0],
  ["mobilenetV2", 52, 0],
  ["densenet121", 59, 62],
] as const;
// The large convolutions of the first two take the reference backend half a minute.
const affordable = runtimeInfo().backend === "wasm" ? MODELS : MODELS.slice(2);

describe("whole models", () => {
  test.each(affordable)("%s: %i folded, %i left", (name, folded, left) => {
    const model = nn.skipInit(() => models[name]({ numClasses: 5 })).eval();
    fillState(model, new Generator(1), 0);
    const x = randn([1, 3, 32, 32], { generator: new Generator(2) });
    let report: ReturnType<typeof tools.fuse> | undefined;
    const change = changeBy(model, x, () => {
      report = tools.fuse(model, { input: x });
    });
    expect([report?.fused.length, report?.left.length]).toEqual([folded, left]);
    expect(change).toBeLessThanOrEqual(1e-5);
    expect(report?.change).toBeLessThanOrEqual(1e-5);
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  });

  test("what an operation outside of modules also uses is left alone", () => {
    class Residual extends nn.Module {
      conv = new nn.Conv2d(3, 3, 1);
      bn = new nn.BatchNorm2d(3);
      conv2 = new nn.Conv2d(3, 3, 1);
      bn2 = new nn.BatchNorm2d(3);
      forward(x: Tensor): Tensor {
        const y = this.conv.forward(x);
        return this.bn2.forward(this.conv2.forward(this.bn.forward(y).add(y)));
      }
    }
    const model = new Residual().eval();
    fillState(model, new Generator(3), 0);
    const x = randn([2, 3, 4, 4]);
    expect(tools.fuse(model, { input: x })).toMatchObject({
      fused: [{ layer: "conv2", norm: "bn2" }],
      left: [{ norm: "bn", reason: "no-layer-before" }],
    });
    expect(model.bn).toBeInstanceOf(nn.BatchNorm2d);
  });

  test("a layer used twice, a class of its own, and one without statistics stay", () => {
    class Own extends nn.BatchNorm1d {
      override forward(x: Tensor): Tensor {
        return super.forward(x).abs();
      }
    }
    class Twice extends nn.Module {
      layers = new nn.Sequential(new nn.Linear(3, 3), new nn.BatchNorm1d(3));
      own = new nn.Sequential(new nn.Linear(3, 3), new Own(3));
      bare = new nn.Sequential(new nn.Linear(3, 3), new nn.BatchNorm1d(3, { trackRunningStats: false }));
      forward(x: Tensor): Tensor {
        return this.bare.forward(this.own.forward(this.layers.forward(this.layers.forward(x))));
      }
    }
    const { fused, left } = tools.fuse(new Twice().eval(), { input: randn([4, 3]) });
    expect(fused).toEqual([]);
    expect(left).toEqual([
      { norm: "layers.1", reason: "no-layer-before" },
      { norm: "own.1", reason: "own-class" },
      { norm: "bare.1", reason: "no-statistics" },
    ]);
  });

  test("a linear layer over a sequence is not the channels' layer", () => {
    const model = new nn.Sequential(new nn.Linear(5, 4), new nn.BatchNorm1d(4)).eval();
    expect(tools.fuse(model, { input: randn([2, 4, 5]) }).left).toEqual([{ norm: "1", reason: "no-layer-before" }]);
  });

  test("a use that cannot be seen is noticed by its effect, and everything is put back", () => {
    class Hidden extends nn.Module {
      conv = new nn.Conv2d(1, 1, 1);
      bn = new nn.BatchNorm2d(1);
      forward(x: Tensor): Tensor {
        const y = this.conv.forward(x);
        return this.bn.forward(y).add(y.detach());
      }
    }
    const model = new Hidden().eval();
    fillState(model, new Generator(4), 0);
    const { conv, bn } = model;
    expect(() => tools.fuse(model, { input: randn([1, 1, 3, 3]) })).toThrow("folding changed the model's outputs");
    expect([model.conv, model.bn]).toEqual([conv, bn]);
  });

  test("without an example, neighbours in Sequentials; training mode is refused", () => {
    const block = new nn.Sequential(new nn.Conv2d(3, 4, 3), new nn.BatchNorm2d(4), new nn.ReLU());
    const model = new nn.Sequential(block, new nn.Flatten(), new nn.Linear(16, 2), new nn.BatchNorm1d(2));
    expect(() => tools.fuse(model)).toThrow("Fusion only for eval!");
    model.eval();
    fillState(model, new Generator(5), 0);
    const change = changeBy(model, randn([2, 3, 4, 4]), () => {
      expect(tools.fuse(model).fused).toEqual([
        { layer: "0.0", norm: "0.1" },
        { layer: "2", norm: "3" },
      ]);
    });
    expect(change).toBeLessThanOrEqual(1e-5);
    expect([...model.stateDict().keys()]).toEqual(["0.0.weight", "0.0.bias", "2.weight", "2.bias"]);
    expect(String(block.at(1))).toBe("Identity()");
    const shared = new nn.Conv2d(4, 4, 1);
    const twice = new nn.Sequential(shared, new nn.BatchNorm2d(4), shared).eval();
    expect(tools.fuse(twice).fused).toEqual([]);
  });
});
