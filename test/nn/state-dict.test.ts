import { describe, expect, test } from "vitest";
import { full, manualSeed, memoryUsage, nn, ones, randn, type Tensor, tensor, zeros } from "../../src/index.ts";

class Block extends nn.Module {
  bn = new nn.BatchNorm1d(2);
  linear = new nn.Linear(2, 3);
  extra = new nn.Parameter(zeros([1]));
  none: nn.Parameter | null = null;

  constructor() {
    super();
    this.registerBuffer("scratch", zeros([2]), { persistent: false });
    this.registerBuffer("scale", ones([2]));
    this.registerBuffer("absent", null);
  }

  forward(x: Tensor): Tensor {
    return this.linear.forward(this.bn.forward(x));
  }
}

const network = () => new nn.Sequential(new nn.Linear(2, 3), new nn.BatchNorm1d(3));

/** A copy that can be changed, with or without the versions. */
function copyOf(module: nn.Module, metadata = true): nn.StateDict {
  const own = module.stateDict();
  const copy = new nn.StateDict([...own].map(([key, value]): [string, Tensor] => [key, value.clone()]));
  copy.metadata = metadata ? own.metadata : null;
  return copy;
}

const values = (module: nn.Module) => [...module.stateDict()].map(([key, value]) => [key, value.toArray()]);

describe("keys", () => {
  test("have PyTorch's names and order: own parameters, own buffers, children", () => {
    expect([...new Block().stateDict().keys()]).toEqual([
      "extra",
      "scale",
      "bn.weight",
      "bn.bias",
      "bn.running_mean",
      "bn.running_var",
      "bn.num_batches_tracked",
      "linear.weight",
      "linear.bias",
    ]);
  });

  test("of containers are numbers and names", () => {
    const model = new nn.Sequential(
      new nn.ModuleDict({
        conv: new nn.Conv2d(1, 1, 1, { bias: false }),
        list: new nn.ModuleList([new nn.Linear(1, 1)]),
      }),
    );
    expect([...model.stateDict().keys()]).toEqual(["0.conv.weight", "0.list.0.weight", "0.list.0.bias"]);
  });

  test.each<[string, nn.Module, string[]]>([
    ["InstanceNorm without anything", new nn.InstanceNorm1d(2), []],
    [
      "InstanceNorm that learns and tracks",
      new nn.InstanceNorm2d(2, { affine: true, trackRunningStats: true }),
      ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"],
    ],
    [
      "BatchNorm without learning",
      new nn.BatchNorm3d(2, { affine: false }),
      ["running_mean", "running_var", "num_batches_tracked"],
    ],
    ["BatchNorm without tracking", new nn.BatchNorm1d(2, { trackRunningStats: false }), ["weight", "bias"]],
    ["LayerNorm without bias", new nn.LayerNorm(2, { bias: false }), ["weight"]],
    ["a loss without weights", new nn.CrossEntropyLoss(), []],
    ["a loss with weights", new nn.CrossEntropyLoss({ weight: ones([2]) }), ["weight"]],
    [
      "a loss with both weights",
      new nn.BCEWithLogitsLoss({ weight: ones([2]), posWeight: ones([2]) }),
      ["weight", "pos_weight"],
    ],
  ])("%s", (_, module, keys) => {
    expect([...module.stateDict().keys()]).toEqual(keys);
  });

  test("carry the versions of the modules", () => {
    expect([...(new Block().stateDict().metadata ?? [])]).toEqual([
      ["", { version: 1 }],
      ["bn", { version: 2 }],
      ["linear", { version: 1 }],
    ]);
  });

  test("shared parameters and modules are listed under all their names", () => {
    class Shared extends nn.Module {
      a = new nn.Linear(2, 2);
      b = new nn.Linear(2, 2);
      c = this.a;
      constructor() {
        super();
        this.b.weight = this.a.weight;
      }
      forward() {}
    }
    const shared = new Shared();
    expect([...shared.stateDict().keys()]).toEqual(["a.weight", "a.bias", "b.weight", "b.bias", "c.weight", "c.bias"]);
    expect(shared.namedParameters().map(([name]) => name)).toEqual(["a.weight", "a.bias", "b.bias"]);
    expect(shared.namedChildren().map(([name]) => name)).toEqual(["a", "b"]);
    expect(shared.namedModules().map(([name]) => name)).toEqual(["", "a", "b"]);
    shared.double();
    expect(shared.b.weight).toBe(shared.a.weight);
    expect(shared.b.weight.dtype).toBe("float64");
  });
});

