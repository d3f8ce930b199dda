import { open, stat } from "node:fs/promises";
import { Presets, SingleBar } from "cli-progress";
import type { CheckpointValue } from "../io/index.ts";
import * as io from "../io/index.ts";
import { StateDict } from "../nn/state-dict.ts";
import { Tensor } from "../tensor/tensor.ts";
import { CheckpointError } from "../util/errors.ts";

/** A file's state dict, found where trainers put it. */
export interface Checkpoint {
  path: string;
  bytes: number;
  isSafetensors: boolean;
  /** all that the file holds */
  value: CheckpointValue;
  state: StateDict;
  /** where the state dict lies in the file, such as "state_dict"; "" is the file itself */
  key: string;
  /** other places with tensors */
  others: string[];
  /** what stood before every key and was taken away, such as "module." */
  prefix: string;
  /** a safetensors file's strings */
  metadata: ReadonlyMap<string, string>;
}

/** From this size on reading takes long enough to show how far it is. */
const LARGE = 64 * 2 ** 20;

/** Where trainers keep the model, the usual first. */
const USUAL = ["state_dict", "model_state_dict", "model", "net", "network", "params", "weights", "module"];

/** Beside the model: their tensors are no weights. */
const BESIDE = /optim|sched|scaler|amp|loader|generator|rng|loss|metric/i;

/** Wrappers of DataParallel, DistributedDataParallel and torch.compile. */
const WRAPPERS = ["module.", "_orig_mod."];

function entriesOf(value: CheckpointValue): [string, CheckpointValue][] {
  if (value === null || typeof value !== "object" || value instanceof Tensor || value instanceof Uint8Array) return [];
  if (Array.isArray(value)) return [];
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  return entries.map(([key, item]) => [String(key), item as CheckpointValue]);
}

function statesIn(value: CheckpointValue, path: string[] = []): { key: string; state: StateDict }[] {
  const entries = entriesOf(value);
  const tensors = entries.filter((entry): entry is [string, Tensor] => entry[1] instanceof Tensor);
  const state = value instanceof StateDict ? value : new StateDict(tensors);
  const here = tensors.length > 0 ? [{ key: path.join("."), state }] : [];
  if (path.length >= 3) return here;
  const below = entries.filter(([key]) => !BESIDE.test(key)).flatMap(([key, item]) => statesIn(item, [...path, key]));
  return [...here, ...below];
}

function unwrapped(state: StateDict): { state: StateDict; prefix: string } {
  let prefix = "";
  let keys = [...state.keys()];
  for (let found: string | undefined = ""; found !== undefined; ) {
    found = WRAPPERS.find((wrapper) => keys.length > 0 && keys.every((key) => key.startsWith(wrapper)));
    if (found === undefined) break;
    prefix += found;
    keys = keys.map((key) => key.slice(found?.length));
  }
  return prefix ? { state: withoutPrefix(state, prefix), prefix } : { state, prefix };
}

/** The entries whose keys begin with a prefix, without it. */
export function withoutPrefix(state: StateDict, prefix: string): StateDict {
  const inside = [...state].filter(([key]) => key.startsWith(prefix));
  const made = new StateDict(inside.map(([key, value]) => [key.slice(prefix.length), value]));
  const path = prefix.slice(0, -1);
  const versions = [...(state.metadata ?? [])].flatMap(([at, version]): [string, { version?: number }][] => {
    if (at === path) return [["", version]];
    return at.startsWith(prefix) ? [[at.slice(prefix.length), version]] : [];
  });
  made.metadata = state.metadata && new Map(versions);
  return made;
}

async function startsAsSafetensors(path: string): Promise<boolean> {
  const file = await open(path, "r");
  try {
    const { buffer } = await file.read(new Uint8Array(9), 0, 9, 0);
    return buffer[8] === 0x7b;
  } finally {
    await file.close();
  }
}

/** Shows how much of a large file has been read, on a terminal. */
function progressFor(bytes: number, path: string): { onProgress?: (done: number, total: number) => void; end(): void } {
  if (bytes < LARGE || !process.stderr.isTTY) return { end: () => {} };
  const format = ` Reading ${path.split("/").at(-1)} {bar} {percentage}%`;
  const bar = new SingleBar(
    { format, stream: process.stderr, hideCursor: true, clearOnComplete: true },
    Presets.shades_classic,
  );
  bar.start(bytes, 0);
  return { onProgress: (done) => bar.update(done), end: () => bar.stop() };
}

/**
 * Reads a checkpoint and finds its state dict.
 * @param wanted where it lies in the file; looked for where trainers put it if undefined
 * @throws CheckpointError
 */
export async function readCheckpoint(path: string, wanted?: string): Promise<Checkpoint> {
  const bytes = (await stat(path).catch(() => null))?.size ?? 0;
  const progress = progressFor(bytes, path);
  let value: CheckpointValue;
  try {
    value = await io.load<StateDict>(path, { onProgress: progress.onProgress });
  } finally {
    progress.end();
  }
  const found = statesIn(value);
  const rank = (key: string) => (key === "" ? -1 : (USUAL.indexOf(key.split(".").at(-1) ?? "") + 100) % 100);
  const sorted = found.toSorted((a, b) => rank(a.key) - rank(b.key) || b.state.size - a.state.size);
  const chosen = wanted === undefined ? sorted[0] : found.find(({ key }) => key === wanted);
  if (!chosen) {
    const places = found.map(({ key }) => key || "the file itself").join(", ");
    if (wanted !== undefined) {
      throw new CheckpointError(`there are no tensors at "${wanted}"`, places ? `there are at ${places}` : undefined, {
        file: path,
      });
    }
    throw new CheckpointError("it holds no named tensors", "give a file with a state dict", { file: path });
  }
  const { state, prefix } = unwrapped(chosen.state);
  const isSafetensors = await startsAsSafetensors(path);
  const others = found.filter((one) => one !== chosen).map(({ key }) => key || "the file itself");
  const metadata = isSafetensors ? await io.loadMetadata(path) : new Map<string, string>();
  return { path, bytes, isSafetensors, value, state, key: chosen.key, others, prefix, metadata };
}

/** What had to be looked for, in a sentence; nothing where the file is a plain state dict. */
export function whereFound({ key, others, prefix }: Checkpoint): string[] {
  return [
    ...(key ? [`the state dict is the file's "${key}"`] : []),
    ...(prefix ? [`every key began with "${prefix}", which was left out`] : []),
    ...(others.length > 0 ? [`there are more tensors at ${others.join(", ")} (see --key)`] : []),
  ];
}
