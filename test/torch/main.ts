// Draws random cases of every normalization, runs them in PyTorch and in evenkeel, and prints what differs.
//   npm run test:torch -- --cases 10000 --seed 1 --time 60 --backend all
import { parseArgs } from "node:util";
import { type BackendName, setBackend } from "evenkeel";
import { APIS, type Api } from "./apis.ts";
import { compare, type Finding } from "./compare.ts";
import { exists, runOurs } from "./ours.ts";
import { caseOf, drawPlan, type Plan } from "./plan.ts";
import { reproduce } from "./reproduce.ts";
import { findPython, Torch } from "./server.ts";
import { shrink } from "./shrink.ts";

const BACKENDS: readonly BackendName[] = ["reference", "wasm-base", "wasm-relaxed"];

const USAGE = `npm run test:torch -- [options]
  --cases N      how many cases are drawn (1000)
  --seed N       which cases (1)
  --time S       stop after so many seconds
  --backend B    ${BACKENDS.join(", ")} or all (all)
  --api NAME     only this one, by PyTorch's name, such as BatchNorm2d or layer_norm
  --case N       only the case of this number
  --python P     a Python that has PyTorch (Debian's, else the one on the path)
  --failures N   stop after so many that differ (1)`;

interface Options {
  cases: number;
  seed: number;
  time: number;
  backends: readonly BackendName[];
  apis: readonly Api[];
  first: number;
  python: string | undefined;
  failures: number;
}

function stop(message: string, code: number): never {
  console.error(message);
  process.exit(code);
}

function readOptions(): Options {
  const names = ["cases", "seed", "time", "backend", "api", "case", "python", "failures"] as const;
  const options = Object.fromEntries(names.map((name) => [name, { type: "string" as const }]));
  let values: Partial<Record<(typeof names)[number], string>>;
  try {
    values = parseArgs({ options }).values as typeof values;
  } catch (error) {
    return stop(`${(error as Error).message}\n\n${USAGE}`, 2);
  }
  const whole = (name: (typeof names)[number], otherwise: number) => {
    const value = Number(values[name] ?? otherwise);
    if (Number.isNaN(value) || value < 0) stop(`--${name} takes a number, not ${values[name]}\n\n${USAGE}`, 2);
    return value;
  };
  const { backend = "all" } = values;
  const backends = backend === "all" ? BACKENDS : BACKENDS.filter((name) => name === backend);
  if (backends.length === 0) stop(`There is no backend ${backend}\n\n${USAGE}`, 2);
  const apis = APIS.filter(({ kind, name }) => exists(kind, name) && name === (values.api ?? name));
  if (apis.length === 0) stop(`${values.api} is not compared, or evenkeel does not have it`, 2);
  const first = whole("case", 0);
  return {
    cases: values.case === undefined ? whole("cases", 1000) : 1,
    seed: whole("seed", 1),
    time: whole("time", Number.POSITIVE_INFINITY),
    backends,
    apis,
    first,
    python: values.python ?? findPython(),
    failures: whole("failures", 1),
  };
}

/** What a backend makes of a plan, beside PyTorch. */
interface Compared {
  readonly backend: BackendName;
  readonly findings: readonly Finding[];
}

async function runPlan(plan: Plan, torch: Torch, backends: readonly BackendName[]): Promise<Compared[]> {
  const item = caseOf(plan);
  const answer = torch.run(item);
  // PyTorch computes meanwhile.
  const ours = backends.map((backend) => {
    setBackend(backend);
    return { backend, outcome: runOurs(item) };
  });
  const theirs = await answer;
  return ours.map(({ backend, outcome }) => ({ backend, findings: compare(plan, item, theirs, outcome) }));
}

const differing = (findings: readonly Finding[]) => findings.filter(({ verdict }) => verdict === "differs");

