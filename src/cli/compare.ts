import { Command, InvalidArgumentError } from "commander";
import { tidy } from "../tensor/tidy.ts";
import { type Checkpoint, readCheckpoint, whereFound } from "./checkpoint.ts";
import { type Distance, distance } from "./compare-tensors.ts";
import { brief, columns, count, lineWidth, painter, print, remark, shorten } from "./terminal.ts";

interface CompareFlags {
  tolerance: number;
  json?: boolean;
  all?: boolean;
  key?: string;
}

/** What was found of one key; plain data. */
interface Difference {
  key: string;
  kind: "missing" | "extra" | "shape" | "dtype" | "values";
  /** whether it makes the files differ */
  counts: boolean;
  a: string | null;
  b: string | null;
  distance: Distance | null;
}

const SHOWN = 30;

function parseTolerance(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0)) throw new InvalidArgumentError("Give a number from 0, such as 1e-5.");
  return value;
}

/** `evenkeel compare`: which tensors of two checkpoints differ, and by how much. */
export function compareCommand(onExit: (code: number) => void): Command {
  return new Command("compare")
    .description("Compare the tensors of two checkpoints, of whatever formats.")
    .argument("<a>", "a checkpoint")
    .argument("<b>", "the one it should be like")
    .option(
      "--tolerance <x>",
      "values count as equal up to x times the largest in b; with x > 0 dtypes may differ",
      parseTolerance,
      0,
    )
    .option("--all", `list all differences (default: the first ${SHOWN})`)
    .option("--json", "print the differences as JSON")
    .option("--key <path>", "where the state dicts lie in the files, such as state_dict")
    .addHelpText(
      "after",
      `
ulp counts the numbers of the dtype that lie between two values: 1 is a last bit.
Exit code: 0 the same, 1 they differ, 2 a file cannot be read.

Examples:
  evenkeel compare before.pt after.safetensors
  evenkeel compare folded.pt reference.pt --tolerance 1e-6
  evenkeel compare epoch1.pt epoch2.pt --json | jq '.differences[].key'`,
    )
    .action(async (a: string, b: string, flags: CompareFlags) => onExit(await compare(a, b, flags)));
}

function differences({ state: a }: Checkpoint, { state: b }: Checkpoint, tolerance: number): Difference[] {
  const none = { distance: null, counts: true };
  const found: Difference[] = [];
  for (const [key, x] of a) {
    const y = b.get(key);
    const shape = `[${x.shape.join(", ")}]`;
    if (!y) found.push({ key, kind: "extra", a: shape, b: null, ...none });
    else if (x.shape.join() !== y.shape.join())
      found.push({ key, kind: "shape", a: shape, b: `[${y.shape.join(", ")}]`, ...none });
    else {
      const far = tidy(() => distance(x, y));
      const beyond = far.maxRel > tolerance;
      if (x.dtype !== y.dtype)
        found.push({ key, kind: "dtype", a: x.dtype, b: y.dtype, distance: far, counts: beyond || tolerance === 0 });
      else if (far.count > 0)
        found.push({ key, kind: "values", a: x.dtype, b: y.dtype, distance: far, counts: beyond });
    }
  }
  for (const [key, y] of b)
    if (!a.has(key)) found.push({ key, kind: "missing", a: null, b: `[${y.shape.join(", ")}]`, ...none });
  return found;
}

function describe({ kind, a, b, distance: far }: Difference): string {
  if (kind === "extra") return `only in a  ${a}`;
  if (kind === "missing") return `only in b  ${b}`;
  if (kind === "shape") return `shape ${a}, in b ${b}`;
  return kind === "dtype" ? `${a}, in b ${b}${far?.count === 0 ? ": the same values" : ""}` : "";
}

function table(found: readonly Difference[], all: boolean): string {
  const shown = all ? found : found.slice(0, SHOWN);
  const heads = ["tensor", "differing", "max abs", "max rel", "max ulp", ""];
  const widest = Math.max(24, lineWidth() - 66);
  const rows = shown.map((one) => {
    const { distance: far } = one;
    const numbers = far?.count
      ? [count(far.count, "value"), brief(far.maxAbs), brief(far.maxRel), far.maxUlp === null ? "" : brief(far.maxUlp)]
      : ["", "", "", ""];
    return [shorten(one.key, widest), ...numbers, describe(one) + (one.counts ? "" : " (within tolerance)")];
  });
  const lines = columns([heads, ...rows], [false, true, true, true, true, false]);
  const more = found.length - shown.length;
  return [...lines, ...(more > 0 ? [`… and ${count(more, "more difference")} (--all shows them)`] : [])]
    .map((line) => `  ${line}\n`)
    .join("");
}

/** JSON has no infinity. */
const spelled = (_: string, value: unknown) => (value === Number.POSITIVE_INFINITY ? "Infinity" : value);

async function compare(pathA: string, pathB: string, flags: CompareFlags): Promise<number> {
  const [a, b] = [await readCheckpoint(pathA, flags.key), await readCheckpoint(pathB, flags.key)];
  const found = differences(a, b, flags.tolerance);
  const counting = found.filter(({ counts }) => counts).length;
  const sameOrder = found.length > 0 || [...a.state.keys()].join("\n") === [...b.state.keys()].join("\n");
  if (flags.json) {
    const summary = { a: pathA, b: pathB, tensors: [a.state.size, b.state.size], tolerance: flags.tolerance };
    print(`${JSON.stringify({ ...summary, equal: counting === 0, sameOrder, differences: found }, spelled, 1)}\n`);
    return counting > 0 ? 1 : 0;
  }
  for (const one of [a, b]) for (const line of whereFound(one)) remark(`note: ${one.path}: ${line}`);
  const paint = painter(process.stdout);
  const together = new Set([...a.state.keys(), ...b.state.keys()]).size;
  if (found.length > 0) print(`\n${table(found, flags.all ?? false)}\n`);
  const tolerated = flags.tolerance > 0 ? ` (tolerance ${flags.tolerance})` : "";
  print(
    counting > 0
      ? `${paint("yellow", `${count(counting, "tensor")} of ${together.toLocaleString("en")} differ`)}${tolerated}\n`
      : `${paint("green", `The same ${count(together, "tensor")}`)}${tolerated}${sameOrder ? "" : ", in another order"}\n`,
  );
  return counting > 0 ? 1 : 0;
}
