import { inspect } from "node:util";
import { memoryUsage, neg, type Tensor, tensor } from "evenkeel";
import { describe, expect, it } from "vitest";
import { type Golden, readGolden } from "../golden/read.ts";

interface PrintCase {
  kind: string;
  name: string;
  tensor: Golden;
  requiresGrad: boolean;
  gradFn?: "neg" | "clone";
  text: string;
}

const cases = readGolden<PrintCase>("print").filter(
  ({ kind, text }) => kind === "tensor" && text.startsWith("tensor("),
);

function made({ tensor: { data, shape, dtype }, requiresGrad, gradFn }: PrintCase): Tensor {
  const leaf = tensor(data, { shape, dtype, requiresGrad });
  return gradFn === "neg" ? neg(leaf) : gradFn === "clone" ? leaf.clone() : leaf;
}

describe("printing", () => {
  it.each(cases.map((one) => [one.name, one] as const))("as PyTorch: %s", (_, one) => {
    expect(made(one).toString()).toBe(one.text);
  });

  it("reads views where they lie and holds no memory", () => {
    const x = tensor([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    const view = x.t().narrow(0, 1, 2);
    const before = memoryUsage();
    expect(view.toString()).toBe("tensor([[2., 5.],\n        [3., 6.]])");
    expect(memoryUsage().tensors).toBe(before.tensors);
  });

  it("shows in console.log and after release", () => {
    const x = tensor([1, 2]);
    expect(inspect({ x })).toContain("tensor([1., 2.])");
    x.dispose();
    expect(String(x)).toBe("tensor(<released>, size=(2,))");
  });
});
