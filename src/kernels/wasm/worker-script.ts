/*
 * What one thread of the pool runs (see threads.ts), as text: so a bundler, a test runner and a Blob need nothing special.
 *
 * Two blocks of memory are shared with the thread that dispatches. `control` holds int32, each number on a cache line of its own;
 * `job` holds float64: which kernel, its arguments, and how they change from part to part.
 */

/** Places in `control`. */
export const CONTROL = {
  /** counts jobs; idle workers sleep on it */
  epoch: 0,
  /**
   * parts of the job that nobody has taken: how many in the lower 16 bits, the number of the first above. The first are the dispatcher's, who goes on from there, and so does every
   * second worker; the others begin at the end. So what a thread has read and written lies together, and where the next kernel is cut likewise it is in that thread's cache.
   */
  open: 16,
  /** parts that are not done; the dispatcher sleeps on it */
  pending: 32,
  /** workers that sleep */
  asleep: 48,
  /** how many of the workers take part */
  active: 64,
  /** 1 tells the workers to end */
  stop: 80,
  /** length of the message of a part that failed, and from the next place on its characters */
  failure: 96,
} as const;
export const MESSAGE_LENGTH = 200;
export const CONTROL_LENGTH = CONTROL.failure + 1 + MESSAGE_LENGTH;

/** Most parts of a job, and one more part taken from the front. */
export const MOST_PARTS = 65535;
export const FRONT = 65536;

/** Most arguments that a kernel has. */
export const MOST_ARGUMENTS = 24;

/** Places in `job`. */
export const JOB = {
  /** number of the kernel in the list of names */
  kernel: 0,
  /** how many arguments it has */
  count: 1,
  /** which argument says how many items to do */
  items: 2,
  /** items in all */
  total: 3,
  /** items of a part */
  block: 4,
  /** which argument is scratch memory, or −1 */
  scratch: 5,
  /** its address for the dispatcher, and bytes from thread to thread */
  scratchAt: 6,
  scratchBytes: 7,
  /** parts that a thread takes first */
  first: 8,
  arguments: 9,
  /** what each argument grows by from part to part */
  steps: 9 + MOST_ARGUMENTS,
} as const;
export const JOB_LENGTH = JOB.steps + MOST_ARGUMENTS;

/** What a worker is told at its start. */
export interface WorkerSetup {
  readonly id: number;
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly names: readonly string[];
  readonly control: Int32Array;
  readonly job: Float64Array;
  /** how often to look for a job before going to sleep */
  readonly spins: number;
}

/** The script of a worker. It sleeps until there is a job, and takes parts of it as long as some are open. */
export const WORKER_SCRIPT = `"use strict";
function work({ id, module, memory, names, control, job, spins }) {
  const kernels = new WebAssembly.Instance(module, { env: { memory } }).exports;
  const { add, compareExchange, load, notify, store, sub, wait } = Atomics;

  function runParts(part, parts) {
    const count = job[${JOB.count}];
    const args = new Array(count);
    for (let i = 0; i < count; i++) args[i] = job[${JOB.arguments} + i] + part * job[${JOB.steps} + i];
    const block = job[${JOB.block}];
    args[job[${JOB.items}]] = Math.min(parts * block, job[${JOB.total}] - part * block);
    if (job[${JOB.scratch}] >= 0) args[job[${JOB.scratch}]] = job[${JOB.scratchAt}] + (id + 1) * job[${JOB.scratchBytes}];
    kernels[names[job[${JOB.kernel}]]](...args);
  }

  function report(error) {
    const text = String(error).slice(0, ${MESSAGE_LENGTH});
    for (let i = 0; i < text.length; i++) control[${CONTROL.failure} + 1 + i] = text.charCodeAt(i);
    store(control, ${CONTROL.failure}, text.length);
  }

  function takeParts() {
    let first = job[${JOB.first}];
    for (;;) {
      const open = load(control, ${CONTROL.open});
      const left = open & ${MOST_PARTS};
      if (left === 0) return;
      const parts = Math.min(left, first || Math.ceil(left / (2 * load(control, ${CONTROL.active}) + 2)));
      const taken = id & 1 ? open + parts * ${FRONT - 1} : open - parts;
      if (compareExchange(control, ${CONTROL.open}, open, taken) !== open) continue;
      first = 0;
      try {
        runParts((open >>> 16) + (id & 1 ? 0 : left - parts), parts);
      } catch (error) {
        report(error);
      }
      if (sub(control, ${CONTROL.pending}, parts) === parts) notify(control, ${CONTROL.pending});
    }
  }

  while (load(control, ${CONTROL.stop}) === 0) {
    const epoch = load(control, ${CONTROL.epoch});
    if (id < load(control, ${CONTROL.active})) {
      takeParts();
      let left = spins;
      while (left > 0 && load(control, ${CONTROL.epoch}) === epoch) left--;
      if (left > 0) continue;
    }
    add(control, ${CONTROL.asleep}, 1);
    wait(control, ${CONTROL.epoch}, epoch);
    sub(control, ${CONTROL.asleep}, 1);
  }
}
if (typeof require === "function") work(require("node:worker_threads").workerData);
else self.onmessage = (event) => work(event.data);
`;
