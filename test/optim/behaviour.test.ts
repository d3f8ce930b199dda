import { describe, expect, test } from "vitest";
import { memoryUsage, noGrad, optim, randn, type Tensor, tensor } from "../../src/index.ts";

const leaf = (...values: number[]) => tensor(values, { requiresGrad: true });

describe("options out of range are refused with PyTorch's sentences", () => {
  const nothing: Tensor[] = [];
  const shared = leaf(1);
  const cycle = (options: object, maxLr: number | number[] = 0.1) =>
    new optim.OneCycleLR(new optim.SGD([leaf(1)], { momentum: 0.9 }), maxLr, options);
  test.each<[string, () => unknown]>([
    ["optimizer got an empty parameter list", () => new optim.SGD(nothing)],
    ["Invalid learning rate: -1", () => new optim.SGD([leaf(1)], { lr: -1 })],
    ["Invalid learning rate: NaN", () => new optim.Adam([leaf(1)], { lr: Number.NaN })],
    ["Invalid momentum value: -1", () => new optim.SGD([leaf(1)], { momentum: -1 })],
    ["Invalid weight_decay value: -1", () => new optim.AdamW([leaf(1)], { weightDecay: -1 })],
    ["Nesterov momentum requires a momentum and zero dampening", () => new optim.SGD([leaf(1)], { nesterov: true })],
    ["Invalid epsilon value: -1", () => new optim.Adam([leaf(1)], { eps: -1 })],
    ["Invalid beta parameter at index 0: 1", () => new optim.Adam([leaf(1)], { betas: [1, 0.9] })],
    ["Invalid beta parameter at index 1: 1.1", () => new optim.Adam([leaf(1)], { betas: [0.5, 1.1] })],
    ["Invalid alpha value: -1", () => new optim.RMSprop([leaf(1)], { alpha: -1 })],
    ["Invalid learning rate: -2", () => new optim.SGD([{ params: [leaf(1)], lr: -2 }])],
    ["can't optimize a non-leaf Tensor", () => new optim.SGD([leaf(1).mul(2)])],
    [
      "optimizer can only optimize Tensors, but one of the params is number",
      () => new optim.SGD([{ params: [5 as never] }]),
    ],
    [
      "some parameters appear in more than one parameter group",
      () => new optim.SGD([{ params: [shared] }, { params: [shared] }]),
    ],
    ["You must define either total_steps OR (epochs AND steps_per_epoch)", () => cycle({ epochs: 3 })],
    ["Expected positive integer total_steps, but got -1", () => cycle({ totalSteps: -1 })],
    ["Expected positive integer epochs, but got 0", () => cycle({ epochs: 0, stepsPerEpoch: 2 })],
    ["Expected float between 0 and 1 pct_start, but got 2", () => cycle({ totalSteps: 10, pctStart: 2 })],
    [
      "anneal_strategy must be one of 'cos' or 'linear', instead got x",
      () => cycle({ totalSteps: 10, annealStrategy: "x" }),
    ],
    [
      "max_lr must have the same length as optimizer.param_groups. max_lr has 2 values, param_groups has 1.",
      () => cycle({ totalSteps: 10 }, [0.1, 0.2]),
    ],
    ["stepSize is 0", () => new optim.StepLR(new optim.SGD([leaf(1)]), 0)],
    ["tMax is 0", () => new optim.CosineAnnealingLR(new optim.SGD([leaf(1)]), 0)],
  ])("%s", (sentence, make) => {
    expect(make).toThrow(sentence);
  });

  test("a cycle that is over", () => {
    const scheduler = cycle({ totalSteps: 2 });
    scheduler.step();
    scheduler.step();
    expect(() => scheduler.step()).toThrow("Tried to step 3 times. The specified number of total steps is 2");
  });
});

test("a scheduler of an optimizer without momentum needs cycleMomentum: false", () => {
  class Plain extends optim.SGD {
    override readonly defaults = { lr: 1 } as never;
  }
  const optimizer = new Plain([leaf(1)]);
  expect(() => new optim.OneCycleLR(optimizer, 0.1, { totalSteps: 5 })).toThrow(
    "optimizer must support momentum with `cycle_momentum` option enabled",
  );
  const [lr] = new optim.OneCycleLR(optimizer, 0.1, { totalSteps: 5, cycleMomentum: false }).getLastLr();
  expect(lr).toBeCloseTo(0.004, 12);
});

