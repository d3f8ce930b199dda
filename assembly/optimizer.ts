import { exactFma4 } from "./exact";
import { highF64, lowF64 } from "./math";
import { loadPart, storePart } from "./scratch";

/*
 * torch.optim's single-tensor updates, in place, every operation rounded as there: add_(x, alpha) and addcmul_ are one fused
 * multiply-add, so that float32 parameters are PyTorch's to the bit. float64 multiplies and adds.
 */

/** a·b + c, for float32 with one rounding. `fused` says that relaxed_madd has one. */
function fma<T>(a: v128, b: v128, c: v128, fused: bool): v128 {
  if (sizeof<T>() === 8) return f64x2.add(f64x2.mul(a, b), c);
  if (ASC_FEATURE_RELAXED_SIMD && fused) return f32x4.relaxed_madd(a, b, c);
  return exactFma4(a, lowF64(b), highF64(b), lowF64(c), highF64(c));
}

export function sgd<T>(
  n: usize,
  param: usize,
  grad: usize,
  buffer: usize,
  lr: f64,
  momentum: f64,
  dampening: f64,
  weightDecay: f64,
  nesterov: bool,
  maximize: bool,
  first: bool,
  fused: bool,
): void {
  const minusLr = v128.splat<T>(<T>-lr);
  const decay = v128.splat<T>(<T>weightDecay);
  const kept = v128.splat<T>(<T>momentum);
  const taken = v128.splat<T>(<T>(1 - dampening));
  const sign = v128.splat<T>(maximize ? -1 : 1);
  const bytes = n * sizeof<T>();
  for (let at: usize = 0; at < bytes; at += 16) {
    const left = bytes - at;
    const p = loadPart(param + at, left);
    let d = v128.mul<T>(loadPart(grad + at, left), sign);
    if (weightDecay !== 0) d = fma<T>(p, decay, d, fused);
    if (momentum !== 0) {
      let b = d;
      if (!first) b = fma<T>(d, taken, v128.mul<T>(loadPart(buffer + at, left), kept), fused);
      storePart(buffer + at, b, left);
      d = nesterov ? fma<T>(b, kept, d, fused) : b;
    }
    storePart(param + at, fma<T>(d, minusLr, p, fused), left);
  }
}

/** `minusStep` is −lr / (1 − beta1^step), `correction` √(1 − beta2^step), `shrink` what AdamW multiplies parameters with. */
export function adam<T>(
  n: usize,
  param: usize,
  grad: usize,
  average: usize,
  square: usize,
  maxSquare: usize,
  beta1: f64,
  beta2: f64,
  eps: f64,
  weightDecay: f64,
  shrink: f64,
  maximize: bool,
  minusStep: f64,
  correction: f64,
  fused: bool,
): void {
  const kept1 = v128.splat<T>(<T>beta1);
  const taken1 = v128.splat<T>(<T>(1 - beta1));
  const kept2 = v128.splat<T>(<T>beta2);
  const taken2 = v128.splat<T>(<T>(1 - beta2));
  const epsilon = v128.splat<T>(<T>eps);
  const decay = v128.splat<T>(<T>weightDecay);
  const shrinking = v128.splat<T>(<T>shrink);
  const stepSize = v128.splat<T>(<T>minusStep);
  const divisor = v128.splat<T>(<T>correction);
  const sign = v128.splat<T>(maximize ? -1 : 1);
  const bytes = n * sizeof<T>();
  for (let at: usize = 0; at < bytes; at += 16) {
    const left = bytes - at;
    const p = v128.mul<T>(loadPart(param + at, left), shrinking);
    let d = v128.mul<T>(loadPart(grad + at, left), sign);
    if (weightDecay !== 0) d = fma<T>(p, decay, d, fused);
    const m = fma<T>(d, taken1, v128.mul<T>(loadPart(average + at, left), kept1), fused);
    let v = fma<T>(v128.mul<T>(taken2, d), d, v128.mul<T>(loadPart(square + at, left), kept2), fused);
    storePart(average + at, m, left);
    storePart(square + at, v, left);
    if (maxSquare !== 0) {
      v = v128.max<T>(loadPart(maxSquare + at, left), v);
      storePart(maxSquare + at, v, left);
    }
    const denominator = v128.add<T>(v128.div<T>(v128.sqrt<T>(v), divisor), epsilon);
    storePart(param + at, v128.add<T>(p, v128.div<T>(v128.mul<T>(stepSize, m), denominator)), left);
  }
}

export function rmsprop<T>(
  n: usize,
  param: usize,
  grad: usize,
  square: usize,
  buffer: usize,
  average: usize,
  lr: f64,
  alpha: f64,
  eps: f64,
  weightDecay: f64,
  momentum: f64,
  maximize: bool,
  fused: bool,
): void {
  const minusLr = v128.splat<T>(<T>-lr);
  const kept = v128.splat<T>(<T>alpha);
  const taken = v128.splat<T>(<T>(1 - alpha));
  const epsilon = v128.splat<T>(<T>eps);
  const decay = v128.splat<T>(<T>weightDecay);
  const moving = v128.splat<T>(<T>momentum);
  const sign = v128.splat<T>(maximize ? -1 : 1);
  const bytes = n * sizeof<T>();
  for (let at: usize = 0; at < bytes; at += 16) {
    const left = bytes - at;
    const p = loadPart(param + at, left);
    let d = v128.mul<T>(loadPart(grad + at, left), sign);
    if (weightDecay !== 0) d = fma<T>(p, decay, d, fused);
    let v = fma<T>(v128.mul<T>(taken, d), d, v128.mul<T>(loadPart(square + at, left), kept), fused);
    storePart(square + at, v, left);
    if (average !== 0) {
      const mean = fma<T>(d, taken, v128.mul<T>(loadPart(average + at, left), kept), fused);
      storePart(average + at, mean, left);
      v = fma<T>(v128.neg<T>(mean), mean, v, fused);
    }
    const deviation = v128.add<T>(v128.sqrt<T>(v), epsilon);
    if (momentum > 0) {
      const b = v128.add<T>(v128.mul<T>(loadPart(buffer + at, left), moving), v128.div<T>(d, deviation));
      storePart(buffer + at, b, left);
      storePart(param + at, fma<T>(b, minusLr, p, fused), left);
    } else {
      storePart(param + at, v128.add<T>(p, v128.div<T>(v128.mul<T>(minusLr, d), deviation)), left);
    }
  }
}
