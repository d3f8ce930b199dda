import type { UnitPercentiles } from "./results.ts";

/** The value below which a share of the sorted values lies, linearly interpolated. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
}

/** Brings what would stand at place `k`, were the values sorted, there; what is behind it is no smaller. They hold no NaN. */
function select(values: Float64Array, k: number, first: number): void {
  let low = first;
  let high = values.length - 1;
  while (low < high) {
    const pivot = values[(low + high) >> 1];
    let i = low;
    let j = high;
    while (i <= j) {
      while (values[i] < pivot) i++;
      while (values[j] > pivot) j--;
      if (i > j) break;
      const value = values[i];
      values[i++] = values[j];
      values[j--] = value;
    }
    if (k <= j) high = j;
    else if (k >= i) low = i;
    else return;
  }
}

/** Puts the places that `quantile` reads for these ascending shares in order: much faster than to sort all. */
function sortPlaces(values: Float64Array, shares: readonly number[]): void {
  let first = 0;
  for (const share of shares) {
    const below = Math.floor(share * (values.length - 1));
    for (const k of [below, Math.min(below + 1, values.length - 1)]) {
      if (k < first) continue;
      select(values, k, first);
      first = k + 1;
    }
  }
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
    for (let u = 0; u < units; u++) {
      let sum = 0;
      for (let i = 0; i < samples; i++) sum += column[i] = values[i * units + u];
      // NaN in any value makes the sum NaN; infinities of both signs do too, and are sorted as well.
      if (Number.isNaN(sum)) column.sort();
      else sortPlaces(column, SHARES);
      SHARES.forEach((share, p) => {
        percentiles[3 * u + p] = quantile(column, share);
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
