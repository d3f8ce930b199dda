import { Command, Option } from "commander";
import * as io from "../io/index.ts";
import { StateDict } from "../nn/state-dict.ts";
import { type DType, isFloatingPoint } from "../tensor/dtype.ts";
import { Tensor } from "../tensor/tensor.ts";
import { ArgumentError } from "../util/errors.ts";
import { type Checkpoint, readCheckpoint, whereFound } from "./checkpoint.ts";
import { bytesText, count, print, remark } from "./terminal.ts";

interface ConvertFlags {
  dtype?: DType;
  key?: string;
}

const DTYPES = ["float64", "float32", "float16", "bfloat16"] as const;

/** `evenkeel convert`: from PyTorch's files to safetensors and back. */
export function convertCommand(): Command {
  return new Command("convert")
    .description("Convert a checkpoint: PyTorch's .pt, .pth, .bin, .ckpt to .safetensors and back.")
    .argument("<in>", "the checkpoint to read")
    .argument("<out>", "the file to write; its ending says what it becomes")
    .addOption(new Option("--dtype <dtype>", "store floats in this dtype").choices(DTYPES))
    .option("--key <path>", "where the state dict lies in a trainer's file, such as state_dict")
    .addHelpText(
      "after",
      `
Keys, their order and the versions of the layers are kept, and from safetensors to
safetensors the metadata. A safetensors file holds tensors alone: of a trainer's file
the state dict is taken. The output appears whole or not at all.

Examples:
  evenkeel convert resnet18.pth resnet18.safetensors
  evenkeel convert model.safetensors model.pt
  evenkeel convert model.pt half.safetensors --dtype float16`,
    )
    .action(convert);
}

/** The same values with all floats in another dtype. */
function inDType(value: unknown, dtype: DType | undefined): unknown {
  if (dtype === undefined) return value;
  if (value instanceof Tensor) return isFloatingPoint(value.dtype) ? value.detach().to(dtype) : value;
  if (value instanceof StateDict) {
    const made = new StateDict([...value].map(([key, tensor]) => [key, inDType(tensor, dtype) as Tensor]));
    made.metadata = value.metadata;
    return made;
  }
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, inDType(item, dtype)]));
  if (Array.isArray(value)) {
    const items = value.map((item) => inDType(item, dtype));
    return Object.isFrozen(value) ? Object.freeze(items) : items;
  }
  if (value && Object.getPrototypeOf(value) === Object.prototype)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, inDType(item, dtype)]));
  return value;
}

/** The format that a path's ending asks for. */
function wanted(path: string): "safetensors" | "torch" {
  if (/\.safetensors$/i.test(path)) return "safetensors";
  if (/\.(pt|pth|bin|ckpt)$/i.test(path)) return "torch";
  throw new ArgumentError(`${path} does not say what to write`, "use .safetensors, or .pt, .pth, .bin or .ckpt");
}

function lost({ value, isSafetensors, key, metadata }: Checkpoint, format: string): string[] {
  const isNested = key !== "" || (!(value instanceof StateDict) && !isSafetensors);
  const strings = [...metadata.keys()].filter((name) => !["format", "state_dict_metadata"].includes(name));
  return [
    ...(format === "safetensors" && isNested ? ["whatever is no tensor of the state dict was left out"] : []),
    ...(format === "torch" && strings.length > 0 ? [`metadata was left out: ${strings.join(", ")}`] : []),
  ];
}

async function convert(from: string, to: string, { dtype, key }: ConvertFlags): Promise<void> {
  const format = wanted(to);
  const checkpoint = await readCheckpoint(from, key);
  const { value, state, isSafetensors } = checkpoint;
  // Between PyTorch's files everything else comes along, unless a part was asked for.
  const whole = format === "torch" && key === undefined;
  const content = inDType(whole ? value : state, dtype) as object;
  const metadata = format === "safetensors" && isSafetensors ? Object.fromEntries(checkpoint.metadata) : undefined;
  await io.save(to, content, { format, ...(metadata && { metadata }) });
  for (const remarkable of [...(whole ? [] : whereFound(checkpoint)), ...lost(checkpoint, format)])
    remark(`note: ${remarkable}`);
  const bytes = [...state.values()].reduce((sum, { nbytes }) => sum + nbytes, 0);
  print(`${to}: ${count(state.size, "tensor")}, from ${bytesText(bytes)} of ${from}\n`);
}
