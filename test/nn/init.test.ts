import { describe, expect, test } from "vitest";
import { full, manualSeed, nn, type Tensor, zeros } from "../../src/index.ts";
import type { FloatDType } from "../../src/tensor/dtype.ts";
import { type Golden, readGolden } from "../golden/read.ts";
import { expectGolden } from "./compare.ts";

interface FillCase {
  kind: "fill";
  name: string;
  init: string;
  seed: number;
  args: number[];
  options: object;
  output: Golden & { dtype: FloatDType };
}

interface GainCase {
  kind: "gain";
  name: string;
  args: [nn.init.Nonlinearity, number?];
  gain: number;
}

const cases = readGolden<FillCase | GainCase>("init");

describe("initialisations give PyTorch's numbers for the same seed", () => {
  test.each(cases.filter((one) => one.kind === "fill"))("$name", (golden) => {
    manualSeed(golden.seed);
    const x = full(golden.output.shape, 7, { dtype: golden.output.dtype, requiresGrad: true });
    const fill = nn.init[golden.init as keyof typeof nn.init] as (x: Tensor, ...rest: unknown[]) => Tensor;
    const rest = Object.keys(golden.options).length > 0 ? [golden.options] : golden.args;
    expect(fill(x, ...rest)).toBe(x);
    expectGolden(x, golden.output, golden.init, limitOf(golden));
  });
});

/** Uniform numbers are exact, and of normal ones the last bit of the logarithm or cosine may differ. */
function limitOf({ init, output: { dtype } }: FillCase): number {
  if (init === "truncNormal_") return dtype === "float64" ? 1e-12 : 2e-6;
  return dtype === "float64" && init.includes("ormal") ? 1e-15 : 0;
}

describe("gains", () => {
  test.each(cases.filter((one) => one.kind === "gain"))("$name", ({ args, gain }) => {
    expect(nn.init.calculateGain(...args)).toBeCloseTo(gain, 14);
  });
});

test.each<[string, () => unknown]>([
  [
    "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions",
    () => nn.init.xavierUniform_(zeros([3])),
  ],
  ["Only tensors with 2 dimensions are supported", () => nn.init.eye_(zeros([2, 2, 2]))],
  [
    "Mode fan_avg not supported, please use one of ['fan_in', 'fan_out']",
    () => nn.init.kaimingNormal_(zeros([2, 2]), { mode: "fan_avg" as never }),
  ],
  ["Unsupported nonlinearity swish", () => nn.init.calculateGain("swish" as never)],
])("%s", (sentence, run) => {
  expect(run).toThrow(sentence);
});

test("a tensor without elements stays, without a draw", () => {
  manualSeed(1);
  nn.init.kaimingUniform_(zeros([0, 3]));
  const [after] = nn.init.uniform_(zeros([1])).toTypedArray();
  manualSeed(1);
  expect(nn.init.uniform_(zeros([1])).item()).toBe(after);
});
