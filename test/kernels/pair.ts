import type { Backend, Pointer } from "../../src/kernels/backend.ts";
import type { FloatDType } from "../../src/kernels/dtype.ts";
import { heap } from "../../src/kernels/heap.ts";
import { createReferenceBackend } from "../../src/kernels/reference/index.ts";
import { createWasmBackend } from "../../src/kernels/wasm/index.ts";

/** The SIMD build that this run tests; none in the run of the reference backend. */
export const simd = process.env.EVENKEEL_SIMD as "base" | "relaxed" | undefined;

export const reference: Backend = createReferenceBackend();
export const wasm: Backend = simd ? createWasmBackend(simd, reference) : reference;

/** Pseudo-random numbers in [−1, 1), the same in every run. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

const taken: Pointer[] = [];

/** A block of `n` elements filled from `next`. */
export function block(dtype: FloatDType | "int64", n: number, next: () => number = () => Number.NaN): Pointer {
  const bytes = dtype === "float32" ? 4 : 8;
  const pointer = heap.alloc(Math.max(n, 1) * bytes);
  taken.push(pointer);
  for (let i = 0; i < n; i++) {
    if (dtype === "float32") heap.f32[pointer / 4 + i] = next();
    else if (dtype === "float64") heap.f64[pointer / 8 + i] = next();
    else heap.i64[pointer / 8 + i] = -7n;
  }
  return pointer;
}

/** The elements of a block. */
export function values(dtype: FloatDType | "int64", pointer: Pointer, n: number): number[] {
  if (dtype === "int64") return Array.from(heap.i64.subarray(pointer / 8, pointer / 8 + n), Number);
  const view = dtype === "float32" ? heap.f32 : heap.f64;
  const at = pointer / (dtype === "float32" ? 4 : 8);
  return Array.from(view.subarray(at, at + n));
}

/** Gives every block back. */
export function freeBlocks(): void {
  for (const pointer of taken.splice(0)) heap.free(pointer);
}

/** The largest difference, measured against the largest magnitude expected; NaN meets NaN. */
export function difference(got: readonly number[], expected: readonly number[]): number {
  let most = 0;
  let scale = 1e-30;
  for (let i = 0; i < expected.length; i++) {
    if (Number.isNaN(expected[i]) && Number.isNaN(got[i])) continue;
    if (got[i] === expected[i]) continue;
    const apart = Math.abs(got[i] - expected[i]);
    most = Number.isNaN(apart) ? Number.POSITIVE_INFINITY : Math.max(most, apart);
    scale = Math.max(scale, Math.abs(expected[i]));
  }
  return most / scale;
}

/** What rounding allows in the last digits of a result whose terms are about as large as itself. */
export const TOLERANCE: Readonly<Record<FloatDType, number>> = { float32: 5e-6, float64: 1e-13 };
