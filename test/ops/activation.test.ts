import { describe, expect, it } from "vitest";
import { tensor } from "../../src/index.ts";
import { gelu, leakyRelu, relu, relu6, sigmoid, silu, softplus, tanh } from "../../src/ops/activation.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { checkGradients, leaf, testGolden } from "./checking.ts";

const simple = { relu, relu6, sigmoid, tanh, silu };

describe("golden", () => {
  testGolden({
    ...Object.fromEntries(Object.entries(simple).map(([name, f]) => [name, (inputs: Tensor[]) => f(inputs[0])])),
    leakyRelu: (inputs, options) => leakyRelu(inputs[0], options),
    gelu: (inputs, options) => gelu(inputs[0], options),
  });
});

describe("gradients", () => {
  it.each(Object.entries(simple))("%s", (_, f) => {
    checkGradients(f, [tensor([-3, -0.4, 0.3, 2, 5.5, 7], { dtype: "float64", requiresGrad: true })]);
    checkGradients((x) => f(x.t()), [leaf([2, 3], 1)]);
  });

  it("leakyRelu, gelu, softplus with their options", () => {
    checkGradients((x) => leakyRelu(x), [leaf([5], 2)]);
    checkGradients((x) => leakyRelu(x, { negativeSlope: -0.3 }), [leaf([5], 2)]);
    checkGradients((x) => gelu(x), [leaf([5], 3)]);
    checkGradients((x) => gelu(x, { approximate: "tanh" }), [leaf([5], 3)]);
    checkGradients((x) => softplus(x), [leaf([5], 4)]);
    checkGradients((x) => softplus(x, { beta: 2, threshold: 1 }), [leaf([5], 4)]);
  });

  it("relu's gradient at 0 is 0", () => {
    const x = tensor([0, -0, 1], { requiresGrad: true });
    relu(x).backward(tensor([3, 4, 5]));
    expect(x.grad!.toArray()).toEqual([0, 0, 5]);
  });
});

describe("dtypes", () => {
  const x = tensor([-1, 2], { dtype: "int64" });

  it("integers: relu keeps them, sigmoid and tanh give floats", () => {
    expect(relu(x).dtype).toBe("int64");
    expect(relu(x).toArray()).toEqual([0, 2]);
    expect(sigmoid(x).dtype).toBe("float32");
    expect(tanh(x).dtype).toBe("float32");
  });

  it("others are refused with PyTorch's sentence", () => {
    expect(() => gelu(x)).toThrow("\"GeluKernelImpl\" not implemented for 'Long'");
    expect(() => silu(x)).toThrow("\"silu_cpu\" not implemented for 'Long'");
    expect(() => leakyRelu(x)).toThrow("\"leaky_relu_cpu\" not implemented for 'Long'");
    expect(() => softplus(x)).toThrow("\"softplus_cpu\" not implemented for 'Long'");
    expect(() => gelu(tensor([1]), { approximate: "x" as "none" })).toThrow(
      "approximate argument must be either none or tanh.",
    );
  });
});

it("NaN stays NaN", () => {
  for (const f of [...Object.values(simple), leakyRelu, gelu, softplus]) expect(f(tensor([NaN])).item()).toBeNaN();
});
