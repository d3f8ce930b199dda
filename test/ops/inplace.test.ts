import {
  AutogradError,
  add_,
  arange,
  bernoulli_,
  clamp_,
  copy_,
  DTypeError,
  div_,
  empty,
  fill_,
  Generator,
  manualSeed,
  memoryUsage,
  mul_,
  noGrad,
  normal_,
  ones,
  randn,
  ShapeError,
  sub_,
  type Tensor,
  tensor,
  uniform_,
  zero_,
  zeros,
} from "evenkeel";
import { describe, expect, it } from "vitest";

const operations: Record<
  string,
  [inPlace: (x: Tensor, y: Tensor | number) => Tensor, plain: (x: Tensor, y: Tensor | number) => Tensor]
> = {
  add_: [add_, (x, y) => x.add(y)],
  "add_ with alpha": [(x, y) => add_(x, y, { alpha: -0.5 }), (x, y) => x.add(y, { alpha: -0.5 })],
  sub_: [sub_, (x, y) => x.sub(y)],
  "sub_ with alpha": [(x, y) => sub_(x, y, { alpha: 3 }), (x, y) => x.sub(y, { alpha: 3 })],
  mul_: [mul_, (x, y) => x.mul(y)],
  div_: [div_, (x, y) => x.div(y)],
};

describe("arithmetic", () => {
  const targets: Record<string, () => Tensor> = {
    contiguous: () => randn([3, 4]),
    transposed: () => randn([4, 3]).t(),
    "a column of a larger one": () => randn([3, 4, 5]).select(2, 1),
    "every second": () => randn([3, 8]).slice(1, 0, 8, 2),
    "double precision": () => randn([3, 4], { dtype: "float64" }),
  };
  const others: Record<string, (x: Tensor) => Tensor | number> = {
    "a number": () => 1.75,
    "the same shape": () => randn([3, 4]),
    "a row": () => randn([4]),
    "a column": () => randn([3, 1]),
    "a transpose": () => randn([4, 3]).t(),
    "a single value": () => tensor(0.3),
    integers: () => tensor([1, 2, 3, 4], { dtype: "int64" }),
    "double precision": () => randn([3, 4], { dtype: "float64" }),
    itself: (x) => x,
    "its first row": (x) => x.narrow(0, 0, 1),
  };
  for (const [name, [inPlace, plain]] of Object.entries(operations)) {
    it.each(Object.keys(targets).flatMap((target) => Object.keys(others).map((other) => [target, other])))(
      `${name}: %s by %s is what the operation itself gives`,
      (target, other) => {
        manualSeed(5);
        const x = targets[target]();
        const y = others[other](x);
        const expected = plain(x, y).to(x.dtype);
        const before = x.storage.version;
        expect(inPlace(x, y)).toBe(x);
        const [got, wanted] = [x.toTypedArray(), expected.toTypedArray()];
        for (const [i, value] of wanted.entries()) expect(Number(got[i])).toBeCloseTo(Number(value), 5);
        expect(x.storage.version).toBeGreaterThan(before);
      },
    );
  }

  it("leaves what lies between the elements of a view alone", () => {
    const large = zeros([2, 4]);
    add_(large.slice(1, 1, 4, 2), tensor([1, 2]));
    expect(large.toArray()).toEqual([
      [0, 1, 0, 2],
      [0, 1, 0, 2],
    ]);
  });

  it("computes integers and bools in their own dtype, or refuses", () => {
    expect(add_(arange(3), 2).toArray()).toEqual([2, 3, 4]);
    expect(mul_(arange(3).int(), arange(3)).dtype).toBe("int32");
    expect(add_(tensor([true, false, false]), tensor([false, false, true])).toArray()).toEqual([true, false, true]);
    expect(() => add_(arange(3), 1.5)).toThrow("result type float32 can't be cast to the desired output type int64");
    expect(() => div_(arange(3), 2)).toThrow(DTypeError);
    expect(() => add_(arange(3), ones([3]))).toThrow(DTypeError);
    expect(() => clamp_(arange(3), { min: 0.5 })).toThrow(DTypeError);
  });

  it("holds no memory of its own", () => {
    const x = randn([4, 3]).t();
    const y = arange(4);
    const before = memoryUsage().tensors;
    add_(x, y, { alpha: 2 });
    mul_(x, 3);
    div_(x, x);
    copy_(x, y);
    fill_(x, 1);
    expect(memoryUsage().tensors).toBe(before);
  });
});