/** Makes a case that differs as small as it gets, and prints it. */
async function report(
  plan: Plan,
  number: number,
  { seed }: Options,
  backend: BackendName,
  torch: Torch,
): Promise<void> {
  const found = async (candidate: Plan) => differing((await runPlan(candidate, torch, [backend]))[0].findings);
  const first = await found(plan);
  // What is shrunk has to fail in the same way: numbers that differ are not to become a call that is refused.
  const wayOf = ({ kind, detail }: Finding) => (kind === "error" ? detail?.replace(/\d+/g, "") : "numbers");
  const fails = async (candidate: Plan) => (await found(candidate)).some((other) => wayOf(other) === wayOf(first[0]));
  const smallest = await shrink(plan, fails);
  const { seed: _, ...shown } = smallest;
  console.log(`\ncase ${number} differs on ${backend} (--seed ${seed} --case ${number} draws it again)`);
  for (const { what, relative, detail } of first) {
    console.log(
      `  ${what}${relative > 0 ? `, ${relative.toExponential(1)} of the largest element` : ""}\n    ${detail?.replace("\n", "\n    ")}`,
    );
  }
  console.log(`The smallest like it: ${JSON.stringify(shown)}`);
  for (const { what, relative, detail } of await found(smallest)) {
    console.log(`  ${what}, ${relative.toExponential(1)}; ${detail}`);
  }
  console.log(`\n${reproduce(caseOf(smallest))}`);
}

/** Counts what was found. */
class Tally {
  cases = 0;
  differences = 0;
  errors = 0;
  byTerms = 0;
  private readonly largest = new Map<
    string,
    { relative: number; verdict: string; where: string; byTerms: number; compared: number }
  >();

  add(plan: Plan, number: number, compared: readonly Compared[]): void {
    this.cases++;
    const all = compared.flatMap(({ findings }) => findings);
    if (all.some(({ verdict }) => verdict === "differs")) this.differences++;
    if (all.some(({ kind }) => kind === "error")) this.errors++;
    if (all.some(({ verdict }) => verdict === "terms")) this.byTerms++;
    for (const { kind, relative, verdict } of all) {
      if (kind === "error") continue;
      const row = this.largest.get(kind) ?? { relative: 0, verdict, where: "", byTerms: 0, compared: 0 };
      row.compared++;
      if (verdict === "terms") row.byTerms++;
      else if (relative > row.relative) Object.assign(row, { relative, where: `${plan.api}, case ${number}` });
      this.largest.set(kind, row);
    }
  }

  print(): void {
    console.log("\nresult                                 compared  largest difference       by its terms");
    for (const [kind, { relative, where, byTerms, compared }] of [...this.largest].sort()) {
      const most = relative === 0 ? "0" : `${relative.toExponential(1)} (${where})`;
      console.log(`${kind.padEnd(38)} ${String(compared).padStart(8)}  ${most.padEnd(40)} ${byTerms || ""}`);
    }
    console.log(
      `\nDifferences are relative to the largest element. Where nearly everything cancels, rounding is what remains, and the last bits of the largest term count:\n` +
        `so it was for some result of ${this.byTerms} cases. ${this.errors} cases are errors, with the same sentence.`,
    );
  }
}

async function main(): Promise<void> {
  const options = readOptions();
  const { python } = options;
  if (!python) {
    stop(
      "This comparison needs PyTorch, and neither /usr/bin/python3 nor python3 can import it. On Debian or Ubuntu:\n" +
        "  sudo apt-get install python3-torch",
      2,
    );
  }
  const torch = new Torch(python);
  const missing = APIS.filter(({ kind, name }) => !exists(kind, name)).map(({ name }) => name);
  console.log(`PyTorch ${await torch.version} beside evenkeel on ${options.backends.join(", ")}; seed ${options.seed}`);
  if (missing.length > 0) console.log(`Not in evenkeel yet: ${missing.join(", ")}`);
  const tally = new Tally();
  const start = performance.now();
  const seconds = () => (performance.now() - start) / 1000;
  let shown = 0;
  for (let i = 0; i < options.cases && seconds() < options.time && tally.differences < options.failures; i++) {
    const number = options.first + i;
    const plan = drawPlan(options.apis, options.seed, number);
    const compared = await runPlan(plan, torch, options.backends);
    tally.add(plan, number, compared);
    const failed = compared.find(({ findings }) => differing(findings).length > 0);
    if (failed) await report(plan, number, options, failed.backend, torch);
    if (process.stdout.isTTY ? seconds() - shown > 0.2 : seconds() - shown > 10) {
      shown = seconds();
      const line = `${tally.cases} of ${options.cases} cases, ${tally.differences} differences, ${shown.toFixed(0)} s`;
      process.stdout.write(process.stdout.isTTY ? `\r${line}` : `${line}\n`);
    }
  }
  torch.close();
  if (process.stdout.isTTY) process.stdout.write("\r".padEnd(60) + "\r");
  tally.print();
  console.log(`\n${tally.cases} cases, ${tally.differences} differences`);
  process.exitCode = tally.differences > 0 ? 1 : 0;
}

await main();
