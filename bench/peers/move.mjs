// What moving tensors takes, with nothing computed: the least that a pass over them can take.
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { stream } from "./loops.mjs";

/** Where a job's number, the number of threads that are done with it, and the number that are ready stand in the shared numbers. */
const [JOB, DONE, READY] = [0, 16, 32];
/** Looks at a number before going to sleep, about 200 µs: other libraries have the processor to themselves in their turns. */
const SPINS = 32000;
/** Tensors begin on a line of their own, no two on the same of a page. */
const GAP = 64 * 17;

/** A thread's share of all passes, as a function: of each the same part of every tensor. */
function share({ memory, passes, thread, threads }) {
  const kernels = new Map();
  const kernel = (reads, writes) => {
    const key = `${reads} ${writes}`;
    if (!kernels.has(key)) {
      kernels.set(key, new WebAssembly.Instance(stream(reads, writes), { env: { memory } }).exports.f);
    }
    return kernels.get(key);
  };
  const calls = passes.map(({ from, to, bytes }) => {
    const lines = bytes / 64;
    const [first, last] = [thread, thread + 1].map((t) => 64 * Math.floor((lines * t) / threads));
    return [kernel(from.length, to.length), [...from, ...to].map((at) => at + first), last - first];
  });
  return () => {
    for (const [run, addresses, bytes] of calls) run(...addresses, bytes);
  };
}

/**
 * Tensors (name → bytes, multiples of 64) and the passes over them: each reads the tensors `from` and writes those `to`, `bytes` or as many as the first of them has. One tensor to one other is
 * memcpy. With more threads each has a share of every pass.
 */
export async function move({ tensors, passes }, threads) {
  let top = 65536;
  const addresses = Object.fromEntries(
    Object.entries(tensors).map(([name, bytes]) => {
      const at = top;
      top += Math.ceil(bytes / 4096) * 4096 + GAP;
      return [name, at];
    }),
  );
  const memory = new WebAssembly.Memory({ initial: Math.ceil(top / 65536), maximum: 65535, shared: true });
  // Pages that were never written are one page of zeros, and reading them costs nothing.
  new Uint8Array(memory.buffer).fill(1);
  const placed = passes.map(({ from, to, bytes }) => ({
    from: from.map((name) => addresses[name]),
    to: to.map((name) => addresses[name]),
    bytes: bytes ?? tensors[to[0]],
  }));
  const control = new Int32Array(new SharedArrayBuffer(4 * 48));
  const setup = { memory, passes: placed, threads, control };
  const ours = share({ ...setup, thread: 0 });
  const workers = Array.from(
    { length: threads - 1 },
    (_, i) => new Worker(new URL(import.meta.url), { workerData: { ...setup, thread: i + 1 } }),
  );
  while (Atomics.load(control, READY) < threads - 1) await new Promise((resolve) => setTimeout(resolve, 1));
  return {
    body() {
      if (threads === 1) return ours();
      Atomics.store(control, DONE, 0);
      Atomics.add(control, JOB, 1);
      Atomics.notify(control, JOB);
      ours();
      while (Atomics.load(control, DONE) < threads - 1);
    },
    drop: () => workers.forEach((worker) => void worker.terminate()),
  };
}

function serveJobs(setup) {
  const { control } = setup;
  const run = share(setup);
  let job = 0;
  Atomics.add(control, READY, 1);
  for (;;) {
    for (let left = SPINS; left > 0 && Atomics.load(control, JOB) === job; left--);
    Atomics.wait(control, JOB, job);
    job = Atomics.load(control, JOB);
    run();
    Atomics.add(control, DONE, 1);
  }
}

if (!isMainThread) serveJobs(workerData);
