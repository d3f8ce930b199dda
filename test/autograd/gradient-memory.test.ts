import { expect, test } from "vitest";
import { autograd, manualSeed, nn, randn, type Tensor } from "../../src/index.ts";

/** Batch norm's way back overwrites a gradient that nobody else reads; these are the ones that somebody reads. */
const SHAPE = [4, 3, 5, 5];

function layers() {
  manualSeed(1);
  return [new nn.BatchNorm2d(3), new nn.BatchNormAct2d(3), new nn.BatchNormAct2d(3)] as const;
}

const values = (t: Tensor | null | undefined) => [...(t?.toTypedArray() ?? [])];

test("the caller's gradient stays", () => {
  const [plain, relu] = layers();
  const x = randn(SHAPE, { requiresGrad: true });
  const g = randn(SHAPE);
  const before = values(g);
  for (const y of [plain.forward(x), relu.forward(x), relu.forward(x, { residual: x })]) {
    y.backward(g);
    expect(values(g)).toEqual(before);
  }
});

test("a gradient that goes two ways is whole on both", () => {
  const [, one, two] = layers();
  const data = randn(SHAPE);
  const g = randn(SHAPE);
  const run = (together: boolean) => {
    const [a, b] = [data.clone().requiresGrad_(), data.clone().requiresGrad_()];
    const [y, z] = [one.forward(a), two.forward(b, { residual: b })];
    if (together) y.add(z).mul(2).backward(g);
    else for (const part of [y, z]) part.mul(2).backward(g);
    return [values(a.grad), values(b.grad)];
  };
  expect(run(true)).toEqual(run(false));
});

test("what hooks, retainGrad and autograd.grad have seen stays", () => {
  const [, relu] = layers();
  const x = randn(SHAPE, { requiresGrad: true });
  const g = randn(SHAPE);
  const doubled = values(g.mul(2));
  let seen: Tensor | null = null;
  let y = relu.forward(x);
  y.registerHook((gradient) => {
    seen = gradient;
    return undefined;
  });
  y.mul(2).backward(g);
  expect(values(seen)).toEqual(doubled);
  y = relu.forward(x);
  y.retainGrad();
  y.mul(2).backward(g);
  expect(values(y.grad)).toEqual(doubled);
  y = relu.forward(x);
  const [gy] = autograd.grad([y.mul(2)], [y, x], { gradOutputs: [g] });
  expect(values(gy)).toEqual(doubled);
});

test.each([false, true])("overwritten or not, the gradients are the same (residual: %s)", (withResidual) => {
  for (const layer of layers()) {
    const data = [randn(SHAPE), randn(SHAPE), randn(SHAPE)];
    const run = (spare: boolean) => {
      const [x, residual] = data.map((t) => t.clone().requiresGrad_());
      const joined = layer instanceof nn.BatchNormAct2d && withResidual;
      const y = joined ? layer.forward(x, { residual }) : layer.forward(x);
      if (spare) y.mul(1).backward(data[2]);
      else y.backward(data[2]);
      return [values(x.grad), values(residual.grad)];
    };
    expect(run(true)).toEqual(run(false));
  }
});
