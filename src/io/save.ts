import { Tensor } from "../tensor/tensor.ts";
import { ArgumentError } from "../util/errors.ts";
import { writeAtomically } from "./atomic.ts";
import type { NarrowDType } from "./narrow.ts";
import { safetensorsChunks } from "./safetensors.ts";
import { torchChunks } from "./torch-save.ts";
import type { CheckpointValue } from "./values.ts";

/** What save makes: safetensors holds named tensors, torch everything that load gives. */
export type SaveFormat = "safetensors" | "torch";

/** Options of save. */
export interface SaveOptions {
  /** by the path's ending: .safetensors, or .pt, .pth, .bin and .ckpt for torch; without a path torch */
  format?: SaveFormat;
  /** safetensors only: strings to keep with the tensors */
  metadata?: Readonly<Record<string, string>>;
  /** safetensors only: int32 tensors that are to be stored as int16 or int8, by key */
  dtypes?: Readonly<Record<string, NarrowDType>>;
}

function formatOf(path: string | URL | null, options: SaveOptions): SaveFormat {
  if (options.format) return options.format;
  if (path === null) return "torch";
  const ending = /\.\w+$/.exec(String(path))?.[0].toLowerCase() ?? "";
  if (ending === ".safetensors") return "safetensors";
  if ([".pt", ".pth", ".bin", ".ckpt"].includes(ending)) return "torch";
  throw new ArgumentError(
    `"${ending}" is no ending of a checkpoint`,
    'use .safetensors or .pt, or give { format: "safetensors" } or { format: "torch" }',
  );
}

function chunksFor(format: SaveFormat, value: CheckpointValue, options: SaveOptions): () => Iterable<Uint8Array> {
  if (format === "torch") {
    if (options.metadata || options.dtypes)
      throw new ArgumentError("metadata and dtypes are for safetensors", "put the strings into the checkpoint itself");
    return () => torchChunks(value);
  }
  if (format !== "safetensors") throw new ArgumentError(`"${String(format)}" is no format`, "use safetensors or torch");
  if (typeof value !== "object" || value === null || Array.isArray(value) || value instanceof Tensor)
    throw new ArgumentError("a safetensors file holds named tensors", "give a state dict");
  const state = value instanceof Map ? value : new Map(Object.entries(value));
  return () => safetensorsChunks(state, options);
}

/**
 * Writes a state dict, or whatever a trainer keeps with it: tensors, numbers, strings, booleans, null, and arrays, objects and Maps of them. PyTorch
 * loads the torch format, with the same keys, order, dtypes and versions. A whole number becomes an int, a frozen array a tuple.
 *
 * Saving to a path is atomic: a crash at any moment leaves the old file or the new one, whole. Await it before the weights change.
 * @param path where to; null gives the bytes instead
 * @throws ArgumentError for values that a checkpoint does not hold
 * @throws CheckpointError if the file cannot be written
 * @example
 * ```ts
 * import { io, nn } from "evenkeel";
 * const bytes = await io.save(null, new nn.BatchNorm1d(2).stateDict(), { format: "safetensors" });
 * [...(await io.load(bytes)).keys()]; // => [weight, bias, running_mean, running_var, num_batches_tracked]
 * ```
 */
export async function save(path: null, value: CheckpointValue | object, options?: SaveOptions): Promise<Uint8Array>;
export async function save(path: string | URL, value: CheckpointValue | object, options?: SaveOptions): Promise<void>;
export async function save(
  path: string | URL | null,
  value: CheckpointValue | object,
  options: SaveOptions = {},
): Promise<unknown> {
  const chunks = chunksFor(formatOf(path, options), value as CheckpointValue, options);
  if (path !== null) {
    await writeAtomically(path, chunks());
    return undefined;
  }
  // Counted first, so that the bytes are in memory once.
  let size = 0;
  for (const chunk of chunks()) size += chunk.length;
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks()) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
