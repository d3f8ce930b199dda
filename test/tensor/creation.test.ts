import {
  ArgumentError,
  arange,
  type DType,
  DTypeError,
  emptyLike,
  eye,
  full,
  fullLike,
  Generator,
  linspace,
  manualSeed,
  ones,
  onesLike,
  rand,
  randint,
  randLike,
  randn,
  randnLike,
  randperm,
  ShapeError,
  setDefaultDtype,
  tensor,
  zeros,
  zerosLike,
} from "evenkeel";
import { afterEach, describe, expect, it } from "vitest";

afterEach(() => setDefaultDtype("float32"));

describe("tensor", () => {
  it("infers the dtype from the kind of value", () => {
    expect(tensor([1, 2]).dtype).toBe("float32");
    expect(tensor([true, false]).dtype).toBe("bool");
    expect(tensor([1n, true]).dtype).toBe("int64");
    expect(tensor([1n, 2]).dtype).toBe("float32");
    expect(tensor(new Int32Array(2)).dtype).toBe("int32");
    expect(tensor([]).dtype).toBe("float32");
    setDefaultDtype("float64");
    expect(tensor([0.1]).item()).toBe(0.1);
  });

  it.each<[DType, number[]]>([
    ["float64", [1.7, -1.7]],
    ["int32", [1, -1]],
    ["int64", [1, -1]],
  ])("converts numbers to %s", (dtype, values) => {
    expect(tensor([1.7, -1.7], { dtype }).toArray()).toEqual(values);
    expect(tensor(new Float64Array([1.7, -1.7]), { dtype }).toArray()).toEqual(values);
  });

  it("reads nested arrays, single values and typed arrays", () => {
    expect(tensor([[[1], [2]]]).shape).toEqual([1, 2, 1]);
    expect(tensor(3).shape).toEqual([]);
    expect(tensor([[], []]).shape).toEqual([2, 0]);
    expect(tensor(new Float32Array(6), { shape: [2, -1] }).shape).toEqual([2, 3]);
    expect(tensor([1, 2, 3, 4], { shape: [2, 2] }).toArray()).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(tensor([2, 0], { dtype: "bool" }).toArray()).toEqual([true, false]);
    expect(tensor(new Uint8Array([2, 0]), { dtype: "bool" }).toArray()).toEqual([true, false]);
    expect(tensor([Number.NaN]).toArray()).toEqual([Number.NaN]);
    expect(tensor([9007199254740993n]).toTypedArray()).toEqual(new BigInt64Array([9007199254740993n]));
  });

  it("copies what it is given", () => {
    const data = new Float32Array([1, 2]);
    const shape = [2];
    const x = tensor(data, { shape });
    data[0] = 9;
    shape[0] = 7;
    expect(x.toArray()).toEqual([1, 2]);
    expect(x.shape).toEqual([2]);
  });

  it("refuses what is ragged, misfits or has no dtype", () => {
    expect(() =>
      tensor([
        [1, 2],
        [1, 2, 3],
      ]),
    ).toThrow(/^expected sequence of length 2 at dim 1 \(got 3\)/);
    expect(() => tensor([[1, 2], 3])).toThrow(ShapeError);
    expect(() => tensor([1, [2, 3]])).toThrow(ShapeError);
    expect(() => tensor([1, 2, 3], { shape: [2, 2] })).toThrow("shape '[2, 2]' is invalid for input of size 3");
    expect(() => tensor(["a"] as never)).toThrow(DTypeError);
    expect(() => tensor([null] as never)).toThrow("null");
    expect(() => tensor(new Int8Array(2) as never)).toThrow("Int8Array");
    expect(() => tensor([2 ** 40], { dtype: "int32" })).toThrow(
      "value cannot be converted to type int32 without overflow",
    );
    expect(() => tensor([Number.NaN], { dtype: "int64" })).toThrow(ArgumentError);
    expect(() => tensor([1], { dtype: "int64", requiresGrad: true })).toThrow(
      "only Tensors of floating point and complex dtype can require gradients",
    );
    expect(() => zeros([2, -1])).toThrow("Trying to create tensor with negative dimension -1: [2, -1]");
    expect(() => zeros([1.5])).toThrow(ArgumentError);
  });
});

