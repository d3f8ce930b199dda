/*
 * The gradient of normalization by rows with weights along them, all of it in one walk over pairs of rows: while the gx of one pair is written the sums of the next are taken, the one waits
 * for memory while the other computes. The rows of a pair lie half the tensor apart, since the processor fetches one stream ahead in each page; weights and the columns' sums are loaded
 * once for both. Loops test at their end: only then V8 keeps out of a loop what it does not change.
 */
import { addLanes } from "./row-grad-sums";
import { madd, sumBoth } from "./rows";

/** gx = g·a + (x − mean)·k + c */
export function affineGradRow<T>(gx: usize, g: usize, x: usize, n: usize, mean: T, a: T, k: T, c: T): void {
  const bytes = n * sizeof<T>();
  const whole = bytes & ~15;
  const vm = v128.splat<T>(mean);
  const va = v128.splat<T>(a);
  const vk = v128.splat<T>(k);
  const vc = v128.splat<T>(c);
  let at: usize = 0;
  if (whole) {
    do {
      const d = madd<T>(v128.sub<T>(v128.load(x + at), vm), vk, vc);
      v128.store(gx + at, madd<T>(v128.load(g + at), va, d));
      at += 16;
    } while (at < whole);
  }
  for (; at < bytes; at += sizeof<T>()) {
    const d = <T>(<T>(<T>(load<T>(x + at) - mean) * k) + c);
    store<T>(gx + at, <T>(<T>(load<T>(g + at) * a) + d));
  }
}

/** Bytes that are written and then summed, by loops of their own: the constants of both do not fit into the registers. */
const STRIP: usize = 512;

/** Of the two rows that were summed last: Σ h and Σ h·(x − mean), with h = g·weight. */
let sum0: f64 = 0;
let sum1: f64 = 0;
let product0: f64 = 0;
let product1: f64 = 0;

/**
 * gx = g·weight·a + x·k + c of the rows `back` bytes before these, which lie `far` bytes apart; and of these `sum` and `product`, with g and g·(x − mean)·scale added to two lines of n. A row
 * is a vector long at least.
 */
