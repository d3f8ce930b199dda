import { platform } from "#platform";
import { EnvironmentError } from "../../util/errors.ts";
import { heap } from "../heap.ts";
import {
  CONTROL,
  CONTROL_LENGTH,
  FRONT,
  JOB,
  JOB_LENGTH,
  MOST_PARTS,
  WORKER_SCRIPT,
  type WorkerSetup,
} from "./worker-script.ts";

/** A kernel of a WebAssembly build. */
export type Kernel = (...args: number[]) => unknown;

/** More threads than this seldom help: memory is the limit by then. */
const MOST_BY_DEFAULT = 8;
/** Looks at a shared number before a thread goes to sleep, about 200 µs: longer than from one kernel that is cut to the next in the step of a small network. */
const SPINS = 32000;
/** How long a worker may take for its part: this many ms and so many times what the dispatcher took for one. */
const PATIENCE_MS = 1000;
const PATIENCE_TIMES = 4;
/** Waking up now and then makes a pause of the whole process count as one such time. */
const WAIT_MS = 20;

let threads = 0;

/** The number of threads that kernels use. */
export function threadCount(): number {
  if (threads === 0) threads = heap.shared ? fromEnvironment() : 1;
  return threads;
}

function fromEnvironment(): number {
  const value = platform.environment("EVENKEEL_THREADS");
  if (!value) return Math.min(platform.parallelism(), MOST_BY_DEFAULT);
  if (!/^[1-9]\d{0,2}$/.test(value)) {
    throw new EnvironmentError(`EVENKEEL_THREADS is "${value}"`, "set it to a number from 1 to 999, or to nothing");
  }
  return Number(value);
}

/** Changes the number of threads; where memory cannot be shared it stays 1. */
export function setThreadCount(count: number): void {
  threads = heap.shared ? count : 1;
}

function failure(what: string): EnvironmentError {
  return new EnvironmentError(
    `a worker thread of the kernels: ${what}`,
    "repeat what failed, or do without threads: setNumThreads(1)",
  );
}

/**
 * How many neighbouring parts a thread takes first: seven eighths of its share, since a kernel fetches the next block of its run ahead, and only the first of a run waits for memory
 * (half of the share: 2.5 % more for a step of ResNet-20 with two threads).
 */
function firstParts(parts: number, workers: number): number {
  return Math.ceil((7 * parts) / (8 * (workers + 1)));
}

/** How many it takes at once of what is left then: half of its share, so that all threads end together. */
function partsAtOnce(left: number, workers: number): number {
  return Math.ceil(left / (2 * workers + 2));
}

/** How a call is cut: `total` items, `block` of them a part. */
export interface Cut {
  /** which argument says how many items to do */
  items: number;
  total: number;
  block: number;
  /** which argument is scratch memory, or −1; every thread has a block of so many bytes, the first at scratchAt */
  scratch: number;
  scratchAt: number;
  scratchBytes: number;
  /** what each argument grows by from item to item */
  readonly steps: Float64Array;
}

/**
 * Threads that compute on the heap together with this one. A job is one kernel over many parts, of which each has arguments of its own; whoever is free
 * takes the next part, so a worker that starts late or is kept from running delays nobody. The workers are started by the first job and then sleep in
 * between; they do not keep the process alive.
 */
export class Pool {
  private control = new Int32Array(new SharedArrayBuffer(4 * CONTROL_LENGTH));
  private job = new Float64Array(new SharedArrayBuffer(8 * JOB_LENGTH));
  private stops: (() => void)[] = [];
  /** why a worker ended by itself */
  private ended: string | undefined;

  constructor(
    private readonly module: WebAssembly.Module,
    private readonly kernels: readonly Kernel[],
    private readonly names: readonly string[],
  ) {}

