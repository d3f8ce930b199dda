import type { OptimizerKernels, Pointer } from "../backend.ts";
import type { Heap } from "../heap.ts";

type SgdMany = (
  from: number,
  count: number,
  table: Pointer,
  lr: number,
  momentum: number,
  dampening: number,
  weightDecay: number,
  nesterov: boolean,
  maximize: boolean,
  fused: number,
) => void;
type Adam = (
  n: number,
  param: Pointer,
  grad: Pointer,
  average: Pointer,
  square: Pointer,
  maxSquare: Pointer,
  beta1: number,
  beta2: number,
  eps: number,
  weightDecay: number,
  shrink: number,
  maximize: boolean,
  minusStep: number,
  correction: number,
  fused: number,
) => void;
type Rmsprop = (
  n: number,
  param: Pointer,
  grad: Pointer,
  square: Pointer,
  buffer: Pointer,
  average: Pointer,
  lr: number,
  alpha: number,
  eps: number,
  weightDecay: number,
  momentum: number,
  maximize: boolean,
  fused: number,
) => void;

/** What assembly/optimizer.ts and sgd.ts export. */
export interface OptimizerExports {
  isFused(x: number): number;
  sgdManyF32: SgdMany;
  sgdManyF64: SgdMany;
  adamF32: Adam;
  adamF64: Adam;
  rmspropF32: Rmsprop;
  rmspropF64: Rmsprop;
}

/** Bytes that sgdMany reads of a tensor, and elements of its units. */
const ENTRY_BYTES = 32;
const UNIT = 16;

/** Optimizer updates. */
export function optimizerKernels(wasm: OptimizerExports, heap: Heap): OptimizerKernels {
  // 1 + 2⁻¹², whose square tells one rounding from two
  const fused = wasm.isFused(1.000244140625);
  return {
    sgd(dtype, tensors, { lr, momentum, dampening, weightDecay, nesterov, maximize }) {
      const kernel = dtype === "float32" ? wasm.sgdManyF32 : wasm.sgdManyF64;
      const table = heap.alloc(ENTRY_BYTES * tensors.length);
      const { i32 } = heap;
      let at = table / 4;
      let units = 0;
      for (const { n, param, grad, buffer, first } of tensors) {
        units += Math.ceil(n / UNIT);
        i32[at] = units;
        i32[at + 1] = n;
        i32[at + 2] = param;
        i32[at + 3] = grad;
        i32[at + 4] = buffer;
        i32[at + 5] = first ? 1 : 0;
        at += ENTRY_BYTES / 4;
      }
      try {
        kernel(0, units, table, lr, momentum, dampening, weightDecay, nesterov, maximize, fused);
      } finally {
        heap.free(table);
      }
    },

    adam(dtype, n, param, grad, average, square, maxSquare, step) {
      const kernel = dtype === "float32" ? wasm.adamF32 : wasm.adamF64;
      const { beta1, beta2, eps, maximize } = step;
      const weightDecay = step.decoupled ? 0 : step.weightDecay;
      const shrink = step.decoupled ? 1 - step.lr * step.weightDecay : 1;
      const minusStep = -step.lr / (1 - beta1 ** step.step);
      const correction = Math.sqrt(1 - beta2 ** step.step);
      kernel(
        n,
        param,
        grad,
        average,
        square,
        maxSquare,
        beta1,
        beta2,
        eps,
        weightDecay,
        shrink,
        maximize,
        minusStep,
        correction,
        fused,
      );
    },

    rmsprop(dtype, n, param, grad, square, buffer, average, step) {
      const kernel = dtype === "float32" ? wasm.rmspropF32 : wasm.rmspropF64;
      const { lr, alpha, eps, weightDecay, momentum, maximize } = step;
      kernel(n, param, grad, square, buffer, average, lr, alpha, eps, weightDecay, momentum, maximize, fused);
    },
  };
}
