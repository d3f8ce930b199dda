import type { AdamStep, OptimizerKernels, Pointer, RmspropStep, SgdStep, SgdTensor } from "../backend.ts";
import type { FloatDType } from "../dtype.ts";
import { fma, round } from "./math.ts";
import { floats, position } from "./views.ts";

/*
 * torch.optim's single-tensor updates, operation by operation. float32 is rounded where PyTorch rounds: every tensor
 * operation once, scalars
 * before use, and add_(x, alpha) and addcmul_ as one fused multiply-add.
 */

function sgdOf(dtype: FloatDType, { n, param, grad, buffer, first }: SgdTensor, step: SgdStep): void {
  const v = floats(dtype);
  const single = dtype === "float32";
  const [p, g, b] = [position(dtype, param), position(dtype, grad), position(dtype, buffer)];
  const sign = step.maximize ? -1 : 1;
  const [decay, momentum, taken, minusLr] = [step.weightDecay, step.momentum, 1 - step.dampening, -step.lr].map((x) =>
    round(single, x),
  );
  for (let i = 0; i < n; i++) {
    let d = sign * v[g + i];
    if (decay !== 0) d = fma(single, v[p + i], decay, d);
    if (momentum !== 0) {
      const average = first ? d : fma(single, d, taken, round(single, v[b + i] * momentum));
      v[b + i] = average;
      d = step.nesterov ? fma(single, average, momentum, d) : average;
    }
    v[p + i] = fma(single, d, minusLr, v[p + i]);
  }
}

function sgd(dtype: FloatDType, tensors: readonly SgdTensor[], step: SgdStep): void {
  for (const tensor of tensors) sgdOf(dtype, tensor, step);
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
  const single = dtype === "float32";
  const [p, g, a] = [position(dtype, param), position(dtype, grad), position(dtype, average)];
  const [s, m] = [position(dtype, square), position(dtype, maxSquare)];
  const sign = step.maximize ? -1 : 1;
  const decay = step.decoupled ? 0 : round(single, step.weightDecay);
  const shrink = step.decoupled ? round(single, 1 - step.lr * step.weightDecay) : 1;
  const [beta1, rest1, beta2, rest2, eps] = [step.beta1, 1 - step.beta1, step.beta2, 1 - step.beta2, step.eps].map(
    (x) => round(single, x),
  );
  const minusStep = round(single, -step.lr / (1 - step.beta1 ** step.step));
  const correction = round(single, Math.sqrt(1 - step.beta2 ** step.step));
  for (let i = 0; i < n; i++) {
    const weight = round(single, v[p + i] * shrink);
    let d = sign * v[g + i];
    if (decay !== 0) d = fma(single, weight, decay, d);
    const first = fma(single, d, rest1, round(single, v[a + i] * beta1));
    const second = fma(single, round(single, rest2 * d), d, round(single, v[s + i] * beta2));
    v[a + i] = first;
    v[s + i] = second;
    let most = second;
    if (maxSquare !== 0) {
      most = Math.max(v[m + i], second);
      v[m + i] = most;
    }
    const denominator = round(single, round(single, round(single, Math.sqrt(most)) / correction) + eps);
    v[p + i] = weight + round(single, round(single, minusStep * first) / denominator);
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
  const single = dtype === "float32";
  const [p, g, s] = [position(dtype, param), position(dtype, grad), position(dtype, square)];
  const [b, a] = [position(dtype, buffer), position(dtype, average)];
  const sign = step.maximize ? -1 : 1;
  const [decay, alpha, rest, eps] = [step.weightDecay, step.alpha, 1 - step.alpha, step.eps].map((x) =>
    round(single, x),
  );
  const [momentum, minusLr] = [step.momentum, -step.lr].map((x) => round(single, x));
  for (let i = 0; i < n; i++) {
    let d = sign * v[g + i];
    if (decay !== 0) d = fma(single, v[p + i], decay, d);
    const second = fma(single, round(single, rest * d), d, round(single, v[s + i] * alpha));
    v[s + i] = second;
    let variance = second;
    if (average !== 0) {
      const mean = fma(single, d, rest, round(single, v[a + i] * alpha));
      v[a + i] = mean;
      variance = fma(single, -mean, mean, second);
    }
    const deviation = round(single, round(single, Math.sqrt(variance)) + eps);
    if (momentum > 0) {
      const moved = round(single, round(single, v[b + i] * momentum) + round(single, d / deviation));
      v[b + i] = moved;
      v[p + i] = fma(single, moved, minusLr, v[p + i]);
    } else {
      v[p + i] += round(single, round(single, minusLr * d) / deviation);
    }
  }
}

export const optimizerKernels: OptimizerKernels = { sgd, adam, rmsprop };