describe("loading", () => {
  test("copies values into the parameters and buffers that are there", () => {
    const [from, to] = [new Block(), new Block()];
    from.bn.forward(randn([5, 2]));
    const parameters = to.parameters();
    expect(to.loadStateDict(from.stateDict())).toEqual({ missingKeys: [], unexpectedKeys: [] });
    expect(values(to)).toEqual(values(from));
    expect(to.parameters()).toEqual(parameters);
    expect(to.linear.weight.requiresGrad).toBe(true);
    from.linear.bias?.detach().fill_(9);
    expect(to.linear.bias?.toArray()).not.toEqual([9, 9, 9]);
  });

  test("takes plain objects, other dtypes, views, and a counter of one element", () => {
    const layer = new nn.BatchNorm1d(2);
    const turned = tensor(
      [
        [1, 2],
        [3, 4],
      ],
      { dtype: "float64" },
    )
      .t()
      .select(0, 0);
    layer.loadStateDict({
      weight: turned,
      bias: tensor([5, 6], { dtype: "int32" }),
      running_mean: full([], 7).expand([2]),
      running_var: tensor([8, 9]),
      num_batches_tracked: tensor([5n]),
    });
    expect(values(layer)).toEqual([
      ["weight", [1, 3]],
      ["bias", [5, 6]],
      ["running_mean", [7, 7]],
      ["running_var", [8, 9]],
      ["num_batches_tracked", 5],
    ]);
    expect(layer.weight?.dtype).toBe("float32");
    expect(layer.numBatchesTracked?.shape).toEqual([]);
  });

  test("a module into itself changes nothing", () => {
    const block = new Block();
    const before = values(block);
    block.loadStateDict(block.stateDict());
    expect(values(block)).toEqual(before);
  });

  test("leaves no memory behind", () => {
    const model = network();
    const state = new Map([...copyOf(model)].map(([key, value]) => [key, value.double()]));
    const before = memoryUsage().tensors;
    model.loadStateDict(state, { strict: false });
    expect(memoryUsage().tensors).toBe(before);
  });
});

describe("what does not fit is said in PyTorch's words, and nothing is copied", () => {
  const broken = (change: (state: nn.StateDict) => void, strict?: boolean) => {
    const model = network();
    const state = copyOf(model);
    for (const value of state.values()) value.fill_(3);
    change(state);
    const before = values(model);
    let message = "";
    try {
      model.loadStateDict(state, { strict });
    } catch (error) {
      message = (error as Error).message;
    }
    expect(values(model)).toEqual(before);
    return message;
  };

  test("missing", () => {
    expect(broken((state) => state.clear())).toBe(
      'Error(s) in loading state_dict for Sequential:\n\tMissing key(s) in state_dict: "0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var", "1.num_batches_tracked". ',
    );
    // Without versions it may be a file from before the counter.
    expect(() => network().loadStateDict({})).toThrow(
      'Error(s) in loading state_dict for Sequential:\n\tMissing key(s) in state_dict: "0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var". ',
    );
  });

  test("unexpected", () => {
    expect(broken((state) => state.set("foo", ones([1])).set("1.bar", ones([1])))).toBe(
      'Error(s) in loading state_dict for Sequential:\n\tUnexpected key(s) in state_dict: "foo", "1.bar". ',
    );
  });

  const all = (state: nn.StateDict) => {
    state.delete("0.bias");
    state
      .set("0.weight", ones([3, 3]))
      .set("1.weight", ones([4]))
      .set("x", ones([1]));
  };
  const sizes =
    "\n\tsize mismatch for 0.weight: copying a param with shape torch.Size([3, 3]) from checkpoint, the shape in current model is torch.Size([3, 2])." +
    "\n\tsize mismatch for 1.weight: copying a param with shape torch.Size([4]) from checkpoint, the shape in current model is torch.Size([3]).";

  test("all at once", () => {
    expect(broken(all)).toBe(
      `Error(s) in loading state_dict for Sequential:\n\tMissing key(s) in state_dict: "0.bias". \n\tUnexpected key(s) in state_dict: "x". ${sizes}`,
    );
  });

  test("sizes without strict too", () => {
    expect(broken(all, false)).toBe(`Error(s) in loading state_dict for Sequential:${sizes}`);
  });

  test("another rank of the same size", () => {
    expect(() => new nn.BatchNorm1d(2).loadStateDict({ weight: ones([1, 2]) }, { strict: false })).toThrow(
      "size mismatch for weight: copying a param with shape torch.Size([1, 2]) from checkpoint, the shape in current model is torch.Size([2]).",
    );
  });

  test("what is no tensor", () => {
    expect(() => new nn.BatchNorm1d(2).loadStateDict({ weight: 5 as never })).toThrow(
      'the state dict\'s "weight" is no tensor',
    );
  });

  test("without strict the keys are reported and the rest is copied", () => {
    const model = network();
    const state = copyOf(model);
    state.delete("0.bias");
    state
      .set("x", ones([1]))
      .get("1.bias")
      ?.fill_(4);
    expect(model.loadStateDict(state, { strict: false })).toEqual({ missingKeys: ["0.bias"], unexpectedKeys: ["x"] });
    expect(model.stateDict().get("1.bias")?.toArray()).toEqual([4, 4, 4]);
  });
});

