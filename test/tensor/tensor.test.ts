import {
  ArgumentError,
  AutogradError,
  arange,
  getDefaultDtype,
  IndexRangeError,
  ones,
  randn,
  ShapeError,
  setDefaultDtype,
  tensor,
  zeros,
} from "evenkeel";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { promoteTypes } from "../../src/tensor/dtype.ts";
import { broadcastShapes, broadcastStrides, inferShape, wrapDim, wrapDims } from "../../src/tensor/shape.ts";

describe("Tensor", () => {
  it("tells its sizes", () => {
    const x = zeros([2, 3], { dtype: "float64" });
    expect([x.shape, x.ndim, x.numel, x.nbytes, x.device]).toEqual([[2, 3], 2, 6, 48, "cpu"]);
    expect([x.size(), x.size(0), x.size(-1)]).toEqual([[2, 3], 2, 3]);
    expect(() => x.size(2)).toThrow("Dimension out of range (expected to be in range of [-2, 1], but got 2)");
    expect(x.t().isContiguous).toBe(false);
    expect(zeros([3, 0]).t().isContiguous).toBe(true);
  });

  it("gives its values out as copies, whatever the strides", () => {
    const x = arange(6).reshape([2, 3]);
    expect(x.t().toTypedArray()).toEqual(new BigInt64Array([0n, 3n, 1n, 4n, 2n, 5n]));
    const array = x.toTypedArray();
    array[0] = 9n;
    expect(x.at(0, 0).item()).toBe(0);
    expect(tensor([[true], [false]]).toArray()).toEqual([[true], [false]]);
    expect(tensor(true).item()).toBe(1);
    expect(zeros([2, 0]).toArray()).toEqual([[], []]);
    expect(() => x.item()).toThrow("a Tensor with 6 elements cannot be converted to Scalar");
  });

  it("requires grad only where gradients can flow", () => {
    const x = randn([2], { requiresGrad: true });
    expect([x.isLeaf, x.requiresGrad, x.mul(2).isLeaf, x.mul(2).requiresGrad]).toEqual([true, true, false, true]);
    expect(x.detach().requiresGrad).toBe(false);
    expect(x.detach().storage).toBe(x.storage);
    expect(ones([1]).requiresGrad_().requiresGrad).toBe(true);
    expect(() => {
      x.mul(2).requiresGrad = false;
    }).toThrow(AutogradError);
    expect(() => ones([1]).registerHook(() => undefined)).toThrow("doesn't require gradient");
    expect(() => ones([1]).retainGrad()).toThrow(AutogradError);
  });

  it("is disposed by using", () => {
    const x = ones([2]);
    x[Symbol.dispose]();
    expect(x.storage.isLive).toBe(false);
  });
});

describe("dtypes", () => {
  it("promote as torch.promote_types", () => {
    expect(promoteTypes("bool", "uint8")).toBe("uint8");
    expect(promoteTypes("int64", "float32")).toBe("float32");
    expect(promoteTypes("float64", "float32")).toBe("float64");
  });

  it("have a default that can be changed to another float", () => {
    setDefaultDtype("float64");
    expect([getDefaultDtype(), zeros([1]).dtype]).toEqual(["float64", "float64"]);
    setDefaultDtype("float32");
    expect(() => setDefaultDtype("int64" as never)).toThrow("only floating-point types are supported");
  });
});

describe("shapes", () => {
  it("broadcast as the elements say", () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 4 });
    fc.assert(
      fc.property(sizes, sizes, (a, b) => {
        const rank = Math.max(a.length, b.length);
        const at = (shape: number[], d: number) => shape.at(d - rank + shape.length < 0 ? shape.length : d - rank) ?? 1;
        const pairs = Array.from({ length: rank }, (_, d) => [at(a, d), at(b, d)]);
        const fits = pairs.every(([x, y]) => x === y || x === 1 || y === 1);
        if (!fits) expect(() => broadcastShapes(a, b)).toThrow(ShapeError);
        else expect(broadcastShapes(a, b)).toEqual(pairs.map(([x, y]) => (x === 1 ? y : x)));
      }),
    );
    expect(broadcastStrides([3, 1], [1, 1], [2, 3, 4])).toEqual([0, 1, 0]);
    expect(() => broadcastShapes([2, 3], [2])).toThrow(
      "The size of tensor a (3) must match the size of tensor b (2) at non-singleton dimension 1",
    );
  });

  it("infer one size", () => {
    expect(inferShape([2, -1], 6)).toEqual([2, 3]);
    expect(inferShape([0, 3], 0)).toEqual([0, 3]);
    expect(() => inferShape([-1, 0], 0)).toThrow("cannot reshape tensor of 0 elements into shape [-1, 0]");
    expect(() => inferShape([-1, -1], 4)).toThrow("only one dimension can be inferred");
    expect(() => inferShape([4, -1], 6)).toThrow("shape '[4, -1]' is invalid for input of size 6");
    expect(() => inferShape([-2], 6)).toThrow("invalid shape dimension -2");
  });

  it("wrap dimensions", () => {
    expect([wrapDim(-1, 3), wrapDim(0, 0), wrapDim(-1, 0)]).toEqual([2, 0, 0]);
    expect(() => wrapDim(3, 3)).toThrow(IndexRangeError);
    expect(() => wrapDim(0.5, 3)).toThrow(IndexRangeError);
    expect(wrapDims([-1, 0], 3)).toEqual([0, 2]);
    expect(wrapDims(null, 2)).toEqual([0, 1]);
    expect(() => wrapDims([0, -3], 3)).toThrow(ArgumentError);
  });
});
