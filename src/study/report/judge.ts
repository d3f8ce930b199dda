import type {
  GeneralizationExperiment,
  InitExperiment,
  NormKind,
  SpeedExperiment,
  SpeedRun,
  StudyResults,
  SweepExperiment,
  UnitPercentiles,
} from "../results.ts";

/** What the numbers say of a claim: it holds, holds in part, does not hold here, or is open for want of runs. */
export type Verdict = "holds" | "part" | "fails" | "open";

/** The thresholds of every verdict. Accuracies are fractions: 0.005 is half a percentage point. */
export const rules = {
  /** A network has begun to learn once its accuracy is this far above chance. */
  learned: 0.1,
  /** Training is faster if the plain network's best accuracy is reached in at most this share of its steps. */
  fasterShare: 0.5,
  /** Where the plain network never began to learn: batch norm must reach this accuracy. */
  trained: 0.8,
  /** A setting works if its accuracy is at least this share of the best in the grid. */
  works: 0.9,
  /** Initialisation matters less if the accuracies spread over at most this share of the plain network's spread. */
  spreadShare: 0.5,
  /** Larger learning rates work if the largest that works is at least this many times the plain network's. */
  rateFactor: 3,
  /** A difference between seeds counts if it is larger than this many standard errors. */
  standardErrors: 2,
  /** Differences between normalizations at one batch size count from here. */
  gap: 0.005,
  /** The batch size at which batch norm is at home (Wu & He 2018 take 32). */
  referenceBatch: 32,
} as const;

/** A curve averaged over seeds. */
export interface MeanCurve {
  step: number[];
  accuracy: number[];
}

/** How far a unit's input moved: the range of its median, and the widest 15–85 band over the narrowest. */
export interface Drift {
  wander: number;
  growth: number;
}

/** The findings of experiment 1. */
export interface SpeedFindings {
  verdict: Verdict;
  plain?: MeanCurve;
  batch?: MeanCurve;
  /** Whether the plain network began to learn at all. */
  plainLearned: boolean;
  plainBest: number | null;
  plainBestStep: number | null;
  batchBest: number | null;
  /** The first step at which batch norm has the plain network's best accuracy. */
  batchStep: number | null;
  /** batchStep / plainBestStep */
  share: number | null;
  targets: { accuracy: number; plain: number | null; batch: number | null }[];
  /** Time of one batch-norm training step over that of a plain one. */
  stepCost: number | null;
  /** The steadiness of the unit's input: Figure 1b, 1c. */
  drift?: { verdict: Verdict; plain: Drift; batch: Drift };
}

/** One cell of a sweep, averaged over its seeds; a diverged run counts as chance. */
export interface Cell {
  accuracy: number | null;
  runs: number;
  diverged: number;
}

/** What came of one normalization over the values that were run. */
export interface Row {
  /** How many values work, of how many measured, and the largest of them. */
  works: number;
  measured: number;
  largest: number | null;
  lowest: number;
  highest: number;
}

/** A sweep as a grid, with what came of each normalization. */
export interface Grid {
  best: number;
  cells: Map<NormKind, Cell[]>;
  rows: Map<NormKind, Row>;
}

/** The findings of a sweep. */
export interface SweepFindings {
  verdict: Verdict;
  grid: Grid;
}

/** The findings of experiment 2; batch norm and the plain network are compared over the values that both have. */
export interface ComparedFindings extends SweepFindings {
  compared?: { batch: Row; plain: Row };
}

/** The findings of experiment 3. */
export interface RateFindings extends ComparedFindings {
  /** The largest working rate with batch norm over that without; `null` where either has none. */
  factor: number | null;
  /** True where batch norm still works at the largest rate tried. */
  atEdge: boolean;
}

/** A mean and standard deviation (n − 1) over seeds. */
export interface Spread {
  mean: number;
  sd: number;
}

/** The findings of experiment 4. */
export interface GeneralizationFindings {
  verdict: Verdict;
  norms: Map<NormKind, { train: Spread; test: Spread; gap: Spread }>;
  /** Batch minus none over pairs of equal seeds, with the standard error of the mean. */
  test?: { mean: number; error: number };
  gap?: { mean: number; error: number };
  pairs: number;
}

