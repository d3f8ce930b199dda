import { Exact, Fused, Part, Whole } from "./optimizer-parts";

/** `minusStep` is −lr / (1 − beta1^step), `correction` √(1 − beta2^step), `shrink` what AdamW multiplies parameters with. */
function adamBy<Op, Place, T>(
  from: usize,
  to: usize,
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
): void {
  const op = changetype<Op>(0);
  const place = changetype<Place>(0);
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
  for (let at = from; at < to; at += 16) {
    const left = to - at;
    const p = v128.mul<T>(place.load(param + at, left), shrinking);
    let d = v128.mul<T>(place.load(grad + at, left), sign);
    if (weightDecay !== 0) d = op.fma<T>(p, decay, d);
    const m = op.fma<T>(d, taken1, v128.mul<T>(place.load(average + at, left), kept1));
    let v = op.fma<T>(v128.mul<T>(taken2, d), d, v128.mul<T>(place.load(square + at, left), kept2));
    place.store(average + at, m, left);
    place.store(square + at, v, left);
    if (maxSquare !== 0) {
      v = v128.max<T>(place.load(maxSquare + at, left), v);
      place.store(maxSquare + at, v, left);
    }
    const denominator = v128.add<T>(v128.div<T>(v128.sqrt<T>(v), divisor), epsilon);
    place.store(param + at, v128.add<T>(p, v128.div<T>(v128.mul<T>(stepSize, m), denominator)), left);
  }
}

function rmspropBy<Op, Place, T>(
  from: usize,
  to: usize,
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
): void {
  const op = changetype<Op>(0);
  const place = changetype<Place>(0);
  const minusLr = v128.splat<T>(<T>-lr);
  const kept = v128.splat<T>(<T>alpha);
  const taken = v128.splat<T>(<T>(1 - alpha));
  const epsilon = v128.splat<T>(<T>eps);
  const decay = v128.splat<T>(<T>weightDecay);
  const moving = v128.splat<T>(<T>momentum);
  const sign = v128.splat<T>(maximize ? -1 : 1);
  for (let at = from; at < to; at += 16) {
    const left = to - at;
    const p = place.load(param + at, left);
    let d = v128.mul<T>(place.load(grad + at, left), sign);
    if (weightDecay !== 0) d = op.fma<T>(p, decay, d);
    let v = op.fma<T>(v128.mul<T>(taken, d), d, v128.mul<T>(place.load(square + at, left), kept));
    place.store(square + at, v, left);
    if (average !== 0) {
      const mean = op.fma<T>(d, taken, v128.mul<T>(place.load(average + at, left), kept));
      place.store(average + at, mean, left);
      v = op.fma<T>(v128.neg<T>(mean), mean, v);
    }
    const deviation = v128.add<T>(v128.sqrt<T>(v), epsilon);
    if (momentum > 0) {
      const b = v128.add<T>(v128.mul<T>(place.load(buffer + at, left), moving), v128.div<T>(d, deviation));
      place.store(buffer + at, b, left);
      place.store(param + at, op.fma<T>(b, minusLr, p), left);
    } else {
      place.store(param + at, v128.add<T>(p, v128.div<T>(v128.mul<T>(minusLr, d), deviation)), left);
    }
  }
}

/** `maxSquare` may be 0. */
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
  const bytes = n * sizeof<T>();
  let from: usize = 0;
  if (ASC_FEATURE_RELAXED_SIMD && fused) {
    from = bytes & ~15;
    adamBy<Fused, Whole, T>(
      0,
      from,
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
    );
  }
  adamBy<Exact, Part, T>(
    from,
    bytes,
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
  );
}

/** `buffer` and `average` may be 0. */
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
  const bytes = n * sizeof<T>();
  let from: usize = 0;
  if (ASC_FEATURE_RELAXED_SIMD && fused) {
    from = bytes & ~15;
    rmspropBy<Fused, Whole, T>(
      0,
      from,
      param,
      grad,
      square,
      buffer,
      average,
      lr,
      alpha,
      eps,
      weightDecay,
      momentum,
      maximize,
    );
  }
  rmspropBy<Exact, Part, T>(
    from,
    bytes,
    param,
    grad,
    square,
    buffer,
    average,
    lr,
    alpha,
    eps,
    weightDecay,
    momentum,
    maximize,
  );
}
