import { describe, expect, test } from "vitest";
import { type Tensor, tensor } from "../../src/index.ts";
import type * as nn from "../../src/nn/norm/index.ts";
import * as layers from "../../src/nn/norm/index.ts";
import "../../src/runtime.ts";
import { type Golden, readGolden, sha256 } from "../golden/read.ts";
import { judge, LIMITS, largestTerms, measure, type Terms } from "./norm-rule.ts";

interface Step {
  input: Golden;
  gradOutput: Golden;
  output: Golden;
  gradInput: Golden;
  gradWeight?: Golden;
  gradBias?: Golden;
  runningMean?: Golden;
  runningVar?: Golden;
  numBatchesTracked?: number;
}

interface Case {
  name: string;
  module:
    | "BatchNorm1d"
    | "BatchNorm2d"
    | "BatchNorm3d"
    | "InstanceNorm1d"
    | "InstanceNorm2d"
    | "InstanceNorm3d"
    | "GroupNorm"
    | "LayerNorm";
  args: never[];
  options: object;
  state: Record<string, Golden>;
  steps: Step[];
  eval: Step;
}

const fromGolden = (golden: Golden) => tensor(golden.data, { shape: golden.shape });

/** The elements that a large golden tensor kept. */
function kept(actual: Tensor, { every = 1 }: Golden): number[] {
  return [...actual.toTypedArray()].map(Number).filter((_, i) => i % every === 0);
}

function expectBits(actual: Tensor, golden: Golden, what: string): void {
  if (golden.sha256) expect(sha256(actual.toTypedArray()), what).toBe(golden.sha256);
  else expect([...actual.toTypedArray()], what).toEqual([...golden.data]);
}

/** What is measured, and PyTorch's number of it. */
interface Measured {
  readonly what: string;
  readonly ours: Tensor | null;
  readonly theirs: Golden | undefined;
  /** the largest of the terms that it is a sum or difference of */
  readonly term: () => number;
}

/** Judges one result by the rule of norm-rule.ts. */
function check({ what, ours, theirs, term }: Measured, limit: number): void {
  if (!theirs || !ours) {
    expect(ours, what).toBe(theirs ?? null);
    return;
  }
  expect(ours.shape, what).toEqual(theirs.shape);
  if (limit === 0) {
    expectBits(ours, theirs, what);
    return;
  }
  const measured = measure(kept(ours, theirs), theirs.data);
  const verdict = judge(measured, limit, theirs.dtype as "float32" | "float64", term);
  expect(verdict, `${what} differs by ${measured.difference} of ${measured.largest}`).not.toBe("differs");
}

/** Batch and instance norm with more than one position are PyTorch's to the bit; elsewhere PyTorch sums in float32, in an order of its own. */
function isExact({ module, steps: [{ input }] }: Case): boolean {
  if (input.dtype !== "float32" || !/^(Batch|Instance)Norm/.test(module)) return false;
  const spatial = module.startsWith("Batch") ? input.shape.slice(2) : input.shape.slice(-Number(module.at(-2)));
  return spatial.reduce((a, b) => a * b, 1) > 1;
}

function build(golden: Case, dtype: "float32" | "float64"): nn.BatchNorm2d {
  // biome-ignore lint/suspicious/noExplicitAny: the golden file names the class and its arguments
  const layer = new (layers as any)[golden.module](...golden.args, { ...golden.options, dtype }) as nn.BatchNorm2d;
  const state = Object.entries(golden.state).map(([key, value]) => [key, fromGolden(value)]);
  layer.loadStateDict(Object.fromEntries(state), { strict: false });
  return layer;
}

/** One forward and backward pass; the running statistics as they are afterwards. */
function pass(layer: nn.BatchNorm2d, step: Step, input: Tensor): Record<string, Tensor | null> {
  input.requiresGrad_();
  layer.zeroGrad();
  const output = layer.forward(input);
  output.backward(fromGolden(step.gradOutput).to(input.dtype));
  return {
    output,
    gradInput: input.grad,
    gradWeight: layer.weight?.grad ?? null,
    gradBias: layer.bias?.grad ?? null,
    runningMean: layer.runningMean ?? null,
    runningVar: layer.runningVar ?? null,
  };
}

/** The largest terms of a step's results. */
function termsOf({ module, args, options, state }: Case, { input, gradOutput }: Step, fixed?: Terms["fixed"]) {
  const { shape } = input;
  const numel = shape.reduce((a, b) => a * b, 1);
  const { eps = 1e-5 } = options as { eps?: number };
  const perWeight = numel / (state.weight ? state.weight.data.length : 1);
  const view = (): Terms["view"] => {
    if (module === "LayerNorm") {
      const length = (args as unknown as number[][])[0].reduce((a, b) => a * b, 1);
      return [1, numel / length, length];
    }
    if (module === "GroupNorm") return [1, shape[0] * args[0], numel / shape[0] / args[0]];
    if (module.startsWith("Batch")) return [shape[0], shape[1], numel / shape[0] / shape[1]];
    const positions = shape.slice(-Number(module.at(-2))).reduce((a, b) => a * b, 1);
    return [1, numel / positions, positions];
  };
  const { dtype } = input as { dtype: "float32" | "float64" };
  const step = { input: input.data, gradOutput: gradOutput.data, weight: state.weight?.data, view: view(), fixed };
  return largestTerms({ ...step, perWeight, eps }, dtype);
}

describe("normalization layers give PyTorch's numbers over four training steps and evaluation", () => {
  test.each(readGolden<Case>("norm"))("$name", (golden) => {
    const { dtype } = golden.steps[0].input as { dtype: "float32" | "float64" };
    const layer = build(golden, dtype);
    const forward = isExact(golden) ? 0 : LIMITS[dtype].forward;
    const { gradient } = LIMITS[dtype];

    const compare = (step: Step, when: string, names: readonly (keyof Step & string)[], fixed?: Terms["fixed"]) => {
      const ours = pass(layer, step, fromGolden(step.input));
      for (const name of names) {
        const theirs = step[name] as Golden | undefined;
        const term = () => termsOf(golden, step, fixed)[name] ?? 0;
        const limit = name.startsWith("grad") ? gradient : forward;
        check({ what: `${when}: ${name}`, ours: ours[name], theirs, term }, limit);
      }
    };
    golden.steps.forEach((step, i) => {
      compare(step, `step ${i + 1}`, ["output", "gradInput", "gradWeight", "gradBias", "runningMean", "runningVar"]);
      if (step.numBatchesTracked !== undefined) expect(layer.numBatchesTracked?.item()).toBe(step.numBatchesTracked);
    });
    layer.eval();
    const { runningMean, runningVar } = golden.steps[golden.steps.length - 1];
    const fixed = runningMean && runningVar && { mean: runningMean.data, variance: runningVar.data };
    compare(golden.eval, "evaluation", ["output", "gradInput", "gradWeight", "gradBias"], fixed);
  });
});
