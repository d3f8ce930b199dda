import { numelOf, type Step } from "./case.ts";

/**
 * The largest terms of x / ‖x‖ₚ and of its gradient g / n − (Σ g·x) · n⁻² · |x|ᵖ⁻¹ · n¹⁻ᵖ · sign(x), vector by vector: they cancel wholly where a vector has one
 * element.
 */
export function lengthTerms(
  { input, gradOutput }: Step,
  shape: readonly number[],
  p: number,
  dim: number,
): Record<string, number> {
  const inner = numelOf(shape.slice(dim + 1));
  const outer = numelOf(shape.slice(0, dim));
  let gradInput = 0;
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const at = Array.from({ length: shape[dim] }, (_, k) => (o * shape[dim] + k) * inner + i);
      const x = at.map((k) => Math.abs(Number(input.data[k])));
      const g = at.map((k) => Math.abs(Number(gradOutput.data[k])));
      const length = x.reduce((sum, value) => sum + value ** p, 0) ** (1 / p);
      if (!(length > 0 && Number.isFinite(length))) continue;
      const products = x.reduce((sum, value, k) => sum + value * g[k], 0);
      const steepest = Math.max(...x.map((value) => (value === 0 ? 0 : (value / length) ** (p - 1))));
      gradInput = Math.max(gradInput, Math.max(...g) / length + (products / length ** 2) * steepest);
    }
  }
  return { output: 1, gradInput };
}
