// Draws random cases of every normalization, runs them in PyTorch and in evenkeel, and prints what differs.
//   npm run test:torch -- --cases 10000 --seed 1 --time 60 --backend all
import { parseArgs } from "node:util";
import { type BackendName, setBackend } from "evenkeel";
import { ROUNDINGS } from "../nn/norm-rule.ts";
import { APIS, type Api } from "./apis.ts";
import type { Truth } from "./case.ts";
import { compare, type Finding } from "./compare.ts";
import { exists, runOurs } from "./ours.ts";
import { caseOf, drawPlan, type Plan } from "./plan.ts";
import { reproduce } from "./reproduce.ts";
import { recordRun } from "./runs.ts";
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
  --failures N   stop after so many that differ (1)
  --record       note the run in test/torch/runs.json, on which PARITY.md's versions rest`;

interface Options {
  cases: number;
  seed: number;
  time: number;
  backends: readonly BackendName[];
  apis: readonly Api[];
  first: number;
  python: string | undefined;
  failures: number;
  record: boolean;
}

function stop(message: string, code: number): never {
  console.error(message);
  process.exit(code);
}

function readOptions(): Options {
  const names = ["cases", "seed", "time", "backend", "api", "case", "python", "failures"] as const;
  const options = {
    ...Object.fromEntries(names.map((name) => [name, { type: "string" as const }])),
    record: { type: "boolean" as const },
  };
  let values: Partial<Record<(typeof names)[number], string>> & { record?: boolean };
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
    record: values.record === true,
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
  let truth: Promise<Truth[]> | undefined;
  const exactly = () => (truth ??= torch.truth(item));
  const compared: Compared[] = [];
  for (const { backend, outcome } of ours) {
    compared.push({ backend, findings: await compare(plan, theirs, outcome, exactly) });
  }
  return compared;
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

/** What the comparisons of one kind of result came to. */
class Row {
  compared = 0;
  /** the largest difference that the limits judged */
  relative = 0;
  where = "";
  /** how many the exact result judged; where PyTorch computes nothing; where ours was no farther off than PyTorch's */
  exact = 0;
  alone = 0;
  nearer = 0;
  /** by how many half last bits of its term ours was at most beyond PyTorch's */
  beyond = 0;

  add({ relative, verdict, errors }: Finding, where: string): void {
    this.compared++;
    if (errors && verdict === "exact") {
      this.exact++;
      if (Number.isNaN(errors.theirs)) this.alone++;
      else if (errors.ours <= errors.theirs) this.nearer++;
      else if (errors.beyond > this.beyond && Number.isFinite(errors.beyond)) this.beyond = errors.beyond;
    } else if (relative > this.relative) {
      this.relative = relative;
      this.where = where;
    }
  }

  toString(): string {
    const most = this.relative === 0 ? "0" : `${this.relative.toExponential(1)} (${this.where})`;
    const exact =
      this.exact === 0
        ? ""
        : `${String(this.exact).padStart(7)} ${String(this.alone).padStart(7)} ${String(this.nearer).padStart(7)} `;
    const beyond = this.beyond > 0 ? this.beyond.toFixed(1) : "";
    return `${String(this.compared).padStart(8)}  ${most.padEnd(38)} ${exact}${beyond.padStart(6)}`.trimEnd();
  }
}

/** Counts what was found. */
class Tally {
  cases = 0;
  differences = 0;
  errors = 0;
  /** how many cases of each API */
  readonly apis: Record<string, number> = {};
  /** cases of which the exact result judged something, by dtype */
  private readonly exact = new Map<string, number>();
  private readonly rows = new Map<string, Row>();

  add(plan: Plan, number: number, compared: readonly Compared[]): void {
    this.cases++;
    this.apis[plan.api] = (this.apis[plan.api] ?? 0) + 1;
    const all = compared.flatMap(({ findings }) => findings);
    if (all.some(({ verdict }) => verdict === "differs")) this.differences++;
    if (all.some(({ kind }) => kind === "error")) this.errors++;
    if (all.some(({ verdict }) => verdict === "exact"))
      this.exact.set(plan.dtype, (this.exact.get(plan.dtype) ?? 0) + 1);
    for (const finding of all) {
      if (finding.kind === "error") continue;
      const row = this.rows.get(finding.kind) ?? new Row();
      row.add(finding, `${plan.api}, case ${number}`);
      this.rows.set(finding.kind, row);
    }
  }

  print(): void {
    const head =
      "result                                 compared  largest difference                       exactly   alone  nearer beyond";
    console.log(`\n${head}`);
    for (const [kind, row] of [...this.rows].sort()) console.log(`${kind.padEnd(38)} ${row}`);
    const exact = [...this.exact].sort().map(([dtype, count]) => `${count} ${dtype}`);
    console.log(
      `\nDifferences are relative to the largest element. Where one is beyond the limits, and always for float16 and bfloat16 input, the exact
result decides (test/nn/norm-rule.ts): "exactly" so many results, of ${exact.join(", ") || "no"} cases. "alone": PyTorch computes none, float16 on the
CPU and bfloat16 beside float32 parameters but for batch and instance norm; "nearer": ours is off by no more than PyTorch's; else "beyond"
is by how many half last bits of what is added up it is off by more, ${ROUNDINGS} at most.
${this.errors} cases are errors, with the same sentence.`,
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
  if (options.record)
    recordRun({ torch: await torch.version, seed: options.seed, backends: options.backends, ...tally });
  process.exitCode = tally.differences > 0 ? 1 : 0;
}

await main();