test("a cycle moves Adam's first beta", () => {
  const optimizer = new optim.Adam([leaf(1)]);
  const scheduler = new optim.OneCycleLR(optimizer, 0.1, { totalSteps: 10 });
  expect(optimizer.paramGroups[0].betas).toEqual([0.95, 0.999]);
  for (let i = 0; i < 2; i++) scheduler.step();
  expect(optimizer.paramGroups[0].betas[0]).toBeCloseTo(0.85, 12);
});

describe("state dicts", () => {
  const kinds = {
    SGD: (params: Tensor[]) => new optim.SGD(params, { lr: 0.1, momentum: 0.9 }),
    Adam: (params: Tensor[]) => new optim.Adam(params, { lr: 0.1, amsgrad: true }),
    RMSprop: (params: Tensor[]) => new optim.RMSprop(params, { lr: 0.1, momentum: 0.5, centered: true }),
  };
  const step = (optimizer: optim.Optimizer, param: Tensor, grad: number[]) => {
    param.grad = tensor(grad);
    optimizer.step();
  };

  test("have PyTorch's layout", () => {
    const w = leaf(1, 2);
    const adam = kinds.Adam([w]);
    step(adam, w, [1, 1]);
    const { state, param_groups } = adam.stateDict();
    expect(Object.keys(state[0])).toEqual(["step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"]);
    expect(param_groups).toEqual([
      { lr: 0.1, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0, amsgrad: true, maximize: false, params: [0] },
    ]);
    const sgd = kinds.SGD([w]);
    step(sgd, w, [1, 2]);
    expect((sgd.stateDict().state[0].momentum_buffer as Tensor).toArray()).toEqual([1, 2]);
    const rmsprop = kinds.RMSprop([w]);
    step(rmsprop, w, [1, 2]);
    expect(Object.keys(rmsprop.stateDict().state[0]).sort()).toEqual([
      "grad_avg",
      "momentum_buffer",
      "square_avg",
      "step",
    ]);
  });

  test.each(Object.entries(kinds))("%s goes on where it was", (_, make) => {
    const [a, b] = [leaf(1, 2), leaf(1, 2)];
    const first = make([a]);
    for (const grad of [
      [1, -1],
      [0.5, 2],
    ])
      step(first, a, grad);
    noGrad(() => b.copy_(a));
    const second = make([b]);
    second.paramGroups[0].lr = 5;
    second.loadStateDict(first.stateDict());
    step(first, a, [0.1, 0.2]);
    step(second, b, [0.1, 0.2]);
    expect(b.toArray()).toEqual(a.toArray());
  });

  test("of PyTorch's own files load: the step is a tensor, an empty buffer null, another dtype converted", () => {
    const w = leaf(0);
    const adam = new optim.Adam([w]);
    const double = (...values: number[]) => tensor(values, { dtype: "float64" });
    adam.loadStateDict({
      state: { 0: { step: tensor(41), exp_avg: double(0.25), exp_avg_sq: double(0.5) } },
      param_groups: [{ lr: 0.5, weight_decay: 0.125, foreach: null, params: [0] }],
    });
    expect(adam.paramGroups[0]).toMatchObject({ lr: 0.5, weightDecay: 0.125, betas: [0.9, 0.999] });
    const { state } = adam.stateDict();
    expect(state[0].step).toBe(41);
    expect((state[0].exp_avg as Tensor).dtype).toBe("float32");
    expect((state[0].exp_avg as Tensor).toArray()).toEqual([0.25]);

    const sgd = new optim.SGD([w], { lr: 1, momentum: 0.9, dampening: 0.5 });
    sgd.loadStateDict({ state: { 0: { momentum_buffer: null } }, param_groups: [{ params: [0] }] });
    step(sgd, w, [1]);
    expect(w.item()).toBe(-1); // the first step takes the gradient without dampening
  });

  test("that do not fit change nothing", () => {
    const [w, v] = [leaf(1, 2), leaf(3)];
    const optimizer = kinds.SGD([w]);
    step(optimizer, w, [1, 1]);
    const before = optimizer.stateDict();
    const load = (state: object, groups: { params: number[] }[]) => () =>
      optimizer.loadStateDict({ state: state as never, param_groups: groups });
    expect(load({}, [{ params: [0] }, { params: [1] }])).toThrow(
      "loaded state dict has a different number of parameter groups",
    );
    expect(() => optimizer.loadStateDict(kinds.SGD([w, v]).stateDict())).toThrow(
      "loaded state dict contains a parameter group that doesn't match the size of optimizer's group",
    );
    expect(load({ 0: { momentum_buffer: tensor([1]) } }, [{ params: [0] }])).toThrow(
      "momentum_buffer of parameter 0 has shape [1]: the parameter's is [2]",
    );
    expect(load({ 3: {} }, [{ params: [0] }])).toThrow("loaded state dict remembers parameter 3, which no group has");
    expect(optimizer.stateDict()).toEqual(before);
  });

  test("of schedulers", () => {
    const make = () => {
      const optimizer = new optim.SGD([leaf(1)], { lr: 1 });
      return { optimizer, scheduler: new optim.CosineAnnealingLR(optimizer, 10) };
    };
    const [first, second] = [make(), make()];
    for (let i = 0; i < 4; i++) first.scheduler.step();
    second.optimizer.loadStateDict(first.optimizer.stateDict());
    second.scheduler.loadStateDict(first.scheduler.stateDict());
    first.scheduler.step();
    second.scheduler.step();
    expect(second.scheduler.getLastLr()).toEqual(first.scheduler.getLastLr());
  });
});

