/*
 * Rows of the gradient of normalization by channels. The gradient g comes straight, or through the ReLU behind the normalization: then s is that one's output, and what came
 * through can be kept at h. Which it is, is a class without fields, so that each has a loop of its own: `first` is how g is read for the sums, `again` for gx. An offset has to be known when this is compiled: O is
 * v128 for the vector behind the address, T for the one at it.
 */
import { exactFma } from "./exact";
import { LANE_BYTES, madd, sumBoth } from "./rows";

/** g as it is; s and h are not looked at. */
export class Straight {
  @inline
  first<T, O>(g: usize, _s: usize, _h: usize, _a: v128, _b: v128): v128 {
    return v128.load(g, sizeof<O>() & 16);
  }
  @inline
  again<T, O>(g: usize, _s: usize, _h: usize): v128 {
    return v128.load(g, sizeof<O>() & 16);
  }
  firstOne<T>(g: usize, _s: usize, _h: usize, _a: T, _b: T): T {
    return load<T>(g);
  }
  againOne<T>(g: usize, _s: usize, _h: usize): T {
    return load<T>(g);
  }
}

/** g where the output s of ReLU is above 0 */
// @inline
function throughRelu<T, O>(g: usize, s: usize): v128 {
  return v128.andnot(v128.load(g, sizeof<O>() & 16), v128.le<T>(v128.load(s, sizeof<O>() & 16), v128.splat<T>(0)));
}

function throughReluOne<T>(g: usize, s: usize): T {
  return load<T>(s) <= 0 ? <T>0 : load<T>(g);
}

export class ThroughRelu {
  @inline
  first<T, O>(g: usize, s: usize, _h: usize, _a: v128, _b: v128): v128 {
    return throughRelu<T, O>(g, s);
  }
  @inline
  again<T, O>(g: usize, s: usize, _h: usize): v128 {
    return throughRelu<T, O>(g, s);
  }
  firstOne<T>(g: usize, s: usize, _h: usize, _a: T, _b: T): T {
    return throughReluOne<T>(g, s);
  }
  againOne<T>(g: usize, s: usize, _h: usize): T {
    return throughReluOne<T>(g, s);
  }
}

/** The same, kept at h. */
export class KeptRelu {
  @inline
  first<T, O>(g: usize, s: usize, h: usize, _a: v128, _b: v128): v128 {
    const v = throughRelu<T, O>(g, s);
    v128.store(h, v, sizeof<O>() & 16);
    return v;
  }
  @inline
  again<T, O>(_g: usize, _s: usize, h: usize): v128 {
    return v128.load(h, sizeof<O>() & 16);
  }
  firstOne<T>(g: usize, s: usize, h: usize, _a: T, _b: T): T {
    const v = throughReluOne<T>(g, s);
    store<T>(h, v);
    return v;
  }
  againOne<T>(_g: usize, _s: usize, h: usize): T {
    return load<T>(h);
  }
}

/**
 * The same where s is x, what was normalized: x·a + b are ReLU's inputs to the bits of scale-rows.ts, and x is read anyway, so there is a stream less. Without keeping what came through
 * there would be three constants more in the loop that is short of registers: ResNet-20's step would gain 0.7 ms, not 2.
 */
export class OwnRelu {
  @inline
  first<T, O>(g: usize, s: usize, h: usize, a: v128, b: v128): v128 {
    const y = madd<T>(v128.load(s, sizeof<O>() & 16), a, b);
    const v = v128.andnot(v128.load(g, sizeof<O>() & 16), v128.le<T>(y, v128.splat<T>(0)));
    v128.store(h, v, sizeof<O>() & 16);
    return v;
  }
  @inline
  again<T, O>(_g: usize, _s: usize, h: usize): v128 {
    return v128.load(h, sizeof<O>() & 16);
  }
  firstOne<T>(g: usize, s: usize, h: usize, a: T, b: T): T {
    const v = exactFma<T>(load<T>(s), a, b) <= 0 ? <T>0 : load<T>(g);
    store<T>(h, v);
    return v;
  }
  againOne<T>(_g: usize, _s: usize, h: usize): T {
    return load<T>(h);
  }
}

