import { type Remote, releaseProxy, wrap } from "comlink";
import type { Engine } from "./worker.ts";

/** A worker that runs evenkeel, and how to end it. */
export interface EngineHandle {
  readonly engine: Remote<Engine>;
  /** Ends the worker and all its threads, at once; calls under way never answer. */
  end(): void;
}

/** Starts a worker. `onCrash` hears if it dies: its script could not be loaded, or an error was not caught. */
export function startEngine(onCrash: (message: string) => void): EngineHandle {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "evenkeel" });
  worker.onerror = (event) => onCrash(event.message || "the worker could not be started");
  const engine = wrap<Engine>(worker);
  return {
    engine,
    end() {
      engine[releaseProxy]();
      worker.terminate();
    },
  };
}
