import { stat } from "node:fs/promises";
import { Command, InvalidArgumentError, Option } from "commander";
import * as io from "../io/index.ts";
import { readCheckpoint, whereFound } from "./checkpoint.ts";
import { loadModel, type ModelName, modelNames } from "./models.ts";
import { bytesText, print, remark } from "./terminal.ts";

interface ExportFlags {
  model?: ModelName;
  numClasses?: number;
  input?: number[];
  fold?: boolean;
  opset?: number;
  fixedBatch?: boolean;
  key?: string;
}

/** Sizes such as 1x3x224x224. */
function parseSizes(text: string): number[] {
  const sizes = text.split(/[x,×]/).map(Number);
  if (sizes.length !== 4 || !sizes.every((size) => Number.isInteger(size) && size > 0))
    throw new InvalidArgumentError("Give four sizes, such as 1x3x224x224.");
  return sizes;
}

/** A whole number from 1. */
export function parseCount(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError("Give a whole number from 1.");
  return Number(text);
}

/** The option that names the network. */
export const modelOption = () =>
  new Option("--model <name>", "the network (default: recognised by its keys)").choices(modelNames);

/** `evenkeel export`: an ONNX file from a checkpoint. */
export function exportCommand(): Command {
  return new Command("export")
    .description("Write a network of a checkpoint as an ONNX file, for onnxruntime and others.")
    .argument("<in>", "the checkpoint")
    .argument("<out>", "the .onnx file to write")
    .addOption(modelOption())
    .option("--num-classes <n>", "class scores that it gives (default: as its last layer)", parseCount)
    .option("--input <sizes>", "batch, channels, height and width (default: what it was made for)", parseSizes)
    .option("--fold", "fold batch norms into the convolutions before them")
    .option("--fixed-batch", "take only the batch size of --input, not any")
    .option("--opset <n>", "version of ONNX's operators, 17 to 23 (default: 17)", parseCount)
    .option("--key <path>", "where the state dict lies in a trainer's file, such as state_dict")
    .addHelpText(
      "after",
      `
The file computes what the network does in evaluation; weights keep their keys. Height
and width are fixed in it. Networks of your own: io.exportOnnx in TypeScript.

Examples:
  evenkeel export resnet18.pth resnet18.onnx
  evenkeel export cars.safetensors cars.onnx --input 1x3x448x448 --fold
  evenkeel export best.ckpt best.onnx --model resnet18 --num-classes 196`,
    )
    .action(exportFile);
}

async function exportFile(from: string, to: string, flags: ExportFlags): Promise<void> {
  const checkpoint = await readCheckpoint(from, flags.key);
  const advice = "; for another one use io.exportOnnx in TypeScript";
  const { name, model, numClasses } = loadModel(checkpoint, { ...flags, advice });
  const shape = flags.input ?? [1, ...model.inputShape];
  const { fold, opset, fixedBatch = false } = flags;
  await io.exportOnnx(model, shape, { path: to, fold, opset, dynamicBatch: !fixedBatch });
  for (const line of whereFound(checkpoint)) remark(`note: ${line}`);
  const sizes = [fixedBatch ? shape[0] : "batch", ...shape.slice(1)].join(", ");
  const { size } = await stat(to);
  print(`${to}: ${name}${fold ? ", folded" : ""}, input [${sizes}], ${numClasses} classes, ${bytesText(size)}\n`);
}
