import type { Accuracy, Both, TrainUpdate, Watched } from "../../engine/train/session.ts";

/** More points than this are merged in pairs: no screen shows them. */
const MOST_POINTS = 1200;
/** Share of the old value in the smoothed loss. */
const SMOOTHING = 0.95;
/** The accuracy that the page waits for. */
export const GOAL = 0.95;

/** Loss over steps, of both networks; a point stands for one step, later for several. */
class LossCurve {
  readonly steps: number[] = [];
  readonly raw: Both<(number | null)[]> = [[], []];
  readonly smooth: Both<(number | null)[]> = [[], []];
  private stride = 1;
  /** what the point being made has so far */
  private sums = [0, 0];
  private count = 0;
  private readonly means = [0, 0];
  private weight = 0;
  private done = 0;

  add(losses: Both<number>): void {
    this.weight = SMOOTHING * this.weight + 1 - SMOOTHING;
    losses.forEach((loss, i) => {
      this.sums[i] += loss;
      this.means[i] = SMOOTHING * this.means[i] + (1 - SMOOTHING) * loss;
    });
    this.done++;
    if (++this.count < this.stride) return;
    this.steps.push(this.done);
    for (const i of [0, 1] as const) {
      const mean = this.sums[i] / this.count;
      // The weights of the first steps do not add up to one yet.
      const smooth = this.means[i] / this.weight;
      this.raw[i].push(mean > 0 && Number.isFinite(mean) ? mean : null);
      this.smooth[i].push(smooth > 0 && Number.isFinite(smooth) ? smooth : null);
    }
    this.sums = [0, 0];
    this.count = 0;
    if (this.steps.length >= MOST_POINTS) this.merge();
  }

  private merge(): void {
    const half = this.steps.length / 2;
    for (let k = 0; k < half; k++) {
      this.steps[k] = this.steps[2 * k + 1];
      for (const i of [0, 1] as const) {
        const [x, y] = [this.raw[i][2 * k], this.raw[i][2 * k + 1]];
        this.raw[i][k] = x !== null && y !== null ? (x + y) / 2 : null;
        this.smooth[i][k] = this.smooth[i][2 * k + 1];
      }
    }
    this.stride *= 2;
    for (const list of [this.steps, ...this.raw, ...this.smooth]) list.length = half;
  }
}

/** Everything that a run has shown so far. It grows in place; `version` counts the changes. */
export class RunRecord {
  version = 0;
  readonly loss = new LossCurve();
  readonly accuracies: Accuracy[] = [];
  watched: Watched[] = [];
  latest: TrainUpdate | null = null;
  /** of the last step; null before the first */
  lastLosses: Both<number> | null = null;
  /** when each network first named 95 % of the test images correctly */
  readonly reached: [Accuracy | null, Accuracy | null] = [null, null];

  add(update: TrainUpdate): void {
    const { losses, accuracies, watched, watchEvery } = update;
    for (let k = 0; k < losses[0].length; k++) {
      this.lastLosses = [losses[0][k], losses[1][k]];
      this.loss.add(this.lastLosses);
    }
    for (const accuracy of accuracies) {
      this.accuracies.push(accuracy);
      for (const i of [0, 1] as const) if ((accuracy.values[i] ?? 0) >= GOAL) this.reached[i] ??= accuracy;
    }
    this.watched = [...this.watched, ...watched].filter(({ step }) => step % watchEvery === 0);
    this.latest = update;
    this.version++;
  }

  /** The last accuracy of one of the networks; null before there is one, and after it has diverged. */
  accuracy(side: 0 | 1): number | null {
    return this.accuracies.at(-1)?.values[side] ?? null;
  }
}
