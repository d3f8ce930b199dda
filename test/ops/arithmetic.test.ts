import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { tensor } from "../../src/index.ts";
import { add, div, mul, neg, resultType, sub } from "../../src/ops/arithmetic.ts";
import { atan2, maximum, minimum, pow, remainder } from "../../src/ops/binary.ts";
import * as compare from "../../src/ops/compare.ts";
import {
  abs,
  ceil,
  clamp,
  cos,
  erf,
  exp,
  expm1,
  floor,
  log,
  log1p,
  log2,
  log10,
  reciprocal,
  round,
  rsqrt,
  sign,
  sin,
  sqrt,
  square,
  tan,
  trunc,
} from "../../src/ops/pointwise.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { checkGradients, leaf, random, testGolden } from "./checking.ts";

type Binary = (a: Tensor, b: Tensor | number, options?: object) => Tensor;

const binary = (f: Binary) => (inputs: Tensor[], options: object, args: unknown[]) =>
  f(inputs[0], inputs[1] ?? (args[0] as number), options);

const unary = (f: (x: Tensor) => Tensor) => (inputs: Tensor[]) => f(inputs[0]);

describe("golden", () => {
  testGolden({
    add: binary(add),
    sub: binary(sub as Binary),
    mul: binary(mul),
    div: binary(div as Binary),
    pow: binary(pow as Binary),
    maximum: binary(maximum as Binary),
    minimum: binary(minimum as Binary),
    eq: binary(compare.eq),
    ne: binary(compare.ne),
    lt: binary(compare.lt),
    le: binary(compare.le),
    gt: binary(compare.gt),
    ge: binary(compare.ge),
    where: (inputs) => compare.where(inputs[0], inputs[1], inputs[2]),
    neg: unary(neg),
    clamp: (inputs, options) => clamp(inputs[0], options),
  });
  const smooth = { exp, expm1, log, log1p, sqrt, rsqrt, square, reciprocal, sin, cos, erf };
  const functions = { ...smooth, abs, sign, floor, ceil, round };
  testGolden(Object.fromEntries(Object.entries(functions).map(([name, f]) => [name, unary(f)])));
});

