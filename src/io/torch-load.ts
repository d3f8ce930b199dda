import type { Storage } from "../tensor/memory.ts";
import { CheckpointError } from "../util/errors.ts";
import { crc32 } from "./crc32.ts";
import { PickleEnd, unpickle } from "./pickle-read.ts";
import type { PickleStorage, PickleValue } from "./pickle-values.ts";
import type { Source } from "./source.ts";
import { readStorage } from "./stored-dtype.ts";
import { type CheckpointValue, toValue } from "./values.ts";
import { type ZipEntry, ZipReader } from "./zip-read.ts";

/** A pickle holds names and sizes, no weights. */
const MOST_PICKLE = 2 ** 28;

/** Reads storages one after the other; if one fails, those before it are released. They belong to the running scope afterwards. */
export async function readStorages(
  storages: Iterable<PickleStorage>,
  read: (storage: PickleStorage) => Promise<Storage>,
): Promise<Map<string, Storage>> {
  const found = new Map<string, Storage>();
  try {
    for (const storage of storages) found.set(storage.key, await read(storage));
  } catch (error) {
    for (const storage of found.values()) storage.release();
    throw error;
  }
  for (const storage of found.values()) storage.unpin();
  return found;
}

/** Makes the values of a pickle over its storages; those that no value uses are released, all of them if it turns out to be no checkpoint. */
export function valueOver(pickled: PickleValue, storages: ReadonlyMap<string, Storage>, file: string): CheckpointValue {
  const used = new Set<Storage>();
  const storageOf = (key: string) => {
    const storage = storages.get(key)!;
    used.add(storage);
    return storage;
  };
  try {
    return toValue(pickled, storageOf, file);
  } catch (error) {
    used.clear();
    throw error;
  } finally {
    for (const storage of storages.values()) if (!used.has(storage)) storage.release();
  }
}

/** Reads a file of torch.save: a zip file of data.pkl and the storages in data/. @throws CheckpointError */
export async function loadTorchZip(source: Source): Promise<CheckpointValue> {
  const zip = await ZipReader.open(source);
  const file = source.name;
  const root = rootOf(zip, file);

  const small = async (entry: ZipEntry): Promise<Uint8Array> => {
    const { source: from, offset } = await zip.content(entry);
    const bytes = await from.read(offset, entry.size);
    if (entry.crc !== undefined && crc32(bytes) !== entry.crc) {
      throw new CheckpointError("the checksum differs: the file is damaged", "copy or download it again", {
        file,
        offset,
        key: entry.name,
      });
    }
    return bytes;
  };

  const order = zip.entries.get(`${root}byteorder`);
  if (order && new TextDecoder().decode(await small(order)) !== "little") {
    throw new CheckpointError("the file was written on a big-endian computer", "save it again on a little-endian one", {
      file,
      key: order.name,
    });
  }
  const entry = zip.entries.get(`${root}data.pkl`)!;
  if (entry.size > MOST_PICKLE) {
    throw new CheckpointError(`a pickle of ${entry.size} bytes`, `at most ${MOST_PICKLE} are read`, {
      file,
      key: entry.name,
    });
  }
  const { value, storages } = unpickleAll(await small(entry), `${file}, ${entry.name}`);
  const found = await readStorages(storages.values(), async ({ key, numel, stored }) => {
    const data = zip.entries.get(`${root}data/${key}`);
    if (data?.size !== numel * stored.bytes) {
      const has = data ? `has ${data.size} bytes` : "is missing";
      throw new CheckpointError(
        `the storage ${has}, its ${numel} elements of ${stored.name} take ${numel * stored.bytes}`,
        "the file is damaged: copy or download it again",
        { file, key: `${root}data/${key}` },
      );
    }
    const { source: from, offset } = await zip.content(data);
    return readStorage(from, { offset, count: numel, stored, crc: data.crc, key: data.name });
  });
  return valueOver(value, found, file);
}

function unpickleAll(bytes: Uint8Array, file: string) {
  try {
    return unpickle(bytes, file);
  } catch (error) {
    if (!(error instanceof PickleEnd)) throw error;
    throw new CheckpointError("the pickle ends before it is complete", "the file is damaged", {
      file,
      offset: bytes.length,
    });
  }
}

/** What stands before data.pkl: PyTorch puts everything into one folder. */
function rootOf(zip: ZipReader, file: string): string {
  const names = [...zip.entries.keys()];
  const roots = names
    .filter((name) => /^([^/]+\/)?data\.pkl$/.test(name))
    .map((name) => name.slice(0, -"data.pkl".length));
  if (roots.length !== 1) {
    const numpy = names.some((name) => name.endsWith(".npy"));
    throw new CheckpointError(
      numpy ? "these are NumPy arrays (.npz)" : `a zip file with ${roots.length} data.pkl: no checkpoint of PyTorch`,
      numpy ? "save the state dict with torch.save or safetensors" : "expected a file of torch.save",
      { file },
    );
  }
  if (zip.entries.has(`${roots[0]}constants.pkl`) || names.some((name) => name.startsWith(`${roots[0]}code/`))) {
    throw new CheckpointError(
      "this is a TorchScript archive: a program, not a state dict",
      "in Python: torch.save(torch.jit.load(path).state_dict(), newPath)",
      { file },
    );
  }
  return roots[0];
}
