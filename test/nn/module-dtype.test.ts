import { describe, expect, test } from "vitest";
import { io, manualSeed, memoryUsage, models, nn, noGrad, rand, randn, type Tensor, tensor } from "../../src/index.ts";

const network = () => new nn.Sequential(new nn.Conv2d(3, 4, 3), new nn.BatchNorm2d(4), new nn.ReLU(), new nn.Flatten());

describe("dtypes for storing", () => {
  test.each(["half", "bfloat16"] as const)("%s: parameters, gradients, buffers; counters stay", (name) => {
    const model = network();
    model
      .forward(randn([2, 3, 5, 5]))
      .sum()
      .backward();
    const before = model.stateDict();
    const weight = model.getParameter("0.weight").detach().clone();
    const dtype = name === "half" ? "float16" : "bfloat16";
    expect(model[name]()).toBe(model);
    expect([...model.stateDict().values()].map((x) => x.dtype)).toEqual([
      ...["weight", "bias", "weight", "bias", "running_mean", "running_var"].map(() => dtype),
      "int64",
    ]);
    expect(model.getParameter("0.weight").grad!.dtype).toBe(dtype);
    expect(model.getParameter("0.weight").requiresGrad).toBe(true);
    expect([...model.stateDict().keys()]).toEqual([...before.keys()]);
    // Rounded once, and widened without loss.
    expect(model.float().getParameter("0.weight").toArray()).toEqual(weight.to(dtype).float().toArray());
  });

  test("a half checkpoint takes half the bytes, and loads into a float32 model", async () => {
    const model = nn.skipInit(() => models.resnet20());
    noGrad(() => model.parameters().forEach((p) => void p.normal_()));
    const whole = await io.save(null, model.stateDict());
    const half = await io.save(null, model.half().stateDict());
    expect(half.length / whole.length).toBeLessThan(0.6);
    const other = models.resnet20();
    other.loadStateDict(await io.load(half));
    expect(other.conv1.weight.dtype).toBe("float32");
    expect(other.conv1.weight.toArray()).toEqual(model.float().conv1.weight.toArray());
  });

  test("what does not compute in it says so, and what to do", () => {
    const model = network().half();
    const x = rand([1, 3, 5, 5]);
    expect(() => model.forward(x.half())).toThrow(/Half.*\.float\(\)/);
    expect(() => new nn.Linear(3, 2).bfloat16().forward(rand([1, 3]).bfloat16())).toThrow(/bfloat16.*\.float\(\)/);
    // Normalization does compute in it.
    expect(model.getSubmodule("1").forward(rand([2, 4, 3, 3]).half()).dtype).toBe("float16");
    expect(() => network().to("int32")).toThrow("only accepts floating point dtypes");
  });
});

describe("loadStateDict with assign", () => {
  test("takes the tensors themselves, with their dtypes", () => {
    manualSeed(0);
    const [model, source] = [network(), network().half()];
    model.getParameter("0.bias").requiresGrad = false;
    const state = source.stateDict();
    const before = memoryUsage().tensors;
    model.loadStateDict(state, { assign: true });
    expect(memoryUsage().tensors).toBeLessThanOrEqual(before);
    expect(model.getParameter("0.weight").storage).toBe(source.getParameter("0.weight").storage);
    expect(model.getParameter("0.weight").dtype).toBe("float16");
    expect(model.parameters().map((p) => p.requiresGrad)).toEqual([true, false, true, true]);
    expect((model.at(1) as nn.BatchNorm2d).runningVar!.storage).toBe(state.get("1.running_var")!.storage);
    expect([...model.stateDict().keys()]).toEqual([...state.keys()]);
  });

  test("what is shared stays shared, and nothing changes where something does not fit", () => {
    class Tied extends nn.Module {
      a = new nn.Linear(2, 2);
      b = new nn.Linear(2, 2);
      forward(x: Tensor): Tensor {
        return this.b.forward(this.a.forward(x));
      }
    }
    const tied = new Tied();
    tied.b.weight = tied.a.weight;
    const weight = tied.a.weight;
    const bad = new Map([...tied.stateDict()].map(([key, value]) => [key, value.detach().clone()]));
    bad.set("b.bias", tensor([1]));
    expect(() => tied.loadStateDict(bad, { assign: true })).toThrow("size mismatch for b.bias");
    expect(tied.a.weight).toBe(weight);
    bad.set("b.bias", tensor([1, 2]));
    tied.loadStateDict(bad, { assign: true });
    expect(tied.a.weight).not.toBe(weight);
    expect(tied.b.weight).toBe(tied.a.weight);
    expect(tied.b.bias!.toArray()).toEqual([1, 2]);
  });
});
