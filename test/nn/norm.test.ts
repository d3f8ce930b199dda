import { describe, expect, test } from "vitest";
import { type Tensor, tensor } from "../../src/index.ts";
import type * as nn from "../../src/nn/norm/index.ts";
import * as layers from "../../src/nn/norm/index.ts";
import "../../src/runtime.ts";
import { type Golden, readGolden, sha256 } from "../golden/read.ts";
import { isAsExact, isClose, LIMITS, measure } from "./norm-rule.ts";

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
  /** the exact results where PyTorch's are far from them */
  exact?: Record<string, { high: Golden; term: number }>;
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
function kept(all: Tensor | Golden, { every = 1 }: Golden): number[] {
  const values = "toTypedArray" in all ? all.toTypedArray() : all.data;
  return Array.from(values, Number).filter((_, i) => i % every === 0);
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
  readonly exact: { high: Golden; term: number } | undefined;
}

/** Judges one result by the rules of norm-rule.ts. */
function check({ what, ours, theirs, exact }: Measured, limit: number): void {
  if (!theirs || !ours) {
    expect(ours, what).toBe(theirs ?? null);
    return;
  }
  expect(ours.shape, what).toEqual(theirs.shape);
  if (limit === 0) {
    expectBits(ours, theirs, what);
    return;
  }
  const dtype = theirs.dtype as "float32" | "float64";
  const found = kept(ours, theirs);
  const measured = measure(found, theirs.data);
  const good =
    isClose(measured, limit, dtype) ||
    (exact !== undefined && isAsExact(found, theirs.data, { high: kept(exact.high, theirs), term: exact.term }, dtype));
  expect(good, `${what} differs by ${measured.difference} of ${measured.largest}`).toBe(true);
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

describe("normalization layers give PyTorch's numbers over four training steps and evaluation", () => {
  test.each(readGolden<Case>("norm"))("$name", (golden) => {
    const { dtype } = golden.steps[0].input as { dtype: "float32" | "float64" };
    const layer = build(golden, dtype);
    const forward = isExact(golden) ? 0 : LIMITS[dtype].forward;
    const { gradient } = LIMITS[dtype];

    const compare = (step: Step, when: string, names: readonly (keyof Step & string)[]) => {
      const ours = pass(layer, step, fromGolden(step.input));
      for (const name of names) {
        const theirs = step[name] as Golden | undefined;
        const limit = name.startsWith("grad") ? gradient : forward;
        check({ what: `${when}: ${name}`, ours: ours[name], theirs, exact: step.exact?.[name] }, limit);
      }
    };
    golden.steps.forEach((step, i) => {
      compare(step, `step ${i + 1}`, ["output", "gradInput", "gradWeight", "gradBias", "runningMean", "runningVar"]);
      if (step.numBatchesTracked !== undefined) expect(layer.numBatchesTracked?.item()).toBe(step.numBatchesTracked);
    });
    layer.eval();
    compare(golden.eval, "evaluation", ["output", "gradInput", "gradWeight", "gradBias"]);
  });
});
