import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { tensor, zeros } from "../../src/index.ts";
import { exp } from "../../src/ops/pointwise.ts";
import { sum } from "../../src/ops/reduction.ts";
import { logSoftmax, softmax } from "../../src/ops/softmax.ts";
import { checkGradients, expectClose, leaf, random, testGolden } from "./checking.ts";

describe("golden", () => {
  testGolden({
    softmax: (inputs, _, args) => softmax(inputs[0], args[0] as number),
    logSoftmax: (inputs, _, args) => logSoftmax(inputs[0], args[0] as number),
  });
});

it("gradients, along every dimension", () => {
  for (const f of [softmax, logSoftmax]) {
    for (const dim of [0, 1, -1]) checkGradients((x) => f(x, dim), [leaf([2, 3, 2], 1)]);
    checkGradients((x) => f(x.t(), 0), [leaf([2, 3], 2)]);
    checkGradients((x) => f(x.mul(0.5), 0), [leaf([], 3)]);
  }
});

it("sums to 1, and log_softmax is its logarithm", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 9 }),
      (size, outer, inner) => {
        const x = random([outer, size, inner], size).mul(20);
        const y = softmax(x, 1);
        for (const total of sum(y, 1).toTypedArray()) expect(Number(total)).toBeCloseTo(1, 5);
        expectClose(exp(logSoftmax(x, 1)).toTypedArray() as Float32Array, y.toTypedArray() as Float32Array, 1e-4, 1e-7);
      },
    ),
    { numRuns: 30 },
  );
});

it("edges", () => {
  expect(softmax(tensor([-Infinity, 0]), 0).toArray()).toEqual([0, 1]);
  expect(softmax(zeros([0, 3]), 1).shape).toEqual([0, 3]);
  expect(softmax(tensor(5), 0).item()).toBe(1);
  expect(softmax(tensor([1, NaN]), 0).toArray()).toEqual([NaN, NaN]);
  expect(() => softmax(zeros([2, 3]), 2)).toThrow(
    "Dimension out of range (expected to be in range of [-2, 1], but got 2)",
  );
  expect(() => softmax(tensor([1], { dtype: "int64" }), 0)).toThrow(
    "\"softmax_lastdim_kernel_impl\" not implemented for 'Long'",
  );
});
