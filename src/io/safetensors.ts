import { StateDict } from "../nn/state-dict.ts";
import type { Storage } from "../tensor/memory.ts";
import { contiguousStrides } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import { ArgumentError, CheckpointError } from "../util/errors.ts";
import { type NarrowDType, narrowBytes, narrowed } from "./narrow.ts";
import type { Source } from "./source.ts";
import { readStorage, STORED_DTYPES, type StoredDType } from "./stored-dtype.ts";
import { elementBytes } from "./tensor-bytes.ts";

/** The format's own bound on its header. */
const MOST_HEADER = 100_000_000;
/** Where the versions of a state dict are kept among the metadata, as JSON: what _metadata is in PyTorch's files. */
const VERSIONS = "state_dict_metadata";

interface Entry {
  readonly key: string;
  readonly stored: StoredDType;
  readonly shape: readonly number[];
  readonly numel: number;
  readonly start: number;
  readonly end: number;
}

/** What a safetensors file says of itself. */
export interface SafetensorsHeader {
  readonly entries: readonly Entry[];
  readonly metadata: ReadonlyMap<string, string>;
  /** where the elements begin */
  readonly offset: number;
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Reads and checks the header: every element of the file belongs to one tensor. @throws CheckpointError */
export async function readSafetensorsHeader(source: Source): Promise<SafetensorsHeader> {
  const fail = (problem: string, offset?: number, key?: string) =>
    new CheckpointError(problem, "this is no safetensors file, or it is damaged: copy or download it again", {
      file: source.name,
      offset,
      key,
    });
  if (source.size < 10) throw fail(`a file of ${source.size} bytes`);
  const first = await source.read(0, 8);
  const length = Number(new DataView(first.buffer, first.byteOffset, 8).getBigUint64(0, true));
  if (length > MOST_HEADER) throw fail(`a header of ${length} bytes; at most ${MOST_HEADER} are allowed`, 0);
  const offset = 8 + length;
  if (offset > source.size) throw fail(`a header of ${length} bytes in a file of ${source.size}`, 0);
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(await source.read(8, length)));
  } catch (error) {
    throw fail(`the header is no JSON (${(error as Error).message.slice(0, 100)})`, 8);
  }
  if (!isObject(header)) throw fail("the header is no object", 8);

  const metadata = new Map<string, string>();
  const entries: Entry[] = [];
  for (const [key, value] of Object.entries(header)) {
    if (key === "__metadata__") {
      if (!isObject(value)) throw fail("the metadata is no object", 8, key);
      for (const [name, text] of Object.entries(value)) {
        if (typeof text !== "string") throw fail("metadata must be strings", 8, `${key}.${name}`);
        metadata.set(name, text);
      }
    } else entries.push(entryOf(key, value, (problem) => fail(problem, 8, key)));
  }
  let at = 0;
  for (const { key, start, end } of [...entries].sort((a, b) => a.start - b.start || a.end - b.end)) {
    if (start !== at) throw fail(`its elements begin at ${start}, those before it end at ${at}`, offset + start, key);
    at = end;
  }
  if (offset + at !== source.size)
    throw fail(`the tensors take ${at} bytes, the file has ${source.size - offset}`, offset);
  return { entries, metadata, offset };
}

function entryOf(key: string, value: unknown, fail: (problem: string) => CheckpointError): Entry {
  if (key === "__proto__") throw fail("this is no key that a checkpoint needs");
  if (!isObject(value)) throw fail("a tensor's entry is no object");
  const { dtype, shape, data_offsets: offsets } = value;
  const stored = STORED_DTYPES.find(({ code }) => code === dtype);
  if (!stored) {
    const known = STORED_DTYPES.map(({ code }) => code).join(", ");
    throw fail(`dtype ${String(JSON.stringify(dtype)).slice(0, 50)} is not read; ${known} are`);
  }
  if (!Array.isArray(shape) || shape.length > 64 || !shape.every(isCount))
    throw fail("a shape must be whole numbers from 0");
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount))
    throw fail("data_offsets must be two whole numbers from 0");
  const [start, end] = offsets as [number, number];
  const numel = shape.reduce((product: number, n: number) => product * n, 1);
  if (end - start !== numel * stored.bytes)
    throw fail(
      `shape [${shape.join(", ")}] of ${dtype} takes ${numel * stored.bytes} bytes, data_offsets are ${start} to ${end}`,
    );
  return { key, stored, shape, numel, start, end };
}

/** Reads the tensors of a safetensors file. @throws CheckpointError */
export async function loadSafetensors(source: Source): Promise<StateDict> {
  const { entries, metadata, offset } = await readSafetensorsHeader(source);
  const state = new StateDict();
  state.metadata = versionsOf(metadata.get(VERSIONS));
  const storages: Storage[] = [];
  try {
    for (const { key, stored, shape, numel, start } of entries) {
      const storage = await readStorage(source, { offset: offset + start, count: numel, stored, key });
      storages.push(storage);
      state.set(key, new Tensor(storage, shape, contiguousStrides(shape), stored.dtype));
    }
  } catch (error) {
    for (const storage of storages) storage.release();
    throw error;
  }
  for (const storage of storages) storage.unpin();
  return state;
}

/** Versions that saveSafetensors wrote; whatever else stands there is somebody else's. */
function versionsOf(text: string | undefined): StateDict["metadata"] {
  if (text === undefined) return null;
  try {
    const versions = Object.entries(JSON.parse(text) as Record<string, { version?: unknown }>);
    return new Map(versions.map(([path, { version }]) => [path, typeof version === "number" ? { version } : {}]));
  } catch {
    return null;
  }
}

/**
 * Pieces of a safetensors file. Tensors with larger elements come first, so that all lie aligned; the header keeps the state dict's order.
 * @throws ArgumentError for what is no named tensor
 */
export function* safetensorsChunks(
  state: ReadonlyMap<string, Tensor>,
  options: { metadata?: Readonly<Record<string, string>>; dtypes?: Readonly<Record<string, NarrowDType>> } = {},
): Generator<Uint8Array, void> {
  for (const [key, value] of state) {
    if (!(value instanceof Tensor) || key === "__metadata__") {
      throw new ArgumentError(
        `"${key}" is no tensor, and safetensors files hold named tensors alone`,
        'save it as ".pt", or save its state dict',
      );
    }
  }
  const versions = state instanceof StateDict ? state.metadata : null;
  const texts = {
    format: "pt",
    ...options.metadata,
    ...(versions && { [VERSIONS]: JSON.stringify(Object.fromEntries(versions)) }),
  };
  const tensors = [...state].map(([key, tensor]) => ({
    key,
    tensor,
    stored: narrowed(tensor, options.dtypes?.[key], key),
  }));
  const ordered = [...tensors].sort((a, b) => b.stored.bytes - a.stored.bytes);
  let at = 0;
  const ranges = new Map<string, [number, number]>();
  for (const { key, tensor, stored } of ordered) ranges.set(key, [at, (at += tensor.numel * stored.bytes)]);
  const described = tensors.map(({ key, tensor, stored }) => [
    key,
    { dtype: stored.code, shape: tensor.shape, data_offsets: ranges.get(key) },
  ]);
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries([["__metadata__", texts], ...described])));
  const head = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(head.length - 8), true);
  head.set(json, 8);
  yield head;
  for (const { tensor, stored } of ordered)
    yield* stored.name === tensor.dtype ? elementBytes(tensor) : narrowBytes(tensor, stored);
}
