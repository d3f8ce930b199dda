import { Worker } from "node:worker_threads";

/** What the threads share: counts up when a call begins and when it ends, so it is odd during one; and which call. */
const COUNT = 0;
const CALL = 1;

/** The calls that a rank may wait in, by number. */
export const CALLS = ["init", "allReduce", "startSum_", "allGather", "broadcast_", "barrier"] as const;
/** A call that a rank may wait in. */
export type Call = (typeof CALLS)[number];

/** Looks every `tick` ms. A pause of the whole process counts as one tick, so that a job that was stopped and goes on lives. */
const SCRIPT = `
const { workerData } = require("node:worker_threads");
const { readFileSync, writeSync } = require("node:fs");
const { shared, timeout, tick, calls, who } = workerData;
let last = 0;
let waited = 0;
for (;;) {
  Atomics.wait(shared, 2, 0, tick);
  const count = Atomics.load(shared, ${COUNT});
  if (count % 2 === 0 || count !== last) waited = 0;
  else waited += tick;
  last = count;
  if (waited < timeout) continue;
  const call = calls[Atomics.load(shared, ${CALL})];
  const text = "evenkeel: " + who + " waited " + timeout / 1000 + " s in " + call + " for the others: one hangs, has left, or cannot be reached " +
    "(the time-out is init({ timeout }) or EVENKEEL_TIMEOUT, in seconds)\\n";
  try {
    writeSync(2, text);
    // so that all who wait can say so before the first one's end ends the job
    Atomics.wait(shared, 2, 0, tick + 300);
    // Open MPI's daemon of a host that cannot be reached would wait for TCP to give up, a quarter of an hour. (Without /proc it is left to that.)
    if (readFileSync("/proc/" + process.ppid + "/comm", "utf8").trim() === "orted") process.kill(process.ppid, "SIGTERM");
  } finally {
    process.kill(process.pid, "SIGKILL");
  }
}
`;

/**
 * Ends this process when a call of MPI does not return: such a call holds the thread and knows no time-out. A thread of its own looks on; a call costs
 * the main thread two atomic additions.
 */
export class Watchdog {
  private readonly shared = new Int32Array(new SharedArrayBuffer(12));

  /**
   * @param timeout seconds
   * @param who what the message calls this process
   */
  constructor(timeout: number, who: string) {
    const ms = timeout * 1000;
    const data = { shared: this.shared, timeout: ms, tick: Math.min(1000, ms / 8), calls: CALLS, who };
    new Worker(SCRIPT, { eval: true, workerData: data, execArgv: [], env: {} }).unref();
  }

  /** Runs a call that may wait for other ranks. */
  during<T>(call: Call, body: () => T): T {
    const { shared } = this;
    shared[CALL] = CALLS.indexOf(call);
    Atomics.add(shared, COUNT, 1);
    try {
      return body();
    } finally {
      Atomics.add(shared, COUNT, 1);
    }
  }
}
