/** How numbers are spread; plain data. Of numbers that are not finite only the count is kept. */
export interface Distribution {
  count: number;
  nonFinite: number;
  min: number;
  q25: number;
  median: number;
  q75: number;
  max: number;
  mean: number;
  std: number;
  /** how many fall into each of 20 equal intervals from min to max */
  histogram: number[];
}

const BINS = 20;

/** The q-quantile of sorted numbers, interpolated. */
function quantile(sorted: Float64Array, q: number): number {
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  return sorted[low] + (sorted[Math.min(low + 1, sorted.length - 1)] - sorted[low]) * (at - low);
}

/** The distribution of numbers; zeros if none is finite. */
export function distribution(values: ArrayLike<number>): Distribution {
  const sorted = Float64Array.from(values).filter(Number.isFinite).sort();
  const n = sorted.length;
  const nonFinite = values.length - n;
  const histogram = Array<number>(BINS).fill(0);
  if (n === 0) {
    return { count: values.length, nonFinite, min: 0, q25: 0, median: 0, q75: 0, max: 0, mean: 0, std: 0, histogram };
  }
  const [min, max] = [sorted[0], sorted[n - 1]];
  const mean = sorted.reduce((sum, x) => sum + x, 0) / n;
  const std = Math.sqrt(sorted.reduce((sum, x) => sum + (x - mean) ** 2, 0) / n);
  const width = (max - min) / BINS || 1;
  for (const x of sorted) histogram[Math.min(BINS - 1, Math.floor((x - min) / width))]++;
  const [q25, median, q75] = [0.25, 0.5, 0.75].map((q) => quantile(sorted, q));
  return { count: values.length, nonFinite, min, q25, median, q75, max, mean, std, histogram };
}
