import { Exact, Fused, Part, Whole } from "./optimizer-parts";

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
