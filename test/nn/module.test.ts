import { describe, expect, test } from "vitest";
import { full, memoryUsage, nn, ones, randn, type Tensor, tensor, tidy, zeros } from "../../src/index.ts";

class Block extends nn.Module {
  linear = new nn.Linear(2, 3);
  norm = new nn.BatchNorm1d(3);
  scale = new nn.Parameter(ones([1]));
  same = this.norm;
  label = "a block";

  forward(x: Tensor): Tensor {
    return this.norm.forward(this.linear.forward(x)).mul(this.scale);
  }
}

class Net extends nn.Module {
  first = new Block();
  rest = new nn.Sequential(new nn.ReLU(), new nn.Dropout(), new nn.Linear(3, 1));

  forward(x: Tensor): Tensor {
    return this.rest.forward(this.first.forward(x));
  }
}

describe("parts", () => {
  const net = new Net();

  test("parameters by path, own ones before the children's", () => {
    expect(net.namedParameters().map(([name]) => name)).toEqual([
      "first.scale",
      "first.linear.weight",
      "first.linear.bias",
      "first.norm.weight",
      "first.norm.bias",
      "rest.2.weight",
      "rest.2.bias",
    ]);
    expect(net.parameters()).toEqual(net.namedParameters().map(([, parameter]) => parameter));
  });

  test("buffers by path", () => {
    expect(net.namedBuffers().map(([name]) => name)).toEqual([
      "first.norm.running_mean",
      "first.norm.running_var",
      "first.norm.num_batches_tracked",
    ]);
    expect(net.buffers()[0]).toBe(net.first.norm.runningMean);
    expect(new nn.BatchNorm1d(2, { trackRunningStats: false }).namedBuffers()).toEqual([]);
  });

  test("with a prefix, and without those below", () => {
    const names = (list: [string, unknown][]) => list.map(([name]) => name);
    expect(names(net.first.namedParameters({ prefix: "net", recurse: false }))).toEqual(["net.scale"]);
    expect(names(net.first.norm.namedBuffers({ prefix: "n" }))[0]).toBe("n.running_mean");
    expect(net.parameters({ recurse: false })).toEqual([]);
    expect(net.buffers({ recurse: false })).toEqual([]);
  });

  test("modules, parents first, each once", () => {
    expect(net.namedModules().map(([name]) => name)).toEqual([
      "",
      "first",
      "first.linear",
      "first.norm",
      "rest",
      "rest.0",
      "rest.1",
      "rest.2",
    ]);
    expect(net.modules()).toHaveLength(8);
    expect(net.first.namedChildren().map(([name]) => name)).toEqual(["linear", "norm"]);
    expect(net.children()).toEqual([net.first, net.rest]);
  });

  test("by path", () => {
    expect(net.getSubmodule("")).toBe(net);
    expect(net.getSubmodule("rest.2")).toBe([...net.rest][2]);
    expect(net.getSubmodule("first.same")).toBe(net.first.norm);
    expect(() => net.getSubmodule("first.x.y")).toThrow("Block has no attribute `x`");
    expect(() => net.getSubmodule("first.linear.weight")).toThrow("`weight` is not an nn.Module");
  });

  test("parameters and buffers by path", () => {
    expect(net.getParameter("first.linear.weight")).toBe(net.first.linear.weight);
    expect(net.first.getParameter("scale")).toBe(net.first.scale);
    expect(net.getBuffer("first.norm.running_var")).toBe(net.first.norm.runningVar);
    expect(() => net.getParameter("first.norm.gamma")).toThrow("BatchNorm1d has no attribute `gamma`");
    expect(() => net.getParameter("first.norm.running_mean")).toThrow("`running_mean` is not an nn.Parameter");
    expect(() => net.getBuffer("first.norm.weight")).toThrow("`weight` is not a buffer");
    expect(() => net.getBuffer("second.norm.weight")).toThrow("Net has no attribute `second`");
  });

  test("a parameter or child assigned later is found; null removes it", () => {
    const block = new Block();
    block.linear.bias = null;
    expect(block.linear.namedParameters().map(([name]) => name)).toEqual(["weight"]);
    block.linear.bias = new nn.Parameter(zeros([3]));
    expect(block.linear.parameters()).toHaveLength(2);
    expect(block.linear.forward(zeros([1, 2])).toArray()).toEqual([[0, 0, 0]]);
  });
});

describe("buffers", () => {
  test("are registered, reached, replaced", () => {
    const layer = new nn.BatchNorm1d(2);
    expect(() => layer.getBuffer("q")).toThrow("BatchNorm1d has no attribute `q`");
    expect(() => layer.registerBuffer("a.b", null)).toThrow('buffer name can\'t contain "."');
    expect(() => layer.registerBuffer("", null)).toThrow('buffer name can\'t be empty string ""');
    layer.runningMean = full([2], 3);
    expect(layer.stateDict().get("running_mean")?.toArray()).toEqual([3, 3]);
  });

  test("live longer than the scope they were made in", () => {
    const layer = tidy(() => {
      const made = new nn.BatchNorm1d(2);
      made.runningMean = full([2], 3);
      return { made };
    }).made;
    expect(layer.runningMean?.toArray()).toEqual([3, 3]);
    expect(layer.weight?.toArray()).toEqual([1, 1]);
    expect(layer.numBatchesTracked?.item()).toBe(0);
  });
});

