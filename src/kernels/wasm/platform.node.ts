import { availableParallelism } from "node:os";
import { setFlagsFromString } from "node:v8";
import { Worker } from "node:worker_threads";

/** What the runtime lets us switch, read and start, on Node. */
export const platform = {
  /** Node 20 knows relaxed SIMD behind a flag that has to be set before a module is compiled; later versions have it. */
  enableRelaxedSimd(): void {
    setFlagsFromString("--experimental-wasm-relaxed-simd");
  },
  environment(name: string): string | undefined {
    return process.env[name];
  },
  /** How many threads can share memory and wait for each other here; 1 where they cannot. */
  parallelism(): number {
    return availableParallelism();
  },
  /** Runs a script in a thread that does not keep the process alive, and returns what ends it. `onEnd` hears why it ended by itself. */
  startWorker(script: string, data: unknown, onEnd: (why: string) => void): () => void {
    // Options and the environment of the process are not for these threads: they might preload modules.
    const worker = new Worker(script, { eval: true, workerData: data, execArgv: [], env: {}, name: "evenkeel" });
    worker.unref();
    worker.on("error", (error) => onEnd(String(error)));
    worker.on("exit", (code) => onEnd(`it exited with code ${code}`));
    return () => void worker.terminate();
  },
};
