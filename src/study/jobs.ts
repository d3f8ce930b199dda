import type { ExperimentName, NormKind, ThreeSteps, UnitPercentiles } from "./results.ts";

/** One training run: plain data, so that it can be sent to a worker. */
export interface Job {
  readonly id: number;
  readonly experiment: ExperimentName;
  readonly network: "mlp" | "cnn";
  readonly norm: NormKind;
  readonly seed: number;
  readonly steps: number;
  readonly batchSize: number;
  readonly lr: number;
  readonly momentum: number;
  /** standard deviation of the MLP's weights */
  readonly std: number;
  /** train on the first so many samples only */
  readonly trainSamples: number;
  /** test on the first so many samples only */
  readonly testSamples: number;
  /** the value varied, in a sweep */
  readonly value: number;
  /** steps after which the test accuracy is taken; the last step always is */
  readonly evaluateAt: readonly number[];
  /** steps after which the percentiles of the last sigmoid's input are taken; empty for none */
  readonly percentilesAt: readonly number[];
  /** take the accuracy on the training samples too, at the end */
  readonly trainAccuracy: boolean;
}

/** What a run measured. */
export interface JobResult {
  readonly id: number;
  readonly seconds: number;
  /** false where the study was stopped before the run's last step */
  readonly finished: boolean;
  readonly diverged: boolean;
  readonly step: number[];
  readonly testAccuracy: number[];
  readonly trainAccuracy: number | null;
  readonly unit: UnitPercentiles | null;
  readonly threeSteps: ThreeSteps | null;
  /** the most memory this worker's process held so far, in bytes */
  readonly peakMemory: number;
}

/** What a worker is given to begin with. */
export interface WorkerSetup {
  /** a folder of IDX files, or null for MNIST */
  readonly folder: string | null;
  /** int32[1] in shared memory; not 0 asks to stop after the running step */
  readonly stop: SharedArrayBuffer;
}

/** What a worker sends. */
export type WorkerMessage =
  | { readonly kind: "ready"; readonly train: number; readonly test: number; readonly classes: number }
  | { readonly kind: "progress"; readonly id: number; readonly steps: number }
  | { readonly kind: "result"; readonly result: JobResult }
  | { readonly kind: "failed"; readonly name: string; readonly message: string };

/** About n whole numbers from 1 to last, evenly spread, `last` among them. */
export function evenly(last: number, n: number): number[] {
  const count = Math.min(n, last);
  return Array.from({ length: count }, (_, i) => Math.round(((i + 1) * last) / count));
}

/** Images that the test accuracy of a run is taken on. */
const TEST_IMAGES = 10_000;

/** About how many milliseconds a run takes, measured on one core: a step costs a constant part and a part that grows with the batch, an evaluation a part for each image. */
export function cost({ network, norm, batchSize, steps, evaluateAt, testSamples }: Job): number {
  const mlp = network === "mlp";
  const normCost = norm === "none" ? 0.9 : 1;
  const step = mlp ? 0.15 + 0.006 * batchSize * normCost : 0.3 + 0.04 * batchSize * normCost;
  const images = Math.min(testSamples, TEST_IMAGES) * Math.max(evaluateAt.length, 1);
  return steps * step + images * (mlp ? 0.004 : 0.012);
}