function gradAndSums<T>(
  gx: usize,
  g: usize,
  x: usize,
  n: usize,
  back: usize,
  far: usize,
  a0: T,
  k0: T,
  c0: T,
  a1: T,
  k1: T,
  c1: T,
  mean0: T,
  scale0: T,
  mean1: T,
  scale1: T,
  weight: usize,
  lines: usize,
): void {
  const bytes = n * sizeof<T>();
  const whole = bytes & ~15;
  const second = lines + bytes;
  const g1 = g + far;
  const x1 = x + far;
  const gxBefore = gx - back;
  const gBefore = g - back;
  const xBefore = x - back;
  const gxBefore1 = gxBefore + far;
  const gBefore1 = gBefore + far;
  const xBefore1 = xBefore + far;
  const va0 = v128.splat<T>(a0);
  const vk0 = v128.splat<T>(k0);
  const vc0 = v128.splat<T>(c0);
  const va1 = v128.splat<T>(a1);
  const vk1 = v128.splat<T>(k1);
  const vc1 = v128.splat<T>(c1);
  const vm0 = v128.splat<T>(mean0);
  const vs0 = v128.splat<T>(scale0);
  const vm1 = v128.splat<T>(mean1);
  const vs1 = v128.splat<T>(scale1);
  const zero = v128.splat<T>(0);
  let total0: f64 = 0;
  let total1: f64 = 0;
  let moment0: f64 = 0;
  let moment1: f64 = 0;
  let at: usize = 0;
  do {
    const from = at;
    const stop = min(whole, from + STRIP);
    do {
      const w = v128.load(weight + at);
      const d0 = madd<T>(v128.load(xBefore + at), vk0, vc0);
      v128.store(gxBefore + at, madd<T>(v128.mul<T>(v128.load(gBefore + at), w), va0, d0));
      const d1 = madd<T>(v128.load(xBefore1 + at), vk1, vc1);
      v128.store(gxBefore1 + at, madd<T>(v128.mul<T>(v128.load(gBefore1 + at), w), va1, d1));
      at += 16;
    } while (at < stop);
    at = from;
    let s0 = zero;
    let p0 = zero;
    let s1 = zero;
    let p1 = zero;
    do {
      const w = v128.load(weight + at);
      const v0 = v128.load(g + at);
      const u0 = v128.mul<T>(v128.sub<T>(v128.load(x + at), vm0), v0);
      const v1 = v128.load(g1 + at);
      const u1 = v128.mul<T>(v128.sub<T>(v128.load(x1 + at), vm1), v1);
      v128.store(lines + at, v128.add<T>(v128.load(lines + at), v128.add<T>(v0, v1)));
      v128.store(second + at, madd<T>(u1, vs1, madd<T>(u0, vs0, v128.load(second + at))));
      s0 = madd<T>(v0, w, s0);
      p0 = madd<T>(u0, w, p0);
      s1 = madd<T>(v1, w, s1);
      p1 = madd<T>(u1, w, p1);
      at += 16;
    } while (at < stop);
    total0 += sumBoth<T>(s0, zero);
    moment0 += sumBoth<T>(p0, zero);
    total1 += sumBoth<T>(s1, zero);
    moment1 += sumBoth<T>(p1, zero);
  } while (at < whole);
  for (; at < bytes; at += sizeof<T>()) {
    const w = load<T>(weight + at);
    const d0 = <T>(<T>(load<T>(xBefore + at) * k0) + c0);
    const d1 = <T>(<T>(load<T>(xBefore1 + at) * k1) + c1);
    store<T>(gxBefore + at, <T>(<T>(<T>(load<T>(gBefore + at) * w) * a0) + d0));
    store<T>(gxBefore1 + at, <T>(<T>(<T>(load<T>(gBefore1 + at) * w) * a1) + d1));
    const v0 = load<T>(g + at);
    const v1 = load<T>(g1 + at);
    const u0 = <T>(<T>(load<T>(x + at) - mean0) * v0);
    const u1 = <T>(<T>(load<T>(x1 + at) - mean1) * v1);
    store<T>(lines + at, <T>(load<T>(lines + at) + <T>(v0 + v1)));
    store<T>(second + at, <T>(load<T>(second + at) + <T>(<T>(u0 * scale0) + <T>(u1 * scale1))));
    total0 += <f64>(<T>(v0 * w));
    total1 += <f64>(<T>(v1 * w));
    moment0 += <f64>(<T>(u0 * w));
    moment1 += <f64>(<T>(u1 * w));
  }
  sum0 = total0;
  sum1 = total1;
  product0 = moment0;
  product1 = moment1;
}

/** gx = g·weight·a + (x − mean)·k + c, the weight along the row */
export function weightedGradRow<T>(
  gx: usize,
  g: usize,
  x: usize,
  n: usize,
  mean: T,
  a: T,
  k: T,
  c: T,
  weight: usize,
): void {
  const bytes = n * sizeof<T>();
  const whole = bytes & ~15;
  const vm = v128.splat<T>(mean);
  const va = v128.splat<T>(a);
  const vk = v128.splat<T>(k);
  const vc = v128.splat<T>(c);
  let at: usize = 0;
  if (whole) {
    do {
      const d = madd<T>(v128.sub<T>(v128.load(x + at), vm), vk, vc);
      v128.store(gx + at, madd<T>(v128.mul<T>(v128.load(g + at), v128.load(weight + at)), va, d));
      at += 16;
    } while (at < whole);
  }
  for (; at < bytes; at += sizeof<T>()) {
    const d = <T>(<T>(<T>(load<T>(x + at) - mean) * k) + c);
    store<T>(gx + at, <T>(<T>(<T>(load<T>(g + at) * load<T>(weight + at)) * a) + d));
  }
}

/** line += g·a */
function addTimes<T>(line: usize, g: usize, n: usize, a: T): void {
  const bytes = n * sizeof<T>();
  const whole = bytes & ~15;
  const va = v128.splat<T>(a);
  let at: usize = 0;
  for (; at < whole; at += 16) v128.store(line + at, madd<T>(v128.load(g + at), va, v128.load(line + at)));
  for (; at < bytes; at += sizeof<T>()) store<T>(line + at, <T>(load<T>(line + at) + <T>(load<T>(g + at) * a)));
}

/** Pairs of rows whose columns are summed in T, in lines that stay in the cache, before it goes on in float64. */
const LINE_PAIRS: usize = 32;
/** The mean of a row, in its deviations, up to which gx may be g·weight·a + x·k + c: c is then rounded to a fraction of a last bit of gx. */
const NEAR = 8;