describe("filling and copying", () => {
  it("copies, broadcast and converted", () => {
    const x = zeros([2, 3]);
    expect(copy_(x, tensor([1, 2, 3], { dtype: "int64" })).toArray()).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
    expect(copy_(zeros([2], { dtype: "int32" }), tensor([1.7, -1.7])).toArray()).toEqual([1, -1]);
    const square = tensor([
      [1, 2],
      [3, 4],
    ]);
    expect(copy_(square, square.t()).toArray()).toEqual([
      [1, 3],
      [2, 4],
    ]);
    copy_(x.select(1, 1), tensor([8, 9]));
    expect(x.toArray()).toEqual([
      [1, 8, 3],
      [1, 9, 3],
    ]);
  });

  it("fills and clamps", () => {
    expect(fill_(empty([2, 2]), 3).toArray()).toEqual([
      [3, 3],
      [3, 3],
    ]);
    const x = ones([2, 2]);
    zero_(x.select(1, 0));
    expect(x.toArray()).toEqual([
      [0, 1],
      [0, 1],
    ]);
    expect(fill_(zeros([2], { dtype: "bool" }), true).toArray()).toEqual([true, true]);
    expect(clamp_(tensor([-2, 0.5, 2, Number.NaN]), { min: -1, max: 1 }).toArray()).toEqual([-1, 0.5, 1, Number.NaN]);
    expect(clamp_(arange(5), { max: 2 }).toArray()).toEqual([0, 1, 2, 2, 2]);
    expect(clamp_(tensor([9007199254740993n]), { min: 0 }).toTypedArray()[0]).toBe(9007199254740993n);
    expect(() => clamp_(x, {})).toThrow("At least one of 'min' or 'max' must not be None");
  });

  it("draws PyTorch's numbers", () => {
    const draw = new Generator(0);
    const x = uniform_(empty([3]), { generator: draw });
    expect(x.toArray()).toEqual([0.49625658988952637, 0.7682217955589294, 0.08847743272781372]);
    manualSeed(0);
    const y = uniform_(empty([4, 2]).t(), { from: 2, to: 3 });
    for (const value of y.toArray().flat()) expect(value).toBeGreaterThanOrEqual(2);
    manualSeed(1);
    const many = normal_(empty([10000]), { mean: 3, std: 0.5 });
    expect(many.mean().item()).toBeCloseTo(3, 1);
    expect(many.std().item()).toBeCloseTo(0.5, 1);
    expect(
      bernoulli_(empty([10000], { dtype: "int64" }), { p: 0.25 })
        .float()
        .mean()
        .item(),
    ).toBeCloseTo(0.25, 1);
    expect(() => normal_(arange(3))).toThrow(DTypeError);
    expect(() => uniform_(arange(3))).toThrow("not implemented for 'int64'");
  });
});

describe("bad targets", () => {
  it("refuses to grow or to write twice into one place", () => {
    expect(() => add_(zeros([2, 3]), zeros([2, 2, 3]))).toThrow(
      "output with shape [2, 3] doesn't match the broadcast shape [2, 2, 3]",
    );
    expect(() => add_(zeros([3]), zeros([4]))).toThrow(
      "The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 0",
    );
    expect(() => copy_(zeros([2]), zeros([2, 2]))).toThrow(ShapeError);
    for (const change of [
      (x: Tensor) => fill_(x, 1),
      (x: Tensor) => copy_(x, ones([2, 3])),
      (x: Tensor) => add_(x, ones([2, 3])),
    ])
      expect(() => change(zeros([3]).expand([2, 3]))).toThrow(
        "more than one element of the written-to tensor refers to",
      );
  });

  it("refuses what would falsify gradients", () => {
    const leaf = tensor([1, 2], { requiresGrad: true });
    expect(() => add_(leaf, 1)).toThrow("a leaf Variable that requires grad is being used in an in-place operation.");
    expect(noGrad(() => add_(leaf, 1)).toArray()).toEqual([2, 3]);
    expect(() => add_(leaf.mul(2), 1)).toThrow(AutogradError);
    expect(() => copy_(zeros([2]), leaf)).toThrow(AutogradError);
    expect(() => mul_(zeros([2]), leaf)).toThrow("requires grad");
    expect(copy_(zeros([2]), leaf.detach()).toArray()).toEqual([2, 3]);
    const x = tensor([1, 2]);
    const y = leaf.mul(x);
    add_(x, 1);
    expect(() => y.sum().backward()).toThrow("modified by an inplace operation");
  });
});