/** The same of the sum of g and what lies at h. */
export class SummedRelu {
  @inline
  first<T, O>(g: usize, s: usize, h: usize, _a: v128, _b: v128): v128 {
    const sum = v128.add<T>(v128.load(g, sizeof<O>() & 16), v128.load(h, sizeof<O>() & 16));
    const v = v128.andnot(sum, v128.le<T>(v128.load(s, sizeof<O>() & 16), v128.splat<T>(0)));
    v128.store(h, v, sizeof<O>() & 16);
    return v;
  }
  @inline
  again<T, O>(_g: usize, _s: usize, h: usize): v128 {
    return v128.load(h, sizeof<O>() & 16);
  }
  firstOne<T>(g: usize, s: usize, h: usize, _a: T, _b: T): T {
    const v = load<T>(s) <= 0 ? <T>0 : <T>(load<T>(g) + load<T>(h));
    store<T>(h, v);
    return v;
  }
  againOne<T>(_g: usize, _s: usize, h: usize): T {
    return load<T>(h);
  }
}

/**
 * Adds Σ g to the float64 at `gSum`, and Σ g·(x − mean), each product rounded to T, to the one at `xSum`. Gradients need not be exact, and widening every
 * float32 takes as long again as all the rest.
 */
export function addGradSums<T, G>(
  gSum: usize,
  xSum: usize,
  g: usize,
  x: usize,
  n: usize,
  mean: T,
  s: usize,
  h: usize,
  a: T,
  b: T,
): void {
  const way = changetype<G>(0);
  const va = v128.splat<T>(a);
  const vb = v128.splat<T>(b);
  const end = x + n * sizeof<T>();
  const m = v128.splat<T>(mean);
  const behind = g - x;
  const beside = s - x;
  const kept = h - x;
  let sum: f64 = 0;
  let product: f64 = 0;
  while (x + 16 <= end) {
    const stop = min(end, x + LANE_BYTES);
    let s0 = v128.splat<T>(0);
    let s1 = s0;
    let p0 = s0;
    let p1 = s0;
    for (; x + 32 <= stop; x += 32) {
      const g0 = way.first<T, T>(x + behind, x + beside, x + kept, va, vb);
      const g1 = way.first<T, v128>(x + behind, x + beside, x + kept, va, vb);
      s0 = v128.add<T>(s0, g0);
      s1 = v128.add<T>(s1, g1);
      p0 = madd<T>(v128.sub<T>(v128.load(x), m), g0, p0);
      p1 = madd<T>(v128.sub<T>(v128.load(x, 16), m), g1, p1);
    }
    for (; x + 16 <= stop; x += 16) {
      const g0 = way.first<T, T>(x + behind, x + beside, x + kept, va, vb);
      s0 = v128.add<T>(s0, g0);
      p0 = madd<T>(v128.sub<T>(v128.load(x), m), g0, p0);
    }
    sum += sumBoth<T>(s0, s1);
    product += sumBoth<T>(p0, p1);
  }
  for (; x < end; x += sizeof<T>()) {
    const gi = way.firstOne<T>(x + behind, x + beside, x + kept, a, b);
    sum += <f64>gi;
    product += <f64>(<T>(load<T>(x) - mean)) * <f64>gi;
  }
  store<f64>(gSum, load<f64>(gSum) + sum);
  store<f64>(xSum, load<f64>(xSum) + product);
}

/** gx = (g − gMean − (x − mean)·k)·scale, as g·scale + ((x − mean)·slope + level) */
export function gradRow<T, G>(
  gx: usize,
  g: usize,
  x: usize,
  n: usize,
  gMean: T,
  mean: T,
  k: T,
  scale: T,
  s: usize,
  h: usize,
): void {
  const way = changetype<G>(0);
  const slope = <T>(-k * scale);
  const level = <T>(-gMean * scale);
  const vm = v128.splat<T>(mean);
  const vk = v128.splat<T>(slope);
  const vc = v128.splat<T>(level);
  const vs = v128.splat<T>(scale);
  const bytes = n * sizeof<T>();
  const whole = bytes & ~15;
  let at: usize = 0;
  if (whole) {
    do {
      const d = madd<T>(v128.sub<T>(v128.load(x + at), vm), vk, vc);
      v128.store(gx + at, madd<T>(way.again<T, T>(g + at, s + at, h + at), vs, d));
      at += 16;
    } while (at < whole);
  }
  for (; at < bytes; at += sizeof<T>()) {
    const d = <T>(<T>(<T>(load<T>(x + at) - mean) * slope) + level);
    store<T>(gx + at, <T>(<T>(way.againOne<T>(g + at, s + at, h + at) * scale) + d));
  }
}

