import { EnvironmentError } from "../util/errors.ts";
import type { Backend } from "./backend.ts";

const factories = new Map<string, () => Backend>();
const made = new Map<string, Backend>();
let current: Backend | undefined;

/** Makes a backend known under a name such as "wasm-base"; it is built when first chosen. */
export function registerBackend(name: string, make: () => Backend): void {
  factories.set(name, make);
  made.delete(name);
}

/** Names of the registered backends, in the order they were registered. */
export function backendNames(): string[] {
  return [...factories.keys()];
}

/** Makes the named backend the one that computes from now on. All backends share one heap, so tensors stay valid. */
export function chooseBackend(name: string): Backend {
  let chosen = made.get(name);
  if (!chosen) {
    const make = factories.get(name);
    if (!make) {
      throw new EnvironmentError(`no backend is called "${name}"`, `choose one of ${backendNames().join(", ")}`);
    }
    chosen = make();
    made.set(name, chosen);
  }
  current = chosen;
  return chosen;
}

/** The backend that computes now. */
export function backend(): Backend {
  if (!current) throw new EnvironmentError("no kernels are registered", 'import from "evenkeel", which registers them');
  return current;
}
