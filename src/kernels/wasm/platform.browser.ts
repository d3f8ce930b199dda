/** What the runtime lets us switch, read and start, outside Node. */
export const platform = {
  enableRelaxedSimd(): void {},
  environment(_name: string): string | undefined {
    return undefined;
  },
  /** How many threads can share memory and wait for each other here; 1 where they cannot: outside cross-origin isolation, and in a page's own thread. */
  parallelism(): number {
    const mayWait = typeof document === "undefined";
    return globalThis.crossOriginIsolated === true && mayWait ? navigator.hardwareConcurrency : 1;
  },
  /** Runs a script in a thread, and returns what ends it. `onEnd` hears why it ended by itself. */
  startWorker(script: string, data: unknown, onEnd: (why: string) => void): () => void {
    const address = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
    const worker = new Worker(address, { name: "evenkeel" });
    worker.onerror = (event) => onEnd(event.message);
    worker.postMessage(data);
    return () => {
      worker.terminate();
      URL.revokeObjectURL(address);
    };
  },
};
