import { Tensor, tensor } from "evenkeel";
import { describe, expect, expectTypeOf, it } from "vitest";

describe("methods", () => {
  const x = () =>
    tensor([
      [1, -2],
      [3, 4],
    ]);

  it("are the functions with the tensor first", () => {
    expect(x().add(1).sub(x()).mul(2).toArray()).toEqual([
      [2, 2],
      [2, 2],
    ]);
    expect(x().sum(0).toArray()).toEqual([4, 2]);
    expect(x().var(0, { correction: 0 }).toArray()).toEqual([1, 9]);
    expect(x().max(1).indices.toArray()).toEqual([0, 1]);
    expect(x().max().item()).toBe(4);
    expect(x().where(x().gt(0), 0).toArray()).toEqual([
      [1, 0],
      [3, 4],
    ]);
    expect(x().t().matmul(x()).shape).toEqual([2, 2]);
  });

  it("convert", () => {
    expect(x().to("int32").dtype).toBe("int32");
    expect([x().float(), x().double(), x().int(), x().long(), x().bool()].map((y) => y.dtype)).toEqual([
      "float32",
      "float64",
      "int32",
      "int64",
      "bool",
    ]);
    const same = x();
    expect(same.float()).toBe(same);
    const leaf = tensor([1.5], { requiresGrad: true });
    leaf.double().mul(2).backward();
    expect(leaf.grad?.dtype).toBe("float32");
    expect(leaf.grad?.item()).toBe(2);
    expect(leaf.int().requiresGrad).toBe(false);
  });

  it("have the functions' types", () => {
    expectTypeOf<Tensor["add"]>().parameter(0).toEqualTypeOf<Tensor | number>();
    expectTypeOf<Tensor["pow"]>().parameter(0).toEqualTypeOf<Tensor | number>();
    expectTypeOf(x().max()).toEqualTypeOf<Tensor>();
    expectTypeOf(x().max(0).values).toEqualTypeOf<Tensor>();
    expectTypeOf(x().split(1)).toEqualTypeOf<Tensor[]>();
    expectTypeOf<Tensor["fill_"]>().toEqualTypeOf<(value: number | boolean) => Tensor>();
  });

  it("hold no helpers", () => {
    for (const name of ["resultType", "toFloat", "linear", "variance"]) expect(name in Tensor.prototype).toBe(false);
  });
});
