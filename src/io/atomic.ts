import { CheckpointError, EnvironmentError } from "../util/errors.ts";

let counter = 0;

/**
 * Writes a file so that at every moment its name leads to the old content or the new, never to a part: into a file beside it, forced to
 * disk, then renamed. The pieces are taken in one go, so that what is saved is of one moment.
 */
export async function writeAtomically(path: string | URL, chunks: Iterable<Uint8Array>): Promise<void> {
  const name = String(path);
  if (!globalThis.process?.versions?.node)
    throw new EnvironmentError(`a path (${name}) can be written on Node alone`, "give null to get the bytes");
  const { openSync, writeSync, closeSync, unlinkSync } = await import("node:fs");
  const { open, realpath, rename } = await import("node:fs/promises");
  const { hostname } = await import("node:os");
  const { dirname } = await import("node:path");
  const { fileURLToPath } = await import("node:url");
  const given = path instanceof URL ? fileURLToPath(path) : path;
  // A link stays a link: what it leads to is replaced.
  const target = await realpath(given).catch(() => given);
  await removeLeftovers(target, hostname());
  const temporary = `${target}.${hostname()}.${process.pid}.${counter++}.tmp`;
  try {
    const file = openSync(temporary, "w");
    try {
      for (const chunk of chunks) for (let at = 0; at < chunk.length; ) at += writeSync(file, chunk, at);
    } finally {
      closeSync(file);
    }
    const handle = await open(temporary, "r+");
    await handle.sync();
    await handle.close();
    await rename(temporary, target);
  } catch (error) {
    try {
      unlinkSync(temporary);
    } catch {
      // it was never made
    }
    const { code } = error as NodeJS.ErrnoException;
    if (!code) throw error;
    const why =
      code === "ENOENT" ? `the folder ${dirname(target)} does not exist` : `the file cannot be written (${code})`;
    throw new CheckpointError(why, "an older file of this name is unchanged", { file: name });
  }
  // The new name itself must reach the disk too; Windows knows no such thing for folders.
  const folder = await open(dirname(target), "r").catch(() => null);
  await folder?.sync().catch(() => {});
  await folder?.close();
}

/** Removes what processes of this computer that were killed while saving this file left beside it. */
async function removeLeftovers(target: string, host: string): Promise<void> {
  const { readdir, unlink } = await import("node:fs/promises");
  const { basename, dirname, join } = await import("node:path");
  const start = `${basename(target)}.${host}.`;
  const names = await readdir(dirname(target)).catch(() => []);
  for (const name of names) {
    if (!name.startsWith(start) || !name.endsWith(".tmp")) continue;
    const pid = Number(name.slice(start.length).split(".")[0]);
    if (pid > 0 && !isRunning(pid)) await unlink(join(dirname(target), name)).catch(() => {});
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