describe("modes", () => {
  test("train and eval reach everything below", () => {
    const net = new Net();
    expect(net.modules().every((module) => module.training)).toBe(true);
    expect(net.eval()).toBe(net);
    expect(net.modules().some((module) => module.training)).toBe(false);
    net.first.train();
    expect([net.training, net.first.norm.training, net.rest.training]).toEqual([false, true, false]);
    expect(() => net.train("x" as never)).toThrow("training mode is expected to be boolean");
  });

  test("requiresGrad_ freezes parameters, not running statistics", () => {
    const net = new Net().requiresGrad_(false);
    expect(net.parameters().some((parameter) => parameter.requiresGrad)).toBe(false);
    expect(net.forward(randn([4, 2])).requiresGrad).toBe(false);
    expect(net.first.norm.numBatchesTracked?.item()).toBe(1);
    expect(
      net
        .requiresGrad_()
        .parameters()
        .every((parameter) => parameter.requiresGrad),
    ).toBe(true);
  });

  test("zeroGrad drops all gradients and their memory", () => {
    const net = new Net();
    net
      .forward(randn([4, 2]))
      .sum()
      .backward();
    expect(net.parameters().every((parameter) => parameter.grad !== null)).toBe(true);
    const before = memoryUsage().pinned;
    net.zeroGrad();
    expect(net.parameters().every((parameter) => parameter.grad === null)).toBe(true);
    const floats = net.parameters().reduce((sum, parameter) => sum + parameter.numel, 0);
    expect(before - memoryUsage().pinned).toBe(4 * floats);
  });

  test("apply visits children before parents", () => {
    const seen: string[] = [];
    const net = new Net();
    expect(net.apply((module) => seen.push(module.className))).toBe(net);
    expect(seen).toEqual(["Linear", "BatchNorm1d", "Block", "ReLU", "Dropout", "Linear", "Sequential", "Net"]);
  });
});

describe("to another dtype", () => {
  test("converts parameters, gradients and floating buffers, and keeps the rest", () => {
    const net = new Net();
    net
      .forward(randn([4, 2]))
      .sum()
      .backward();
    net.first.scale.requiresGrad = false;
    const bias = net.first.linear.bias as nn.Parameter;
    const [value, grad] = [bias.toArray(), bias.grad?.toArray()];
    expect(net.to("float64")).toBe(net);
    expect(new Set(net.parameters().map(({ dtype }) => dtype))).toEqual(new Set(["float64"]));
    expect(net.first.linear.bias?.toArray()).toEqual(value);
    expect(net.first.linear.bias?.grad?.dtype).toBe("float64");
    expect(net.first.linear.bias?.grad?.toArray()).toEqual(grad);
    expect(net.first.scale.requiresGrad).toBe(false);
    expect(net.first.norm.runningMean?.dtype).toBe("float64");
    expect(net.first.norm.numBatchesTracked?.dtype).toBe("int64");
    expect(net.forward(randn([4, 2], { dtype: "float64" })).dtype).toBe("float64");
    expect(net.float().forward(randn([4, 2])).dtype).toBe("float32");
    expect(net.first.norm.numBatchesTracked?.item()).toBe(3);
  });

  test("integers are refused", () => {
    expect(() => new Net().to("int64")).toThrow("nn.Module.to only accepts floating point dtypes");
  });
});

describe("forward hooks", () => {
  test("see inputs and output, may replace it, and come off in any order", () => {
    const layer = new nn.ReLU();
    const seen: unknown[] = [];
    const first = layer.registerForwardHook((module, inputs, output) => {
      seen.push([module === layer, inputs[0].toArray(), output.toArray()]);
    });
    const second = layer.registerForwardHook((_, __, output) => output.add(1));
    const x = tensor([-1, 2]);
    expect(layer.forward(x).toArray()).toEqual([1, 3]);
    expect(seen).toEqual([[true, [-1, 2], [0, 2]]]);
    first();
    expect(layer.forward(x).toArray()).toEqual([1, 3]);
    second();
    second();
    expect(layer.forward(x).toArray()).toEqual([0, 2]);
    expect(seen).toHaveLength(1);
    const again = layer.registerForwardHook((_, __, output) => output.mul(2));
    expect(layer.forward(x).toArray()).toEqual([0, 4]);
    again();
  });

  test("run inside containers, and leave printing and keys alone", () => {
    const model = new nn.Sequential(new nn.Linear(2, 2), new nn.ReLU());
    const [text, keys] = [String(model), [...model.stateDict().keys()]];
    let calls = 0;
    for (const module of model) module.registerForwardHook(() => void calls++);
    model.forward(zeros([1, 2]));
    expect(calls).toBe(2);
    expect([String(model), [...model.stateDict().keys()]]).toEqual([text, keys]);
  });
});
