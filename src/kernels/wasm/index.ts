import type { Backend } from "../backend.ts";
import { type ElementwiseExports, elementwiseKernels } from "./elementwise.ts";
import { type MemoryExports, memoryKernels } from "./memory.ts";
import { instantiate, type SimdBuild } from "./module.ts";

type Exports = MemoryExports & ElementwiseExports;

/**
 * The WebAssembly backend: each family of kernels wrapped, and what it does not compute itself left to `reference`.
 * @throws EnvironmentError when the runtime lacks the build's instructions
 */
export function createWasmBackend(simd: SimdBuild, reference: Backend): Backend {
  const wasm = instantiate<Exports>(simd);
  return {
    ...reference,
    ...memoryKernels(wasm),
    ...elementwiseKernels(wasm, reference),
    name: "wasm",
    simd,
    threads: 1,
  };
}
