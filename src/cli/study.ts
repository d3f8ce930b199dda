import { mkdir, rename, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Command, InvalidArgumentError, Option } from "commander";
import { type PresetName, presetNames } from "../study/presets.ts";
import { renderReport } from "../study/report/render.ts";
import { type ExperimentName, experimentNames } from "../study/results.ts";
import { runStudy } from "../study/study.ts";
import { ArgumentError } from "../util/errors.ts";
import { studyProgress } from "./study-progress.ts";
import { studySummary } from "./study-summary.ts";
import { packageVersion } from "./version.ts";

interface StudyFlags {
  preset: PresetName;
  only?: ExperimentName[];
  seed: number;
  out: string;
  data?: string;
  json?: boolean;
}

const LIST = experimentNames.map((name, i) => `${i + 1} ${name}`).join(", ");

function parseOnly(text: string): ExperimentName[] {
  return text.split(",").map((part) => {
    const wanted = part.trim();
    const found = experimentNames[Number(wanted) - 1] ?? experimentNames.find((name) => name === wanted);
    if (!found) throw new InvalidArgumentError(`"${wanted}" is no experiment; there are ${LIST}.`);
    return found;
  });
}

function parseSeed(text: string): number {
  if (!/^\d+$/.test(text) || Number(text) > 2 ** 32 - 1)
    throw new InvalidArgumentError("Give a whole number from 0 to 4294967295.");
  return Number(text);
}

/** Writes a file whole or not at all. */
async function writeWhole(path: string, text: string): Promise<void> {
  const draft = `${path}.${process.pid}.part`;
  await writeFile(draft, text);
  await rename(draft, path);
}

/** `evenkeel study`: the experiments, their report, their numbers. */
export function studyCommand(onExit: (code: number) => void): Command {
  return new Command("study")
    .description("Measure what batch norm does, on real images, and write a report.")
    .addOption(new Option("--preset <name>", "how large the experiments are").choices(presetNames).default("quick"))
    .option("--only <list>", `run only these experiments, such as 1,3 (${LIST})`, parseOnly)
    .option("--seed <n>", "seed of all random numbers", parseSeed, 0)
    .option("--out <dir>", "folder for report.html and results.json", "evenkeel-study")
    .option("--data <dir>", "folder of IDX files, gzipped or not (default: MNIST)")
    .option("--json", "print the results as JSON instead of a summary")
    .addHelpText(
      "after",
      `
Examples:
  evenkeel study                            all five experiments, in about twenty seconds
  evenkeel study --preset full --only 1     Ioffe & Szegedy's 50,000 steps
  evenkeel study --data ./fashion-mnist     on other images
Ctrl-C ends the study with what is done so far.`,
    )
    .action(async (flags: StudyFlags) => onExit(await study(flags)));
}

async function study(flags: StudyFlags): Promise<number> {
  const folder = resolve(flags.out);
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw new ArgumentError(
      `the folder ${folder} cannot be made (${(error as NodeJS.ErrnoException).code})`,
      "give another with --out",
    );
  }
  const abort = new AbortController();
  const progress = studyProgress(flags.preset);
  const interrupt = () => {
    if (abort.signal.aborted) process.exit(130);
    abort.abort();
    progress.note("Stopping: writing down what is done so far (Ctrl-C again ends at once)");
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  try {
    const { results, peakMemory } = await runStudy({
      preset: flags.preset,
      only: flags.only,
      seed: flags.seed,
      folder: flags.data ? resolve(flags.data) : null,
      command: commandLine(flags),
      version: packageVersion(),
      signal: abort.signal,
      onProgress: progress.update,
    });
    progress.end();
    const report = join(folder, "report.html");
    await writeWhole(join(folder, "results.json"), `${JSON.stringify(results, null, 1)}\n`);
    await writeWhole(report, await renderReport(results));
    if (flags.json) process.stdout.write(`${JSON.stringify(results)}\n`);
    else process.stdout.write(studySummary(results, { peakMemory, report: pathToFileURL(report).href }));
    return abort.signal.aborted ? 130 : 0;
  } finally {
    progress.end();
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
  }
}

function commandLine({ preset, only, seed, data }: StudyFlags): string {
  const parts = ["evenkeel study", `--preset ${preset}`, `--seed ${seed}`];
  if (only) parts.push(`--only ${only.map((name) => experimentNames.indexOf(name) + 1).join(",")}`);
  if (data) parts.push(`--data ${data}`);
  return parts.join(" ");
}
