import type { Pointer, ReduceOp, ReductionKernels } from "../backend.ts";
import { ARGUMENTS } from "./module.ts";

/** What assembly/reduce.ts and assembly/softmax.ts export. */
export interface ReductionExports {
  reduceF32(op: number, out: Pointer, x: Pointer, outer: number, size: number, inner: number, scratch: Pointer): void;
  extremumF32(
    isMin: number,
    values: Pointer,
    indices: Pointer,
    x: Pointer,
    outer: number,
    size: number,
    inner: number,
  ): void;
  varianceF32(
    out: Pointer,
    mean: Pointer,
    x: Pointer,
    outer: number,
    size: number,
    inner: number,
    correction: number,
    scratch: Pointer,
  ): void;
  softmaxF32(log: number, out: Pointer, x: Pointer, outer: number, size: number, inner: number): void;
  softmaxGradF32(log: number, gx: Pointer, g: Pointer, y: Pointer, outer: number, size: number, inner: number): void;
}

/** The numbers of operations in assembly/reduce.ts. */
const REDUCE: Readonly<Partial<Record<ReduceOp, number>>> = { sum: 0, mean: 1, prod: 2, max: 3, min: 4 };

/** Reductions and softmax: float32 here, the rest in the reference. */
export function reductionKernels(wasm: ReductionExports, reference: ReductionKernels): ReductionKernels {
  return {
    reduce(op, dtype, out, x, outer, size, inner) {
      const number = REDUCE[op];
      if (number === undefined || dtype !== "float32") reference.reduce(op, dtype, out, x, outer, size, inner);
      else wasm.reduceF32(number, out, x, outer, size, inner, ARGUMENTS);
    },

    extremum(op, dtype, values, indices, x, outer, size, inner) {
      if (dtype !== "float32") reference.extremum(op, dtype, values, indices, x, outer, size, inner);
      else wasm.extremumF32(op === "min" ? 1 : 0, values, indices, x, outer, size, inner);
    },

    variance(dtype, out, mean, x, outer, size, inner, correction) {
      if (dtype !== "float32") reference.variance(dtype, out, mean, x, outer, size, inner, correction);
      else wasm.varianceF32(out, mean, x, outer, size, inner, correction, ARGUMENTS);
    },

    softmax(dtype, log, out, x, outer, size, inner) {
      if (dtype !== "float32") reference.softmax(dtype, log, out, x, outer, size, inner);
      else if (size > 0) wasm.softmaxF32(log ? 1 : 0, out, x, outer, size, inner);
    },

    softmaxGrad(dtype, log, gx, g, y, outer, size, inner) {
      if (dtype !== "float32") reference.softmaxGrad(dtype, log, gx, g, y, outer, size, inner);
      else wasm.softmaxGradF32(log ? 1 : 0, gx, g, y, outer, size, inner);
    },
  };
}
