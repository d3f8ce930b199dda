// The error of every normalization against float64, ours and PyTorch's on the same inputs. Writes bench/accuracy/results.json,
// docs/accuracy.md and docs/images/accuracy.svg.
//   npm run bench:accuracy
import { readFileSync, writeFileSync } from "node:fs";
import { type BackendName, setBackend } from "evenkeel";
import type { Outcome } from "../../test/torch/case.ts";
import { runOurs } from "../../test/torch/ours.ts";
import { findPython, Torch } from "../../test/torch/server.ts";
import { errorOf, exactly } from "./exact.ts";
import { KINDS, type Kind, makeInput, SWEEPS, type Sweep } from "./inputs.ts";
import { picture } from "./picture.ts";
import { BACKENDS, type Point, type Results } from "./results.ts";
import { table } from "./table.ts";

const FILE = "bench/accuracy/results.json";

async function measure(torch: Torch): Promise<Results> {
  const points: Point[] = [];
  for (const sweep of Object.keys(SWEEPS) as Sweep[]) {
    for (const kind of Object.keys(KINDS) as Kind[]) {
      for (const value of SWEEPS[sweep].values) points.push(await measurePoint(torch, kind, sweep, value));
      console.log(`${KINDS[kind]}: ${SWEEPS[sweep].label}`);
    }
  }
  return { torch: await torch.version, points };
}

async function measurePoint(torch: Torch, kind: Kind, sweep: Sweep, value: number): Promise<Point> {
  const input = makeInput(kind, sweep, value);
  const exact = exactly(input);
  const errorsOf = ({ steps: [step], error }: Outcome) => {
    if (error !== null) throw new Error(error);
    const of = (name: "output" | "gradInput") => errorOf(step[name].data as Float32Array, exact[name]);
    return { output: of("output"), gradInput: of("gradInput") };
  };
  const theirs = torch.run(input.item);
  const ours = Object.fromEntries(
    BACKENDS.map((backend: BackendName) => {
      setBackend(backend);
      return [backend, errorsOf(runOurs(input.item))];
    }),
  ) as Record<BackendName, Point["torch"]>;
  return { kind, sweep, value, torch: errorsOf(await theirs), ...ours };
}

/** Draws and writes again what an earlier run measured. */
if (process.argv.includes("--draw")) {
  await write(JSON.parse(readFileSync(FILE, "utf8")));
} else {
  const python = findPython();
  if (!python) {
    console.error("This needs PyTorch. On Debian or Ubuntu: sudo apt-get install python3-torch");
    process.exit(2);
  }
  const torch = new Torch(python);
  const results = await measure(torch);
  torch.close();
  // One point a line; JSON makes null of what is not finite.
  const lines = results.points.map((point) => JSON.stringify(point)).join(",\n");
  writeFileSync(FILE, `{"torch": "${results.torch}", "points": [\n${lines}\n]}\n`);
  await write(results);
}

async function write(results: Results): Promise<void> {
  writeFileSync("docs/images/accuracy.svg", await picture(results));
  const { text, worse } = table(results);
  writeFileSync("docs/accuracy.md", text);
  console.log(
    `${results.points.length} inputs; evenkeel's error is larger than PyTorch's in ${worse} of them. See docs/accuracy.md`,
  );
}
