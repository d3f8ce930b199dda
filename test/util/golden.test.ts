import { expect, it } from "vitest";
import { type Golden, readGolden } from "../golden/read.ts";

/** Every decoded tensor inside a case. */
function* tensors(value: unknown): Generator<Golden> {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return;
  if ("dtype" in value && "shape" in value) yield value as Golden;
  else for (const item of Object.values(value)) yield* tensors(item);
}

it.each([
  ["norm", 130],
  ["ops", 437],
  ["layers", 94],
  ["optim", 59],
  ["random", 47],
  ["print", 175],
  ["curve", 1],
])("%s.json: tensors have as many elements as their shape says", (name, count) => {
  const cases = readGolden<{ name: string }>(name);
  expect(cases.length).toBe(count);
  for (const one of cases) {
    for (const { shape, data, every = 1 } of tensors(one)) {
      expect(data.length, one.name).toBe(Math.ceil(shape.reduce((a, b) => a * b, 1) / every));
    }
  }
});

it("a tensor drawn by seed is PyTorch's", () => {
  const large = readGolden<{ module: string; steps: { input: Golden; runningMean: Golden }[] }>("norm").find(
    (c) => c.module === "BatchNorm2d" && c.steps[0].input.shape[3] === 14,
  )!;
  const { input, runningMean } = large.steps[0];
  // Channel 0 of [8, 16, 14, 14]: a tenth of the batch's mean after one step from zero.
  let sum = 0;
  for (let n = 0; n < 8; n++) for (let i = 0; i < 196; i++) sum += Number(input.data[n * 16 * 196 + i]);
  expect((0.1 * sum) / (8 * 196)).toBeCloseTo(Number(runningMean.data[0]), 7);
});
