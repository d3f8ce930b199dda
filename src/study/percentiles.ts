import type { UnitPercentiles } from "./results.ts";

/** The value below which a share of the sorted values lies, linearly interpolated. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
}

const BINS = 1024;
/** Values in a bin from which on an insertion sort takes longer than a sort that knows nothing of bins. */
const CROWDED = 64;
const ends = new Uint32Array(BINS);

/**
 * The finite values in order, in `sorted`; false where they lie too unevenly between the least and the largest. Bins of equal width are counted and filled, which
 * leaves little to be sorted within them: a third of the time of selecting the few values that percentiles read, which a processor cannot foresee.
 */
function sortByBins(values: Float64Array, sorted: Float64Array, least: number, largest: number): boolean {
  const scale = (BINS - 1) / (largest - least);
  ends.fill(0);
  for (let i = 0; i < values.length; i++) ends[((values[i] - least) * scale) | 0]++;
  let end = 0;
  for (let bin = 0; bin < BINS; bin++) {
    if (ends[bin] >= CROWDED) return false;
    end += ends[bin];
    ends[bin] = end;
  }
  for (let i = 0; i < values.length; i++) sorted[--ends[((values[i] - least) * scale) | 0]] = values[i];
  for (let i = 1; i < sorted.length; i++) {
    const value = sorted[i];
    let at = i;
    for (; at > 0 && sorted[at - 1] > value; at--) sorted[at] = sorted[at - 1];
    sorted[at] = value;
  }
  return true;
}

const SHARES = [0.15, 0.5, 0.85];

/** Collects the 15th, 50th and 85th percentiles of every unit over training, and chooses a typical one at the end. */
export class PercentileRecorder {
  readonly #steps: number[] = [];
  readonly #records: Float64Array[] = [];

  constructor(
    private readonly layer: number,
    private readonly units: number,
  ) {}

  /** @param values [samples, units], row-major */
  record(step: number, values: ArrayLike<number>): void {
    const { units } = this;
    const samples = values.length / units;
    const percentiles = new Float64Array(3 * units);
    const column = new Float64Array(samples);
    const sorted = new Float64Array(samples);
    for (let u = 0; u < units; u++) {
      let sum = 0;
      let least = Number.POSITIVE_INFINITY;
      let largest = Number.NEGATIVE_INFINITY;
      for (let i = 0; i < samples; i++) {
        const value = values[i * units + u];
        column[i] = value;
        sum += value;
        if (value < least) least = value;
        if (value > largest) largest = value;
      }
      // One value that is not finite makes the sum so.
      if (!Number.isFinite(sum) || !sortByBins(column, sorted, least, largest)) sorted.set(column.sort());
      SHARES.forEach((share, p) => {
        percentiles[3 * u + p] = quantile(sorted, share);
      });
    }
    this.#steps.push(step);
    this.#records.push(percentiles);
  }

  /** The unit whose median moves over the middlemost range of all units. */
  typical(): UnitPercentiles {
    const { units } = this;
    const ranges = Array.from({ length: units }, (_, u) => {
      const medians = this.#records.map((record) => record[3 * u + 1]);
      return { u, range: Math.max(...medians) - Math.min(...medians) };
    });
    ranges.sort((a, b) => a.range - b.range);
    const unit = ranges[Math.floor(units / 2)].u;
    const series = (p: number) => this.#records.map((record) => record[3 * unit + p]);
    return { layer: this.layer, unit, step: [...this.#steps], p15: series(0), p50: series(1), p85: series(2) };
  }
}
