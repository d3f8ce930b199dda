import { availableParallelism, cpus, platform, release } from "node:os";
import { runtimeInfo } from "../runtime.ts";
import { cost, type Job, type JobResult } from "./jobs.ts";
import { type DataCounts, runJobs } from "./pool.ts";
import { type Plan, type PresetName, plans } from "./presets.ts";
import {
  type Experiment,
  type ExperimentName,
  experimentNames,
  type NormKind,
  type StudyResults,
  type SweepRun,
} from "./results.ts";

/** What to study. */
export interface StudyOptions {
  readonly preset: PresetName;
  /** the experiments to run; all by default */
  readonly only?: readonly ExperimentName[];
  readonly seed: number;
  /** a folder of IDX files; MNIST by default */
  readonly folder: string | null;
  /** the command that repeats the study, for the report */
  readonly command: string;
  readonly version: string;
  /** aborting ends the study with what is done so far */
  readonly signal: AbortSignal;
  /** called as the study moves on */
  onProgress?(progress: StudyProgress): void;
}

/** How far a study has come. */
export interface StudyProgress {
  /** from 0 to 1, weighted by how long runs take */
  readonly done: number;
  /** estimated seconds to the end, or null at the beginning */
  readonly secondsLeft: number | null;
  /** the experiments that runs are under way of, in their order */
  readonly experiments: readonly ExperimentName[];
  readonly runsDone: number;
  readonly runs: number;
}

/** A study's results, and the most memory the process held, in bytes. */
export interface Study {
  readonly results: StudyResults;
  readonly peakMemory: number;
}

/** Test accuracies whose first step is looked up. */
const TARGETS = [0.5, 0.8, 0.9, 0.95, 0.97];

/** Runs the experiments on all cores and gathers what they measured. */
export async function runStudy(options: StudyOptions): Promise<Study> {
  const { preset, only, seed, folder, signal } = options;
  const began = performance.now();
  const chosen = plans(preset, seed).filter(({ name }) => !only || only.includes(name));
  const results = new Map<number, JobResult>();
  /** what of each running job's cost is spent */
  const spentOn = new Map<Job, number>();
  const ended = new Map<ExperimentName, number>();
  const started = new Map<ExperimentName, number>();
  const jobs = chosen.flatMap((plan) => plan.jobs);
  const whole = jobs.reduce((sum, job) => sum + cost(job), 0);
  const workers = availableParallelism();
  let counts: DataCounts = { train: 0, test: 0, classes: 0 };
  let runsBegan = began;
  let spent = 0;

  const report = (job: Job, share: number) => {
    const now = performance.now();
    ended.set(job.experiment, now);
    const spentNow = share * cost(job);
    spent += spentNow - (spentOn.get(job) ?? 0);
    spentOn.set(job, spentNow);
    if (results.has(job.id)) spentOn.delete(job);
    if (!options.onProgress) return;
    const done = spent / whole;
    const elapsed = (now - runsBegan) / 1000;
    const underWay = new Set([...spentOn.keys(), job].map(({ experiment }) => experiment));
    options.onProgress({
      done,
      secondsLeft: done > 0.02 ? (elapsed / done) * (1 - done) : null,
      experiments: experimentNames.filter((name) => underWay.has(name)),
      runsDone: results.size,
      runs: jobs.length,
    });
  };

  await runJobs(
    jobs,
    { folder, workers, signal },
    {
      onReady: (found) => {
        counts = found;
        runsBegan = performance.now();
      },
      onStart: (job) => {
        if (!started.has(job.experiment)) started.set(job.experiment, performance.now());
        spentOn.set(job, 0);
      },
      onProgress: (job, steps) => report(job, steps / job.steps),
      onResult: (job, result) => {
        results.set(job.id, result);
        report(job, 1);
      },
    },
  );

  const experiments: StudyResults["experiments"] = {};
  for (const plan of chosen) {
    const runs = plan.jobs.flatMap((job) => {
      const result = results.get(job.id);
      return result ? [{ job, result }] : [];
    });
    if (runs.length === 0) continue;
    const finished = runs.length === plan.jobs.length && runs.every(({ result }) => result.finished);
    const seconds = ((ended.get(plan.name) ?? began) - (started.get(plan.name) ?? began)) / 1000;
    Object.assign(experiments, { [plan.name]: gather(plan, runs, { finished, seconds, settings: plan.settings }) });
  }
  const threeSteps = [...results.values()].find((result) => result.threeSteps)?.threeSteps;
  return {
    results: {
      format: "evenkeel-study/1",
      meta: {
        version: options.version,
        date: new Date().toISOString(),
        preset,
        seed,
        command: options.command,
        seconds: (performance.now() - began) / 1000,
        aborted: signal.aborted,
        machine: {
          cpu: cpus()[0]?.model.trim() ?? "unknown",
          cores: workers,
          os: `${platform()} ${release()}`,
          node: process.versions.node,
          ...runtimeInfo(),
        },
        data: { name: folder ?? "MNIST", ...counts },
      },
      ...(threeSteps ? { threeSteps } : {}),
      experiments,
    },
    peakMemory: Math.max(process.memoryUsage.rss(), ...[...results.values()].map((result) => result.peakMemory)),
  };
}

interface Run {
  readonly job: Job;
  readonly result: JobResult;
}

/** The experiment's part of the results, from its plan and the runs that are there. */
function gather(plan: Plan, runs: readonly Run[], common: Experiment): object {
  const norms = plan.norms as NormKind[];
  const values = plan.values as number[];
  switch (plan.name) {
    case "speed":
      return {
        ...common,
        targets: TARGETS,
        runs: runs.flatMap(({ job, result }) =>
          result.unit
            ? [
                {
                  norm: job.norm,
                  seed: job.seed,
                  finished: result.finished,
                  trainSeconds: result.seconds,
                  curve: { step: result.step, testAccuracy: result.testAccuracy },
                  unit: result.unit,
                },
              ]
            : [],
        ),
      };
    case "generalization":
      return {
        ...common,
        norms,
        runs: runs.flatMap(({ job, result }) => {
          const testAccuracy = result.testAccuracy.at(-1);
          if (!result.finished || result.trainAccuracy === null || testAccuracy === undefined) return [];
          return [{ norm: job.norm, seed: job.seed, trainAccuracy: result.trainAccuracy, testAccuracy }];
        }),
      };
    default: {
      const sweep = runs.flatMap(({ job, result }): SweepRun[] => {
        if (!result.finished) return [];
        const last = result.testAccuracy.at(-1) ?? Number.NaN;
        const testAccuracy = Number.isFinite(last) ? last : null;
        return [{ norm: job.norm, value: job.value, seed: job.seed, testAccuracy, diverged: result.diverged }];
      });
      return { ...common, norms, values, runs: sweep, ...(plan.name === "init" ? { scale: "std" } : {}) };
    }
  }
}
