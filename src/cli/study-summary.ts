import { judge, type Verdict } from "../study/report/judge.ts";
import { type ExperimentName, experimentNames, type StudyResults } from "../study/results.ts";
import { experimentTitle } from "./study-progress.ts";

const VERDICTS: Readonly<Record<Verdict, string>> = {
  holds: "holds",
  part: "holds in part",
  fails: "does not hold here",
  open: "not decided",
};

const percent = (share: number) => `${(share * 100).toFixed(1)} %`;

/** The number that stands for each experiment. */
function headline(results: StudyResults): Partial<Record<ExperimentName, { verdict: Verdict; text: string }>> {
  const { speed, init, learningRate, generalization, batchSize } = judge(results);
  const lines: Partial<Record<ExperimentName, { verdict: Verdict; text: string }>> = {};
  if (speed) {
    const { share, plainBest, batchBest, batchStep, plainBestStep } = speed;
    const text =
      share !== null && plainBest !== null
        ? `plain network's best ${percent(plainBest)} at step ${batchStep} instead of ${plainBestStep}: ${percent(share)} of the steps`
        : `best accuracy ${percent(batchBest ?? 0)} with batch norm, ${percent(plainBest ?? 0)} without`;
    lines.speed = { verdict: speed.verdict, text };
  }
  if (init) {
    const { compared } = init;
    const text = compared
      ? `${compared.batch.works} of ${compared.batch.measured} weight scales work with batch norm, ${compared.plain.works} without`
      : "";
    lines.init = { verdict: init.verdict, text };
  }
  if (learningRate) {
    const { compared } = learningRate;
    const text = compared
      ? `largest working rate ${compared.batch.largest ?? "none"} with batch norm, ${compared.plain.largest ?? "none"} without`
      : "";
    lines.learningRate = { verdict: learningRate.verdict, text };
  }
  if (generalization) {
    const { test, pairs } = generalization;
    const text = test
      ? `test accuracy ${signed(test.mean)} ± ${(test.error * 100).toFixed(2)} points with batch norm, ${pairs} seeds`
      : "";
    lines.generalization = { verdict: generalization.verdict, text };
  }
  if (batchSize) {
    const { smallest, reference } = batchSize;
    const at = (place: typeof smallest) => (place ? `${signed(place.lead)} at batch ${place.size}` : null);
    const text = [at(smallest), at(reference)].filter(Boolean).join(", ");
    lines.batchSize = { verdict: batchSize.verdict, text: text && `points of batch over group norm: ${text}` };
  }
  return lines;
}

function signed(share: number): string {
  return `${share >= 0 ? "+" : "−"}${Math.abs(share * 100).toFixed(2)}`;
}

/** What a study came to, for the terminal. */
export function studySummary(
  results: StudyResults,
  { peakMemory, report }: { peakMemory: number; report: string },
): string {
  const found = headline(results);
  const rows = experimentNames.flatMap((name) => {
    const line = found[name];
    if (!line) return [];
    const unfinished = results.experiments[name]?.finished === false ? " (unfinished)" : "";
    return [[experimentTitle(name), VERDICTS[line.verdict] + unfinished, line.text]];
  });
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column].length), 0));
  const table = rows
    .map(([title, verdict, text]) => `  ${title.padEnd(widths[0])}  ${verdict.padEnd(widths[1])}  ${text}\n`)
    .join("");
  const { seconds, aborted } = results.meta;
  return (
    `\n${table}\n` +
    `  ${aborted ? "Stopped after" : "Took"} ${seconds.toFixed(1)} s, ${Math.round(peakMemory / 2 ** 20)} MiB of memory at most\n` +
    `  Report: ${report}\n`
  );
}
