import { describe, expect, test } from "vitest";
import { F, manualSeed, ones, randn, type Tensor, tensor, zeros } from "../../src/index.ts";
import { type Golden, readGolden } from "../golden/read.ts";
import { expectGolden, fromGolden } from "../nn/compare.ts";

interface DropoutCase {
  kind: "dropout";
  name: string;
  seed: number;
  p: number;
  input: Golden;
  output: Golden;
  gradOutput: Golden;
  gradInput: Golden;
}

const dropouts = readGolden<DropoutCase>("random").filter(({ kind }) => kind === "dropout");

describe("dropout draws PyTorch's masks", () => {
  test.each(dropouts)("$name", (golden) => {
    manualSeed(golden.seed);
    const input = randn(golden.input.shape).requiresGrad_();
    expectGolden(input, golden.input, "input", 0);
    const output = F.dropout(input, { p: golden.p });
    expectGolden(output, golden.output, "output", 0);
    const upstream = randn(golden.gradOutput.shape);
    expectGolden(upstream, golden.gradOutput, "upstream", 0);
    output.backward(upstream);
    expectGolden(input.grad, golden.gradInput, "gradient", 0);
  });

  test("not in evaluation, where nothing is drawn", () => {
    manualSeed(1);
    const x = ones([20]);
    expect(F.dropout(x, { p: 0.9, training: false })).toBe(x);
    expect(F.dropout2d(x, { p: 0.9, training: false })).toBe(x);
    const next = randn([3]).toArray();
    manualSeed(1);
    expect(randn([3]).toArray()).toEqual(next);
  });

  test("of channels keeps or drops them whole", () => {
    manualSeed(0);
    const y = F.dropout2d(ones([8, 6, 2, 2]), { p: 0.5 })
      .reshape([48, 4])
      .toArray() as number[][];
    expect(y.every((channel) => channel.every((value) => value === channel[0]))).toBe(true);
    expect(new Set(y.flat())).toEqual(new Set([0, 2]));
    expect(() => F.dropout2d(ones([4]))).toThrow("Feature dropout requires at least 2 dimensions in the input");
  });

  test.each([-0.1, 1.5, Number.NaN])("p = %d is refused", (p) => {
    expect(() => F.dropout(ones([2]), { p })).toThrow(`dropout probability has to be between 0 and 1, but got ${p}`);
  });
});

describe("options", () => {
  const image = tensor([
    [
      [1, 2, 3],
      [4, 5, 6],
      [7, 8, 9],
    ],
  ]);

  test("linear with and without a bias", () => {
    const [x, w, b] = [
      tensor([[1, 2]]),
      tensor([
        [3, 4],
        [5, 6],
      ]),
      tensor([10, 20]),
    ];
    expect(F.linear(x, w).toArray()).toEqual([[11, 17]]);
    expect(F.linear(x, w, { bias: b }).toArray()).toEqual([[21, 37]]);
    expect(F.linear(x, w, { bias: null }).toArray()).toEqual([[11, 17]]);
    expect(() => F.linear(ones([2, 5]), ones([3, 2]))).toThrow(
      "mat1 and mat2 shapes cannot be multiplied (2x5 and 2x3)",
    );
  });

  test("convolution takes bias and geometry in one", () => {
    const kernel = ones([2, 1, 2, 2]);
    expect(F.conv2d(image, kernel, { stride: 2, padding: 1, bias: tensor([0, 100]) }).toArray()).toEqual([
      [
        [1, 5],
        [11, 28],
      ],
      [
        [101, 105],
        [111, 128],
      ],
    ]);
    const line = tensor([[1, 2, 3]]);
    expect(F.conv1d(line, ones([1, 1, 2]), { dilation: 2, bias: tensor([0.5]) }).toArray()).toEqual([[4.5]]);
    expect(() => F.conv2d(image, ones([1, 2, 2, 2]))).toThrow(
      "Given groups=1, weight of size [1, 2, 2, 2], expected input[1, 1, 3, 3] to have 2 channels, but got 1 channels instead",
    );
  });

  test("pooling gives positions when asked", () => {
    const [values, indices] = F.maxPool2d(image, 2, { stride: 1, returnIndices: true });
    expect([values.toArray(), indices.toArray()]).toEqual([
      [
        [
          [5, 6],
          [8, 9],
        ],
      ],
      [
        [
          [4, 5],
          [7, 8],
        ],
      ],
    ]);
    expect(F.avgPool2d(image, 3).toArray()).toEqual([[[5]]]);
    expect(F.adaptiveMaxPool2d(image, [1, null]).toArray()).toEqual([[[7, 8, 9]]]);
  });

  test("losses reduce", () => {
    const [logits, target] = [zeros([2, 4]), tensor([1n, 3n])];
    const each = Math.log(4);
    expect(F.crossEntropy(logits, target).item()).toBeCloseTo(each, 6);
    expect(F.crossEntropy(logits, target, { reduction: "sum" }).item()).toBeCloseTo(2 * each, 6);
    expect(F.crossEntropy(logits, target, { reduction: "none" }).shape).toEqual([2]);
    expect(() => F.crossEntropy(logits, target, { reduction: "avg" as never })).toThrow(
      "avg is not a valid value for reduction",
    );
    expect(() => F.crossEntropy(logits, tensor([1n, 4n]))).toThrow("Target 4 is out of bounds.");
  });

  test("one-hot rows", () => {
    expect(F.oneHot(tensor([2n, 0n]), { numClasses: 4 }).toArray()).toEqual([
      [0, 0, 1, 0],
      [1, 0, 0, 0],
    ]);
  });
});

interface LossCase {
  name: string;
  op: "crossEntropy" | "nllLoss" | "mseLoss" | "binaryCrossEntropy" | "binaryCrossEntropyWithLogits";
  inputs: Golden[];
  options: Record<string, unknown>;
  outputs: Golden[];
}

test("losses give PyTorch's numbers with all of their options", () => {
  const seen = new Set<string>();
  for (const golden of readGolden<LossCase>("ops")) {
    if (!/Loss$|Entropy/.test(golden.op)) continue;
    const options = Object.fromEntries(
      Object.entries(golden.options).map(([key, value]) => [key, isGolden(value) ? fromGolden(value) : value]),
    );
    for (const key of Object.keys(options)) seen.add(key);
    const [input, target] = golden.inputs.map(fromGolden);
    const loss = F[golden.op] as (input: Tensor, target: Tensor, options: object) => Tensor;
    expectGolden(loss(input, target, options), golden.outputs[0], golden.name, 1e-5);
  }
  expect([...seen].sort()).toEqual(["ignoreIndex", "labelSmoothing", "posWeight", "reduction", "weight"]);
});

function isGolden(value: unknown): value is Golden {
  return typeof value === "object" && value !== null && "data" in value;
}
