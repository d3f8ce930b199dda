import { afterEach, describe, expect, test } from "vitest";
import type { RowShape } from "../../src/kernels/backend.ts";
import type { FloatDType } from "../../src/kernels/dtype.ts";
import { createReferenceBackend } from "../../src/kernels/reference/index.ts";
import { type Golden, readGolden } from "../golden/read.ts";
import { Arena, type Items, mismatch } from "./arena.ts";

type StepNames = "x" | "g" | "y" | "mean" | "invstd" | "runningMean" | "runningVar" | "eval" | "gx" | "gw" | "gb";

interface BatchNormCase {
  kernel: string;
  name: string;
  weight: Golden | null;
  bias: Golden | null;
  view: [number, number, number];
  exact: boolean;
  steps: Record<StepNames, Golden>[];
}

interface RowNormCase extends Record<StepNames, Golden> {
  kernel: string;
  name: string;
  weight: Golden | null;
  bias: Golden | null;
  shape: RowShape;
}

const kernels = createReferenceBackend();
const arena = new Arena();
afterEach(() => arena.release());

const batchNorms = readGolden<BatchNormCase>("kernels").filter((c) => c.kernel === "batchNorm");
const rowNorms = readGolden<RowNormCase>("kernels").filter((c) => c.kernel === "rowNorm");
const floats: FloatDType[] = ["float32", "float64"];

describe.each(floats)("%s", (dtype) => {
  const put = (golden: Golden | null) => (golden ? arena.put(dtype, golden.data as Items) : 0);
  const empty = (n: number) => arena.empty(dtype, n);

  /** Three training steps over the same running statistics, each with its backward and an evaluation. */
  test.each(batchNorms)("batch norm $name, three steps, to the bit: $exact", ({ weight, bias, view, exact, steps }) => {
    const [outer, channels, inner] = view;
    const n = outer * channels * inner;
    const [w, b] = [put(weight), put(bias)];
    const runningMean = arena.put(dtype, new Float32Array(channels));
    const runningVar = arena.put(dtype, new Float32Array(channels).fill(1));
    const bits = exact && dtype === "float32";
    // Against float32 golden numbers float64 results may differ by what those lost; the offset of 100 costs three digits more.
    const tolerance = bits ? 0 : exact ? 3e-5 : dtype === "float32" ? 2e-5 : 1e-9;
    const check = (pointer: number, golden: Golden) => {
      const actual = arena.read(dtype, pointer, golden.data.length);
      expect(mismatch(actual, golden.data as Items, tolerance, bits ? 0 : 1)).toBeUndefined();
    };
    for (const step of steps) {
      const [mean, rest, m2, invstd, gw, gb] = Array.from({ length: 6 }, () => empty(channels));
      const [x, g, y, gx] = [put(step.x), put(step.g), empty(n), empty(n)];
      kernels.momentsByChannel(dtype, mean, rest, m2, x, outer, channels, inner);
      kernels.finishMoments(dtype, invstd, runningMean, runningVar, mean, m2, channels, outer * inner, 1e-5, 0.1);
      kernels.normalizeByChannel(dtype, y, x, outer, channels, inner, mean, rest, invstd, w, b);
      check(mean, step.mean);
      check(invstd, step.invstd);
      check(runningMean, step.runningMean);
      check(runningVar, step.runningVar);
      check(y, step.y);
      kernels.normalizeByChannelGrad(dtype, gx, gw, gb, g, x, outer, channels, inner, mean, rest, invstd, w, true);
      check(gx, step.gx);
      if (weight) {
        check(gw, step.gw);
        check(gb, step.gb);
      }
      kernels.batchNormEval(dtype, y, x, outer, channels, inner, runningMean, runningVar, w, b, 1e-5);
      check(y, step.eval);
    }
  });

  test.each(rowNorms)("$name: moments, output, gradients", (c) => {
    const { rows, channels, inner, groups } = c.shape;
    const n = rows * channels * inner;
    const [mean, rest, invstd, y, gx] = [empty(rows), empty(rows), empty(rows), empty(n), empty(n)];
    const [gw, gb] = [empty(groups * channels), empty(groups * channels)];
    const [x, g, w, b] = [put(c.x), put(c.g), put(c.weight), put(c.bias)];
    const tolerance = dtype === "float32" ? 2e-6 : 1e-12;
    const check = (pointer: number, golden: Golden) => {
      const actual = arena.read(dtype, pointer, golden.data.length);
      expect(mismatch(actual, golden.data as Items, tolerance, 1)).toBeUndefined();
    };
    kernels.rowNorm(dtype, y, mean, rest, invstd, x, c.shape, w, b, 1e-5);
    check(mean, c.mean);
    check(invstd, c.invstd);
    check(y, c.y);
    kernels.normalizeByRowGrad(dtype, gx, gw, gb, g, x, c.shape, mean, rest, invstd, w);
    check(gx, c.gx);
    if (!c.weight) return;
    check(gw, c.gw);
    check(gb, c.gb);
    const [onlyW, onlyX] = [empty(groups * channels), empty(n)];
    kernels.normalizeByRowGrad(dtype, 0, onlyW, 0, g, x, c.shape, mean, rest, invstd, w);
    check(onlyW, c.gw);
    kernels.normalizeByRowGrad(dtype, onlyX, 0, 0, g, x, c.shape, mean, rest, invstd, w);
    check(onlyX, c.gx);
  });

  test("with fixed statistics the gradient is g·invstd·weight, even where x is infinite", () => {
    const [g, x, gx] = [arena.put(dtype, [1, 2, -3, 4]), arena.put(dtype, [5, Infinity, 7, 8]), empty(4)];
    const [mean, invstd, w] = [arena.put(dtype, [1, 2]), arena.put(dtype, [0.5, 2]), arena.put(dtype, [3, -1])];
    kernels.normalizeByChannelGrad(dtype, gx, 0, 0, g, x, 1, 2, 2, mean, 0, invstd, w, false);
    expect([...arena.read(dtype, gx, 4)]).toEqual([1.5, 3, 6, -8]);
  });

  test("variance 0 with eps 0 gives invstd 0, and no values give mean 0 and m2 0", () => {
    const [mean, rest, m2, invstd] = [empty(1), empty(1), empty(1), empty(1)];
    kernels.momentsByChannel(dtype, mean, rest, m2, arena.put(dtype, [3, 3, 3, 3]), 2, 1, 2);
    kernels.finishMoments(dtype, invstd, 0, 0, mean, m2, 1, 4, 0, 0.1);
    expect(Number(arena.read(dtype, invstd, 1)[0])).toBe(0);
    kernels.momentsByChannel(dtype, mean, rest, m2, empty(0), 0, 1, 5);
    expect([arena.read(dtype, mean, 1)[0], arena.read(dtype, m2, 1)[0]]).toEqual([0, 0]);
  });

  test("one value is far from the mean of many: the deviations do not cancel", () => {
    // E[x²] − E[x]² would be 0 or negative here in float32.
    const x = arena.put(dtype, [1e4, 1e4 + 1, 1e4, 1e4 + 1]);
    for (const [outer, inner] of [
      [1, 4],
      [4, 1],
    ]) {
      const [mean, rest, m2] = [empty(1), empty(1), empty(1)];
      kernels.momentsByChannel(dtype, mean, rest, m2, x, outer, 1, inner);
      expect([arena.read(dtype, mean, 1)[0], arena.read(dtype, m2, 1)[0]]).toEqual([10000.5, 1]);
    }
  });
});
