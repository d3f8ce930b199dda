import type { StateDict } from "../nn/state-dict.ts";
import { CheckpointError } from "../util/errors.ts";
import { loadSafetensors, readSafetensorsHeader } from "./safetensors.ts";
import { type CheckpointInput, openSource, type Source, watched } from "./source.ts";
import { LEGACY_MAGIC, loadTorchLegacy } from "./torch-legacy.ts";
import { loadTorchZip } from "./torch-load.ts";
import type { CheckpointValue } from "./values.ts";

/** Options of load. */
export interface LoadOptions {
  /** hears how many bytes have been read of how many */
  onProgress?: (done: number, total: number) => void;
}

/** The kinds of file that are read, and how each is known. */
export type CheckpointFormat = "safetensors" | "torch" | "torch-legacy";

/** What other files begin with, and what to do with them. */
const STRANGERS: readonly [start: string, what: string, advice: string][] = [
  ["\x1f\x8b", "a gzip file", "unpack it first"],
  ["\x89HDF", "an HDF5 file, as Keras writes them", "convert it in Python"],
  ["\x93NUMPY", "a NumPy array", "save the state dict with torch.save or safetensors"],
  ["version https://git-lfs", "a pointer of Git LFS: the file itself was not downloaded", "run git lfs pull"],
  ["<", "a page of HTML or XML: the download gave an error page", "download it again"],
  ["GGUF", "a GGUF file", "take the model's safetensors files"],
];

async function formatOf(source: Source): Promise<CheckpointFormat> {
  const { name: file, size } = source;
  const start = await source.read(0, Math.min(size, 300));
  const startsWith = (bytes: readonly number[]) => bytes.every((byte, i) => start[i] === byte);
  if (startsWith([0x50, 0x4b, 3, 4])) return "torch";
  if (startsWith(LEGACY_MAGIC)) return "torch-legacy";
  const text = String.fromCharCode(...start);
  if (/\.safetensors$/.test(file) || text[8] === "{") return "safetensors";
  if (size === 0) throw new CheckpointError("the file is empty", "copy or download it again", { file });
  const stranger = STRANGERS.find(([beginning]) => text.startsWith(beginning));
  const [, what, advice] =
    stranger ??
    (text.slice(257, 262) === "ustar"
      ? ["", "a tar file, as PyTorch wrote before 0.1.10", "load it in PyTorch and save it again"]
      : text[0] === "\x80"
        ? ["", "a pickle, not written by torch.save", "save the state dict with torch.save"]
        : ["", "no checkpoint that is known", "expected safetensors, or a file of torch.save"]);
  throw new CheckpointError(`this is ${what}`, advice, { file, offset: 0 });
}

async function withSource<T>(input: CheckpointInput, work: (source: Source) => Promise<T>): Promise<T> {
  const source = await openSource(input);
  try {
    return await work(source);
  } finally {
    await source.close();
  }
}

/**
 * Reads a checkpoint: safetensors, or what torch.save wrote (zip or the old format), known by its content. A pickle is read as data: nothing in it is
 * executed, and what a checkpoint does not need is refused by name. Weights go straight into the tensor heap, 4 MiB at a time.
 *
 * A state dict becomes a StateDict; a trainer's dict an object with its parts: give their type. int8 and int16 become
 * int32. As torch.load with weights_only.
 * @param input a path (on Node), the bytes of a file, or a Blob
 * @throws CheckpointError if the file is damaged, hostile or of another kind: where and why
 * @example
 * ```ts
 * import { io, nn } from "evenkeel";
 * const bytes = await io.save(null, new nn.BatchNorm1d(2).stateDict());
 * const layer = new nn.BatchNorm1d(2);
 * layer.loadStateDict(await io.load(bytes));
 * const trainer = await io.load<{ model: nn.StateDict; epoch: number }>(
 *   await io.save(null, { model: layer.stateDict(), epoch: 3 }),
 * );
 * trainer.epoch; // => 3
 * ```
 */
export async function load<T extends CheckpointValue | object = StateDict>(
  input: CheckpointInput,
  options: LoadOptions = {},
): Promise<T> {
  const { onProgress } = options;
  return withSource(input, async (opened) => {
    const source = onProgress ? watched(opened, onProgress) : opened;
    const format = await formatOf(source);
    if (format === "safetensors") return (await loadSafetensors(source)) as T;
    return (await (format === "torch" ? loadTorchZip : loadTorchLegacy)(source)) as T;
  });
}

/**
 * The metadata of a safetensors file: strings by name, without reading its tensors.
 * @throws CheckpointError if it is none
 * @example
 * ```ts
 * import { io, tensor } from "evenkeel";
 * const bytes = await io.save(null, { x: tensor([1]) }, { format: "safetensors", metadata: { epoch: "3" } });
 * (await io.loadMetadata(bytes)).get("epoch"); // => 3
 * ```
 */
export async function loadMetadata(input: CheckpointInput): Promise<ReadonlyMap<string, string>> {
  return withSource(input, async (source) => (await readSafetensorsHeader(source)).metadata);
}
