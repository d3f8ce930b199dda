import { EvenkeelError, F, nn, randn, type Tensor } from "evenkeel";
import { describe, expect, test } from "vitest";
import { type Golden, readGolden } from "../golden/read.ts";
import { expectGolden, fromGolden } from "./compare.ts";

interface Case {
  name: string;
  module: string;
  args: never[];
  options: Record<string, unknown>;
  state: Record<string, Golden>;
  input: Golden;
  gradOutput: Golden;
  output: Golden;
  gradInput: Golden;
  gradState?: Record<string, Golden>;
  buffers?: Record<string, Golden>;
  text?: string;
}

function build({ module, args, options, state }: Case): nn.Module {
  // biome-ignore lint/suspicious/noExplicitAny: the golden file names the class and its arguments
  const layer = new (nn as any)[module](...args, options) as nn.Module;
  const values = Object.entries(state).map(([key, value]) => [key, fromGolden(value)]);
  layer.loadStateDict(Object.fromEntries(values), { strict: false });
  return layer;
}

describe("RMS norm, local response norm, normalize and the rest of the family give PyTorch's numbers", () => {
  test.each(readGolden<Case>("norm_more"))("$name", (golden) => {
    const options = { ...golden.options };
    if (options.p === "Infinity") options.p = Number.POSITIVE_INFINITY;
    const layer = golden.module === "normalize" ? null : build(golden);
    const x = fromGolden(golden.input).requiresGrad_();
    const y = layer ? layer.forward(x) : F.normalize(x, options);
    y.backward(fromGolden(golden.gradOutput));
    const [forward, gradient] = golden.input.dtype === "float32" ? [2e-6, 1e-5] : [1e-13, 1e-12];
    expectGolden(y, golden.output, "output", forward);
    expectGolden(x.grad, golden.gradInput, "gradient of the input", gradient);
    const parameters = new Map<string, Tensor>(layer?.namedParameters());
    expect([...parameters.keys()]).toEqual(Object.keys(golden.gradState ?? {}));
    for (const [key, expected] of Object.entries(golden.gradState ?? {}))
      expectGolden(parameters.get(key)?.grad ?? null, expected, `gradient of ${key}`, gradient);
    for (const [key, expected] of Object.entries(golden.buffers ?? {}))
      expectGolden(layer?.getBuffer(key) ?? null, expected, key, forward);
    // The latest PyTorch prints the bias option always, ours where there is a weight and no bias.
    const text = golden.text?.replace(", bias=True", "").replace("affine=False, bias=False", "affine=False");
    if (layer) expect(String(layer)).toBe(text);
  });
});

test.each<[string, () => unknown]>([
  [
    "Given normalized_shape=[5], expected input with shape [*, 5], but got input of size[2, 4]",
    () => new nn.RMSNorm(5).forward(randn([2, 4])),
  ],
  [
    "Expected weight to be of same shape as normalized_shape, but got weight of shape [3] and normalized_shape = [4]",
    () => F.rmsNorm(randn([2, 4]), 4, { weight: randn([3]) }),
  ],
  [
    "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got normalized_shape = []",
    () => F.rmsNorm(randn([2, 4]), []),
  ],
  [`"rms_norm" not implemented for 'Long'`, () => F.rmsNorm(randn([4]).long(), 4)],
  [
    "Expected 3D or higher dimensionality                          input (got 2 dimensions)",
    () => new nn.LocalResponseNorm(3).forward(randn([2, 4])),
  ],
  ["kernel size should be greater than zero, but got kH: 0 kW: 1", () => F.localResponseNorm(randn([2, 4, 1]), 0)],
  ["Dimension out of range (expected to be in range of [-1, 0], but got 1)", () => F.normalize(randn([3]))],
])("refuses in PyTorch's words: %s", (sentence, run) => {
  expect(run).toThrow(EvenkeelError);
  expect(run).toThrow(sentence);
});

test("nothing to normalize comes back", () => {
  expect(F.localResponseNorm(randn([2, 4, 0]), 3).shape).toEqual([2, 4, 0]);
  expect(F.rmsNorm(randn([0, 4]), 4).shape).toEqual([0, 4]);
});

describe("RMS norm", () => {
  test("eps null is the machine epsilon of the dtype", () => {
    for (const [dtype, eps] of [
      ["float32", 2 ** -23],
      ["float64", 2 ** -52],
    ] as const) {
      const x = fromGolden({ dtype, shape: [1, 2], data: Float64Array.of(1e-6, 0) } as never).to(dtype);
      expect(F.rmsNorm(x, 2).toArray()).toEqual(F.rmsNorm(x, 2, { eps }).toArray());
    }
  });

  test("does not centre: a constant row gives ones, where layer norm gives zeros", () => {
    const x = fromGolden({ dtype: "float32", shape: [1, 4], data: Float32Array.of(3, 3, 3, 3) });
    expect(F.rmsNorm(x, 4, { eps: 0 }).toArray()).toEqual([[1, 1, 1, 1]]);
    expect(F.layerNorm(x, 4).toArray()).toEqual([[0, 0, 0, 0]]);
  });

  test("resets", () => {
    const layer = new nn.RMSNorm(2);
    layer.weight?.detach().fill_(5);
    layer.resetParameters();
    expect(layer.weight?.toArray()).toEqual([1, 1]);
    expect([...layer.stateDict().keys()]).toEqual(["weight"]);
  });
});
