import { arange, autograd, cat, manualSeed, randn, stack, type Tensor, tensor, zeros } from "evenkeel";
import { describe, expect, it } from "vitest";
import { type Golden, readGolden } from "../golden/read.ts";

interface OpCase {
  name: string;
  op: string;
  inputs: Golden[];
  options: { dim: number };
  outputs: Golden[];
  gradOutput: Golden;
  gradInputs: Golden[];
}

const cases = readGolden<OpCase>("ops").filter(({ op }) => op === "cat" || op === "stack");
const make = (golden: Golden, requiresGrad = false) => tensor(golden.data, { shape: golden.shape, requiresGrad });

describe("cat and stack", () => {
  it.each(cases.map((one) => [one.name, one] as const))("as PyTorch: %s", (_, one) => {
    const inputs = one.inputs.map((input) => make(input, true));
    const out = (one.op === "cat" ? cat : stack)(inputs, one.options.dim);
    expect(out.shape).toEqual(one.outputs[0].shape);
    expect(out.toTypedArray()).toEqual(one.outputs[0].data);
    out.backward(make(one.gradOutput));
    for (const [i, input] of inputs.entries()) expect(input.grad?.toTypedArray()).toEqual(one.gradInputs[i].data);
  });

  it("promotes dtypes and skips empty vectors", () => {
    expect(cat([tensor([1n]), tensor([1.5])]).toArray()).toEqual([1, 1.5]);
    expect(cat([zeros([0], { dtype: "float64" }), tensor([1n])]).dtype).toBe("float64");
    expect(cat([zeros([0]), zeros([2, 3])], 1).shape).toEqual([2, 3]);
    expect(cat([zeros([0]), zeros([0])]).shape).toEqual([0]);
    expect(stack([tensor([true]), tensor([2n])]).dtype).toBe("int64");
    expect(stack([tensor(1), tensor(2)]).toArray()).toEqual([1, 2]);
  });

  it("joins tensors that lie transposed, and one tensor with itself", () => {
    const x = arange(6).reshape([2, 3]);
    expect(cat([x.t(), x.t()], 1).toArray()).toEqual([
      [0, 3, 0, 3],
      [1, 4, 1, 4],
      [2, 5, 2, 5],
    ]);
    const leaf = tensor([1, 2], { requiresGrad: true });
    cat([leaf, leaf]).backward(tensor([1, 10, 100, 1000]));
    expect(leaf.grad?.toArray()).toEqual([101, 1010]);
    const some = tensor([5], { requiresGrad: true });
    cat([tensor([1]), some]).backward(tensor([3, 4]));
    expect(some.grad?.toArray()).toEqual([4]);
  });

  it("can be differentiated twice", () => {
    manualSeed(0);
    const [a, b] = [randn([2], { requiresGrad: true }), randn([2], { requiresGrad: true })];
    const y = stack([cat([a, b]), cat([b, a])], 1);
    const [first] = autograd.grad([y.mul(y).mul(y).sum()], [a], { createGraph: true });
    const [second] = autograd.grad([(first as Tensor).sum()], [a]);
    for (const [i, value] of ((second as Tensor).toArray() as number[]).entries())
      expect(value).toBeCloseTo(12 * a.at(i).item(), 4);
  });

  it.each<[string, () => unknown]>([
    ["torch.cat(): expected a non-empty list of Tensors", () => cat([])],
    ["stack expects a non-empty TensorList", () => stack([])],
    ["zero-dimensional tensor (at position 1) cannot be concatenated", () => cat([zeros([2]), tensor(1)])],
    ["Tensors must have same number of dimensions: got 2 and 1", () => cat([zeros([2, 3]), zeros([2])])],
    [
      "Sizes of tensors must match except in dimension 0. Expected size 3 but got size 2 for tensor number 1 in the list.",
      () => cat([zeros([2, 3]), zeros([2, 2])]),
    ],
    [
      "stack expects each tensor to be equal size, but got [2, 3] at entry 0 and [2] at entry 1",
      () => stack([zeros([2, 3]), zeros([2])]),
    ],
    ["Dimension out of range (expected to be in range of [-2, 1], but got 2)", () => cat([zeros([2, 3])], 2)],
  ])("%s", (message, run) => {
    expect(run).toThrow(message);
  });
});
