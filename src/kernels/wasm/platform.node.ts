import { setFlagsFromString } from "node:v8";

/** What the runtime lets us switch and read, on Node. */
export const platform = {
  /** Node 20 knows relaxed SIMD behind a flag that has to be set before a module is compiled; later versions have it. */
  enableRelaxedSimd(): void {
    setFlagsFromString("--experimental-wasm-relaxed-simd");
  },
  environment(name: string): string | undefined {
    return process.env[name];
  },
};
