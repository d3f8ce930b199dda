// Times evenkeel beside other libraries in one run: npm run bench -- --help
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { lanesFor, PEERS, Peers, survey } from "./lib/lanes.mjs";
import { machine } from "./lib/machine.mjs";
import { measure, measureMemory } from "./lib/measure.mjs";
import { merge, problems } from "./lib/results.mjs";
import { ratio, spread } from "./lib/stats.mjs";
import { goals } from "./report/goals.mjs";
import { Numbers, short } from "./report/numbers.mjs";
import { GROUPS, workloads } from "./workloads.mjs";

const PUBLISHED = fileURLToPath(new URL("results/published.json", import.meta.url));

const HELP = `npm run bench -- [options]
  --only LIST    groups to run: ${Object.keys(GROUPS).join(",")}
  --match TEXT   only workloads whose name contains it
  --peers LIST   libraries to run: ${PEERS.join(",")}
  --threads LIST numbers of threads: 1,2
  --rounds N     rounds around all lanes, 11
  --cpu-time     count the time that the processor spent on a library, not that on the wall: where other programs run too; one thread
  --quick        small workloads and few rounds: tries the harness, says nothing of the libraries
  --json FILE    where the samples go; what the file has of other workloads stays. bench/results/published.json
  --add          the file's samples of the same workloads stay too: processes differ by some percent from run to run
  --no-docs      leave docs/benchmarks.md as it is
  --docs-only    draw docs/benchmarks.md again from the file, without measuring
`;

const BUSY =
  "! Other programs use this machine (--cpu-time helps for one thread): medians and ratios by round help little with two threads, of PyTorch least, since its threads wait for each other busily.";

function options() {
  const text = { type: "string" };
  const flag = { type: "boolean", default: false };
  const { values } = parseArgs({
    options: {
      only: text,
      match: text,
      peers: text,
      threads: text,
      rounds: text,
      json: text,
      quick: flag,
      add: flag,
      "cpu-time": flag,
      "no-docs": flag,
      "docs-only": flag,
      help: flag,
    },
  });
  const list = (value, allowed, name) => {
    const items = value?.split(",") ?? allowed;
    const unknown = items.filter((item) => !allowed.includes(item));
    if (unknown.length > 0) throw new Error(`--${name} takes ${allowed.join(", ")}; not ${unknown.join(", ")}`);
    return items;
  };
  const { quick } = values;
  const rounds = Number(values.rounds ?? (quick ? 3 : 11));
  if (!(rounds >= 1)) throw new Error(`--rounds takes a number of at least 1; not ${values.rounds}`);
  return {
    ...values,
    groups: list(values.only, Object.keys(GROUPS), "only"),
    peers: list(values.peers, PEERS, "peers"),
    // Two threads take twice the processor's time at their best.
    threads: values["cpu-time"]
      ? [1]
      : (values.threads?.split(",").map(Number) ?? [1, 2].filter((t) => t <= machine().cores)),
    rounds,
    json: values.json ?? (quick ? fileURLToPath(new URL("results/quick.json", import.meta.url)) : PUBLISHED),
    docs: !values["no-docs"] && !quick,
    timing: {
      rounds,
      settleMs: quick ? 0 : 80,
      sampleMs: quick ? 2 : 40,
      laneSeconds: quick ? 0.1 : 3,
      clock: values["cpu-time"] ? "cpu" : "wall",
    },
  };
}

function describePeers(about) {
  for (const { title, version, details, missing, install } of Object.values(about)) {
    if (missing) console.log(`  ${title.padEnd(20)} missing: ${missing}\n${" ".repeat(23)}to have it: ${install}`);
    else console.log(`  ${title.padEnd(20)} ${version} (${details})`);
  }
}

/** A line for each workload: our time, and how much longer each other lane takes. */
function describe({ id, unit, lanes }) {
  const ours = lanes.find(({ lane }) => lane === "evenkeel-1") ?? lanes[0];
  const cells = lanes.map(({ lane, samples, unsupported }) => {
    if (unsupported) return `${lane} –`;
    if (lane === ours?.lane || ours.samples.length === 0) {
      const { median } = spread(samples);
      return unit === "bytes"
        ? `${lane} ${(median / 2 ** 20).toFixed(0)} MiB`
        : `${lane} ${(median / 1e6).toFixed(3)} ms`;
    }
    return `${lane} ×${ratio(samples, ours.samples).median.toFixed(2)}`;
  });
  console.log(`${id.padEnd(44)} ${cells.join("  ")}`);
}

/** The goals and what was measured, a line each. */
function printGoals(numbers) {
  console.log("\ngoals:");
  for (const { what, least, value, unit } of goals(numbers)) {
    const reached = value === null ? "not measured" : `${short(value)}${unit}${value >= least ? "" : "  NOT reached"}`;
    console.log(`  ${what.padEnd(82)} at least ${String(least).padStart(4)}${unit}  ${reached}`);
  }
}

async function main() {
  const chosen = options();
  if (chosen.help) return console.log(HELP);
  const before = existsSync(chosen.json) ? JSON.parse(readFileSync(chosen.json, "utf8")) : null;
  const results = chosen["docs-only"] ? before : await run(chosen, before);
  if (!results) throw new Error(`${chosen.json} is not there: run npm run bench without --docs-only first`);
  printGoals(new Numbers(results));
  if (!chosen.docs) return;
  const { writeDocs } = await import("./report/docs.mjs");
  writeDocs(results);
}

async function run({ groups, match, peers: asked, threads, rounds, quick, add, json, timing }, before) {
  const began = machine();
  console.log(`${began.cpu}, ${began.cores} cores, Node ${began.node}; load ${began.load.toFixed(2)}`);
  if (began.load > 0.5) console.log(BUSY);
  const about = await survey(asked, threads);
  describePeers(about);
  const lanes = lanesFor(
    asked.filter((peer) => !about[peer].missing),
    threads,
  );
  const peers = new Peers();
  const run = { format: 1, quick, date: new Date().toISOString(), machine: began, lanes, peers: about };
  const measured = [];
  let results = null;
  mkdirSync(dirname(json), { recursive: true });
  for (const workload of workloads(quick)) {
    if (!groups.includes(workload.group) || !workload.id.includes(match ?? "")) continue;
    const timed = workload.group !== "memory";
    const done = timed
      ? await measure(workload, lanes, peers, timing)
      : await measureMemory(workload, lanes, { rounds: Math.min(rounds, 3) });
    describe(done);
    measured.push(done);
    results = merge(before, { ...run, workloads: measured }, add);
    // Written as it goes, so that a run that is cut off leaves what it has.
    writeFileSync(json, `${JSON.stringify(results)}\n`);
  }
  peers.close();
  if (!results) throw new Error(`no workload is called "${match}" in ${groups.join(", ")}`);
  for (const problem of problems(results)) console.log(`! ${problem}`);
  console.log(`samples: ${json}`);
  return results;
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