test("a parameter without a gradient stays, and a closure's loss is returned", () => {
  const [w, v] = [leaf(1), leaf(2)];
  const optimizer = new optim.SGD([w, v], { lr: 0.5 });
  const loss = optimizer.step(() => {
    optimizer.zeroGrad();
    const value = w.mul(3).sum();
    value.backward();
    return value;
  });
  expect(loss.item()).toBe(3);
  expect([w.item(), v.item()]).toEqual([-0.5, 2]);
  optimizer.zeroGrad();
  expect([w.grad, v.grad]).toEqual([null, null]);
});

test("a graph from before the step cannot be used after it", () => {
  const w = leaf(2);
  const optimizer = new optim.SGD([w], { lr: 0.5 });
  const old = w.mul(w).sum();
  w.grad = tensor([1]);
  optimizer.step();
  expect(() => old.backward()).toThrow("modified by an inplace operation");
});

test("a group added later has options of its own", () => {
  const [w, v] = [leaf(1), leaf(1)];
  const optimizer = new optim.SGD([w], { lr: 1 });
  optimizer.addParamGroup({ params: [v], lr: 0.25 });
  for (const param of [w, v]) param.grad = tensor([1]);
  optimizer.step();
  expect([w.item(), v.item()]).toEqual([0, 0.75]);
});

test("a loop without a loader holds a flat line of memory, and its last losses can be read", () => {
  const w = randn([64, 64]).requiresGrad_();
  const x = randn([32, 64]);
  const target = randn([32, 64]);
  const optimizer = new optim.Adam([w], { lr: 0.01 });
  const held: number[] = [];
  let before: Tensor | undefined;
  for (let step = 0; step < 30; step++) {
    optimizer.zeroGrad();
    const loss = x.matmul(w).sub(target).square().mean();
    loss.backward();
    optimizer.step();
    if (before && step % 2 === 1) expect(before.item()).toBeGreaterThan(0);
    before = loss;
    const { pinned, program, scoped } = memoryUsage();
    held.push(pinned + program + scoped);
  }
  expect(Math.max(...held.slice(5)) - Math.min(...held.slice(5))).toBeLessThan(2048);
  expect(x.toArray()).toHaveLength(32); // made before the loop: still there
  expect(target.toArray()).toHaveLength(32);
});