/** Adds n values of T to as many float64. */
function addLines<T>(sums: usize, lines: usize, n: usize): void {
  const size: usize = sizeof<T>();
  let i: usize = 0;
  for (; i + 16 / size <= n; i += 16 / size) addLanes<T>(sums + i * 8, v128.load(lines + i * size));
  for (; i < n; i++) store<f64>(sums + i * 8, load<f64>(sums + i * 8) + <f64>load<T>(lines + i * size));
}

/** What gx of a row is made of: g·weight·scale + (x − mean)·slope + level. */
let slope: f64 = 0;
let level: f64 = 0;

/** Finds these from a row's Σ h and Σ h·(x − mean); what the mean's rounding lost takes part if there is a mean. */
function settle(n: usize, sum: f64, product: f64, lost: f64, scale: f64, centred: bool): void {
  const perValue = 1 / <f64>n;
  const mean = (product - lost * sum) * scale * perValue;
  slope = -mean * scale * scale;
  level = centred ? (lost * mean * scale - sum * perValue) * scale : 0;
}

/**
 * gx of `pairs` rows of n and of as many behind them, and a float64 of every column's Σ g and behind them of every column's Σ g·x̂ added to `sums`. `lines` is room for two lines of n.
 */
export function gradOfPairs<T>(
  gx: usize,
  g: usize,
  x: usize,
  pairs: usize,
  n: usize,
  mean: usize,
  rest: usize,
  invstd: usize,
  weight: usize,
  sums: usize,
  lines: usize,
): void {
  const size: usize = sizeof<T>();
  const row = n * size;
  const far = pairs * row;
  const centred = mean !== 0;
  let back: usize = 0;
  let before0: T = 0;
  let before1: T = 0;
  let a0: T = 0;
  let a1: T = 0;
  let k0: T = 0;
  let k1: T = 0;
  let c0: f64 = 0;
  let c1: f64 = 0;
  let far0 = false;
  let far1 = false;
  for (let r: usize = 0; r < pairs; r++) {
    const m0 = centred ? load<T>(mean + r * size) : <T>0;
    const m1 = centred ? load<T>(mean + (r + pairs) * size) : <T>0;
    const lost0: f64 = centred ? <f64>load<T>(rest + r * size) : 0;
    const lost1: f64 = centred ? <f64>load<T>(rest + (r + pairs) * size) : 0;
    const s0 = load<T>(invstd + r * size);
    const s1 = load<T>(invstd + (r + pairs) * size);
    const line = r % LINE_PAIRS;
    if (line === 0) memory.fill(lines, 0, 2 * row);
    // No rows are before the first: their own place is written, with nothing that stays.
    const i0 = <T>(c0 - <f64>before0 * <f64>k0);
    const i1 = <T>(c1 - <f64>before1 * <f64>k1);
    gradAndSums<T>(gx, g, x, n, back, far, a0, k0, i0, a1, k1, i1, m0, s0, m1, s1, weight, lines);
    if (far0) weightedGradRow<T>(gx - row, g - row, x - row, n, before0, a0, k0, <T>c0, weight);
    if (far1) {
      const behind = far - row;
      weightedGradRow<T>(gx + behind, g + behind, x + behind, n, before1, a1, k1, <T>c1, weight);
    }
    far0 = abs<f64>(<f64>m0 * <f64>s0) > NEAR;
    far1 = abs<f64>(<f64>m1 * <f64>s1) > NEAR;
    if (far0) addTimes<T>(lines + row, g, n, <T>(-lost0 * <f64>s0));
    if (far1) addTimes<T>(lines + row, g + far, n, <T>(-lost1 * <f64>s1));
    if (line === LINE_PAIRS - 1 || r === pairs - 1) addLines<T>(sums, lines, 2 * n);
    settle(n, sum0, product0, lost0, <f64>s0, centred);
    before0 = m0;
    a0 = s0;
    k0 = <T>slope;
    c0 = level;
    settle(n, sum1, product1, lost1, <f64>s1, centred);
    before1 = m1;
    a1 = s1;
    k1 = <T>slope;
    c1 = level;
    back = row;
    gx += row;
    g += row;
    x += row;
  }
  weightedGradRow<T>(gx - row, g - row, x - row, n, before0, a0, k0, <T>c0, weight);
  const behind = far - row;
  weightedGradRow<T>(gx + behind, g + behind, x + behind, n, before1, a1, k1, <T>c1, weight);
}
