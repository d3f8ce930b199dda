import { Worker } from "node:worker_threads";
import { EvenkeelError } from "../util/errors.ts";
import type { Job, JobResult, WorkerMessage, WorkerSetup } from "./jobs.ts";
import { JobQueue } from "./queue.ts";

/** What the workers found in the data folder. */
export interface DataCounts {
  readonly train: number;
  readonly test: number;
  readonly classes: number;
}

/** Told what happens while jobs run. */
export interface PoolEvents {
  onReady(counts: DataCounts): void;
  onStart(job: Job): void;
  onProgress(job: Job, stepsDone: number): void;
  onResult(job: Job, result: JobResult): void;
}

/**
 * Runs jobs on worker threads, as many at a time as there are workers, in the order that the queue gives them out, and settles when all are done or, when the signal is
 * aborted, when the running ones have come to rest.
 * @throws what a worker threw; all workers are ended then
 */
export function runJobs(
  jobs: readonly Job[],
  setup: { folder: string | null; workers: number; signal: AbortSignal },
  events: PoolEvents,
): Promise<void> {
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const workerData: WorkerSetup = { folder: setup.folder, stop: stop.buffer };
  const queue = new JobQueue(jobs);
  const running = new Map<number, Job>();
  const workers: Worker[] = [];
  let announced = false;

  return new Promise<void>((resolve, reject) => {
    let over = false;
    const end = (error?: unknown) => {
      if (over) return;
      over = true;
      setup.signal.removeEventListener("abort", abort);
      for (const worker of workers) void worker.terminate();
      if (error === undefined) resolve();
      else reject(error);
    };
    const abort = () => {
      Atomics.store(stop, 0, 1);
      queue.clear();
      if (running.size === 0) end();
    };
    if (setup.signal.aborted) {
      resolve();
      return;
    }
    setup.signal.addEventListener("abort", abort);

    const next = (worker: Worker, before: Job | null) => {
      const job = queue.take(before, [...running.values()]);
      if (job) {
        running.set(job.id, job);
        events.onStart(job);
        worker.postMessage(job);
      } else if (running.size === 0) end();
    };
    const receive = (worker: Worker, message: WorkerMessage) => {
      if (over) return;
      switch (message.kind) {
        case "ready":
          if (!announced) events.onReady(message);
          announced = true;
          next(worker, null);
          break;
        case "progress": {
          const job = running.get(message.id);
          if (job) events.onProgress(job, message.steps);
          break;
        }
        case "result": {
          const job = running.get(message.result.id) ?? null;
          running.delete(message.result.id);
          if (job) events.onResult(job, message.result);
          next(worker, job);
          break;
        }
        case "failed": {
          const error = new EvenkeelError(message.message);
          error.name = message.name;
          end(error);
        }
      }
    };
    for (let i = 0; i < Math.min(setup.workers, jobs.length); i++) {
      const worker = new Worker(new URL("./worker.js", import.meta.url), { workerData });
      workers.push(worker);
      worker.on("message", (message: WorkerMessage) => receive(worker, message));
      worker.on("error", end);
      worker.on("exit", (code) => end(new EvenkeelError(`a worker of the study ended with code ${code}`)));
    }
    if (jobs.length === 0) end();
  });
}
