import { writeSync } from "node:fs";
import { availableParallelism, hostname } from "node:os";
import { setDefaultCollective } from "../functional/collective.ts";
import { setNumThreads } from "../runtime.ts";
import { ArgumentError, EnvironmentError } from "../util/errors.ts";
import { type Communicator, SingleProcess } from "./communicator.ts";
import { MpiCommunicator } from "./mpi-communicator.ts";
import { launchedBy, loadKoffi, loadMpi } from "./mpi-library.ts";
import { Watchdog } from "./watchdog.ts";

/** Seconds that a rank waits for the others. A rank that evaluates or saves alone keeps the others waiting so long. */
const TIMEOUT = 600;
/** More threads a rank seldom help. */
const MOST_THREADS = 8;

/** Options of init. */
export interface InitOptions {
  /** seconds that a rank waits in one call for the others before it ends the job; EVENKEEL_TIMEOUT, or 600 */
  timeout?: number;
}

let current: Communicator = new SingleProcess();
let starting: Promise<Communicator> | null = null;

/**
 * The ranks that train together: those that `init` found, or this process alone.
 * @example
 * ```ts
 * import { communicator } from "evenkeel/distributed";
 * if (communicator().rank === 0) console.log("printed once");
 * ```
 */
export function communicator(): Communicator {
  return current;
}

/**
 * Joins the job that `evenkeel launch`, mpirun or mpiexec started; without one of them this process is alone, with rank 0 of 1. Call it first. From then on SyncBatchNorm,
 * DistributedDataParallel and the samplers know the ranks, kernels use this rank's share of the processors (unless EVENKEEL_THREADS says otherwise), a script that ends normally
 * leaves the job cleanly, and an error that nobody catches ends it with a message that names the rank. Calling it again gives the same. As torch.distributed.init_process_group.
 * @throws EnvironmentError that names what to install where koffi or the MPI library is missing
 * @throws ArgumentError for a time-out that is no positive number
 * @example
 * ```ts
 * import { init } from "evenkeel/distributed";
 * const { rank, worldSize } = await init();
 * [rank, worldSize]; // => [0, 1]
 * ```
 */
export function init(options: InitOptions = {}): Promise<Communicator> {
  starting ??= start(options);
  return starting;
}

function timeoutOf({ timeout }: InitOptions): number {
  const given = process.env.EVENKEEL_TIMEOUT;
  if (timeout === undefined && given && !(Number(given) > 0)) {
    throw new EnvironmentError(`EVENKEEL_TIMEOUT is "${given}"`, "set it to a number of seconds, or to nothing");
  }
  const seconds = timeout ?? (given ? Number(given) : TIMEOUT);
  if (!(seconds > 0 && seconds < 2 ** 31)) {
    throw new ArgumentError(`a time-out of ${seconds} was asked for`, "give a positive number of seconds");
  }
  return seconds;
}

async function start(options: InitOptions): Promise<Communicator> {
  const timeout = timeoutOf(options);
  const launch = launchedBy(process.env);
  if (!launch) return current;
  const koffi = await loadKoffi();
  const mpi = loadMpi(koffi, launch.implementation, process.env.EVENKEEL_MPI_LIBRARY);
  const { OMPI_COMM_WORLD_RANK, PMIX_RANK, PMI_RANK, OMPI_COMM_WORLD_SIZE, PMI_SIZE } = process.env;
  const rank = OMPI_COMM_WORLD_RANK ?? PMI_RANK ?? PMIX_RANK;
  const who = `rank ${rank} of ${OMPI_COMM_WORLD_SIZE ?? PMI_SIZE ?? "?"} (${hostname()}, process ${process.pid})`;
  const watchdog = new Watchdog(timeout, who);
  // 1: only this thread calls MPI
  const provided = new Int32Array(new ArrayBuffer(16));
  watchdog.during("init", () => mpi.calls.initThread(null, null, 1, Number(koffi.address(provided))));
  const all = new MpiCommunicator(koffi, mpi, watchdog);
  reportEnd(who);
  process.on("exit", (code) => {
    // Otherwise the launcher sees a rank that left without a farewell, and ends the others.
    if (code === 0) all.finalize();
  });
  if (!process.env.EVENKEEL_THREADS) {
    const share = Math.floor(availableParallelism() / launch.localSize);
    setNumThreads(Math.min(MOST_THREADS, Math.max(1, share)));
  }
  current = all;
  if (all.worldSize > 1) setDefaultCollective(all);
  return all;
}

/** Says which rank ends the job, and why. Written at once: the launcher may end this process too. */
function reportEnd(who: string): void {
  let told = false;
  const tell = (why: string) => {
    if (told) return;
    told = true;
    writeSync(2, `evenkeel: ${who} ${why}\n`);
  };
  process.on("uncaughtExceptionMonitor", (error: unknown) => {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    tell(`was ended by an error that nobody caught: ${text}`);
  });
  process.on("exit", (code) => {
    if (code !== 0) tell(`ended with exit code ${code}`);
  });
}
