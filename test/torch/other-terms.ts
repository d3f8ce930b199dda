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
  // a power multiplies the relative error of what it is taken of
  return { output: Math.max(1, p), gradInput: Math.max(1, p) * gradInput };
}

/**
 * The largest terms of the gradient of y = x · D⁻ᵝ with D = k + α · (mean of x² over `size` neighbouring channels): g · D⁻ᵝ and what the neighbours' D adds,
 * 2αβ / size · x · Σ g·x · D⁻ᵝ⁻¹. For large x and β = ½ they cancel.
 */
export function responseTerms(
  { input, gradOutput }: Step,
  shape: readonly number[],
  size: number,
  { alpha, beta, k }: { alpha: number; beta: number; k: number },
): Record<string, number> {
  const channels = shape[1];
  const inner = numelOf(shape.slice(2));
  const before = Math.floor(size / 2);
  let gradInput = 0;
  for (let row = 0; row < input.data.length; row += channels * inner) {
    for (let i = row; i < row + inner; i++) {
      const along = (values: Step["input"]) =>
        Array.from({ length: channels }, (_, c) => Math.abs(Number(values.data[i + c * inner])));
      const [x, g] = [along(input), along(gradOutput)];
      const window = (c: number) => x.slice(Math.max(0, c - before), c - before + size);
      const d = x.map((_, c) => k + (alpha / size) * window(c).reduce((sum, value) => sum + value * value, 0));
      for (const [c, value] of x.entries()) {
        let others = 0;
        for (let j = Math.max(0, c - size + 1 + before); j <= Math.min(channels - 1, c + before); j++) {
          others += g[j] * x[j] * d[j] ** (-beta - 1);
        }
        const term = g[c] * d[c] ** -beta + ((2 * alpha * beta) / size) * value * others;
        if (term > gradInput) gradInput = term;
      }
    }
  }
  return { gradInput };
}