describe("gradients", () => {
  const shapes: [number[], number[]][] = [
    [
      [2, 3],
      [2, 3],
    ],
    [[2, 1], [3]],
    [[], [2]],
    [
      [3, 1, 2],
      [1, 2, 1],
    ],
  ];
  const operations = { add, sub, mul, div, maximum, minimum, atan2 } as Record<
    string,
    (a: Tensor, b: Tensor) => Tensor
  >;
  it.each(Object.keys(operations))("%s", (name) => {
    shapes.forEach(([a, b], i) => {
      checkGradients(operations[name], [leaf(a, 10 + i), leaf(b, 20 + i, 0.5, 2)]);
    });
  });

  it("pow and remainder", () => {
    checkGradients(pow, [leaf([2, 3], 1, 0.5, 2), leaf([3], 2)]);
    checkGradients((x) => pow(2, x), [leaf([3], 3)]);
    for (const p of [0, 1, 2, 3, 0.5, -1, -1.7]) checkGradients((x) => pow(x, p), [leaf([3], 4, 0.5, 2)]);
    checkGradients(
      (a, b) => remainder(a, b),
      [leaf([3], 5, 2, 3), tensor([0.9, 1.7, 0.8], { dtype: "float64", requiresGrad: true })],
    );
    checkGradients((a) => remainder(a, 0.7), [leaf([3], 6)]);
  });

  it("numbers on either side", () => {
    const forms: ((x: Tensor) => Tensor)[] = [
      (x) => add(x, 2),
      (x) => add(x, x, { alpha: -0.5 }),
      (x) => sub(x, 2),
      (x) => sub(2, x),
      (x) => sub(x, mul(x, x), { alpha: 3 }),
      (x) => mul(x, -3),
      (x) => div(x, 4),
      (x) => div(2, x),
      neg,
    ];
    for (const form of forms) checkGradients(form, [leaf([2, 3], 7, 0.5, 2)]);
  });

  it("one tensor on both sides", () => {
    checkGradients((x) => mul(x, x), [leaf([3], 8)]);
    checkGradients((x) => div(mul(x, x), add(x, 3)), [leaf([3], 8)]);
  });

  const smooth = { exp, log, log1p, expm1, log2, log10, sqrt, rsqrt, square, reciprocal, abs, sin, cos, tan, erf };
  it.each(Object.entries(smooth))("%s", (_, f) => {
    checkGradients(f, [leaf([2, 3], 9, 0.4, 1.4)]);
  });

  it("functions flat between their steps", () => {
    for (const f of [sign, floor, ceil, round, trunc]) {
      checkGradients((x) => mul(f(x), x), [leaf([5], 10)]);
    }
  });

  it("clamp and where", () => {
    const x = () => tensor([-2, -0.3, 0.4, 3], { dtype: "float64", requiresGrad: true });
    checkGradients((a) => clamp(mul(a, a), { min: 0.1, max: 2 }), [x()]);
    checkGradients((a) => clamp(a, { max: 0 }), [x()]);
    const mask = tensor([[true], [false]]);
    checkGradients((a, b) => mul(compare.where(mask, a, b), a), [x(), leaf([4], 11)]);
    checkGradients((a) => compare.where(mask, a, 1), [x()]);
    checkGradients((a) => compare.where(mask, 1, a), [x()]);
  });

  it("flow through a change of dtype", () => {
    const x = tensor([1, 2], { requiresGrad: true });
    mul(x, tensor([3, 4], { dtype: "float64" })).backward(tensor([1, 10], { dtype: "float64" }));
    expect(x.grad!.dtype).toBe("float32");
    expect(x.grad!.toArray()).toEqual([3, 40]);
  });

  it("of the maximum is halved between equal elements", () => {
    const a = tensor([1, 2], { requiresGrad: true });
    const b = tensor([1, 0], { requiresGrad: true });
    maximum(a, b).backward(tensor([3, 5]));
    expect(a.grad!.toArray()).toEqual([1.5, 5]);
    expect(b.grad!.toArray()).toEqual([1.5, 0]);
  });

  it("are 0, not NaN, where a power is flat", () => {
    const x = tensor([0, 2], { dtype: "float64", requiresGrad: true });
    const y = tensor([2, 0], { dtype: "float64", requiresGrad: true });
    pow(x, y).backward(tensor([3, 5], { dtype: "float64" }));
    expect(x.grad!.toArray()).toEqual([0, 0]);
    expect(y.grad!.toArray()).toEqual([0, 5 * Math.LN2]);
  });
});

