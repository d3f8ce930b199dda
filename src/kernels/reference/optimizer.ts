import type { AdamStep, OptimizerKernels, Pointer, RmspropStep, SgdStep } from "../backend.ts";
import type { FloatDType } from "../dtype.ts";
import { fma32, mulAdd, rounder } from "./math.ts";
import { floats, position } from "./views.ts";

/*
 * torch.optim's single-tensor updates, operation by operation. float32 is rounded where PyTorch rounds: every tensor operation once, scalars
 * before use, and add_(x, alpha) and addcmul_ as one fused multiply-add.
 */

interface Arithmetic {
  readonly round: (x: number) => number;
  readonly fma: (a: number, b: number, c: number) => number;
}

function arithmetic(dtype: FloatDType): Arithmetic {
  return { round: rounder(dtype), fma: dtype === "float32" ? fma32 : mulAdd };
}

function sgd(dtype: FloatDType, n: number, param: Pointer, grad: Pointer, buffer: Pointer, step: SgdStep): void {
  const v = floats(dtype);
  const { round, fma } = arithmetic(dtype);
  const [p, g, b] = [position(dtype, param), position(dtype, grad), position(dtype, buffer)];
  const sign = step.maximize ? -1 : 1;
  const [decay, momentum, taken, minusLr] = [step.weightDecay, step.momentum, 1 - step.dampening, -step.lr].map(round);
  for (let i = 0; i < n; i++) {
    let d = sign * v[g + i];
    if (decay !== 0) d = fma(v[p + i], decay, d);
    if (momentum !== 0) {
      const average = step.first ? d : fma(d, taken, round(v[b + i] * momentum));
      v[b + i] = average;
      d = step.nesterov ? fma(average, momentum, d) : average;
    }
    v[p + i] = fma(d, minusLr, v[p + i]);
  }
}

function adam(
  dtype: FloatDType,
  n: number,
  param: Pointer,
  grad: Pointer,
  average: Pointer,
  square: Pointer,
  maxSquare: Pointer,
  step: AdamStep,
): void {
  const v = floats(dtype);
  const { round, fma } = arithmetic(dtype);
  const [p, g, a] = [position(dtype, param), position(dtype, grad), position(dtype, average)];
  const [s, m] = [position(dtype, square), position(dtype, maxSquare)];
  const sign = step.maximize ? -1 : 1;
  const decay = step.decoupled ? 0 : round(step.weightDecay);
  const shrink = step.decoupled ? round(1 - step.lr * step.weightDecay) : 1;
  const [beta1, rest1, beta2, rest2, eps] = [step.beta1, 1 - step.beta1, step.beta2, 1 - step.beta2, step.eps].map(
    round,
  );
  const minusStep = round(-step.lr / (1 - step.beta1 ** step.step));
  const correction = round(Math.sqrt(1 - step.beta2 ** step.step));
  for (let i = 0; i < n; i++) {
    const weight = round(v[p + i] * shrink);
    let d = sign * v[g + i];
    if (decay !== 0) d = fma(weight, decay, d);
    const first = fma(d, rest1, round(v[a + i] * beta1));
    const second = fma(round(rest2 * d), d, round(v[s + i] * beta2));
    v[a + i] = first;
    v[s + i] = second;
    let most = second;
    if (maxSquare !== 0) {
      most = Math.max(v[m + i], second);
      v[m + i] = most;
    }
    const denominator = round(round(round(Math.sqrt(most)) / correction) + eps);
    v[p + i] = weight + round(round(minusStep * first) / denominator);
  }
}

function rmsprop(
  dtype: FloatDType,
  n: number,
  param: Pointer,
  grad: Pointer,
  square: Pointer,
  buffer: Pointer,
  average: Pointer,
  step: RmspropStep,
): void {
  const v = floats(dtype);
  const { round, fma } = arithmetic(dtype);
  const [p, g, s] = [position(dtype, param), position(dtype, grad), position(dtype, square)];
  const [b, a] = [position(dtype, buffer), position(dtype, average)];
  const sign = step.maximize ? -1 : 1;
  const [decay, alpha, rest, eps] = [step.weightDecay, step.alpha, 1 - step.alpha, step.eps].map(round);
  const [momentum, minusLr] = [step.momentum, -step.lr].map(round);
  for (let i = 0; i < n; i++) {
    let d = sign * v[g + i];
    if (decay !== 0) d = fma(v[p + i], decay, d);
    const second = fma(round(rest * d), d, round(v[s + i] * alpha));
    v[s + i] = second;
    let variance = second;
    if (average !== 0) {
      const mean = fma(d, rest, round(v[a + i] * alpha));
      v[a + i] = mean;
      variance = fma(-mean, mean, second);
    }
    const deviation = round(round(Math.sqrt(variance)) + eps);
    if (momentum > 0) {
      const moved = round(round(v[b + i] * momentum) + round(d / deviation));
      v[b + i] = moved;
      v[p + i] = fma(moved, minusLr, v[p + i]);
    } else {
      v[p + i] += round(round(minusLr * d) / deviation);
    }
  }
}

export const optimizerKernels: OptimizerKernels = { sgd, adam, rmsprop };
