import { describe, expect, test } from "vitest";
import { nn, type Tensor, tensor } from "../../src/index.ts";
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
  module: "BatchNorm1d" | "BatchNorm2d" | "BatchNorm3d" | "InstanceNorm1d" | "InstanceNorm2d" | "InstanceNorm3d" | "GroupNorm" | "LayerNorm";
  args: never[];
  options: object;
  state: Record<string, Golden>;
  steps: Step[];
  eval: Step;
}

const fromGolden = (golden: Golden) => tensor(golden.data, { shape: golden.shape });

/** The largest difference relative to the largest element. */
function relativeError(actual: Tensor, golden: Golden): number {
  const ours = actual.toTypedArray();
  const every = golden.every ?? 1;
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < golden.data.length; i++) {
    const theirs = Number(golden.data[i]);
    const d = Math.abs(Number(ours[i * every]) - theirs);
    if (Number.isNaN(d) !== (Number.isNaN(theirs))) return Number.POSITIVE_INFINITY;
    if (d > difference) difference = d;
    if (Math.abs(theirs) > largest) largest = Math.abs(theirs);
  }
  return difference === 0 ? 0 : difference / Math.max(largest, 1e-30);
}

function expectBits(actual: Tensor, golden: Golden, what: string): void {
  if (golden.sha256) expect(sha256(actual.toTypedArray()), what).toBe(golden.sha256);
  else expect([...actual.toTypedArray()], what).toEqual([...golden.data]);
}

/** What a result may differ by, relative to its largest element. */
function check(actual: Tensor | null, golden: Golden | undefined, what: string, limit: number): void {
  if (!golden) {
    expect(actual, what).toBeNull();
    return;
  }
  expect(actual, what).not.toBeNull();
  expect((actual as Tensor).shape, what).toEqual(golden.shape);
  if (limit === 0) expectBits(actual as Tensor, golden, what);
  else expect(relativeError(actual as Tensor, golden), what).toBeLessThanOrEqual(limit);
}

/** Batch and instance norm with more than one position are PyTorch's to the bit; elsewhere PyTorch sums in float32, in an order of its own. */
function isExact({ module, steps: [{ input }] }: Case): boolean {
  if (input.dtype !== "float32" || !/^(Batch|Instance)Norm/.test(module)) return false;
  const spatial = module.startsWith("Batch") ? input.shape.slice(2) : input.shape.slice(-Number(module.at(-2)));
  return spatial.reduce((a, b) => a * b, 1) > 1;
}

describe("normalization layers give PyTorch's numbers over four training steps and evaluation", () => {
  test.each(readGolden<Case>("norm"))("$name", (golden) => {
    // biome-ignore lint/suspicious/noExplicitAny: the golden file names the class and its arguments
    const layer = new (nn[golden.module] as any)(...golden.args, golden.options) as nn.BatchNorm2d;
    const double = golden.steps[0].input.dtype === "float64";
    layer.loadStateDict(Object.fromEntries(Object.entries(golden.state).map(([key, value]) => [key, fromGolden(value)])), {
      strict: false,
    });
    const exact = isExact(golden);
    const forward = exact ? 0 : double ? 1e-13 : 2e-6;
    const gradient = double ? 1e-12 : 1e-5;

    const run = (step: Step, what: string) => {
      const input = fromGolden(step.input).requiresGrad_();
      layer.zeroGrad();
      const output = layer.forward(input);
      output.backward(fromGolden(step.gradOutput));
      check(output, step.output, `${what}: output`, forward);
      check(input.grad, step.gradInput, `${what}: gradient of the input`, gradient);
      check(layer.weight?.grad ?? null, step.gradWeight, `${what}: gradient of the weight`, gradient);
      check(layer.bias?.grad ?? null, step.gradBias, `${what}: gradient of the bias`, gradient);
    };

    golden.steps.forEach((step, i) => {
      run(step, `step ${i + 1}`);
      check(layer.runningMean ?? null, step.runningMean, `step ${i + 1}: running mean`, forward);
      check(layer.runningVar ?? null, step.runningVar, `step ${i + 1}: running variance`, forward);
      if (step.numBatchesTracked !== undefined) expect(layer.numBatchesTracked?.item()).toBe(step.numBatchesTracked);
    });
    layer.eval();
    run(golden.eval, "evaluation");
  });
});
