/*
 * Rows of the gradient of normalization by channels. The gradient g comes straight, or through the ReLU behind the normalization: then s is that one's output, and what came
 * through can be kept at h for others. Which it is, is a class without fields, so that each has a loop of its own: `first` is how g is read for the sums, `again` for gx. An offset has to be known when this is compiled: O is
 * v128 for the vector behind the address, T for the one at it.
 */
import { LANE_BYTES, madd, nmadd, sumBoth } from "./rows";

/** g as it is; s and h are not looked at. */
export class Straight {
  @inline
  first<T, O>(g: usize, _s: usize, _h: usize): v128 {
    return v128.load(g, sizeof<O>() & 16);
  }
  @inline
  again<T, O>(g: usize, _s: usize, _h: usize): v128 {
    return v128.load(g, sizeof<O>() & 16);
  }
  firstOne<T>(g: usize, _s: usize, _h: usize): T {
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
  first<T, O>(g: usize, s: usize, _h: usize): v128 {
    return throughRelu<T, O>(g, s);
  }
  @inline
  again<T, O>(g: usize, s: usize, _h: usize): v128 {
    return throughRelu<T, O>(g, s);
  }
  firstOne<T>(g: usize, s: usize, _h: usize): T {
    return throughReluOne<T>(g, s);
  }
  againOne<T>(g: usize, s: usize, _h: usize): T {
    return throughReluOne<T>(g, s);
  }
}

/** The same, kept at h. */
export class KeptRelu {
  @inline
  first<T, O>(g: usize, s: usize, h: usize): v128 {
    const v = throughRelu<T, O>(g, s);
    v128.store(h, v, sizeof<O>() & 16);
    return v;
  }
  @inline
  again<T, O>(_g: usize, _s: usize, h: usize): v128 {
    return v128.load(h, sizeof<O>() & 16);
  }
  firstOne<T>(g: usize, s: usize, h: usize): T {
    const v = throughReluOne<T>(g, s);
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
): void {
  const way = changetype<G>(0);
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
      const g0 = way.first<T, T>(x + behind, x + beside, x + kept);
      const g1 = way.first<T, v128>(x + behind, x + beside, x + kept);
      s0 = v128.add<T>(s0, g0);
      s1 = v128.add<T>(s1, g1);
      p0 = madd<T>(v128.sub<T>(v128.load(x), m), g0, p0);
      p1 = madd<T>(v128.sub<T>(v128.load(x, 16), m), g1, p1);
    }
    for (; x + 16 <= stop; x += 16) {
      const g0 = way.first<T, T>(x + behind, x + beside, x + kept);
      s0 = v128.add<T>(s0, g0);
      p0 = madd<T>(v128.sub<T>(v128.load(x), m), g0, p0);
    }
    sum += sumBoth<T>(s0, s1);
    product += sumBoth<T>(p0, p1);
  }
  for (; x < end; x += sizeof<T>()) {
    const gi = way.firstOne<T>(x + behind, x + beside, x + kept);
    sum += <f64>gi;
    product += <f64>(<T>(load<T>(x) - mean)) * <f64>gi;
  }
  store<f64>(gSum, load<f64>(gSum) + sum);
  store<f64>(xSum, load<f64>(xSum) + product);
}

