import { evenly, type Job } from "./jobs.ts";
import { GROUPS } from "./networks.ts";
import type { ExperimentName, NormKind, Settings } from "./results.ts";

/** How large the experiments are. */
export type PresetName = "quick" | "full";

/** One experiment: its settings as the report shows them, and its runs. */
export interface Plan {
  readonly name: ExperimentName;
  readonly settings: Settings;
  readonly norms: readonly NormKind[];
  /** the values varied; empty where nothing is */
  readonly values: readonly number[];
  readonly jobs: readonly Job[];
}

/** What differs between the presets. */
interface Size {
  readonly seeds: number;
  readonly speed: { steps: number; evaluations: number; seeds: number };
  readonly sweep: { steps: number; testSamples: number };
  readonly stds: readonly number[];
  readonly rates: readonly number[];
  readonly generalization: { seeds: number; steps: number; trainSamples: number };
  readonly batch: { samples: number; sizes: readonly number[] };
}

const SIZES: Readonly<Record<PresetName, Size>> = {
  quick: {
    seeds: 1,
    speed: { steps: 4000, evaluations: 30, seeds: 1 },
    sweep: { steps: 450, testSamples: 2000 },
    stds: [0.003, 0.01, 0.03, 0.1, 0.3, 1, 3],
    rates: [0.03, 0.1, 0.3, 1, 3, 10, 30],
    generalization: { seeds: 3, steps: 400, trainSamples: 2000 },
    batch: { samples: 5000, sizes: [2, 4, 8, 16, 32, 64, 128] },
  },
  full: {
    seeds: 3,
    // Ioffe & Szegedy 2015 train for 50,000 steps.
    speed: { steps: 50_000, evaluations: 250, seeds: 1 },
    sweep: { steps: 5000, testSamples: 10_000 },
    stds: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10],
    rates: [0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30],
    generalization: { seeds: 10, steps: 2000, trainSamples: 5000 },
    batch: { samples: 60_000, sizes: [2, 4, 8, 16, 32, 64, 128] },
  },
};

/** The names of the presets, the default first. */
export const presetNames = Object.keys(SIZES) as PresetName[];

/** Samples a batch, from the paper. */
const BATCH = 60;
const STD = 0.05;
const MLP = "784-100-100-100-10";
const CNN = "4 × Conv2d(3×3, stride=2), 1-8-16-32-32 channels · Linear(128, 10)";
/** Learning rate of the convolutional network for a batch of 32; it goes in proportion to the batch (Goyal et al. 2017; Wu & He 2018). */
const CNN_RATE = 0.05;

