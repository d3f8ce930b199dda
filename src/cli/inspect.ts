import { basename } from "node:path";
import { Command, Option } from "commander";
import { writeAtomically } from "../io/atomic.ts";
import { type Finding, inspect } from "../tools/index.ts";
import { type Checkpoint, readCheckpoint, whereFound } from "./checkpoint.ts";
import { inspectionPage } from "./inspect-page.ts";
import { inspectionText } from "./inspect-text.ts";
import { bytesText, count, painter, print, remark } from "./terminal.ts";

interface InspectFlags {
  html?: string;
  json?: boolean;
  all?: boolean;
  failOn: FailOn;
  key?: string;
}

const LEVELS = ["error", "warning", "note", "never"] as const;
type FailOn = (typeof LEVELS)[number];

/** `evenkeel inspect`: every normalization layer of a checkpoint, and what is wrong with it. */
export function inspectCommand(onExit: (code: number) => void): Command {
  return new Command("inspect")
    .description("Show every normalization layer of a checkpoint, and what is wrong with it.")
    .argument("<file>", "a checkpoint: .pt, .pth, .bin, .ckpt or .safetensors")
    .option("--html <report>", "write a page with pictures, in one file")
    .option("--json", "print the distributions and findings as JSON")
    .option("--all", "name every layer of a finding")
    .addOption(new Option("--fail-on <level>", "exit with 1 on such a finding").choices(LEVELS).default("error"))
    .option("--key <path>", "where the state dict lies in a trainer's file, such as state_dict")
    .addHelpText(
      "after",
      `
γ and β are weight and bias, mean and variance the running statistics: the median of a
layer's channels and their histogram from least to largest, on wide terminals more.
Findings marked ✗ are errors, ! warnings, · notes; each says what it rests on and what
to do.
Exit code: 0, 1 with a finding of --fail-on or worse, 2 if the file cannot be read.

Examples:
  evenkeel inspect resnet18.pth
  evenkeel inspect checkpoint.pt --html report.html
  evenkeel inspect model.safetensors --json | jq '.findings[].code'
  evenkeel inspect checkpoint.pt --fail-on warning     in a pipeline`,
    )
    .action(async (file: string, flags: InspectFlags) => onExit(await inspectFile(file, flags)));
}

function exitCode(findings: readonly Finding[], failOn: FailOn): number {
  return findings.some(({ severity }) => LEVELS.indexOf(severity) <= LEVELS.indexOf(failOn)) && failOn !== "never"
    ? 1
    : 0;
}

/** What the file is, in a line. */
function headline({ path, state, bytes, isSafetensors }: Checkpoint, layers: number): string {
  const parameters = [...state.values()].reduce((sum, { numel }) => sum + numel, 0);
  const format = isSafetensors ? "safetensors" : "PyTorch";
  return `${basename(path)}: ${format}, ${bytesText(bytes)}, ${count(state.size, "tensor")}, ${count(parameters, "number")}, ${count(layers, "normalization layer")}`;
}

async function inspectFile(path: string, flags: InspectFlags): Promise<number> {
  const checkpoint = await readCheckpoint(path, flags.key);
  const inspection = await inspect(checkpoint.state);
  const head = headline(checkpoint, inspection.layers.length);
  const notes = whereFound(checkpoint);
  if (flags.html !== undefined) {
    const page = await inspectionPage(inspection, { title: basename(path), head, notes });
    await writeAtomically(flags.html, [new TextEncoder().encode(page)]);
  }
  if (flags.json) {
    const { bytes, key, prefix, state } = checkpoint;
    const { layers, findings } = inspection;
    print(`${JSON.stringify({ file: path, bytes, key, prefix, tensors: state.size, layers, findings }, null, 1)}\n`);
  } else {
    const paint = painter(process.stdout);
    print(`${paint("bold", head)}\n${notes.map((note) => `note: ${note}\n`).join("")}\n`);
    print(inspectionText(inspection, flags.all ?? false));
  }
  if (flags.html !== undefined) remark(`Report: ${flags.html}`);
  return exitCode(inspection.findings, flags.failOn);
}
