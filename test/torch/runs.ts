import { readFileSync, writeFileSync } from "node:fs";

const FILE = "test/torch/runs.json";

/** What a live comparison came to. */
export interface Run {
  /** PyTorch's version */
  readonly torch: string;
  readonly seed: number;
  readonly backends: readonly string[];
  readonly cases: number;
  readonly differences: number;
  /** how many cases of each API */
  readonly apis: Readonly<Record<string, number>>;
}

/** The runs that were recorded. */
export const recordedRuns = (): Run[] => JSON.parse(readFileSync(FILE, "utf8"));

/** Adds a run to the recorded ones, in the place of an earlier one of the same version and seed; one run a line. */
export function recordRun({ torch, seed, backends, cases, differences, apis }: Run): void {
  const others = recordedRuns().filter((run) => run.torch !== torch || run.seed !== seed);
  const sorted = Object.fromEntries(Object.entries(apis).sort());
  const runs = [...others, { torch, seed, backends, cases, differences, apis: sorted }];
  runs.sort((a, b) => (a.torch === b.torch ? a.seed - b.seed : a.torch < b.torch ? -1 : 1));
  writeFileSync(FILE, `[\n${runs.map((run) => JSON.stringify(run)).join(",\n")}\n]\n`);
}