/** Every experiment of a preset, in order. The same seed gives the same plan. */
export function plans(preset: PresetName, seed: number): Plan[] {
  const size = SIZES[preset];
  let id = 0;
  const seedsOf = (n: number) => Array.from({ length: n }, (_, i) => seed + i);
  // All fields, so that jobs have them in one order: V8 compiles what reads them anew for each order.
  const base: Job = {
    id: 0,
    experiment: "speed",
    norm: "none",
    seed,
    network: "mlp",
    steps: size.sweep.steps,
    batchSize: BATCH,
    lr: 0.2,
    momentum: 0,
    std: STD,
    trainSamples: Number.POSITIVE_INFINITY,
    testSamples: size.sweep.testSamples,
    value: 0,
    evaluateAt: [],
    percentilesAt: [],
    trainAccuracy: false,
  };
  const job = (experiment: ExperimentName, own: Partial<Job> & Pick<Job, "norm" | "seed">): Job => ({
    ...base,
    ...own,
    experiment,
    id: id++,
  });
  const settings = { activation: "Sigmoid", optimizer: "SGD()", batchSize: BATCH };
  const mlpNorms: NormKind[] = ["none", "batch", "layer", "group"];
  const cnnNorms: NormKind[] = ["batch", "layer", "instance", "group"];

  const { speed, generalization, batch } = size;
  const speedNorms: NormKind[] = ["none", "batch"];
  // Most evaluations fall where the curves rise; the rest cover the whole run.
  const evaluateAt = [
    ...evenly(Math.round(speed.steps / 5), speed.evaluations / 2),
    ...evenly(speed.steps, speed.evaluations / 2),
  ];
  return [
    {
      name: "speed",
      norms: speedNorms,
      values: [],
      settings: {
        network: MLP,
        weights: `N(0, ${STD}²)`,
        learningRate: base.lr,
        steps: speed.steps,
        seeds: seedsOf(speed.seeds),
        ...settings,
      },
      jobs: seedsOf(speed.seeds).flatMap((own) =>
        speedNorms.map((norm) =>
          job("speed", {
            norm,
            seed: own,
            steps: speed.steps,
            testSamples: Number.POSITIVE_INFINITY,
            evaluateAt,
            percentilesAt: [0, ...evenly(speed.steps, 60)],
          }),
        ),
      ),
    },
    {
      name: "init",
      norms: mlpNorms,
      values: size.stds,
      settings: {
        network: MLP,
        learningRate: base.lr,
        steps: base.steps,
        seeds: seedsOf(size.seeds),
        groups: GROUPS.mlp,
        testSamples: shown(base.testSamples),
        ...settings,
      },
      jobs: sweep(size.stds, mlpNorms, seedsOf(size.seeds), (value, norm, own) =>
        job("init", { norm, seed: own, value, std: value }),
      ),
    },
    {
      name: "learningRate",
      norms: mlpNorms,
      values: size.rates,
      settings: {
        network: MLP,
        weights: `N(0, ${STD}²)`,
        steps: base.steps,
        seeds: seedsOf(size.seeds),
        groups: GROUPS.mlp,
        testSamples: shown(base.testSamples),
        ...settings,
      },
      jobs: sweep(size.rates, mlpNorms, seedsOf(size.seeds), (value, norm, own) =>
        job("learningRate", { norm, seed: own, value, lr: value }),
      ),
    },
    {
      name: "generalization",
      norms: ["none", "batch"],
      values: [],
      settings: {
        network: CNN,
        activation: "ReLU",
        optimizer: "SGD(momentum=0.9)",
        learningRate: CNN_RATE,
        batchSize: BATCH,
        steps: generalization.steps,
        seeds: seedsOf(generalization.seeds),
        trainSamples: generalization.trainSamples,
      },
      jobs: seedsOf(generalization.seeds).flatMap((own) =>
        speedNorms.map((norm) =>
          job("generalization", {
            network: "cnn",
            norm,
            seed: own,
            lr: CNN_RATE,
            momentum: 0.9,
            steps: generalization.steps,
            trainSamples: generalization.trainSamples,
            testSamples: Number.POSITIVE_INFINITY,
            trainAccuracy: true,
          }),
        ),
      ),
    },
    {
      name: "batchSize",
      norms: cnnNorms,
      values: batch.sizes,
      settings: {
        network: CNN,
        activation: "ReLU",
        optimizer: "SGD(momentum=0.9)",
        learningRate: `${CNN_RATE} · N / 32`,
        epochs: 1,
        seeds: seedsOf(size.seeds),
        groups: GROUPS.cnn,
        trainSamples: batch.samples,
        testSamples: shown(base.testSamples),
      },
      jobs: sweep(batch.sizes, cnnNorms, seedsOf(size.seeds), (value, norm, own) =>
        job("batchSize", {
          network: "cnn",
          norm,
          seed: own,
          value,
          batchSize: value,
          lr: (CNN_RATE * value) / 32,
          momentum: 0.9,
          trainSamples: batch.samples,
          steps: Math.floor(batch.samples / value),
        }),
      ),
    },
  ];
}

function sweep(
  values: readonly number[],
  norms: readonly NormKind[],
  seeds: readonly number[],
  make: (value: number, norm: NormKind, seed: number) => Job,
): Job[] {
  return seeds.flatMap((seed) => values.flatMap((value) => norms.map((norm) => make(value, norm, seed))));
}

/** A number of samples where it is smaller than the whole set. */
function shown(samples: number): number | undefined {
  return samples < 10_000 ? samples : undefined;
}
