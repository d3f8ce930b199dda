// Damages checkpoints and images at random and reads them: each must be read or refused with a CheckpointError or DataError, in bounded time and memory.
//   npm run fuzz -- --count 100000 --seed 1
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { caseOf, judge, type Outcome, sounds } from "./run.ts";

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "10000" },
    seed: { type: "string", default: "1" },
    case: { type: "string" },
  },
});
const [count, seed] = [Number(values.count), Number(values.seed)];
if (!(count > 0) || !Number.isInteger(seed)) {
  console.error("npm run fuzz -- [--count N] [--seed N] [--case N]");
  process.exit(2);
}

const seeds = await sounds("test/golden");

if (values.case !== undefined) {
  const one = await caseOf(seeds, seed, Number(values.case));
  writeFileSync("build/fuzz/case.bin", one.bytes);
  const { result, why, milliseconds } = await judge(one);
  console.log(
    `${one.seed.name}, ${one.kind}: ${result} in ${milliseconds.toFixed(1)} ms\n${why}\nthe file: build/fuzz/case.bin`,
  );
  process.exit(result === "WRONG" ? 1 : 0);
}

const table = new Map<string, Record<Outcome["result"], number>>();
let slowest: Outcome | undefined;
let wrong = 0;
const start = performance.now();
for (let index = 0; index < count; index++) {
  if (index > 0 && index % 10_000 === 0) console.error(`${index} of ${count} files, ${wrong} wrong`);
  const outcome = await judge(await caseOf(seeds, seed, index));
  const row = `${outcome.seed.format.padEnd(12)} ${outcome.kind}`;
  const cells = table.get(row) ?? { read: 0, refused: 0, WRONG: 0 };
  cells[outcome.result]++;
  table.set(row, cells);
  if (!slowest || outcome.milliseconds > slowest.milliseconds) slowest = outcome;
  if (outcome.result === "WRONG" && wrong++ < 10) {
    console.log(`case ${index} (${outcome.seed.name}, ${outcome.kind}): ${outcome.why}`);
    console.log(`  npm run fuzz -- --seed ${seed} --case ${index}`);
  }
}

const line = (name: string, cells: (string | number)[]) =>
  console.log(name.padEnd(30) + cells.map((c) => String(c).padStart(9)).join(""));
line("format       damage", ["read", "refused", "wrong"]);
const total = { read: 0, refused: 0, WRONG: 0 };
for (const [row, cells] of [...table].sort(([a], [b]) => (a < b ? -1 : 1))) {
  line(row, [cells.read, cells.refused, cells.WRONG]);
  for (const key of ["read", "refused", "WRONG"] as const) total[key] += cells[key];
}
line("all", [total.read, total.refused, total.WRONG]);
console.log(
  `\n${count} damaged files, seed ${seed}: ${wrong} wrong. ${((performance.now() - start) / 1000).toFixed(0)} s; ` +
    `the slowest took ${slowest?.milliseconds.toFixed(0)} ms (case ${slowest?.index}); ` +
    `the process took at most ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB.`,
);
process.exitCode = wrong ? 1 : 0;
