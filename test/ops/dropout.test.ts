import { describe, expect, it } from "vitest";
import { autograd, manualSeed, ones, rand, randn, tensor, zeros } from "../../src/index.ts";
import { dropout, featureDropout } from "../../src/ops/dropout.ts";
import { type Golden, readGolden } from "../golden/read.ts";
import { checkGradients, expectGolden, fromGolden, leaf } from "./checking.ts";

interface DropoutCase {
  kind: string;
  name: string;
  seed: number;
  p: number;
  input: Golden;
  output: Golden;
  gradOutput: Golden;
  gradInput: Golden;
}

describe("golden: the numbers of torch.manual_seed(seed), randn, dropout, randn", () => {
  const cases = readGolden<DropoutCase>("random").filter((entry) => entry.kind === "dropout");
  it.each(cases.map((entry) => [entry.name, entry] as const))("%s", (_, entry) => {
    manualSeed(entry.seed);
    expectGolden(randn(entry.input.shape), entry.input);
    const x = fromGolden(entry.input).requiresGrad_();
    const y = dropout(x, entry.p);
    expectGolden(y, entry.output, { rtol: 0, atol: 0 });
    expectGolden(randn(entry.input.shape), entry.gradOutput);
    autograd.backward([y], [fromGolden(entry.gradOutput)]);
    expectGolden(x.grad!, entry.gradInput, { rtol: 0, atol: 0 });
  });
});

/** what is kept, as PyTorch draws it after manual_seed(7) with p = 0.3 */
const KEPT = [
  [1, 1, 0, 1, 0, 0],
  [1, 1, 0, 0, 1, 1],
];

it("draws in the order of the elements, also for views", () => {
  for (const x of [ones([2, 6]), ones([6, 2]).t()]) {
    manualSeed(7);
    expect(dropout(x, 0.3).gt(0).float().toArray()).toEqual(KEPT);
  }
});

it("keeps or drops whole channels", () => {
  manualSeed(7);
  const kept = featureDropout(ones([2, 3, 1, 2]), 0.4);
  expect(kept.gt(0).float().toArray()).toEqual([
    [[[1, 1]], [[1, 1]], [[0, 0]]],
    [[[0, 0]], [[0, 0]], [[0, 0]]],
  ]);
  expect(kept.max().item()).toBe(Math.fround(1 / 0.6));
});

it("draws nothing where nothing is random", () => {
  const x = randn([3]);
  for (const [p, training] of [
    [1, true],
    [0, true],
    [0.3, false],
  ] as const) {
    manualSeed(7);
    const y = dropout(x, p, training);
    if (p < 1) expect(y).toBe(x);
    else expect(y.abs().max().item()).toBe(0);
    expect(rand([1]).item()).toBeCloseTo(0.5349225401878357, 7);
  }
});

it("gradients", () => {
  for (const f of [dropout, featureDropout]) {
    checkGradients(
      (x) => {
        manualSeed(3);
        return f(x.mul(x), 0.4);
      },
      [leaf([2, 3, 2], 1)],
    );
  }
});

it("bad input gets PyTorch's sentence", () => {
  expect(() => dropout(zeros([3]), 1.5)).toThrow("dropout probability has to be between 0 and 1, but got 1.5");
  expect(() => featureDropout(zeros([3]), -0.5)).toThrow("dropout probability has to be between 0 and 1, but got -0.5");
  expect(() => featureDropout(zeros([3]))).toThrow("Feature dropout requires at least 2 dimensions in the input");
  expect(() => dropout(tensor([1, 2], { dtype: "int64" }))).toThrow(
    "result type Float can't be cast to the desired output type Long",
  );
});
