import { Presets, SingleBar } from "cli-progress";
import { type ExperimentName, experimentNames } from "../study/results.ts";
import type { StudyProgress } from "../study/study.ts";

const TITLES: Readonly<Record<ExperimentName, string>> = {
  speed: "training speed",
  init: "weight scales",
  learningRate: "learning rates",
  generalization: "generalization",
  batchSize: "batch sizes",
};

/** What an experiment is called on one line. */
export function experimentTitle(name: ExperimentName): string {
  return `${experimentNames.indexOf(name) + 1} ${TITLES[name]}`;
}

/** The experiments under way: what they are called where they fit on a line, else their numbers. */
function titles(names: readonly ExperimentName[]): string {
  if (names.length <= 2) return names.map(experimentTitle).join(", ");
  return `experiments ${names.map((name) => experimentNames.indexOf(name) + 1).join(", ")}`;
}

/** Shows how far a study is, on standard error: a bar on a terminal, a line now and then elsewhere. */
export interface ProgressDisplay {
  update(progress: StudyProgress): void;
  /** a line of its own */
  note(text: string): void;
  end(): void;
}

function left(seconds: number | null): string {
  if (seconds === null) return "…";
  const whole = Math.ceil(seconds);
  return whole < 100 ? `${whole} s` : `${Math.ceil(whole / 60)} min`;
}

/** The display for the stream that standard error is. */
export function studyProgress(preset: string): ProgressDisplay {
  process.stderr.write(`Studying batch norm (preset ${preset})\n`);
  return process.stderr.isTTY ? bar() : lines();
}

/** Characters of the bar, so that all of the line fits in 80. */
const BAR = 14;

function bar(): ProgressDisplay {
  const format = " {bar} {percentage}% | {title} | {runs} runs | {left} left";
  const display = new SingleBar(
    { format, stream: process.stderr, hideCursor: true, clearOnComplete: true, barsize: BAR },
    Presets.shades_classic,
  );
  let ended = false;
  display.start(1000, 0, { title: "loading the images", runs: "0", left: "…" });
  return {
    update({ done, secondsLeft, experiments, runsDone, runs }) {
      if (ended) return;
      display.update(Math.floor(done * 1000), {
        title: titles(experiments),
        runs: `${runsDone}/${runs}`,
        left: left(secondsLeft),
      });
    },
    note(text) {
      display.stop();
      ended = true;
      process.stderr.write(`\n${text}\n`);
    },
    end() {
      if (!ended) display.stop();
      ended = true;
    },
  };
}

/** Seconds between two lines where there is no terminal. */
const LINE_EVERY = 10;

function lines(): ProgressDisplay {
  let last = performance.now();
  return {
    update({ done, secondsLeft, experiments, runsDone, runs }) {
      const now = performance.now();
      if (now - last < LINE_EVERY * 1000) return;
      last = now;
      process.stderr.write(
        `  ${Math.round(done * 100)} %, ${titles(experiments)}, ${runsDone} of ${runs} runs, ${left(secondsLeft)} left\n`,
      );
    },
    note(text) {
      process.stderr.write(`${text}\n`);
    },
    end() {},
  };
}
