/*
 * How near to PyTorch's numbers a normalization has to be: the rule that the golden tests and the live comparison share.
 */

/** Limits relative to the largest element expected; forward covers outputs and running statistics. */
export const LIMITS = {
  float32: { forward: 2e-6, gradient: 1e-5 },
  float64: { forward: 1e-13, gradient: 1e-12 },
} as const;

/** Some last bits: what the largest term of a sum may change where nearly everything cancels, 4 · 2⁻²⁴ and 4 · 2⁻⁵³. */
export const LAST_BITS = { float32: 2.4e-7, float64: 4.5e-16 } as const;

type Numbers = ArrayLike<number | bigint>;

/** The largest difference, and the largest element expected. Where one side alone has a NaN or an infinity the difference is infinite. */
export function measure(actual: Numbers, expected: Numbers): { difference: number; largest: number } {
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const [a, b] = [Number(actual[i]), Number(expected[i])];
    if (Number.isFinite(b)) largest = Math.max(largest, Math.abs(b));
    if (Object.is(a, b) || a === b) continue;
    const d = Math.abs(a - b);
    difference = Math.max(difference, Number.isNaN(d) ? Number.POSITIVE_INFINITY : d);
  }
  return { difference, largest };
}

/** A step of a normalization: its numbers in their logical order, and which of them share a mean. */
export interface Terms {
  readonly input: Numbers;
  readonly gradOutput: Numbers;
  /** input seen as [outer, groups, inner]: a mean runs over outer and inner */
  readonly view: readonly [outer: number, groups: number, inner: number];
  /** how many products a weight's gradient sums up */
  readonly perWeight: number;
  readonly eps: number;
  readonly weight?: Numbers;
  /** no mean is subtracted, as in RMS norm */
  readonly uncentred?: boolean;
  /** what was normalized by, if it was not the input's own */
  readonly fixed?: {
    readonly mean: Numbers;
    readonly variance: Numbers;
    /** the largest term of the variance in the steps that made it */
    readonly varianceTerm?: number;
  };
}

const largestOf = (values: Numbers) => {
  let largest = 0;
  for (let i = 0; i < values.length; i++) {
    const value = Math.abs(Number(values[i]));
    if (value > largest) largest = value;
  }
  return largest;
};

/** 1 / √(variance + eps) of the narrowest group. */
function largestInvstd({ input, view: [outer, groups, inner], eps, fixed, uncentred }: Terms): number {
  let largest = 0;
  for (let c = 0; c < groups; c++) {
    let variance = Number(fixed?.variance[c % fixed.variance.length]);
    if (!fixed) {
      const rows = Array.from({ length: outer }, (_, o) => (o * groups + c) * inner);
      const sum = (term: (x: number) => number) => {
        let total = 0;
        for (const row of rows) for (let i = row; i < row + inner; i++) total += term(Number(input[i]));
        return total;
      };
      const mean = uncentred ? 0 : sum((x) => x) / (outer * inner);
      variance = sum((x) => (x - mean) ** 2) / (outer * inner);
    }
    // Without a spread and without eps the output is 0, and nothing is divided.
    if (variance + eps > 0) largest = Math.max(largest, 1 / Math.sqrt(variance + eps));
  }
  return largest;
}

/**
 * The largest terms in the sums and differences that a step's results are, in float64. Where nearly everything cancels (two values a channel leave no gradient, a mean of a
 * thousand standard deviations no digits), what remains is rounding, PyTorch's releases differ by 1e-3 among themselves, and it is the last bits of these terms that count.
 */
export function largestTerms(step: Terms, dtype: "float32" | "float64"): Record<string, number> {
  const { input, gradOutput, view, perWeight, weight = [1], fixed } = step;
  const invstd = largestInvstd(step);
  const scale = largestOf(weight);
  // PyTorch sums float32 in float64 or in blocks, which doubles the last bits, but down columns one by one, as float64 everywhere: n numbers are off by up
  // to n last bits.
  const [outer, , inner] = view;
  const sums = dtype === "float64" || inner === 1 ? Math.max(2, (outer * inner) / 4) : 2;
  const largest = Math.max(largestOf(input), fixed ? largestOf(fixed.mean) : 0) * sums;
  const x = Math.max(1, largest * invstd);
  const g = largestOf(gradOutput);
  // invstd moves by half of what the variance does
  const sway = 1 + (fixed?.varianceTerm ?? 0) * invstd ** 2 * 0.5;
  return {
    output: x * scale * sway,
    // g·weight and its mean, and the deviation times the products' mean
    gradInput: g * invstd * scale * (1 + x) * sway,
    gradWeight: g * x * perWeight * sway,
    gradBias: g * perWeight,
    runningMean: largest,
    // Deviations are taken from a mean that is rounded: of equal values a variance of that rounding squared remains.
    runningVar: LAST_BITS[dtype] * largest ** 2,
  };
}

/** What a comparison came to. */
export type Verdict = "same" | "close" | "terms" | "differs";

/** Judges one result: the limit 0 asks for the same bits; `term` is only computed where the limit is passed. */
export function judge(
  { difference, largest }: { difference: number; largest: number },
  limit: number,
  dtype: "float32" | "float64",
  term: () => number,
): Verdict {
  if (difference === 0) return "same";
  if (limit === 0) return "differs";
  // the smallest numbers have fewer digits
  const smallest = dtype === "float32" ? 2 ** -149 : 2 ** -1074;
  if (difference <= limit * largest + smallest) return "close";
  return difference <= LAST_BITS[dtype] * term() ? "terms" : "differs";
}