/** The findings of experiment 5: batch norm minus group norm at the smallest and at the reference batch size. */
export interface BatchSizeFindings extends SweepFindings {
  smallest?: { size: number; lead: number };
  reference?: { size: number; lead: number };
}

/** The findings of all experiments that are there. */
export interface Findings {
  speed?: SpeedFindings;
  init?: ComparedFindings;
  learningRate?: RateFindings;
  generalization?: GeneralizationFindings;
  batchSize?: BatchSizeFindings;
}

/**
 * Works the headline numbers and verdicts out of a study's raw results, by the thresholds in `rules`. Nothing in it is a matter of taste:
 * the same numbers give the same verdict, and any verdict can be "fails".
 */
export function judge(results: StudyResults): Findings {
  const { speed, init, learningRate, generalization, batchSize } = results.experiments;
  const chance = 1 / results.meta.data.classes;
  return {
    ...(speed && { speed: judgeSpeed(speed, chance) }),
    ...(init && { init: judgeInit(init, chance) }),
    ...(learningRate && { learningRate: judgeRate(learningRate, chance) }),
    ...(generalization && { generalization: judgeGeneralization(generalization) }),
    ...(batchSize && { batchSize: judgeBatchSize(batchSize, chance) }),
  };
}

function judgeSpeed(experiment: SpeedExperiment, chance: number): SpeedFindings {
  const of = (norm: NormKind) => experiment.runs.filter((run) => run.norm === norm && run.curve.step.length > 0);
  const plainRuns = of("none");
  const batchRuns = of("batch");
  const plain = meanCurve(plainRuns);
  const batch = meanCurve(batchRuns);
  const plainBest = plain ? Math.max(...plain.accuracy) : null;
  const plainBestStep = plain && plainBest !== null ? firstStep(plain, plainBest) : null;
  const batchBest = batch ? Math.max(...batch.accuracy) : null;
  const batchStep = batch && plainBest !== null ? firstStep(batch, plainBest) : null;
  const plainLearned = plainBest !== null && plainBest >= chance + rules.learned;
  const share = plainLearned && batchStep !== null && plainBestStep ? batchStep / plainBestStep : null;

  let verdict: Verdict = "fails";
  if (plainBest === null || batchBest === null) verdict = "open";
  else if (!plainLearned)
    verdict = batchBest >= rules.trained ? "holds" : batchBest >= chance + rules.learned ? "part" : "fails";
  else if (share !== null && share <= rules.fasterShare) verdict = "holds";
  else if (share !== null && share < 1) verdict = "part";

  return {
    verdict,
    plain,
    batch,
    plainLearned,
    plainBest,
    plainBestStep,
    batchBest,
    batchStep,
    share,
    targets: experiment.targets.map((accuracy) => ({
      accuracy,
      plain: plain ? firstStep(plain, accuracy) : null,
      batch: batch ? firstStep(batch, accuracy) : null,
    })),
    stepCost: plainRuns.length && batchRuns.length ? stepSeconds(batchRuns) / stepSeconds(plainRuns) : null,
    drift: judgeDrift(plainRuns[0]?.unit, batchRuns[0]?.unit),
  };
}

function judgeDrift(plainUnit?: UnitPercentiles, batchUnit?: UnitPercentiles): SpeedFindings["drift"] {
  if (!plainUnit || !batchUnit || plainUnit.step.length < 2 || batchUnit.step.length < 2) return undefined;
  const plain = drift(plainUnit);
  const batch = drift(batchUnit);
  const better = Number(batch.wander < plain.wander) + Number(batch.growth < plain.growth);
  return { verdict: better === 2 ? "holds" : better === 1 ? "part" : "fails", plain, batch };
}

function drift(unit: UnitPercentiles): Drift {
  // A band of no width at all would make the growth infinite.
  const widths = unit.p85.map((high, i) => Math.max(high - unit.p15[i], 1e-6));
  return { wander: Math.max(...unit.p50) - Math.min(...unit.p50), growth: Math.max(...widths) / Math.min(...widths) };
}

