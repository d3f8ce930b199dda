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

test.each([
  ["two parts", 2, SHAPE, "rows"],
  ["two parts of channels too large to be walked together", 2, [2, 3, 121, 130], "rows"],
  ["three parts", 3, SHAPE, "rows"],
  ["two parts of rows of one", 2, [4, 3, 1, 1], "rows"],
  ["parts that lie otherwise than the input", 2, SHAPE, "pixels"],
] as const)("a gradient in parts is their sum: %s", (_, parts, shape, order) => {
  manualSeed(2);
  const layer = new nn.BatchNormAct2d(3);
  const data = Array.from({ length: 2 + parts }, () => randn([...shape]));
  const run = (whole: boolean, withResidual: boolean) => {
    const [x, residual] = data.map((t) => t.clone().requiresGrad_());
    const y = layer.forward(x, { residual: withResidual ? residual : undefined });
    if (whole) y.registerHook(() => undefined); // hooks see the sum
    const uses = data.slice(2).map((factor) => {
      return order === "rows" ? y.mul(factor) : y.permute([0, 2, 3, 1]).mul(factor.permute([0, 2, 3, 1]).contiguous());
    });
    const loss = uses.reduce((sum, use) => sum.add(use)).sum();
    loss.backward(undefined, { retainGraph: true });
    const once = [values(x.grad), values(residual.grad)];
    loss.backward();
    return [once, values(x.grad), values(residual.grad), values(layer.weight?.grad)];
  };
  for (const withResidual of [false, true]) {
    layer.zeroGrad();
    const expected = run(true, withResidual);
    layer.zeroGrad();
    expect(run(false, withResidual)).toEqual(expected);
  }
});
