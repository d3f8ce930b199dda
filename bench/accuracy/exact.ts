import type { Input } from "./inputs.ts";

/** A sum whose error does not grow with the number of terms (Neumaier). */
class Sum {
  private total = 0;
  private lost = 0;

  add(value: number): void {
    const next = this.total + value;
    this.lost += Math.abs(this.total) >= Math.abs(value) ? this.total - next + value : value - next + this.total;
    this.total = next;
  }

  get value(): number {
    return this.total + this.lost;
  }
}

/** Output and input gradient of a normalization without weight and bias, in float64 with compensated sums. */
export function exactly({ view: [outer, groups, inner], eps, values, gradOutput }: Input): {
  output: Float64Array;
  gradInput: Float64Array;
} {
  const output = new Float64Array(values.length);
  const gradInput = new Float64Array(values.length);
  const count = outer * inner;
  for (let c = 0; c < groups; c++) {
    const each = (work: (at: number) => void) => {
      for (let o = 0; o < outer; o++) {
        const row = (o * groups + c) * inner;
        for (let at = row; at < row + inner; at++) work(at);
      }
    };
    const mean = (term: (at: number) => number) => {
      const sum = new Sum();
      each((at) => sum.add(term(at)));
      return sum.value / count;
    };
    const average = mean((at) => values[at]);
    const invstd = 1 / Math.sqrt(mean((at) => (values[at] - average) ** 2) + eps);
    each((at) => {
      output[at] = (values[at] - average) * invstd;
    });
    const g = mean((at) => gradOutput[at]);
    const gy = mean((at) => gradOutput[at] * output[at]);
    each((at) => {
      gradInput[at] = (gradOutput[at] - g - output[at] * gy) * invstd;
    });
  }
  return { output, gradInput };
}

/** The largest error, relative to the largest element. */
export function errorOf(found: ArrayLike<number>, exact: Float64Array): number {
  let error = 0;
  let largest = 0;
  for (let i = 0; i < exact.length; i++) {
    const difference = Math.abs(found[i] - exact[i]);
    if (!(difference <= error)) error = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
    if (Math.abs(exact[i]) > largest) largest = Math.abs(exact[i]);
  }
  return error === 0 ? 0 : error / largest;
}
