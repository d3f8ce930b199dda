import type { Backend } from "../backend.ts";
import { heap } from "../heap.ts";
import { type ElementwiseExports, elementwiseKernels } from "./elementwise.ts";
import { type LinearExports, linearKernels } from "./linear.ts";
import { type MemoryExports, memoryKernels } from "./memory.ts";
import { instantiate, type SimdBuild } from "./module.ts";
import { type NormExports, normKernels } from "./norm.ts";

type Exports = MemoryExports & ElementwiseExports & LinearExports & NormExports;

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
    ...linearKernels(wasm, heap, reference),
    ...normKernels(wasm, heap),
    name: "wasm",
    simd,
    threads: 1,
  };
}
