import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, vi } from "vitest";

const has = (command: string) => spawnSync(command, ["--version"]).status === 0;

/** The launchers of MPI that this computer has. */
export const launchers = ["mpirun", "mpiexec.hydra"].filter(has);

/** Why tests that need ranks are skipped, or "". Continuous integration has to have what they need. */
export const lacking = launchers.includes("mpirun") ? "" : "mpirun is missing: apt-get install openmpi-bin libopenmpi3";
if (lacking && process.env.CI) throw new Error(lacking);
if (lacking) process.stderr.write(`tests over several processes are skipped: ${lacking}\n`);
// Ranks wait busily for each other: on a computer that does something else too they take long.
vi.setConfig({ testTimeout: 150_000, hookTimeout: 150_000 });

/** The path of a program that ranks run. */
export const program = (name: string) => fileURLToPath(new URL(`programs/${name}.mjs`, import.meta.url));

/** A folder that goes when the tests of this file are done. */
export const folder = mkdtempSync(join(tmpdir(), "evenkeel-ranks-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

export interface Ended {
  code: number | null;
  output: string;
  seconds: number;
}

/** What a test sets of a process. */
interface Setting {
  env?: Record<string, string>;
  /** hears what the process has written so far */
  onOutput?: (output: string, pid: number) => void;
}

/** Runs a command to its end. */
export function run(command: string, args: readonly string[], { env = {}, onOutput }: Setting = {}): Promise<Ended> {
  const started = performance.now();
  const child = spawn(command, args, {
    stdio: ["ignore", "pipe", "pipe"],
    // Loopback alone, and one thread a rank: the tests of other files run at the same time.
    env: { ...process.env, EVENKEEL_THREADS: "1", OMPI_MCA_btl_tcp_if_include: "lo", ...env },
  });
  let output = "";
  const listen = (chunk: Buffer) => {
    output += chunk;
    onOutput?.(output, child.pid as number);
  };
  child.stdout.on("data", listen);
  child.stderr.on("data", listen);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, output, seconds: (performance.now() - started) / 1000 }));
  });
}

/** Runs a program on ranks by `evenkeel launch`. */
export function launch(
  ranks: number,
  flags: readonly string[],
  name: string,
  args: readonly string[] = [],
  setting: Setting = {},
) {
  const command = ["dist/cli/main.js", "launch", "-n", String(ranks), ...flags, program(name), ...args];
  return run(process.execPath, command, setting);
}

/** Runs a program that writes JSON, on so many ranks, and reads what it wrote. */
export async function resultOf<T>(ranks: number, name: string, args: readonly string[], flags: readonly string[] = []) {
  const file = join(folder, `${name}-${ranks}-${Math.random()}.json`);
  const { code, output } = await launch(ranks, flags, name, [...args, file]);
  expect(code, output).toBe(0);
  return JSON.parse(readFileSync(file, "utf8")) as T;
}

/** Ids of processes whose command line has the text. */
export function processesWith(text: string): string {
  return spawnSync("pgrep", ["-f", text], { encoding: "utf8" }).stdout.trim();
}
