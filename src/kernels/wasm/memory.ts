import type { MemoryKernels, Pointer } from "../backend.ts";

/** What assembly/memory.ts exports. */
export interface MemoryExports {
  fillF32(out: Pointer, n: number, value: number): void;
}

/** Moving, filling and converting memory. */
export function memoryKernels(wasm: MemoryExports, reference: MemoryKernels): MemoryKernels {
  return {
    fill(dtype, out, n, value) {
      if (dtype === "float32") wasm.fillF32(out, n, value);
      else reference.fill(dtype, out, n, value);
    },
    convert: reference.convert,
    copyStrided: reference.copyStrided,
  };
}
