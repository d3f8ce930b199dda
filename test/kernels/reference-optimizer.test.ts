import { afterEach, expect, test } from "vitest";
import type { AdamStep, RmspropStep, SgdStep } from "../../src/kernels/backend.ts";
import type { FloatDType } from "../../src/kernels/dtype.ts";
import { createReferenceBackend } from "../../src/kernels/reference/index.ts";
import { type Golden, readGolden } from "../golden/read.ts";
import { Arena, type Items, mismatch } from "./arena.ts";

interface OptimizerCase {
  kernel: string;
  name: string;
  start: Golden;
  step: SgdStep & AdamStep & RmspropStep & { amsgrad: boolean; centered: boolean };
  steps: { grad: Golden; param: Golden }[];
}

const kernels = createReferenceBackend();
const arena = new Arena();
afterEach(() => arena.release());

const cases = readGolden<OptimizerCase>("kernels").filter((c) => ["sgd", "adam", "rmsprop"].includes(c.kernel));

test.each(cases)("$start.dtype $name, four steps, $step", ({ kernel, start, step, steps }) => {
  const dtype = start.dtype as FloatDType;
  const n = start.data.length;
  const param = arena.put(dtype, start.data as Items);
  const [first, second, third] = Array.from({ length: 3 }, () => arena.put(dtype, new Float64Array(n)));
  steps.forEach(({ grad, param: expected }, i) => {
    const g = arena.put(dtype, grad.data as Items);
    const buffer = step.momentum ? first : 0;
    if (kernel === "sgd") kernels.sgd(dtype, [{ n, param, grad: g, buffer, first: i === 0 }], step);
    else if (kernel === "adam")
      kernels.adam(dtype, n, param, g, first, second, step.amsgrad ? third : 0, { ...step, step: i + 1 });
    else kernels.rmsprop(dtype, n, param, g, first, step.momentum ? second : 0, step.centered ? third : 0, step);
    // float64 is not fused here as it is in PyTorch; float32 is met to the bit.
    const tolerance = dtype === "float32" ? 0 : 1e-14;
    expect(mismatch(arena.read(dtype, param, n), expected.data as Items, tolerance)).toBeUndefined();
  });
});