/**
 * gradRow of one channel and, for the next one, addGradSums in the same loop, to the same bits: while the one waits for the memory that it writes, the other reads. (With
 * [64, 256, 196] both took 2.6 ms one after the other, and 1.7 together.) The branch that is never taken ends V8's basic block, as in tile.ts: without it sums go through the stack. In
 * place of a call, whose 17 arguments take as long as a tenth of a row of 196.
 */
// @inline
export function gradRowAndSums<T, G>(
  gx: usize,
  g: usize,
  x: usize,
  n: usize,
  gMean: T,
  mean: T,
  k: T,
  scale: T,
  gSum: usize,
  xSum: usize,
  gNext: usize,
  xNext: usize,
  meanNext: T,
  s: usize,
  h: usize,
  sNext: usize,
  hNext: usize,
  aNext: T,
  bNext: T,
): void {
  const way = changetype<G>(0);
  const slope = <T>(-k * scale);
  const level = <T>(-gMean * scale);
  const vm = v128.splat<T>(mean);
  const vk = v128.splat<T>(slope);
  const vc = v128.splat<T>(level);
  const vs = v128.splat<T>(scale);
  const vaNext = v128.splat<T>(aNext);
  const vbNext = v128.splat<T>(bNext);
  const m = v128.splat<T>(meanNext);
  const zero = v128.splat<T>(0);
  const bytes = n * sizeof<T>();
  const whole = bytes & ~15;
  let sum: f64 = 0;
  let product: f64 = 0;
  let at: usize = 0;
  while (at < whole) {
    const stop = min(whole, at + LANE_BYTES);
    const even = at + ((stop - at) & ~31);
    let s0 = zero;
    let s1 = zero;
    let p0 = zero;
    let p1 = zero;
    if (at < even) {
      do {
        const g0 = way.first<T, T>(gNext + at, sNext + at, hNext + at, vaNext, vbNext);
        const g1 = way.first<T, v128>(gNext + at, sNext + at, hNext + at, vaNext, vbNext);
        s0 = v128.add<T>(s0, g0);
        s1 = v128.add<T>(s1, g1);
        p0 = madd<T>(v128.sub<T>(v128.load(xNext + at), m), g0, p0);
        p1 = madd<T>(v128.sub<T>(v128.load(xNext + at, 16), m), g1, p1);
        if (at === usize.MAX_VALUE) break; // never
        const d0 = madd<T>(v128.sub<T>(v128.load(x + at), vm), vk, vc);
        v128.store(gx + at, madd<T>(way.again<T, T>(g + at, s + at, h + at), vs, d0));
        const d1 = madd<T>(v128.sub<T>(v128.load(x + at, 16), vm), vk, vc);
        v128.store(gx + at, madd<T>(way.again<T, v128>(g + at, s + at, h + at), vs, d1), 16);
        at += 32;
      } while (at < even);
    }
    if (at < stop) {
      const g0 = way.first<T, T>(gNext + at, sNext + at, hNext + at, vaNext, vbNext);
      s0 = v128.add<T>(s0, g0);
      p0 = madd<T>(v128.sub<T>(v128.load(xNext + at), m), g0, p0);
      const d0 = madd<T>(v128.sub<T>(v128.load(x + at), vm), vk, vc);
      v128.store(gx + at, madd<T>(way.again<T, T>(g + at, s + at, h + at), vs, d0));
      at += 16;
    }
    sum += sumBoth<T>(s0, s1);
    product += sumBoth<T>(p0, p1);
  }
  for (; at < bytes; at += sizeof<T>()) {
    const gi = way.firstOne<T>(gNext + at, sNext + at, hNext + at, aNext, bNext);
    sum += <f64>gi;
    product += <f64>(<T>(load<T>(xNext + at) - meanNext)) * <f64>gi;
    const d = <T>(<T>(<T>(load<T>(x + at) - mean) * slope) + level);
    store<T>(gx + at, <T>(<T>(way.againOne<T>(g + at, s + at, h + at) * scale) + d));
  }
  store<f64>(gSum, load<f64>(gSum) + sum);
  store<f64>(xSum, load<f64>(xSum) + product);
}

/** gx = g·scale */
export function scaleGradRow<T>(gx: usize, g: usize, n: usize, scale: T): void {
  const end = g + n * sizeof<T>();
  const vs = v128.splat<T>(scale);
  for (; g + 16 <= end; g += 16) {
    v128.store(gx, v128.mul<T>(v128.load(g), vs));
    gx += 16;
  }
  for (; g < end; g += sizeof<T>()) {
    store<T>(gx, <T>(load<T>(g) * scale));
    gx += sizeof<T>();
  }
}