/** The mean over runs at the steps that all of them have. */
export function meanCurve(runs: readonly SpeedRun[]): MeanCurve | undefined {
  if (runs.length === 0) return undefined;
  const byStep = runs.map((run) => new Map(run.curve.step.map((step, i) => [step, run.curve.testAccuracy[i]])));
  const step = runs[0].curve.step.filter((s) => byStep.every((curve) => curve.has(s)));
  if (step.length === 0) return undefined;
  return { step, accuracy: step.map((s) => mean(byStep.map((curve) => curve.get(s) as number))) };
}

function firstStep(curve: MeanCurve, accuracy: number): number | null {
  const at = curve.accuracy.findIndex((a) => a >= accuracy);
  return at < 0 ? null : curve.step[at];
}

function stepSeconds(runs: readonly SpeedRun[]): number {
  return mean(runs.map((run) => run.trainSeconds / Math.max(1, run.curve.step[run.curve.step.length - 1])));
}

/** The runs of a sweep laid out by normalization and value. */
export function toGrid(sweep: SweepExperiment, chance: number): Grid {
  const cells = new Map<NormKind, Cell[]>();
  for (const norm of sweep.norms) {
    cells.set(
      norm,
      sweep.values.map((value) => {
        const runs = sweep.runs.filter((run) => run.norm === norm && run.value === value);
        const accuracies = runs.map((run) => (run.diverged ? chance : (run.testAccuracy ?? chance)));
        return {
          accuracy: runs.length ? mean(accuracies) : null,
          runs: runs.length,
          diverged: runs.filter((run) => run.diverged || run.testAccuracy === null).length,
        };
      }),
    );
  }
  const best = Math.max(0, ...[...cells.values()].flat().map((cell) => cell.accuracy ?? 0));
  const rows: Grid["rows"] = new Map();
  for (const [norm, row] of cells) {
    const measured = row.flatMap((cell, i) =>
      cell.accuracy === null ? [] : [{ accuracy: cell.accuracy, value: sweep.values[i] }],
    );
    const working = measured.filter((cell) => cell.accuracy >= rules.works * best);
    rows.set(norm, {
      works: working.length,
      measured: measured.length,
      lowest: measured.length ? Math.min(...measured.map((cell) => cell.accuracy)) : 0,
      highest: measured.length ? Math.max(...measured.map((cell) => cell.accuracy)) : 0,
      largest: working.length ? Math.max(...working.map((cell) => cell.value)) : null,
    });
  }
  return { best, cells, rows };
}

/** The part of a sweep that batch norm and the plain network both have, so that they are compared on equal terms. */
function common(sweep: SweepExperiment, pair: [NormKind, NormKind]): SweepExperiment {
  const has = (norm: NormKind, value: number) => sweep.runs.some((run) => run.norm === norm && run.value === value);
  const values = sweep.values.filter((value) => pair.every((norm) => has(norm, value)));
  return { ...sweep, values, runs: sweep.runs.filter((run) => values.includes(run.value)) };
}

function judgeInit(experiment: InitExperiment, chance: number): ComparedFindings {
  const grid = toGrid(experiment, chance);
  const shared = toGrid(common(experiment, ["batch", "none"]), chance);
  const batch = shared.rows.get("batch");
  const plain = shared.rows.get("none");
  if (!batch || !plain || batch.measured < 2) return { verdict: "open", grid };
  const compared = { batch, plain };
  const spreadSmaller = batch.highest - batch.lowest <= rules.spreadShare * (plain.highest - plain.lowest);
  const better = batch.works === 0 ? 0 : Number(batch.works > plain.works) + Number(spreadSmaller);
  return { verdict: better === 2 ? "holds" : better === 1 ? "part" : "fails", grid, compared };
}

