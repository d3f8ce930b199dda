import { parentPort, workerData } from "node:worker_threads";
import { idxFolder, mnist } from "../data/index.ts";
import "../ops/methods.ts";
import { setNumThreads } from "../runtime.ts";
import type { Job, WorkerMessage, WorkerSetup } from "./jobs.ts";
import { runJob, type StudyData } from "./run-job.ts";

/*
 * A worker of the study: loads the data once, then trains the networks it is sent, one at a time. Each worker has a tensor heap
 * of its own, so runs beside each other share nothing.
 */

// There are as many of these workers as processors.
setNumThreads(1);

const setup = workerData as WorkerSetup;
const stop = new Int32Array(setup.stop);
const send = (message: WorkerMessage) => parentPort?.postMessage(message);
/** Milliseconds between two messages of how far a run is: as often as a bar is drawn. */
const PROGRESS_EVERY = 100;
let told = 0;

function tell(id: number, steps: number): void {
  const now = performance.now();
  if (now - told < PROGRESS_EVERY) return;
  told = now;
  send({ kind: "progress", id, steps });
}

const load = (train: boolean) => (setup.folder === null ? mnist({ train }) : idxFolder(setup.folder, { train }));

function fail(error: unknown): void {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  send({ kind: "failed", name, message });
}

try {
  const data: StudyData = { train: await load(true), test: await load(false) };
  const classes = new Set<number | bigint>([...data.train.labels.toTypedArray()]).size;
  send({ kind: "ready", train: data.train.length, test: data.test.length, classes });
  parentPort?.on("message", (job: Job) => {
    runJob(job, {
      data,
      stopped: () => Atomics.load(stop, 0) !== 0,
      progress: (steps) => tell(job.id, steps),
    }).then((result) => send({ kind: "result", result }), fail);
  });
} catch (error) {
  fail(error);
}
