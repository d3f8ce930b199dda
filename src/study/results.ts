/**
 * What a study measured: plain data, written as JSON beside the report and read by it. Only raw measurements live here; the
 * headline numbers and the verdicts are worked out of them by `judge` (report/judge.ts), so they can be worked out again.
 *
 * Units: accuracies are fractions from 0 to 1, durations are seconds, a step is one optimizer update (the first is 1).
 * JSON knows no NaN: a number that was not finite is `null`.
 */
export interface StudyResults {
  /** The version of this schema. */
  format: "evenkeel-study/1";
  meta: StudyMeta;
  /** One mini-batch of one unit, taken from the batch-norm network of experiment 1. */
  threeSteps?: ThreeSteps;
  /** Each experiment that was started; those left out by `--only`, or never reached, are absent. */
  experiments: {
    /** 1. Training is faster. */
    speed?: SpeedExperiment;
    /** 2. Initialisation matters less: `value` is the weight scale. */
    init?: InitExperiment;
    /** 3. Larger learning rates work: `value` is the learning rate. */
    learningRate?: SweepExperiment;
    /** 4. It generalizes better. */
    generalization?: GeneralizationExperiment;
    /** 5. Against its relatives: `value` is the batch size. */
    batchSize?: SweepExperiment;
  };
}

/** The name of an experiment in {@link StudyResults.experiments}. */
export type ExperimentName = keyof StudyResults["experiments"];

/** The experiments in the order of their numbers: `--only 1` is `experimentNames[0]`. */
export const experimentNames: readonly ExperimentName[] = [
  "speed",
  "init",
  "learningRate",
  "generalization",
  "batchSize",
];

/** What a network is normalized with. */
export type NormKind = "none" | "batch" | "layer" | "instance" | "group";

/** When, where and on what the study ran. */
export interface StudyMeta {
  /** evenkeel's version, such as "0.1.0". */
  version: string;
  /** When the study began, as ISO 8601. */
  date: string;
  /** The preset's name: "quick" or "full". */
  preset: string;
  seed: number;
  /** The exact command line that repeats this study. */
  command: string;
  /** Wall-clock time of the whole study. */
  seconds: number;
  /** True where the study was stopped before its end. */
  aborted: boolean;
  machine: Machine;
  data: DataSetInfo;
}

/** The computer and the build that ran the study. */
export interface Machine {
  /** The CPU's model name. */
  cpu: string;
  /** Logical cores. */
  cores: number;
  /** Operating system and its release. */
  os: string;
  /** Node's version. */
  node: string;
  /** "wasm" or "reference". */
  backend: string;
  /** "relaxed", "base" or "none". */
  simd: string;
  threads: number;
}

/** The data set, as far as the study used it. */
export interface DataSetInfo {
  name: string;
  /** Training samples. */
  train: number;
  /** Test samples. */
  test: number;
  classes: number;
}

/**
 * How an experiment was set up. The texts are shown as they are in every language, so write them as code or formulas:
 * "784-100-100-100-10", "SGD(momentum=0.9)", "N(0, 0.1²)". Leave out what an experiment varies.
 */
export interface Settings {
  network: string;
  activation?: string;
  /** How the weights were drawn. */
  weights?: string;
  optimizer: string;
  learningRate?: number | string;
  batchSize?: number;
  /** Updates of one run. */
  steps?: number;
  /** Passes over the training samples of one run, where that is what was fixed. */
  epochs?: number;
  seeds: number[];
  /** Groups of group norm. */
  groups?: number;
  /** Training and test samples used, where fewer than the data set has. */
  trainSamples?: number;
  testSamples?: number;
}

/** What every experiment has. */
export interface Experiment {
  /** False where it was stopped before its last run: what is there is still shown, marked as unfinished. */
  finished: boolean;
  /** Wall-clock time of this experiment. */
  seconds: number;
  settings: Settings;
}

/** Experiment 1: the same network trained with and without batch norm (Ioffe & Szegedy 2015, Figure 1). */
export interface SpeedExperiment extends Experiment {
  /** The test accuracies whose first step is looked up, ascending, such as [0.5, 0.8, 0.9, 0.95]. */
  targets: number[];
  /** One entry a network and seed; `norm` is "none" or "batch". */
  runs: SpeedRun[];
}

/** One training run of experiment 1. All arrays of `curve` have one length, and so have those of `unit`. */
export interface SpeedRun {
  norm: NormKind;
  seed: number;
  /** False where the run was cut short. */
  finished: boolean;
  /** Time spent in training steps alone, without evaluations. */
  trainSeconds: number;
  curve: {
    /** Steps at which the test accuracy was taken, ascending. Networks of one study share these. */
    step: number[];
    testAccuracy: number[];
  };
  /** Figure 1b, 1c: a typical unit's input to its sigmoid, over a fixed set of samples. */
  unit: UnitPercentiles;
}

/** The 15th, 50th and 85th percentiles of what one unit's activation function is given, over training. */
export interface UnitPercentiles {
  /** The hidden layer, from 1. */
  layer: number;
  /** The unit within it, from 0. */
  unit: number;
  /** Ascending; begins with 0, before the first update. */
  step: number[];
  p15: number[];
  p50: number[];
  p85: number[];
}

/** Experiments 2, 3 and 5: one quantity varied, for several normalizations. */
export interface SweepExperiment extends Experiment {
  /** The values planned, ascending. */
  values: number[];
  /** The normalizations planned, in the order they are shown. */
  norms: NormKind[];
  /** The runs done, in any order; planned runs without an entry are shown as missing. */
  runs: SweepRun[];
}

/** Experiment 2. */
export interface InitExperiment extends SweepExperiment {
  /** What `value` is: the standard deviation of the weights, or a factor on the default initialisation. */
  scale: "std" | "factor";
}

/** One run of a sweep. */
export interface SweepRun {
  norm: NormKind;
  value: number;
  seed: number;
  /** After the last step; `null` where the network's output was no longer finite. */
  testAccuracy: number | null;
  /** True where the loss stopped being finite. */
  diverged: boolean;
}

/** Experiment 4: one network, several seeds, with and without batch norm. */
export interface GeneralizationExperiment extends Experiment {
  /** The normalizations planned, in the order they are shown; "none" and "batch" are compared. */
  norms: NormKind[];
  /** One entry a normalization and seed; the same seeds for each, so that differences can be taken pairwise. */
  runs: GeneralizationRun[];
}

/** One run of experiment 4, both accuracies taken in eval mode after the last step. */
export interface GeneralizationRun {
  norm: NormKind;
  seed: number;
  trainAccuracy: number;
  testAccuracy: number;
}

/** Batch norm worked through on the inputs of one unit over a small mini-batch: everything as the layer computed it. */
export interface ThreeSteps {
  /** The hidden layer, from 1, the unit within it, from 0, and the step at which the numbers were taken. */
  layer: number;
  unit: number;
  step: number;
  /** The unit's values over the mini-batch, about 6 of them. */
  x: number[];
  mean: number;
  /** The biased variance: divided by m. */
  var: number;
  eps: number;
  /** (x − mean) / √(var + eps) */
  xhat: number[];
  gamma: number;
  beta: number;
  /** gamma · xhat + beta: what the layer gives in training mode. */
  y: number[];
  running: {
    momentum: number;
    /** Before this mini-batch. */
    meanBefore: number;
    varBefore: number;
    /** The variance divided by m − 1, which is what goes into the running variance. */
    unbiasedVar: number;
    /** After it. */
    meanAfter: number;
    varAfter: number;
  };
  /** What the layer gives in eval mode for the same x, with the running statistics after this mini-batch. */
  yEval: number[];
}