  /**
   * Runs kernel number `kernel` over all parts.
   * @throws EnvironmentError when a worker fails, ends or does not finish
   */
  run(kernel: number, args: readonly number[], cut: Cut): void {
    if (this.ended !== undefined) {
      const why = this.ended;
      this.end();
      throw failure(why);
    }
    while (this.stops.length < threadCount() - 1) this.startWorker();
    const parts = Math.ceil(cut.total / cut.block);
    this.write(kernel, args, cut);
    const { control } = this;
    Atomics.store(control, CONTROL.failure, 0);
    const workers = threadCount() - 1;
    Atomics.store(control, CONTROL.active, workers);
    Atomics.store(control, CONTROL.pending, parts);
    // The first parts are ours: how long they take says how long to wait for the others.
    const first = firstParts(parts, workers);
    this.job[JOB.first] = first;
    Atomics.store(control, CONTROL.open, first * FRONT + parts - first);
    Atomics.add(control, CONTROL.epoch, 1);
    if (Atomics.load(control, CONTROL.asleep) > 0) Atomics.notify(control, CONTROL.epoch);
    // Coarse, but performance.now() takes 0.5 µs once a kernel has emptied the caches.
    const started = Date.now();
    try {
      this.runParts(0, first);
      const patience = PATIENCE_MS + PATIENCE_TIMES * Math.max(0, Date.now() - started);
      Atomics.sub(control, CONTROL.pending, first);
      this.takeParts(workers);
      this.join(patience);
    } catch (error) {
      this.end();
      throw error;
    }
    const length = Atomics.load(control, CONTROL.failure);
    if (length > 0) {
      const text = String.fromCharCode(...control.subarray(CONTROL.failure + 1, CONTROL.failure + 1 + length));
      throw failure(`${this.names[kernel]} failed: ${text}`);
    }
  }

  private write(kernel: number, args: readonly number[], cut: Cut): void {
    const { job } = this;
    const { block, steps } = cut;
    job[JOB.kernel] = kernel;
    job[JOB.count] = args.length;
    job[JOB.items] = cut.items;
    job[JOB.total] = cut.total;
    job[JOB.block] = block;
    job[JOB.scratch] = cut.scratch;
    job[JOB.scratchAt] = cut.scratchAt;
    job[JOB.scratchBytes] = cut.scratchBytes;
    for (let i = 0; i < args.length; i++) {
      job[JOB.arguments + i] = args[i];
      job[JOB.steps + i] = steps[i] * block;
    }
  }

  /** What the workers' script does, for this thread. */
  private runParts(part: number, parts: number): void {
    const { job } = this;
    const count = job[JOB.count];
    const args: number[] = new Array(count);
    for (let i = 0; i < count; i++) args[i] = job[JOB.arguments + i] + part * job[JOB.steps + i];
    const block = job[JOB.block];
    args[job[JOB.items]] = Math.min(parts * block, job[JOB.total] - part * block);
    if (job[JOB.scratch] >= 0) args[job[JOB.scratch]] = job[JOB.scratchAt];
    this.kernels[job[JOB.kernel]](...args);
  }

  private takeParts(workers: number): void {
    const { control } = this;
    for (;;) {
      const open = Atomics.load(control, CONTROL.open);
      const left = open & MOST_PARTS;
      if (left === 0) return;
      const parts = partsAtOnce(left, workers);
      if (Atomics.compareExchange(control, CONTROL.open, open, open + parts * (FRONT - 1)) !== open) continue;
      this.runParts(open >>> 16, parts);
      Atomics.sub(control, CONTROL.pending, parts);
    }
  }

  /** Waits for the parts that workers have taken. */
  private join(patience: number): void {
    const { control } = this;
    for (let left = SPINS; left > 0; left--) if (Atomics.load(control, CONTROL.pending) === 0) return;
    for (let waited = 0; waited < patience; ) {
      const pending = Atomics.load(control, CONTROL.pending);
      if (pending === 0) return;
      if (Atomics.wait(control, CONTROL.pending, pending, WAIT_MS) === "timed-out") waited += WAIT_MS;
    }
    throw failure(`${this.names[this.job[JOB.kernel]]} did not end within ${(patience / 1000).toFixed(1)} s`);
  }

  private startWorker(): void {
    const { control, job, module, names } = this;
    const setup: WorkerSetup = {
      id: this.stops.length,
      module,
      memory: heap.memory,
      names,
      control,
      job,
      spins: SPINS,
    };
    const stop = platform.startWorker(WORKER_SCRIPT, setup, (why) => {
      if (this.control === control) this.ended = why;
    });
    this.stops.push(stop);
  }

  /** Ends the workers; the next job starts others, with memory of their own for jobs, since these may still finish a part. */
  private end(): void {
    Atomics.store(this.control, CONTROL.open, 0);
    Atomics.store(this.control, CONTROL.stop, 1);
    Atomics.notify(this.control, CONTROL.epoch);
    for (const stop of this.stops) stop();
    this.stops = [];
    this.ended = undefined;
    this.control = new Int32Array(new SharedArrayBuffer(4 * CONTROL_LENGTH));
    this.job = new Float64Array(new SharedArrayBuffer(8 * JOB_LENGTH));
  }
}