function judgeRate(experiment: SweepExperiment, chance: number): RateFindings {
  const grid = toGrid(experiment, chance);
  const both = common(experiment, ["batch", "none"]);
  const shared = toGrid(both, chance);
  const batch = shared.rows.get("batch");
  const plain = shared.rows.get("none");
  if (!batch || !plain || batch.measured < 2) return { verdict: "open", grid, factor: null, atEdge: false };
  const top = both.values[both.values.length - 1];
  const atEdge = batch.largest === top;
  const factor = batch.largest !== null && plain.largest !== null ? batch.largest / plain.largest : null;
  let verdict: Verdict = "fails";
  if (atEdge && plain.largest === top) verdict = "open";
  else if (factor !== null) verdict = factor >= rules.rateFactor ? "holds" : factor > 1 ? "part" : "fails";
  else if (batch.largest !== null) verdict = "holds";
  return { verdict, grid, compared: { batch, plain }, factor, atEdge };
}

function judgeGeneralization(experiment: GeneralizationExperiment): GeneralizationFindings {
  const norms: GeneralizationFindings["norms"] = new Map();
  for (const norm of experiment.norms) {
    const runs = experiment.runs.filter((run) => run.norm === norm);
    if (runs.length === 0) continue;
    norms.set(norm, {
      train: spread(runs.map((run) => run.trainAccuracy)),
      test: spread(runs.map((run) => run.testAccuracy)),
      gap: spread(runs.map((run) => run.trainAccuracy - run.testAccuracy)),
    });
  }
  const pairs = experiment.runs.flatMap((batch) => {
    const plain = experiment.runs.find((run) => run.norm === "none" && run.seed === batch.seed);
    if (batch.norm !== "batch" || !plain) return [];
    const test = batch.testAccuracy - plain.testAccuracy;
    return [{ test, gap: batch.trainAccuracy - plain.trainAccuracy - test }];
  });
  if (pairs.length < 2) return { verdict: "open", norms, pairs: pairs.length };
  const difference = (values: number[]) => ({
    mean: mean(values),
    error: spread(values).sd / Math.sqrt(values.length),
  });
  const test = difference(pairs.map((pair) => pair.test));
  const gap = difference(pairs.map((pair) => pair.gap));
  const counts = (d: { mean: number; error: number }) => Math.abs(d.mean) > rules.standardErrors * d.error;
  const higher = test.mean > 0 && counts(test);
  const lower = test.mean < 0 && counts(test);
  const narrower = gap.mean < 0 && counts(gap);
  const wider = gap.mean > 0 && counts(gap);
  const verdict = higher && !wider ? "holds" : higher || (narrower && !lower) ? "part" : "fails";
  return { verdict, norms, test, gap, pairs: pairs.length };
}

function judgeBatchSize(experiment: SweepExperiment, chance: number): BatchSizeFindings {
  const grid = toGrid(experiment, chance);
  const both = common(experiment, ["batch", "group"]);
  const shared = toGrid(both, chance);
  const batch = shared.cells.get("batch");
  const group = shared.cells.get("group");
  if (!batch || !group || both.values.length < 2) return { verdict: "open", grid };
  const lead = (i: number) => ({
    size: both.values[i],
    lead: (batch[i].accuracy as number) - (group[i].accuracy as number),
  });
  const distance = (i: number) => Math.abs(Math.log2(both.values[i] / rules.referenceBatch));
  const nearest = both.values.map((_, i) => i).reduce((a, b) => (distance(b) < distance(a) ? b : a));
  if (nearest === 0) return { verdict: "open", grid };
  const smallest = lead(0);
  const reference = lead(nearest);
  const behind = smallest.lead <= -rules.gap;
  const widens = reference.lead - smallest.lead >= rules.gap;
  const verdict = behind && reference.lead >= -rules.gap ? "holds" : behind || widens ? "part" : "fails";
  return { verdict, grid, smallest, reference };
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

function spread(values: readonly number[]): Spread {
  const m = mean(values);
  if (values.length < 2) return { mean: m, sd: 0 };
  return { mean: m, sd: Math.sqrt(values.reduce((sum, v) => sum + (v - m) ** 2, 0) / (values.length - 1)) };
}
