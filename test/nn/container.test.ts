import { describe, expect, test } from "vitest";
import { manualSeed, nn, randn, type Tensor, tensor } from "../../src/index.ts";

const plus = (amount: number) =>
  new (class Plus extends nn.Module {
    readonly amount = amount;
    forward(x: Tensor) {
      return x.add(amount);
    }
  })();

describe("Sequential", () => {
  test("applies its modules in order", () => {
    const model = new nn.Sequential(plus(1), new nn.ReLU(), plus(-5));
    expect(model.forward(tensor([-4, 2])).toArray()).toEqual([-5, -2]);
    expect(new nn.Sequential().forward(tensor([3])).toArray()).toEqual([3]);
  });

  test("subclasses may have fields of their own, which are no part of the chain", () => {
    class WithHead extends nn.Sequential {
      head = new nn.Linear(1, 1, { bias: false });
    }
    const model = new WithHead(plus(1));
    expect(model.length).toBe(1);
    expect([...model.stateDict().keys()]).toEqual(["head.weight"]);
    expect(model.forward(tensor([1])).toArray()).toEqual([2]);
  });
});

describe("batch norm and the activation behind it", () => {
  const activations = [new nn.ReLU(), new nn.ReLU6(), new nn.Sigmoid(), new nn.Tanh(), new nn.SiLU()];
  test.each(activations.map((layer) => [layer.className, layer] as const))(
    "%s: joined to the same bits",
    (_, layer) => {
      const pass = (watched: boolean) => {
        manualSeed(0);
        const norm = new nn.BatchNorm2d(5);
        const model = new nn.Sequential(norm, layer, new nn.Conv2d(5, 2, 1));
        const seen: Tensor[] = [];
        const unhook = watched ? norm.registerForwardHook((_m, _i, output) => void seen.push(output)) : () => {};
        const x = randn([3, 5, 4, 7], { requiresGrad: true });
        const y = model.forward(x);
        y.backward(randn(y.shape));
        unhook();
        expect(seen.length).toBe(watched ? 1 : 0);
        const results = [y, x.grad, norm.weight?.grad, norm.bias?.grad, norm.runningMean, norm.runningVar];
        return [...results.map((result) => result?.toArray()), norm.numBatchesTracked?.item()];
      };
      expect(pass(false)).toEqual(pass(true));
    },
  );
});

describe("lists", () => {
  test("are indexed from both ends, changed and extended", () => {
    const [a, b, c, d] = [1, 2, 3, 4].map(plus);
    const list = new nn.ModuleList([a]);
    expect(list.append(c)).toBe(list);
    list.insert(1, b).extend([d]);
    expect([...list]).toEqual([a, b, c, d]);
    expect([list.length, list.at(0), list.at(-1)]).toEqual([4, a, d]);
    const e = plus(5);
    list.set(-2, e);
    expect([...list]).toEqual([a, b, e, d]);
    list.insert(4, c);
    expect(list.at(4)).toBe(c);
    expect(list.children()).toEqual([a, b, e, d, c]);
  });

  test("refuse what is no module and what is not there", () => {
    const model = new nn.Sequential(plus(1));
    expect(() => model.at(1)).toThrow("index 1 is out of range");
    expect(() => model.at(-2)).toThrow("index -2 is out of range");
    expect(() => model.set(3, plus(1))).toThrow("index 3 is out of range");
    expect(() => model.at(0.5)).toThrow("index 0.5 is out of range");
    expect(() => new nn.Sequential(5 as never)).toThrow("5 is not a Module subclass");
    expect(() => new nn.ModuleList([plus(1)]).forward()).toThrow(
      'Module [ModuleList] is missing the required "forward" function',
    );
  });
});

describe("dictionaries", () => {
  test("keep their order", () => {
    const [a, b] = [plus(1), plus(2)];
    const modules = new nn.ModuleDict({ first: a });
    modules.set("second", b);
    expect([...modules.keys()]).toEqual(["first", "second"]);
    expect([...modules.values()]).toEqual([a, b]);
    expect([...modules.entries()]).toEqual([
      ["first", a],
      ["second", b],
    ]);
    expect(modules.get("second")).toBe(b);
    expect([modules.has("first"), modules.delete("first"), modules.has("first")]).toEqual([true, true, false]);
    expect(modules.namedChildren()).toEqual([["second", b]]);
  });

  test("refuse bad names and missing ones", () => {
    const modules = new nn.ModuleDict();
    expect(() => modules.set("a.b", plus(1))).toThrow('module name can\'t contain ".", got: a.b');
    expect(() => modules.set("", plus(1))).toThrow('module name can\'t be empty string ""');
    expect(() => modules.set("a", 5 as never)).toThrow("5 is not a Module subclass");
    expect(() => modules.get("b")).toThrow('no module is called "b"');
    expect(() => modules.forward()).toThrow('Module [ModuleDict] is missing the required "forward" function');
  });
});
