import type { Backend } from "../backend.ts";
import { elementwiseKernels } from "./elementwise.ts";
import { givenNormKernels } from "./given-norm.ts";
import { indexKernels } from "./indexing.ts";
import { linearKernels } from "./linear.ts";
import { memoryKernels } from "./memory.ts";
import { normKernels } from "./norm.ts";
import { optimizerKernels } from "./optimizer.ts";
import { poolKernels } from "./pool.ts";
import { reductionKernels } from "./reduction.ts";

/**
 * The backend in plain TypeScript over the heap's typed arrays: the oracle of the others, the float64 path and the
 * fallback where WebAssembly SIMD
 * is missing. float32 results are computed in float64 and rounded once, except where PyTorch's own bits are owed (batch
 * norm, optimizers).
 */
export function createReferenceBackend(): Backend {
  return {
    name: "reference",
    simd: "none",
    threads: 1,
    ...memoryKernels,
    ...elementwiseKernels,
    ...reductionKernels,
    ...indexKernels,
    ...linearKernels,
    ...poolKernels,
    ...normKernels,
    ...givenNormKernels,
    ...optimizerKernels,
  };
}
