import type { OptimizerKernels, Pointer } from "../backend.ts";

type Sgd = (
  n: number,
  param: Pointer,
  grad: Pointer,
  buffer: Pointer,
  lr: number,
  momentum: number,
  dampening: number,
  weightDecay: number,
  nesterov: boolean,
  maximize: boolean,
  first: boolean,
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

/** What assembly/optimizer.ts exports. */
export interface OptimizerExports {
  isFused(x: number): number;
  sgdF32: Sgd;
  sgdF64: Sgd;
  adamF32: Adam;
  adamF64: Adam;
  rmspropF32: Rmsprop;
  rmspropF64: Rmsprop;
}

/** Optimizer updates. */
export function optimizerKernels(wasm: OptimizerExports): OptimizerKernels {
  // 1 + 2⁻¹², whose square tells one rounding from two
  const fused = wasm.isFused(1.000244140625);
  return {
    sgd(dtype, n, param, grad, buffer, step) {
      const kernel = dtype === "float32" ? wasm.sgdF32 : wasm.sgdF64;
      const { lr, momentum, dampening, weightDecay, nesterov, maximize, first } = step;
      kernel(n, param, grad, buffer, lr, momentum, dampening, weightDecay, nesterov, maximize, first, fused);
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
