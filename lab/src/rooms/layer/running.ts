import { Generator, nn, randn, tidy, variance } from "evenkeel";
import { columnOf, evaluate, type LayerSettings, setAffine } from "./batch.ts";

/** What was seen after one more batch. */
export interface Moment {
  readonly batchMean: number;
  /** the batch's unbiased variance, which is what the running one averages */
  readonly batchVar: number;
  readonly runningMean: number;
  readonly runningVar: number;
  /** of the data that the batch was drawn from */
  readonly mean: number;
  readonly variance: number;
}

/** A BatchNorm1d in training, whose running statistics follow one random batch after another. */
export class RunningLayer {
  readonly layer = new nn.BatchNorm1d(1);
  history: readonly Moment[] = [];
  private generator = new Generator(1);

  /** Trains on one more batch. A batch of one has no variance: it is refused by the layer, and not seen. */
  see({ size, mean, spread }: Pick<LayerSettings, "size" | "mean" | "spread">, momentum: number | null): void {
    const { layer } = this;
    const moment = tidy((): Moment => {
      const x = randn([size, 1], { generator: this.generator }).mul(spread).add(mean);
      layer.momentum = momentum;
      layer.forward(x);
      return {
        batchMean: x.mean().item(),
        batchVar: variance(x).item(),
        runningMean: layer.runningMean!.item(),
        runningVar: layer.runningVar!.item(),
        mean,
        variance: spread * spread,
      };
    });
    this.history = [...this.history, moment];
  }

  /** The batch that was just shown, by the running statistics of now. */
  answer(settings: LayerSettings, x: readonly number[]): number[] {
    const { layer } = this;
    layer.eps = settings.eps;
    setAffine(layer, settings.gamma, settings.beta);
    return tidy(() => evaluate(layer, columnOf(x)));
  }

  reset(): void {
    this.layer.resetRunningStats();
    this.history = [];
    this.generator = new Generator(1);
  }
}
