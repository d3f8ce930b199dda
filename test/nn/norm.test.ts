import { describe, expect, test } from "vitest";
import { type Tensor, tensor } from "../../src/index.ts";
import type * as nn from "../../src/nn/norm/index.ts";
import * as layers from "../../src/nn/norm/index.ts";
import "../../src/runtime.ts";
import { type Golden, readGolden, sha256 } from "../golden/read.ts";

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

/** The largest difference relative to the largest element of `from`, over the golden elements that are there. */
function relativeError(actual: ArrayLike<number | bigint>, from: ArrayLike<number | bigint>): number {
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < from.length; i++) {
    const d = Math.abs(Number(actual[i]) - Number(from[i]));
    if (Number.isNaN(d)) return Number.POSITIVE_INFINITY;
    if (d > difference) difference = d;
    if (Math.abs(Number(from[i])) > largest) largest = Math.abs(Number(from[i]));
  }
  return difference === 0 ? 0 : difference / Math.max(largest, 1e-30);
}

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

/** Some last bits of float32: 4 · 2⁻²⁴. */
const LAST_BITS = 2.4e-7;

/**
 * Within `limit` of PyTorch's numbers, relative to the largest element; 0 means the same bits. Where nearly everything cancels (two values a channel leave no gradient, a mean of
 * a thousand standard deviations) what remains is rounding, PyTorch's releases differ by 1e-3 among themselves, and it is the last bits of the terms that count.
 */
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
  const difference = relativeError(kept(ours, theirs), theirs.data);
  if (difference <= limit) return;
  const largest = Math.max(...[...theirs.data].map((value) => Math.abs(Number(value))));
  expect(difference * largest, `${what}, against its terms`).toBeLessThanOrEqual(LAST_BITS * term());
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

const largest = (x: Tensor) => x.double().abs().max().item();

/** The largest terms in the formulas of a training step's results, from the inputs in float64. */
function largestTerms({ module, args, options, state }: Case, step: Step): (name: string) => number {
  const x = fromGolden(step.input).double();
  const g = fromGolden(step.gradOutput);
  // one row for each set of positions that shares a mean
  const rows = () => {
    if (module === "LayerNorm") return x.reshape([-1, (args as unknown as number[][])[0].reduce((a, b) => a * b, 1)]);
    if (module === "GroupNorm") return x.reshape([x.shape[0] * args[0], -1]);
    if (module.startsWith("Batch")) return x.transpose(0, 1).reshape([x.shape[1], -1]);
    return x.reshape([-1, x.shape.slice(-Number(module.at(-2))).reduce((a, b) => a * b, 1)]);
  };
  const eps = (options as { eps?: number }).eps ?? 1e-5;
  const invstd = largest(rows().var(1, { correction: 0 }).add(eps).rsqrt());
  const weight = state.weight ? largest(fromGolden(state.weight)) : 1;
  const input = Math.max(1, largest(x) * invstd);
  const terms: Record<string, number> = {
    output: input * weight,
    gradInput: largest(g) * invstd * weight * input,
    gradWeight: largest(g) * input * g.numel,
    gradBias: largest(g) * g.numel,
  };
  return (name) => terms[name] ?? 0;
}

describe("normalization layers give PyTorch's numbers over four training steps and evaluation", () => {
  test.each(readGolden<Case>("norm"))("$name", (golden) => {
    const { dtype } = golden.steps[0].input as { dtype: "float32" | "float64" };
    const layer = build(golden, dtype);
    const forward = isExact(golden) ? 0 : dtype === "float32" ? 2e-6 : 1e-13;
    const gradient = dtype === "float32" ? 1e-5 : 1e-12;

    const compare = (step: Step, when: string, names: readonly (keyof Step & string)[]) => {
      const ours = pass(layer, step, fromGolden(step.input));
      for (const name of names) {
        const theirs = step[name] as Golden | undefined;
        const term = () => largestTerms(golden, step)(name);
        const limit = name.startsWith("grad") ? gradient : forward;
        check({ what: `${when}: ${name}`, ours: ours[name], theirs, term }, limit);
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
