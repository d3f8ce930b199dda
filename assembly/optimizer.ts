import { exactFma4 } from "./exact";
import { highF64, lowF64 } from "./math";
import { loadPart, storePart } from "./scratch";

/*
 * torch.optim's single-tensor updates, in place, every operation rounded as there: add_(x, alpha) and addcmul_ are one fused
 * multiply-add, so that float32 parameters are PyTorch's to the bit. float64 multiplies and adds.
 */

/** a·b + c with one rounding where T is float32: by the instruction that rounds once, or by float64. */
class Fused {
  fma<T>(a: v128, b: v128, c: v128): v128 {
    if (ASC_FEATURE_RELAXED_SIMD && sizeof<T>() === 4) return f32x4.relaxed_madd(a, b, c);
    return v128.add<T>(v128.mul<T>(a, b), c);
  }
}
class Exact {
  fma<T>(a: v128, b: v128, c: v128): v128 {
    if (sizeof<T>() === 8) return f64x2.add(f64x2.mul(a, b), c);
    return exactFma4(a, lowF64(b), highF64(b), lowF64(c), highF64(c));
  }
}

/** Whole vectors, or what is left behind them too. */
class Whole {
  load(from: usize, _bytes: usize): v128 {
    return v128.load(from);
  }
  store(to: usize, v: v128, _bytes: usize): void {
    v128.store(to, v);
  }
}
class Part {
  load(from: usize, bytes: usize): v128 {
    return loadPart(from, bytes);
  }
  store(to: usize, v: v128, bytes: usize): void {
    storePart(to, v, bytes);
  }
}

/** From byte `from` up to byte `to`. */
function sgdBy<Op, Place, T>(
  from: usize,
  to: usize,
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
): void {
  const op = changetype<Op>(0);
  const place = changetype<Place>(0);
  const minusLr = v128.splat<T>(<T>-lr);
  const decay = v128.splat<T>(<T>weightDecay);
  const kept = v128.splat<T>(<T>momentum);
  const taken = v128.splat<T>(<T>(1 - dampening));
  const sign = v128.splat<T>(maximize ? -1 : 1);
  for (let at = from; at < to; at += 16) {
    const left = to - at;
    const p = place.load(param + at, left);
    let d = v128.mul<T>(place.load(grad + at, left), sign);
    if (weightDecay !== 0) d = op.fma<T>(p, decay, d);
    if (momentum !== 0) {
      let b = d;
      if (!first) b = op.fma<T>(d, taken, v128.mul<T>(place.load(buffer + at, left), kept));
      place.store(buffer + at, b, left);
      d = nesterov ? op.fma<T>(b, kept, d) : b;
    }
    place.store(param + at, op.fma<T>(d, minusLr, p), left);
  }
}

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

/** Whole vectors without momentum or weight decay: p − lr·g. */
function descend<T>(bytes: usize, param: usize, grad: usize, minusLr: T): void {
  const op = changetype<Fused>(0);
  const step = v128.splat<T>(minusLr);
  const ahead = grad - param;
  const end = param + bytes;
  for (const four = param + (bytes & ~63); param < four; param += 64) {
    const g = param + ahead;
    v128.store(param, op.fma<T>(v128.load(g), step, v128.load(param)));
    v128.store(param, op.fma<T>(v128.load(g, 16), step, v128.load(param, 16)), 16);
    v128.store(param, op.fma<T>(v128.load(g, 32), step, v128.load(param, 32)), 32);
    v128.store(param, op.fma<T>(v128.load(g, 48), step, v128.load(param, 48)), 48);
  }
  for (; param < end; param += 16) {
    v128.store(param, op.fma<T>(v128.load(param + ahead), step, v128.load(param)));
  }
}

function sgd<T>(
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
  const bytes = n * sizeof<T>();
  let from: usize = 0;
  if (ASC_FEATURE_RELAXED_SIMD && fused) {
    from = bytes & ~15;
    const plain = momentum === 0 && weightDecay === 0;
    if (plain) descend<T>(from, param, grad, <T>(maximize ? lr : -lr));
    else {
      sgdBy<Fused, Whole, T>(
        0,
        from,
        param,
        grad,
        buffer,
        lr,
        momentum,
        dampening,
        weightDecay,
        nesterov,
        maximize,
        first,
      );
    }
  }
  sgdBy<Exact, Part, T>(
    from,
    bytes,
    param,
    grad,
    buffer,
    lr,
    momentum,
    dampening,
    weightDecay,
    nesterov,
    maximize,
    first,
  );
}

/** Bytes of a tensor in sgdMany's table: int32 for the units up to its end, its elements, param, grad, buffer (0 without momentum), and whether this is its first step. */
const ENTRY: usize = 32;
/** Elements of a unit: no two threads write to one cache line. */
const UNIT: usize = 16;

/** `count` units from number `from` on, of tensors that follow each other, each with whole units. `fused` says that relaxed_madd rounds once. */
export function sgdMany<T>(
  from: usize,
  count: usize,
  table: usize,
  lr: f64,
  momentum: f64,
  dampening: f64,
  weightDecay: f64,
  nesterov: bool,
  maximize: bool,
  fused: bool,
): void {
  const to = from + count;
  let start: usize = 0;
  for (let entry = table; start < to; entry += ENTRY) {
    const end = <usize>load<u32>(entry);
    const first = max(start, from);
    if (end > first) {
      const skipped = (first - start) * UNIT;
      const n = min((min(end, to) - start) * UNIT, <usize>load<u32>(entry, 4)) - skipped;
      const bytes = skipped * sizeof<T>();
      sgd<T>(
        n,
        <usize>load<u32>(entry, 8) + bytes,
        <usize>load<u32>(entry, 12) + bytes,
        <usize>load<u32>(entry, 16) + bytes,
        lr,
        momentum,
        dampening,
        weightDecay,
        nesterov,
        maximize,
        load<u32>(entry, 20) !== 0,
        fused,
      );
    }
    start = end;
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
