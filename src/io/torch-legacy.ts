import { CheckpointError } from "../util/errors.ts";
import { PickleEnd, type Unpickled, unpickle } from "./pickle-read.ts";
import { PickleDict, PickleList, type PickleStorage } from "./pickle-values.ts";
import type { Source } from "./source.ts";
import { readStorage } from "./stored-dtype.ts";
import { readStorages, valueOver } from "./torch-load.ts";
import type { CheckpointValue } from "./values.ts";

/** A pickle of the number 0x1950a86a20f9469cfc6c. */
export const LEGACY_MAGIC = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];

const ADVICE =
  "the file is damaged; if PyTorch still reads it, save it anew: torch.save(torch.load(path), newPath, _use_new_zipfile_serialization=True)";

/**
 * Reads a file of torch.save before 1.6: five pickles one after the other (magic number, protocol, system, the values, the keys of the
 * storages), then each storage's number of elements and its elements.
 * @throws CheckpointError
 */
export async function loadTorchLegacy(source: Source): Promise<CheckpointValue> {
  const file = source.name;
  const fail = (problem: string, offset?: number, key?: string) =>
    new CheckpointError(problem, ADVICE, { file, offset, key });
  const [, protocol, system, values, keys] = await readPickles(source, fail);
  if (protocol.value !== 1001) throw fail(`protocol ${String(protocol.value)} of PyTorch's old format`, 15);
  if (!(system.value instanceof PickleDict) || system.value.entries.get("little_endian") !== true)
    throw fail("the file was written on a big-endian computer", protocol.end);
  if (!(keys.value instanceof PickleList)) throw fail("the list of storages is missing", values.end);

  let at = keys.end;
  const places = new Map<string, number>();
  for (const key of keys.value.items) {
    const storage = typeof key === "string" ? values.storages.get(key) : undefined;
    if (!storage || places.has(storage.key))
      throw fail(`the list of storages has ${String(key)}, the values not`, values.end);
    const { numel, stored } = storage;
    const end = at + 8 + numel * stored.bytes;
    if (!(end <= source.size))
      throw fail(`a storage of ${numel} elements reaches beyond the end of the file`, at, storage.key);
    const count = await source.read(at, 8);
    const said = new DataView(count.buffer, count.byteOffset, 8).getBigInt64(0, true);
    if (said !== BigInt(numel)) throw fail(`a storage of ${numel} elements says it has ${said}`, at, storage.key);
    places.set(storage.key, at + 8);
    at = end;
  }
  const found = await readStorages(values.storages.values(), async (storage: PickleStorage) => {
    const offset = places.get(storage.key);
    if (offset === undefined) throw fail("the storage is missing", keys.end, storage.key);
    return readStorage(source, { offset, count: storage.numel, stored: storage.stored, key: storage.key });
  });
  return valueOver(values.value, found, file);
}

/** The five pickles; how long they are is known once they are read, so more of the file is taken until it is enough. */
async function readPickles(
  source: Source,
  fail: (problem: string, offset: number) => CheckpointError,
): Promise<Unpickled[]> {
  const found: Unpickled[] = [];
  let bytes = await source.read(0, Math.min(source.size, 2 ** 16));
  while (found.length < 5) {
    try {
      found.push(unpickle(bytes, source.name, found.at(-1)?.end ?? 0));
    } catch (error) {
      if (!(error instanceof PickleEnd)) throw error;
      if (bytes.length === source.size || bytes.length >= 2 ** 28)
        throw fail("the file ends inside a pickle", bytes.length);
      bytes = await source.read(0, Math.min(source.size, 4 * bytes.length));
    }
  }
  return found;
}