/** gx = (g − gMean − (x − mean)·k)·scale */
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
  const end = x + n * sizeof<T>();
  const vg = v128.splat<T>(gMean);
  const vm = v128.splat<T>(mean);
  const vk = v128.splat<T>(k);
  const vs = v128.splat<T>(scale);
  const gBehind = g - x;
  const behind = gx - x;
  const beside = s - x;
  const kept = h - x;
  for (; x + 32 <= end; x += 32) {
    const h0 = v128.sub<T>(way.again<T, T>(x + gBehind, x + beside, x + kept), vg);
    const h1 = v128.sub<T>(way.again<T, v128>(x + gBehind, x + beside, x + kept), vg);
    const d0 = nmadd<T>(v128.sub<T>(v128.load(x), vm), vk, h0);
    const d1 = nmadd<T>(v128.sub<T>(v128.load(x, 16), vm), vk, h1);
    v128.store(x + behind, v128.mul<T>(d0, vs));
    v128.store(x + behind, v128.mul<T>(d1, vs), 16);
  }
  for (; x + 16 <= end; x += 16) {
    const h0 = v128.sub<T>(way.again<T, T>(x + gBehind, x + beside, x + kept), vg);
    const d0 = nmadd<T>(v128.sub<T>(v128.load(x), vm), vk, h0);
    v128.store(x + behind, v128.mul<T>(d0, vs));
  }
  for (; x < end; x += sizeof<T>()) {
    const d = <T>(<T>(load<T>(x) - mean) * k);
    store<T>(x + behind, <T>(<T>(<T>(way.againOne<T>(x + gBehind, x + beside, x + kept) - gMean) - d) * scale));
  }
}

/**
 * gradRow of one channel and, for the next one, addGradSums in the same loop, to the same bits: while the one waits for the memory that it writes, the other reads. (With
 * [64, 256, 196] both took 2.6 ms one after the other, and 1.7 together.)
 */
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
): void {
  const way = changetype<G>(0);
  const vg = v128.splat<T>(gMean);
  const vm = v128.splat<T>(mean);
  const vk = v128.splat<T>(k);
  const vs = v128.splat<T>(scale);
  const m = v128.splat<T>(meanNext);
  const bytes = n * sizeof<T>();
  let sum: f64 = 0;
  let product: f64 = 0;
  let at: usize = 0;
  while (at + 16 <= bytes) {
    const stop = min(bytes, at + LANE_BYTES);
    let s0 = v128.splat<T>(0);
    let s1 = s0;
    let p0 = s0;
    let p1 = s0;
    for (; at + 32 <= stop; at += 32) {
      const g0 = way.first<T, T>(gNext + at, sNext + at, hNext + at);
      const g1 = way.first<T, v128>(gNext + at, sNext + at, hNext + at);
      s0 = v128.add<T>(s0, g0);
      s1 = v128.add<T>(s1, g1);
      p0 = madd<T>(v128.sub<T>(v128.load(xNext + at), m), g0, p0);
      p1 = madd<T>(v128.sub<T>(v128.load(xNext + at, 16), m), g1, p1);
      const h0 = v128.sub<T>(way.again<T, T>(g + at, s + at, h + at), vg);
      const h1 = v128.sub<T>(way.again<T, v128>(g + at, s + at, h + at), vg);
      const d0 = nmadd<T>(v128.sub<T>(v128.load(x + at), vm), vk, h0);
      const d1 = nmadd<T>(v128.sub<T>(v128.load(x + at, 16), vm), vk, h1);
      v128.store(gx + at, v128.mul<T>(d0, vs));
      v128.store(gx + at, v128.mul<T>(d1, vs), 16);
    }
    for (; at + 16 <= stop; at += 16) {
      const g0 = way.first<T, T>(gNext + at, sNext + at, hNext + at);
      s0 = v128.add<T>(s0, g0);
      p0 = madd<T>(v128.sub<T>(v128.load(xNext + at), m), g0, p0);
      const d0 = nmadd<T>(
        v128.sub<T>(v128.load(x + at), vm),
        vk,
        v128.sub<T>(way.again<T, T>(g + at, s + at, h + at), vg),
      );
      v128.store(gx + at, v128.mul<T>(d0, vs));
    }
    sum += sumBoth<T>(s0, s1);
    product += sumBoth<T>(p0, p1);
  }
  for (; at < bytes; at += sizeof<T>()) {
    const gi = way.firstOne<T>(gNext + at, sNext + at, hNext + at);
    sum += <f64>gi;
    product += <f64>(<T>(load<T>(xNext + at) - meanNext)) * <f64>gi;
    const d = <T>(<T>(load<T>(x + at) - mean) * k);
    store<T>(gx + at, <T>(<T>(<T>(way.againOne<T>(g + at, s + at, h + at) - gMean) - d) * scale));
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
