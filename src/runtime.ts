import { platform } from "#platform";
import { createReferenceBackend } from "./kernels/reference/index.ts";
import { backend, chooseBackend, registerBackend } from "./kernels/registry.ts";
import { createWasmBackend } from "./kernels/wasm/index.ts";
import { supportsSimd } from "./kernels/wasm/module.ts";
import { setThreadCount } from "./kernels/wasm/threads.ts";
import { allowWinograd, winogradAllowed } from "./kernels/wasm/winograd.ts";
import { ArgumentError, EnvironmentError } from "./util/errors.ts";

/** A set of kernels that can be chosen: plain TypeScript, or WebAssembly without or with fused multiply-add. */
export type BackendName = "reference" | "wasm-base" | "wasm-relaxed";

/** What computes now. */
export interface RuntimeInfo {
  /** "wasm", or "reference" for plain TypeScript */
  readonly backend: string;
  /** the WebAssembly build: "relaxed" with fused multiply-add, "base" without, "none" for plain TypeScript */
  readonly simd: "relaxed" | "base" | "none";
  /** how many threads kernels use */
  readonly threads: number;
}

/** An environment variable that has to be one of `allowed`, or absent. */
function environment(name: string, allowed: readonly string[]): string | undefined {
  const value = platform.environment(name);
  if (!value) return undefined;
  if (!allowed.includes(value)) {
    throw new EnvironmentError(`${name} is "${value}"`, `set it to ${allowed.join(" or ")}, or to nothing`);
  }
  return value;
}

function preferred(): BackendName {
  const kind = environment("EVENKEEL_BACKEND", ["reference", "wasm"]);
  const simd = environment("EVENKEEL_SIMD", ["base", "relaxed"]);
  if (kind === "reference") return "reference";
  if (simd) return simd === "base" ? "wasm-base" : "wasm-relaxed";
  if (supportsSimd("relaxed")) return "wasm-relaxed";
  return kind === "wasm" || supportsSimd("base") ? "wasm-base" : "reference";
}

/**
 * Which kernels compute: the backend, its SIMD build and its number of threads.
 *
 * At the start the fastest set that the JavaScript runtime can run is chosen, unless the environment variables
 * EVENKEEL_BACKEND (reference or wasm) and EVENKEEL_SIMD (base or relaxed) say otherwise.
 *
 * @example
 * ```ts
 * import { runtimeInfo } from "evenkeel";
 *
 * const { backend, simd, threads } = runtimeInfo();
 * console.log(`${backend}, ${simd} SIMD, ${threads} thread(s)`);
 * ```
 */
export function runtimeInfo(): RuntimeInfo {
  const { name, simd, threads } = backend();
  return { backend: name, simd, threads };
}

/**
 * Chooses the kernels that compute from now on. All share one memory, so tensors stay valid.
 * @throws EnvironmentError when the name is unknown, or the JavaScript runtime lacks the SIMD instructions
 *
 * @example
 * ```ts
 * import { runtimeInfo, setBackend } from "evenkeel";
 *
 * const before = runtimeInfo();
 * setBackend("reference");
 * runtimeInfo().backend; // => "reference"
 * setBackend(before.backend === "reference" ? "reference" : `wasm-${before.simd}` as "wasm-base");
 * ```
 */
export function setBackend(name: BackendName): void {
  chooseBackend(name);
}

/**
 * Sets how many threads kernels use, this one among them: torch.set_num_threads. Results do not depend on it, to the bit. At the start it is the number of processors, at
 * most 8, or what the environment variable EVENKEEL_THREADS says. Workers are started by the first kernel that is large enough to share.
 *
 * It stays 1 where threads cannot share memory: in a page's own thread, and in a browser worker that is not cross-origin isolated. Plain TypeScript
 * kernels always use one thread.
 * @throws ArgumentError unless `count` is a positive integer
 *
 * @example
 * ```ts
 * import { getNumThreads, setNumThreads } from "evenkeel";
 *
 * const before = getNumThreads();
 * setNumThreads(1);
 * getNumThreads(); // => 1
 * setNumThreads(before);
 * ```
 */
export function setNumThreads(count: number): void {
  if (!Number.isInteger(count) || count < 1) {
    throw new ArgumentError("set_num_threads expects a positive integer", `it was given ${count}`);
  }
  setThreadCount(count);
}

/**
 * How many threads kernels use: torch.get_num_threads.
 *
 * @example
 * ```ts
 * import { getNumThreads } from "evenkeel";
 *
 * console.log(`${getNumThreads()} thread(s)`);
 * ```
 */
export function getNumThreads(): number {
  return backend().threads;
}

/**
 * Chooses whether 3×3 convolutions of float32 with stride 1 may be computed by Winograd's algorithm F(4×4, 3×3) (Lavin and Gray 2015), which needs a quarter of the
 * multiplications. It is used where it is faster, in both directions; its rounding errors are two to three times those of plain sums (docs/convolution.md), and an infinite or NaN input spreads over
 * its 4×4 tile of outputs. At the start it is on, unless the environment variable EVENKEEL_WINOGRAD is "off". The plain TypeScript kernels never use it.
 *
 * @example
 * ```ts
 * import { getWinograd, setWinograd } from "evenkeel";
 *
 * const before = getWinograd();
 * setWinograd(false);
 * getWinograd(); // => false
 * setWinograd(before);
 * ```
 */
export function setWinograd(enabled: boolean): void {
  allowWinograd(enabled);
}

/**
 * Whether convolutions may be computed by Winograd's algorithm: see setWinograd.
 * @throws EnvironmentError when EVENKEEL_WINOGRAD is neither on nor off
 *
 * @example
 * ```ts
 * import { getWinograd } from "evenkeel";
 *
 * console.log(getWinograd() ? "fast 3×3 convolutions" : "plain sums");
 * ```
 */
export function getWinograd(): boolean {
  return winogradAllowed();
}

registerBackend("reference", createReferenceBackend);
registerBackend("wasm-base", () => createWasmBackend("base", createReferenceBackend()));
registerBackend("wasm-relaxed", () => createWasmBackend("relaxed", createReferenceBackend()));
chooseBackend(preferred());
