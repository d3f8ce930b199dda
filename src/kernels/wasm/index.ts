import type { Backend } from "../backend.ts";
import { heap } from "../heap.ts";
import { type ElementwiseExports, elementwiseKernels } from "./elementwise.ts";
import { type GivenNormExports, givenNormKernels } from "./given-norm.ts";
import { type IndexExports, indexKernels } from "./indexing.ts";
import { type LinearExports, linearKernels } from "./linear.ts";
import { type MemoryExports, memoryKernels } from "./memory.ts";
import { compile, type SimdBuild } from "./module.ts";
import { type NormExports, normKernels } from "./norm.ts";
import { type OptimizerExports, optimizerKernels } from "./optimizer.ts";
import { type PoolExports, poolKernels } from "./pool.ts";
import { type ReductionExports, reductionKernels } from "./reduction.ts";
import { splitKernels } from "./split.ts";
import { SPLITS } from "./splits.ts";
import { threadCount } from "./threads.ts";

type Exports = MemoryExports &
  ElementwiseExports &
  ReductionExports &
  IndexExports &
  LinearExports &
  NormExports &
  GivenNormExports &
  PoolExports &
  OptimizerExports;

/**
 * The WebAssembly backend: each family of kernels wrapped, and what it does not compute itself left to `reference`.
 * @throws EnvironmentError when the runtime lacks the build's instructions
 */
export function createWasmBackend(simd: SimdBuild, reference: Backend): Backend {
  const module = compile(simd);
  const instance = new WebAssembly.Instance(module, { env: { memory: heap.memory } });
  const wasm = splitKernels(module, instance.exports as unknown as Exports, SPLITS);
  const norm = normKernels(wasm, heap, reference);
  return {
    ...reference,
    ...memoryKernels(wasm),
    ...elementwiseKernels(wasm, reference),
    ...reductionKernels(wasm, reference),
    ...indexKernels(wasm, reference),
    ...linearKernels(wasm, heap, reference),
    ...norm,
    ...givenNormKernels(wasm, heap, norm),
    ...poolKernels(wasm, heap),
    ...optimizerKernels(wasm, heap),
    name: "wasm",
    simd,
    get threads() {
      return threadCount();
    },
  };
}