describe("dtypes, as torch.result_type", () => {
  const f32 = tensor([1]);
  const f64 = tensor([1], { dtype: "float64" });
  const i64 = tensor([1], { dtype: "int64" });
  const u8 = tensor([1], { dtype: "uint8" });
  const flags = tensor([true]);

  it("of a tensor and a number", () => {
    expect(resultType(f32, 1.5)).toBe("float32");
    expect(resultType(u8, 2)).toBe("uint8");
    expect(resultType(u8, 2.5)).toBe("float32");
    expect(resultType(flags, 2)).toBe("int64");
    expect(resultType(i64, Infinity)).toBe("float32");
  });

  it("of two tensors: a single element decides only by its kind", () => {
    const single = tensor(1, { dtype: "float64" });
    expect(resultType(f32, f64)).toBe("float64");
    expect(resultType(f32, single)).toBe("float32");
    expect(resultType(i64, single)).toBe("float64");
    expect(resultType(u8, tensor(1, { dtype: "int64" }))).toBe("uint8");
    expect(resultType(flags, tensor(1, { dtype: "uint8" }))).toBe("uint8");
    expect(resultType(i64, f32)).toBe("float32");
  });

  it("of integers and bools", () => {
    expect(div(i64, 2).dtype).toBe("float32");
    expect(div(tensor([7, -7], { dtype: "int64" }), 2, { roundingMode: "floor" }).toArray()).toEqual([3, -4]);
    expect(div(tensor([7, -7], { dtype: "int32" }), 2, { roundingMode: "trunc" }).toArray()).toEqual([3, -3]);
    expect(div(tensor([7, -7]), 2, { roundingMode: "floor" }).toArray()).toEqual([3, -4]);
    expect(add(flags, flags).toArray()).toEqual([true]);
    expect(mul(flags, tensor([false])).toArray()).toEqual([false]);
    expect(pow(tensor([2, 3], { dtype: "int64" }), 3).toArray()).toEqual([8, 27]);
    expect(remainder(tensor([-7, 7], { dtype: "int64" }), 3).toArray()).toEqual([2, 1]);
    expect(exp(i64).dtype).toBe("float32");
    expect(floor(i64).dtype).toBe("int64");
    expect(clamp(tensor([1, 9], { dtype: "int64" }), { max: 4 }).toArray()).toEqual([1, 4]);
    expect(clamp(tensor([1, 9], { dtype: "uint8" }), { max: 4.5 }).toArray()).toEqual([1, 4.5]);
    expect(add(tensor([2 ** 40], { dtype: "int64" }), 1).item()).toBe(2 ** 40 + 1);
  });

  it("of floats, divided and rounded as PyTorch does", () => {
    const x = tensor([1, -1, 7.5, -7.5, 5, Infinity]);
    const rounded = (b: number, roundingMode: "floor" | "trunc") => div(x, b, { roundingMode }).toArray();
    expect(rounded(0.1, "floor")).toEqual([9, -10, 74, -75, 49, NaN]);
    expect(rounded(0.1, "trunc")).toEqual([10, -10, 75, -75, 50, Infinity]);
    expect(rounded(-0.1, "floor")).toEqual([-10, 9, -75, 74, -50, NaN]);
    expect(rounded(2, "floor")).toEqual([0, -1, 3, -4, 2, NaN]);
    expect(rounded(0, "floor")).toEqual([Infinity, -Infinity, Infinity, -Infinity, Infinity, Infinity]);
    const w = tensor([3, 5], { requiresGrad: true });
    div(w, w, { roundingMode: "floor" })
      .add(w)
      .backward(tensor([1, 2]));
    expect(w.grad!.toArray()).toEqual([1, 2]);
  });

  it("are refused where PyTorch refuses them", () => {
    expect(() => sub(flags, flags)).toThrow("Subtraction, the `-` operator, with two bool tensors is not supported.");
    expect(() => neg(flags)).toThrow("Negation, the `-` operator, on a bool tensor is not supported.");
    expect(() => pow(i64, -1)).toThrow("Integers to negative integer powers are not allowed.");
    expect(() => remainder(i64, 0)).toThrow("ZeroDivisionError");
    expect(() => compare.where(f32, f32, 1)).toThrow(
      "where expected condition to be a boolean tensor, but got a tensor with dtype Float",
    );
    expect(() => clamp(f32, {})).toThrow("torch.clamp: At least one of 'min' or 'max' must not be None");
    expect(() => abs(flags)).toThrow("\"abs_cpu\" not implemented for 'Bool'");
    expect(() => add(tensor([1, 2]), tensor([1, 2, 3]))).toThrow(
      "The size of tensor a (2) must match the size of tensor b (3) at non-singleton dimension 0",
    );
  });
});