describe("older layouts", () => {
  const withoutCounter = (metadata: boolean) => {
    const state = copyOf(new nn.BatchNorm1d(2), metadata);
    state.delete("num_batches_tracked");
    return state;
  };

  test("before version 2 there was no counter: the module keeps its own", () => {
    const layer = new nn.BatchNorm1d(2);
    layer.forward(randn([3, 2]));
    const state = withoutCounter(false);
    expect(layer.loadStateDict(state)).toEqual({ missingKeys: [], unexpectedKeys: [] });
    expect(layer.numBatchesTracked?.item()).toBe(1);
    expect(state.has("num_batches_tracked")).toBe(false); // the caller's is left alone
    state.metadata = new Map([["", { version: 1 }]]);
    expect(() => layer.loadStateDict(state)).not.toThrow();
  });

  test("at version 2 it is required", () => {
    expect(() => new nn.BatchNorm1d(2).loadStateDict(withoutCounter(true))).toThrow(
      'Error(s) in loading state_dict for BatchNorm1d:\n\tMissing key(s) in state_dict: "num_batches_tracked". ',
    );
  });

  test("instance norm once stored statistics that it did not track", () => {
    const state = { running_mean: ones([2]), running_var: ones([2]) };
    const sentence =
      'Error(s) in loading state_dict for InstanceNorm1d:\n\tUnexpected running stats buffer(s) "running_mean" and "running_var" for InstanceNorm1d with track_running_stats=False. ' +
      "If state_dict is a checkpoint saved before 0.4.0, this may be expected because InstanceNorm1d does not track running stats by default since 0.4.0. Please remove these keys from " +
      "state_dict. If the running stats are actually needed, instead set track_running_stats=True in InstanceNorm1d to enable them. See the documentation of InstanceNorm1d for details.";
    expect(() => new nn.InstanceNorm1d(2).loadStateDict(state)).toThrow(sentence);
    expect(() => new nn.Sequential(new nn.InstanceNorm1d(2)).loadStateDict({ "0.running_mean": ones([2]) })).toThrow(
      'Unexpected running stats buffer(s) "0.running_mean" for InstanceNorm1d with track_running_stats=False.',
    );
  });
});

test("a trained network goes on after loading with the same numbers", () => {
  manualSeed(3);
  const [a, b] = [network(), network()];
  for (let i = 0; i < 3; i++) a.forward(randn([4, 2]));
  b.loadStateDict(a.stateDict());
  const x = randn([4, 2]);
  expect(b.forward(x).toArray()).toEqual(a.forward(x).toArray());
  expect(values(b)).toEqual(values(a));
});
