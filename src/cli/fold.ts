import { Command, InvalidArgumentError } from "commander";
import * as io from "../io/index.ts";
import { StateDict } from "../nn/state-dict.ts";
import { isFloatingPoint } from "../tensor/dtype.ts";
import { fuse } from "../tools/fuse.ts";
import { ArgumentError } from "../util/errors.ts";
import { type Checkpoint, readCheckpoint, whereFound } from "./checkpoint.ts";
import { modelOption, parseCount } from "./export.ts";
import { foldPairs, pairsByNames } from "./fold-by-names.ts";
import { loadModel, type ModelName } from "./models.ts";
import { count, print, remark } from "./terminal.ts";

interface FoldFlags {
  model?: ModelName;
  numClasses?: number;
  byNames?: boolean;
  eps: number;
  key?: string;
}

function parseEps(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0)) throw new InvalidArgumentError("Give a number from 0, such as 1e-3.");
  return value;
}

/** `evenkeel fold`: batch norms into the layers before them. */
export function foldCommand(): Command {
  return new Command("fold")
    .description("Fold batch norms into the convolutions and linear layers before them.")
    .argument("<in>", "the checkpoint")
    .argument("<out>", "the file to write, .pt or .safetensors")
    .addOption(modelOption())
    .option("--num-classes <n>", "class scores that it gives (default: as its last layer)", parseCount)
    .option("--by-names", "of another network: pair layers by their names (conv1 and bn1, 0 and 1), unverified")
    .option("--eps <x>", "with --by-names: eps of the batch norms", parseEps, 1e-5)
    .option("--key <path>", "where the state dict lies in a trainer's file, such as state_dict")
    .addHelpText(
      "after",
      `
The result has the same keys without those of the batch norms, and a bias for every
layer that one was folded into. Networks that are known are run before and after, and
the change of their outputs is printed.

Examples:
  evenkeel fold resnet50.pth resnet50-folded.pth
  evenkeel fold checkpoint.pt folded.safetensors --model resnet18
  evenkeel fold detector.pt folded.pt --by-names`,
    )
    .action(fold);
}

async function fold(from: string, to: string, flags: FoldFlags): Promise<void> {
  const checkpoint = await readCheckpoint(from, flags.key);
  const { state, said } = flags.byNames ? byNames(checkpoint, flags) : byModel(checkpoint, flags);
  await io.save(to, state);
  for (const line of whereFound(checkpoint)) remark(`note: ${line}`);
  print(`${to}: ${said}\n`);
}

/** The dtype of most of its floats. */
function floatsOf({ state }: Checkpoint) {
  return [...state.values()].find(({ dtype }) => isFloatingPoint(dtype))?.dtype ?? "float32";
}

function byModel(checkpoint: Checkpoint, flags: FoldFlags): { state: StateDict; said: string } {
  const advice = "; for another one, --by-names pairs layers by their names";
  const { name, model } = loadModel(checkpoint, { ...flags, advice });
  const { fused, left, change } = fuse(model);
  const dtype = floatsOf(checkpoint);
  const full = model.stateDict();
  const state = new StateDict(
    [...full].map(([key, value]) => [key, isFloatingPoint(value.dtype) ? value.to(dtype) : value]),
  );
  state.metadata = full.metadata;
  const kept = left.length > 0 ? `, ${left.length} left (no layer right before)` : "";
  const moved = change === null ? "" : `; outputs change by ${change.toExponential(1)} of the largest`;
  return { state, said: `${name}, ${count(fused.length, "batch norm")} folded${kept}${moved}` };
}

function byNames({ path, state }: Checkpoint, { eps }: FoldFlags): { state: StateDict; said: string } {
  const pairs = pairsByNames(state);
  if (pairs.length === 0) {
    throw new ArgumentError(
      `${path} has no batch norm whose name says that it follows a layer`,
      "fold it in TypeScript with tools.fuse, which sees what the network does",
    );
  }
  const norms = [...state.keys()].filter((key) => key.endsWith("running_mean")).length;
  const kept = norms > pairs.length ? `, ${norms - pairs.length} left` : "";
  const said = `${count(pairs.length, "batch norm")} folded by their names with eps ${eps}${kept}; compare the outputs before you use it`;
  return { state: foldPairs(state, pairs, eps), said };
}