describe("comparisons", () => {
  const x = tensor([1, NaN, Infinity, -2]);

  it("see NaN and infinity", () => {
    expect(compare.isnan(x).toArray()).toEqual([false, true, false, false]);
    expect(compare.isfinite(x).toArray()).toEqual([true, false, false, true]);
    expect(compare.isinf(x).toArray()).toEqual([false, false, true, false]);
    expect(compare.isfinite(tensor([1], { dtype: "int64" })).toArray()).toEqual([true]);
    expect(compare.eq(x, x).toArray()).toEqual([true, false, true, true]);
  });

  it("compare an integer tensor with a fraction", () => {
    expect(compare.gt(tensor([0, 1], { dtype: "int64" }), 0.5).toArray()).toEqual([false, true]);
  });

  it("combine as logic", () => {
    const a = tensor([0, 1, 2, 0]);
    const b = tensor([true, false, true, false]);
    expect(compare.logicalAnd(a, b).toArray()).toEqual([false, false, true, false]);
    expect(compare.logicalOr(a, b).toArray()).toEqual([true, true, true, false]);
    expect(compare.logicalNot(a).toArray()).toEqual([true, false, false, true]);
  });

  it("allclose and equal", () => {
    expect(compare.equal(tensor([1, 2]), tensor([1, 2]))).toBe(true);
    expect(compare.equal(tensor([1, 2]), tensor([[1, 2]]))).toBe(false);
    expect(compare.equal(x, x)).toBe(false);
    expect(compare.allclose(x, x)).toBe(false);
    expect(compare.allclose(x, x, { equalNan: true })).toBe(true);
    expect(compare.allclose(tensor([1]), tensor([1.1]), { rtol: 0, atol: 0.2 })).toBe(true);
    expect(compare.allclose(tensor([1]), tensor([1.1]), { rtol: 0.05 })).toBe(false);
    expect(compare.allclose(tensor([Infinity]), tensor([1]), { atol: Infinity })).toBe(false);
    expect(compare.allclose(tensor([3], { dtype: "int64" }), tensor([3], { dtype: "int64" }))).toBe(true);
    expect(() => compare.allclose(tensor([1]), tensor([1], { dtype: "int64" }))).toThrow("same dtype");
  });
});

describe("properties", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 0, maxLength: 4 });

  /** two shapes that broadcast together */
  const pair = fc
    .tuple(sizes, fc.array(fc.constantFrom("both", "left", "right"), { minLength: 4, maxLength: 4 }), fc.nat(4))
    .map(([shape, kinds, cut]) => {
      const side = (one: string) => shape.map((size, d) => (kinds[d] === one ? 1 : size));
      return [side("left"), side("right").slice(Math.min(cut, shape.length))] as const;
    });

  it("broadcasting agrees with plain loops, on views too", () => {
    fc.assert(
      fc.property(pair, fc.boolean(), ([a, b], reversed) => {
        const x = random(reversed ? [...a].reverse() : a, 1);
        const left = reversed ? x.permute([...a.keys()].reverse()) : x;
        const right = random(b, 2);
        const found = sub(left, right);
        const flat = found.toTypedArray();
        const [xs, ys] = [left.toTypedArray(), right.toTypedArray()];
        const at = (shape: readonly number[], index: number[]) =>
          shape.reduce((sum, size, d) => sum * size + (size === 1 ? 0 : index[index.length - shape.length + d]), 0);
        for (let i = 0; i < flat.length; i++) {
          const index: number[] = [];
          let rest = i;
          for (let d = found.ndim - 1; d >= 0; d--) {
            index.unshift(rest % found.shape[d]);
            rest = Math.floor(rest / found.shape[d]);
          }
          expect(flat[i]).toBe(Math.fround(Number(xs[at(left.shape, index)]) - Number(ys[at(right.shape, index)])));
        }
      }),
      { numRuns: 60 },
    );
  });

  it("a gradient has its input's shape and sums what was broadcast", () => {
    fc.assert(
      fc.property(pair, ([a, b]) => {
        const [x, y] = [random(a, 3).requiresGrad_(), random(b, 4).requiresGrad_()];
        const out = add(x, y);
        const g = random([...out.shape], 5);
        out.backward(g);
        const total = (t: Tensor) => [...t.toTypedArray()].reduce((s: number, v) => s + Number(v), 0);
        for (const input of [x, y]) {
          expect(input.grad!.shape).toEqual(input.shape);
          expect(total(input.grad!)).toBeCloseTo(total(g), 3);
        }
      }),
      { numRuns: 40 },
    );
  });
});
