import { expect, test } from "vitest";
import { F, nn, optim, randn, tensor, tools } from "../../src/index.ts";

const make = () =>
  new nn.Sequential(new nn.Linear(3, 4), new nn.BatchNorm1d(4, { momentum: 0.3 }), new nn.ReLU(), new nn.Linear(4, 2));
const values = (model: nn.Module) => [...model.stateDict()].map(([key, x]) => [key, x.toArray()]);

test("a frozen part does not move in training, the rest does", () => {
  const model = make();
  model.forward(randn([8, 3]));
  tools.freeze(model.at(0));
  tools.freeze(model.at(1));
  model.train();
  const before = values(model);
  const optimizer = new optim.SGD(
    model.parameters().filter((p) => p.requiresGrad),
    { lr: 0.1 },
  );
  F.crossEntropy(model.forward(randn([8, 3]).add(5)), tensor([0, 1, 0, 1, 0, 1, 0, 1], { dtype: "int64" })).backward();
  optimizer.step();
  const after = values(model);
  expect(after.slice(0, 7)).toEqual(before.slice(0, 7));
  expect(after.slice(7)).not.toEqual(before.slice(7));
  expect(model.at(1).training).toBe(false);
});

test("unfreeze takes everything back: flags, modes, momentum, counters, keys", () => {
  for (const mode of [true, false]) {
    const model = make().train(mode);
    model.getParameter("3.bias").requiresGrad = false;
    const [before, flags] = [values(model), model.parameters().map((p) => p.requiresGrad)];
    tools.unfreeze(tools.freeze(tools.freeze(model)));
    expect(values(model)).toEqual(before);
    expect(model.parameters().map((p) => p.requiresGrad)).toEqual(flags);
    expect(model.modules().map(({ training }) => training)).toEqual(Array(5).fill(mode));
    expect(String(model)).toBe(String(make()));
    model.train().forward(randn([4, 3]));
    expect(model.getBuffer("1.num_batches_tracked")!.item()).toBe(1);
  }
});

test("the mode that was asked for meanwhile is the one afterwards", () => {
  const model = make().eval();
  tools.freeze(model);
  model.train();
  expect(model.at(1).training).toBe(false);
  tools.unfreeze(model);
  expect(model.at(1).training).toBe(true);
});

test("parameters and statistics can be frozen by themselves, layers without statistics have none", () => {
  const model = new nn.Sequential(...make(), new nn.BatchNorm1d(2, { trackRunningStats: false }));
  tools.freeze(model, { statistics: false });
  expect([model.at(1).training, model.parameters().some((p) => p.requiresGrad)]).toEqual([true, false]);
  tools.unfreeze(model);
  tools.freeze(model, { parameters: false });
  expect([model.at(1).training, model.at(4).training]).toEqual([false, true]);
  expect(model.parameters().every((p) => p.requiresGrad)).toBe(true);
  tools.unfreeze(model, { parameters: false });
  expect(model.at(1).training).toBe(true);
});

test("nothing is lost where parameters or layers are replaced meanwhile", () => {
  const flagsOf = (model: nn.Module) => model.parameters().map((p) => p.requiresGrad);
  const make2d = () => new nn.Sequential(new nn.Conv2d(3, 4, 1), new nn.BatchNorm2d(4), new nn.Conv2d(4, 2, 1));
  const flags = [true, false, true, true, true, true];
  const changes: ((model: nn.Sequential) => unknown)[] = [
    (model) => model.half().double(),
    (model) => model.loadStateDict(make2d().stateDict(), { assign: true }),
    (model) => tools.convert(model, "sync"),
    (model) => tools.convert(model, "group"),
  ];
  for (const change of changes) {
    const model = make2d();
    model.getParameter("0.bias").requiresGrad = false;
    tools.freeze(model);
    change(model);
    model.train();
    expect(flagsOf(model)).toEqual(Array(6).fill(false));
    if (model.at(1) instanceof nn.BatchNorm2d) expect(model.at(1).training).toBe(false);
    tools.unfreeze(model);
    expect(flagsOf(model)).toEqual(flags);
    expect(model.at(1).training).toBe(true);
  }
});

test("a shared parameter, frozen in parts, comes back", () => {
  const model = new nn.Sequential(new nn.Linear(2, 2), new nn.Linear(2, 2));
  const [first, second] = [model.at(0) as nn.Linear, model.at(1) as nn.Linear];
  second.weight = first.weight;
  tools.freeze(first);
  tools.freeze(model);
  tools.unfreeze(model);
  expect(first.weight.requiresGrad).toBe(true);
});
