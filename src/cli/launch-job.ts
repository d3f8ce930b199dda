import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { extname, resolve } from "node:path";
import type { Readable } from "node:stream";
import { pathToFileURL } from "node:url";
import { ArgumentError, EnvironmentError } from "../util/errors.ts";
import { causeOf } from "./launch-report.ts";

/** Options of `evenkeel launch`. */
export interface LaunchFlags {
  ranks: number;
  host?: string;
  hostfile?: string;
  threads?: number;
  timeout?: number;
  limit?: number;
  mpi: string;
  mpiFlag?: string[];
}

/** Once a rank has failed, the launcher has so long to end the others before it is ended itself. */
const PATIENCE_MS = 10_000;
const LAST_PATIENCE_MS = 3_000;
/** What it has written arrives so soon after its end; what it left behind on the way to another host may keep its output open for longer. */
const REST_MS = 500;

/** Between hosts: a connection that is silent for 10 s is probed every 2 s, and given up after 5 probes; Open MPI's own figures make that 8 minutes. */
const KEEPALIVE = { keepalive_time: 10, keepalive_intvl: 2, keepalive_probes: 5 };

type Implementation = "Open MPI" | "MPICH";

/** @throws EnvironmentError where there is no such launcher */
function implementationOf(mpi: string): Implementation {
  const { stdout, error } = spawnSync(mpi, ["--version"], { encoding: "utf8" });
  if (error) {
    throw new EnvironmentError(
      `${mpi}, the launcher of MPI, was not found`,
      "install Open MPI (apt-get install openmpi-bin libopenmpi3, dnf install openmpi, brew install open-mpi) or MPICH, or name the launcher with --mpi",
    );
  }
  if (/Open ?MPI|OpenRTE|PRRTE/i.test(stdout)) return "Open MPI";
  if (/HYDRA|MPICH/i.test(stdout)) return "MPICH";
  throw new EnvironmentError(`${mpi} belongs to neither Open MPI nor MPICH`, `it says: ${stdout.split("\n")[0]}`);
}

/** What Node is started with for a script. @throws ArgumentError, EnvironmentError */
function nodeArguments(script: string): string[] {
  const path = resolve(script);
  if (!existsSync(path)) throw new ArgumentError(`there is no script ${path}`);
  const isTypeScript = [".ts", ".mts", ".cts"].includes(extname(path));
  if (!isTypeScript || (process.features as { typescript?: unknown }).typescript) return [path];
  try {
    return ["--import", pathToFileURL(createRequire(path).resolve("tsx")).href, path];
  } catch {
    throw new EnvironmentError(
      `Node ${process.versions.node} does not run TypeScript`,
      "npm install tsx, or compile the script first, or use Node 22.18 or newer",
    );
  }
}

/** The command line after the launcher's name. */
export function launcherArguments(
  implementation: Implementation,
  flags: LaunchFlags,
  environment: Readonly<Record<string, string>>,
  isRoot: boolean,
): string[] {
  const { ranks, host, hostfile, limit, mpiFlag = [] } = flags;
  if (implementation === "MPICH") {
    const hosts = [...(host ? ["-hosts", host] : []), ...(hostfile ? ["-f", hostfile] : [])];
    return ["-n", String(ranks), "-bind-to", "none", ...hosts, ...mpiFlag];
  }
  // Otherwise each rank, with all its threads, would be bound to one core.
  const args = ["-n", String(ranks), "--bind-to", "none"];
  if (isRoot) args.push("--allow-run-as-root");
  if (host) args.push("--host", host);
  if (hostfile) args.push("--hostfile", hostfile);
  if (host || hostfile) {
    for (const [name, value] of Object.entries(KEEPALIVE)) args.push("--mca", `oob_tcp_${name}`, String(value));
  } else {
    // More ranks than cores are allowed; they give way to each other while they wait.
    args.push("--oversubscribe");
  }
  if (limit) args.push("--timeout", String(limit));
  for (const name of Object.keys(environment)) args.push("-x", name);
  return [...args, ...mpiFlag];
}

/** Ends the launcher if it outlives a failed rank by too much, and with it what it started. */
function endSoon(child: ChildProcess): NodeJS.Timeout {
  return setTimeout(() => {
    child.kill("SIGTERM");
    setTimeout(() => child.kill("SIGKILL"), LAST_PATIENCE_MS).unref();
  }, PATIENCE_MS);
}

/** Runs a job, and reports which rank ended it. Gives the launcher's exit code. @throws ArgumentError, EnvironmentError */
export async function launch(script: string, args: readonly string[], flags: LaunchFlags): Promise<number> {
  const node = nodeArguments(script);
  const implementation = implementationOf(flags.mpi);
  const given = Object.entries(process.env).filter(([name, value]) => name.startsWith("EVENKEEL_") && value);
  const environment: Record<string, string> = {
    ...(Object.fromEntries(given) as Record<string, string>),
    ...(flags.threads ? { EVENKEEL_THREADS: String(flags.threads) } : {}),
    ...(flags.timeout ? { EVENKEEL_TIMEOUT: String(flags.timeout) } : {}),
  };
  const isRoot = process.getuid?.() === 0;
  const command = [
    ...launcherArguments(implementation, flags, environment, isRoot),
    process.execPath,
    ...node,
    ...args,
  ];
  const timeLimit = flags.limit && implementation === "MPICH" ? { MPIEXEC_TIMEOUT: String(flags.limit) } : {};
  const started = performance.now();
  // A group of its own: Ctrl-C reaches this process, which hands it on once.
  const child = spawn(flags.mpi, command, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...environment, ...timeLimit },
    detached: true,
  });
  const stop = () => child.kill("SIGTERM");
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  let output = "";
  let patience: NodeJS.Timeout | undefined;
  const listen = (from: Readable, to: NodeJS.WritableStream) =>
    from.on("data", (chunk: Buffer) => {
      to.write(chunk);
      output = (output + chunk).slice(-65536);
      if (!patience && causeOf(output)) patience = endSoon(child);
    });
  listen(child.stdout, process.stdout);
  listen(child.stderr, process.stderr);
  try {
    const [code, signal] = await new Promise<[number | null, string | null]>((done, failed) => {
      child.on("error", failed);
      child.on("close", (...how) => done(how));
      child.on("exit", (...how) => setTimeout(() => done(how), REST_MS).unref());
    });
    const seconds = (performance.now() - started) / 1000;
    if (code !== 0) report(output, code ?? signal, seconds, flags.limit);
    return code ?? 1;
  } finally {
    clearTimeout(patience);
    child.stdout.destroy();
    child.stderr.destroy();
    process.off("SIGINT", stop);
    process.off("SIGTERM", stop);
  }
}

function report(output: string, code: number | string | null, seconds: number, limit = Infinity): void {
  const cause = causeOf(output);
  const otherwise = seconds >= limit ? "the job reached its time limit" : "the launcher's messages are above";
  const why = cause ? `${cause.who} ${cause.what}` : otherwise;
  process.stderr.write(`\nevenkeel launch: ${why}. The job ended after ${seconds.toFixed(1)} s (${code}).\n`);
}
