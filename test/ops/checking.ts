import { expect, it } from "vitest";
import { autograd, type Tensor, tensor } from "../../src/index.ts";
import type { DType } from "../../src/tensor/dtype.ts";
import { Generator } from "../../src/tensor/generator.ts";
import { type Golden, readGolden } from "../golden/read.ts";

/** One entry of ops.json. */
export interface OpCase {
  name: string;
  op: string;
  inputs: Golden[];
  args: unknown[];
  // biome-ignore lint/suspicious/noExplicitAny: PyTorch's keyword arguments, different for each operation
  options: Record<string, any>;
  outputs: Golden[];
  gradOutput?: Golden;
  gradInputs?: (Golden | null)[];
}

export function isGolden(value: unknown): value is Golden {
  return typeof value === "object" && value !== null && "dtype" in value && "data" in value;
}

export function fromGolden(golden: Golden): Tensor {
  return tensor(golden.data, { shape: golden.shape, dtype: golden.dtype });
}

/** Compares shape, dtype and values: |a − b| ≤ atol + rtol·|b|; infinities and NaN must agree. */
export function expectGolden(found: Tensor, golden: Golden, tolerance: { rtol?: number; atol?: number } = {}): void {
  const exact = golden.dtype === "float64";
  const { rtol = exact ? 1e-11 : 1e-5, atol = exact ? 1e-12 : 1e-6 } = tolerance;
  expect(found.shape).toEqual(golden.shape);
  expect(found.dtype).toBe(golden.dtype);
  expectClose(found.toTypedArray(), golden.data, rtol, atol);
}

export function expectClose(
  found: ArrayLike<number | bigint>,
  wanted: ArrayLike<number | bigint>,
  rtol: number,
  atol: number,
): void {
  expect(found.length).toBe(wanted.length);
  for (let i = 0; i < wanted.length; i++) {
    const [a, b] = [Number(found[i]), Number(wanted[i])];
    if (Object.is(a, b) || a === b || Math.abs(a - b) <= atol + rtol * Math.abs(b)) continue;
    expect.fail(`element ${i} is ${a}, expected ${b}`);
  }
}

type Run = (inputs: Tensor[], options: OpCase["options"], args: OpCase["args"]) => Tensor | Tensor[];

let cases: OpCase[] | undefined;

/** Registers a test for every case of ops.json whose operation is named: outputs, dtypes, and gradients where there are any. */
export function testGolden(runs: Record<string, Run>, tolerance: { rtol?: number; atol?: number } = {}): void {
  cases ??= readGolden<OpCase>("ops");
  for (const [op, run] of Object.entries(runs)) {
    const own = cases.filter((entry) => entry.op === op);
    it(`${op}: PyTorch's numbers (${own.length} cases)`, () => {
      expect(own.length).toBeGreaterThan(0);
      for (const entry of own) {
        try {
          checkCase(entry, run, tolerance);
        } catch (error) {
          (error as Error).message = `${entry.name}: ${(error as Error).message}`;
          throw error;
        }
      }
    });
  }
}

function checkCase(entry: OpCase, run: Run, tolerance: { rtol?: number; atol?: number }): void {
  const inputs = entry.inputs.map((golden, i) => {
    const input = fromGolden(golden);
    if (entry.gradInputs?.[i]) input.requiresGrad = true;
    return input;
  });
  const options = Object.fromEntries(
    Object.entries(entry.options).map(([key, value]) => [key, isGolden(value) ? fromGolden(value) : value]),
  );
  const result = run(inputs, options, entry.args);
  const outputs = Array.isArray(result) ? result : [result];
  expect(outputs.length).toBe(entry.outputs.length);
  outputs.forEach((output, i) => {
    expectGolden(output, entry.outputs[i], tolerance);
  });
  if (!entry.gradOutput) return;
  autograd.backward([outputs[0]], [fromGolden(entry.gradOutput)]);
  entry.gradInputs?.forEach((golden, i) => {
    if (golden) expectGolden(inputs[i].grad!, golden, tolerance);
  });
}

/** A float64 leaf of normal numbers, or of uniform ones from an interval; the same for the same seed. */
export function leaf(shape: number[], seed: number, from?: number, to?: number): Tensor {
  return random(shape, seed, "float64", from, to).requiresGrad_();
}

/** Normal numbers, or uniform ones from an interval. */
export function random(shape: number[], seed: number, dtype: DType = "float32", from?: number, to?: number): Tensor {
  const data = new Float64Array(shape.reduce((a, b) => a * b, 1));
  const generator = new Generator(seed);
  if (from === undefined) generator.fillNormal(data);
  else generator.fillUniform(data, from, to);
  return tensor(data, { shape, dtype });
}

/** First and second derivatives against central differences. */
export function checkGradients(fn: autograd.TensorFunction, inputs: Tensor[]): void {
  autograd.gradcheck(fn, inputs);
  autograd.gradgradcheck(fn, inputs);
}
