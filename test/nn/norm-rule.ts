/*
 * How near to PyTorch's numbers a normalization has to be: the rule that the golden tests and the live comparison share.
 *
 * First rule: the limits below, against PyTorch's numbers.
 *
 * Second rule, for results that miss the first: where nearly everything cancels (two values a channel leave almost no gradient, a mean
 * of a thousand standard deviations few digits) PyTorch's own digits are wrong, and its releases disagree. There both are held against
 * the exact result, and ours may be off by as much as PyTorch's and the roundings that no computation in that precision avoids:
 *
 *   |ours − exact| ≤ |PyTorch's − exact| + 6·u·T,   u = half a last bit (2⁻²⁴, 2⁻⁵³)
 *
 * T is the largest sum of magnitudes that an element is added up from (test/torch/truth.py): with x̂ the normalized x and h = g·weight
 *
 *   output       |x̂·weight| + |bias|
 *   gradInput    (|h| + mean|h| + |x̂|·mean|h·x̂|)·invstd
 *   gradWeight   Σ |g·x̂|            gradBias   Σ |g|
 *
 * The mean is off already: nothing in T grows with it, so what its rounding costs PyTorch is no excuse for us. Only where the mean is a
 * rounded number for everybody |x̂| is (|x| + |mean|)·invstd: statistics that are given; float64, which has nothing wider to sum n numbers
 * in (there n·|mean|); and
 * batch and instance norm of views that are copied and of 16-bit input, since the copy gets the recipe of PyTorch's contiguous kernel.
 * Where 6 comes from: the term that our kernels round most is x̂·mean(h·x̂)·invstd of gradInput = d·k·invstd with d = x − mean and
 * k = mean(h·d)·invstd², 11 times: in k once h, d and their product, invstd twice, k itself; then d, d·k, the difference, invstd, the last
 * product. Each is off by up to u, evenly spread and independent of the others: a standard deviation of u·√(11/3), three of which are 6·u.
 * (Sums are in float64 or in blocks of 32, whose roundings average out. In 60,000 live cases 3.8 was the most that was needed.)
 */

/** Limits relative to the largest element expected; forward covers outputs and running statistics. */
export const LIMITS = {
  float32: { forward: 2e-6, gradient: 1e-5 },
  float64: { forward: 1e-13, gradient: 1e-12 },
} as const;

/** Half a last bit of a number near 1. */
export const HALF_BIT = { float32: 2 ** -24, float64: 2 ** -53, float16: 2 ** -11, bfloat16: 2 ** -8 } as const;

/** What the kernels' roundings of a term come to, in half last bits, see above. */
export const ROUNDINGS = 6;

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

/** An exact result: the sum of two float64, and its T. */
export interface Exact {
  readonly high: Numbers;
  readonly rest?: Numbers;
  readonly term: number;
}

/** The largest difference from the exact result. */
export function errorOf(found: Numbers, { high, rest }: Exact): number {
  let error = 0;
  for (let i = 0; i < high.length; i++) {
    const [a, b] = [Number(found[i]), Number(high[i])];
    if (Object.is(a, b)) continue;
    const d = Number.isFinite(b) ? Math.abs(a - b - Number(rest?.[i] ?? 0)) : Number.POSITIVE_INFINITY;
    error = Math.max(error, Number.isNaN(d) ? Number.POSITIVE_INFINITY : d);
  }
  return error;
}

/** The first rule; the limit 0 asks for the same bits. */
export function isClose(
  { difference, largest }: ReturnType<typeof measure>,
  limit: number,
  dtype: keyof typeof LIMITS,
): boolean {
  // the smallest numbers have fewer digits
  const smallest = dtype === "float32" ? 2 ** -149 : 2 ** -1074;
  return difference === 0 || (limit > 0 && difference <= limit * largest + smallest);
}

/** The second rule. */
export function isAsExact(ours: Numbers, theirs: Numbers, exact: Exact, dtype: keyof typeof LIMITS): boolean {
  return errorOf(ours, exact) <= errorOf(theirs, exact) + ROUNDINGS * HALF_BIT[dtype] * exact.term;
}
