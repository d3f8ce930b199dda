import { CheckpointError, EnvironmentError } from "../util/errors.ts";

/** What a checkpoint is read from: a path (on Node), the bytes of a file, or a Blob or File. */
export type CheckpointInput = string | URL | Uint8Array | ArrayBuffer | Blob;

/** Bytes that are read a range at a time. */
export interface Source {
  /** what error messages call it */
  readonly name: string;
  /** in bytes */
  readonly size: number;
  /** The bytes of a range that lies inside; a view of them where they are in memory already. */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Most bytes read at once: what a large tensor needs of memory beside itself. */
const CHUNK = 4 * 2 ** 20;

/** A range in pieces of at most 4 MiB. */
export async function* chunksOf(source: Source, offset: number, length: number): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < length; at += CHUNK) yield await source.read(offset + at, Math.min(CHUNK, length - at));
}

/** Bytes in memory, not copied. */
export function bytesSource(bytes: Uint8Array, name: string): Source {
  return {
    name,
    size: bytes.length,
    read: async (offset, length) => bytes.subarray(offset, offset + length),
    close: async () => {},
  };
}

function blobSource(blob: Blob): Source {
  return {
    name: blob instanceof File && blob.name ? blob.name : "the blob",
    size: blob.size,
    read: async (offset, length) => new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer()),
    close: async () => {},
  };
}

async function fileSource(path: string | URL): Promise<Source> {
  const name = String(path);
  if (!globalThis.process?.versions?.node) {
    throw new EnvironmentError(
      `a path (${name}) can be read on Node alone`,
      "here, give the bytes or a Blob: await (await fetch(url)).blob()",
    );
  }
  const { open } = await import("node:fs/promises");
  try {
    const handle = await open(path, "r");
    const stat = await handle.stat();
    if (!stat.isFile()) {
      await handle.close();
      throw new CheckpointError("this is no file", "give the path of a checkpoint", { file: name });
    }
    return {
      name,
      size: stat.size,
      async read(offset, length) {
        const bytes = new Uint8Array(length);
        for (let at = 0; at < length; ) {
          const { bytesRead } = await handle.read(bytes, at, length - at, offset + at);
          if (bytesRead === 0) {
            throw new CheckpointError("the file ended while it was read", "was it being written?", {
              file: name,
              offset: offset + at,
            });
          }
          at += bytesRead;
        }
        return bytes;
      },
      close: () => handle.close(),
    };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (error instanceof CheckpointError || !code) throw error;
    const problem = code === "ENOENT" ? "the file does not exist" : `the file cannot be read (${code})`;
    throw new CheckpointError(problem, "check the path", { file: name });
  }
}

/** Opens what the user gave. @throws CheckpointError if there is no such file */
export async function openSource(input: CheckpointInput): Promise<Source> {
  if (typeof input === "string" || input instanceof URL) return fileSource(input);
  if (input instanceof Uint8Array) return bytesSource(input, "the bytes");
  if (input instanceof ArrayBuffer) return bytesSource(new Uint8Array(input), "the bytes");
  if (input instanceof Blob) return blobSource(input);
  throw new CheckpointError(`a checkpoint cannot be read from ${typeof input}`, "give a path, bytes or a Blob");
}

/** The same bytes; `onProgress` hears how many have been read of how many. */
export function watched(source: Source, onProgress: (done: number, total: number) => void): Source {
  let done = 0;
  return {
    ...source,
    async read(offset, length) {
      const bytes = await source.read(offset, length);
      // What is looked at twice, such as the end of a zip file, counts once.
      done = Math.min(source.size, done + length);
      onProgress(done, source.size);
      return bytes;
    },
  };
}