describe("constants and ranges", () => {
  it("fills", () => {
    expect(zeros([2, 1]).toArray()).toEqual([[0], [0]]);
    expect(ones([2], { dtype: "int64" }).toTypedArray()).toEqual(new BigInt64Array([1n, 1n]));
    expect(full([2], true).toArray()).toEqual([true, true]);
    expect(full([], 2.5, { requiresGrad: true }).requiresGrad).toBe(true);
    expect(zeros([0, 3]).toArray()).toEqual([]);
    expect(eye(2, { m: 3 }).toArray()).toEqual([
      [1, 0, 0],
      [0, 1, 0],
    ]);
    expect(eye(2, { dtype: "int64" }).toArray()).toEqual([
      [1, 0],
      [0, 1],
    ]);
  });

  it("takes shape and dtype from another tensor", () => {
    const x = tensor([[1, 2, 3]], { dtype: "float64" });
    for (const like of [zerosLike(x), onesLike(x), fullLike(x, 4), emptyLike(x), randLike(x), randnLike(x)]) {
      expect([like.shape, like.dtype]).toEqual([[1, 3], "float64"]);
    }
    expect(fullLike(x, 4, { dtype: "int32" }).toArray()).toEqual([[4, 4, 4]]);
  });

  it("counts as torch.arange", () => {
    expect(arange(5).dtype).toBe("int64");
    expect(arange(5).toArray()).toEqual([0, 1, 2, 3, 4]);
    expect(arange(1, 10, 3).toArray()).toEqual([1, 4, 7]);
    expect(arange(3, 0, -1).toArray()).toEqual([3, 2, 1]);
    expect(arange(0).shape).toEqual([0]);
    expect(arange(0, 1, 0.3).toArray()).toEqual([0, Math.fround(0.3), Math.fround(0.6), Math.fround(0.9)]);
    expect(arange(2, { dtype: "float64", requiresGrad: true }).requiresGrad).toBe(true);
    expect(() => arange(0, -1)).toThrow("upper bound and larger bound inconsistent with step sign");
    expect(() => arange(0, 1, 0)).toThrow("step must be nonzero");
    expect(() => arange(Number.POSITIVE_INFINITY)).toThrow("unsupported range");
    expect(() => arange(2, { dtype: "bool" })).toThrow(DTypeError);
  });

  it("spaces as torch.linspace", () => {
    expect(linspace(0, 1, 5).toArray()).toEqual([0, 0.25, 0.5, 0.75, 1]);
    expect(linspace(0, 10, 7, { dtype: "int64" }).toArray()).toEqual([0, 1, 3, 5, 6, 8, 10]);
    expect(linspace(3, 9, 1).toArray()).toEqual([3]);
    expect(linspace(0, 0.7, 8, { dtype: "float64" }).toArray().at(-1)).toBe(0.7);
    expect(() => linspace(0, 1, -1)).toThrow("number of steps must be non-negative");
  });
});

describe("random", () => {
  it("draws the same after the same seed, and from its own generator", () => {
    for (const draw of [() => rand([3, 5]), () => randn([40]), () => randint(-5, 9, [20]), () => randperm(12)]) {
      manualSeed(7);
      const first = draw().toArray();
      const second = draw().toArray();
      manualSeed(7);
      expect(draw().toArray()).toEqual(first);
      expect(second).not.toEqual(first);
    }
    const own = randn([40], { generator: new Generator(3) }).toArray();
    expect(randn([40], { generator: new Generator(3) }).toArray()).toEqual(own);
  });

  it("draws PyTorch's numbers", () => {
    manualSeed(0);
    expect(rand([3]).toArray()).toEqual([0.49625658988952637, 0.7682217955589294, 0.08847743272781372]);
    manualSeed(42);
    expect(randperm(10).toArray()).toEqual([2, 6, 1, 8, 4, 5, 0, 9, 3, 7]);
  });

  it("keeps to ranges and dtypes", () => {
    const whole = randint(2, 5, [200], { dtype: "float32" });
    expect(new Set(whole.toArray())).toEqual(new Set([2, 3, 4]));
    expect(randperm(4, { dtype: "int32" }).dtype).toBe("int32");
    expect(() => randint(0, 0, [2])).toThrow("random_ expects 'from' to be less than 'to'");
    expect(() => rand([2], { dtype: "int64" })).toThrow(DTypeError);
    expect(() => randperm(-1)).toThrow("n must be greater or equal to 0, got -1");
  });
});
