import { autograd, F, manualSeed, nn, randn, type Tensor, zeros } from "evenkeel";
import { describe, expect, it } from "vitest";

type Fn = (...inputs: Tensor[]) => Tensor;

const random = (shape: number[]) => randn(shape, { dtype: "float64" });

/** The derivative by central differences. */
function difference(fn: Fn, inputs: Tensor[], tangents: Tensor[], step = 1e-5): Tensor {
  const moved = (sign: number) => fn(...inputs.map((x, i) => x.add(tangents[i], { alpha: sign * step })));
  return moved(1)
    .sub(moved(-1))
    .div(2 * step);
}

const statistics = (c: number) => [random([c]), random([c]).abs().add(0.5)] as const;

const functions: Record<string, () => { fn: Fn; shapes: number[][] }> = {
  "batch norm, training": () => ({
    fn: (x, weight, bias) => F.batchNorm(x, null, null, { weight, bias, training: true }),
    shapes: [[4, 3, 5], [3], [3]],
  }),
  "batch norm, evaluation": () => {
    const [mean, variance] = statistics(3);
    return { fn: (x, weight, bias) => F.batchNorm(x, mean, variance, { weight, bias }), shapes: [[4, 3], [3], [3]] };
  },
  "instance norm": () => ({ fn: (x) => F.instanceNorm(x), shapes: [[2, 3, 7]] }),
  "group norm": () => ({
    fn: (x, weight, bias) => F.groupNorm(x, 2, { weight, bias }),
    shapes: [[3, 4, 5], [4], [4]],
  }),
  "layer norm": () => ({
    fn: (x, weight, bias) => F.layerNorm(x, [5], { weight, bias }),
    shapes: [[4, 5], [5], [5]],
  }),
  "RMS norm": () => ({ fn: (x, weight) => F.rmsNorm(x, [5], { weight }), shapes: [[4, 5], [5]] }),
  "a product": () => ({
    fn: (x, y) => x.matmul(y).tanh(),
    shapes: [
      [3, 4],
      [4, 2],
    ],
  }),
};

describe("jvp is the derivative in a direction", () => {
  it.each(Object.keys(functions))("%s", (name) => {
    manualSeed(3);
    const { fn, shapes } = functions[name]();
    const inputs = shapes.map(random);
    const tangents = shapes.map(random);
    const { output, derivative } = autograd.jvp(fn, inputs, tangents);
    const expected = difference(fn, inputs, tangents);
    expect(output.toArray()).toEqual(fn(...inputs).toArray());
    expect(derivative.sub(expected).abs().max().item()).toBeLessThan(1e-7 * expected.abs().max().item() + 1e-8);
  });

  it("of a network with batch norm", () => {
    manualSeed(4);
    const model = new nn.Sequential(
      new nn.Linear(4, 6),
      new nn.BatchNorm1d(6),
      new nn.Tanh(),
      new nn.Linear(6, 2),
    ).double();
    const [x, v] = [random([8, 4]), random([8, 4])];
    const fn = (input: Tensor) => model.forward(input);
    const expected = difference(fn, [x], [v]);
    expect(autograd.jvp(fn, [x], [v]).derivative.sub(expected).abs().max().item()).toBeLessThan(1e-7);
  });
});

it("is 0 for what does not depend on the input", () => {
  const { derivative } = autograd.jvp(() => zeros([2]), [random([3])], [random([3])]);
  expect(derivative.toArray()).toEqual([0, 0]);
});

it("says which tangent does not fit", () => {
  expect(() => autograd.jvp((x) => x, [zeros([2])], [zeros([3])])).toThrow("tangent 0 has shape [3], its input [2]");
  expect(() => autograd.jvp((x) => x, [zeros([2])], [])).toThrow("there are 1 inputs and 0 tangents");
});
