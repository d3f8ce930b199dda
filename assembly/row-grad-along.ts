/*
 * The gradient of normalization by rows with weights along them, all of it in one walk: while a row's gx is written the sums of the next row are taken, the one waits for memory while
 * the other computes. Loops test at their end: only then V8 keeps out of a loop what it does not change.
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

/** Bytes of a row that are summed in T: 64 float32 in each lane. */
const LANE_BYTES: usize = 1024;

/** Of the row that was summed last: Σ h and Σ h·x̂, with h = g·weight. */
let sum: f64 = 0;
let product: f64 = 0;

/**
 * gx = g·weight·a + (x − before)·k + c of the row `back` bytes before this one; and of this one, with h = g·weight and x̂ = (x − mean)·scale + shift, `sum`, `product`, and g and g·x̂
 * added to two lines of n. A row is a vector long at least.
 */
function gradAndSums<T>(
  gx: usize,
  g: usize,
  x: usize,
  n: usize,
  back: usize,
  before: T,
  a: T,
  k: T,
  c: T,
  mean: T,
  scale: T,
  shift: T,
  weight: usize,
  lines: usize,
): void {
  const bytes = n * sizeof<T>();
  const whole = bytes & ~15;
  const second = lines + bytes;
  const gBefore = g - back;
  const xBefore = x - back;
  const vb = v128.splat<T>(before);
  const va = v128.splat<T>(a);
  const vk = v128.splat<T>(k);
  const vc = v128.splat<T>(c);
  const vm = v128.splat<T>(mean);
  const vs = v128.splat<T>(scale);
  const vt = v128.splat<T>(shift);
  const zero = v128.splat<T>(0);
  gx -= back;
  let s: f64 = 0;
  let p: f64 = 0;
  let at: usize = 0;
  do {
    const stop = min(whole, at + LANE_BYTES);
    let s0 = zero;
    let p0 = zero;
    do {
      const w = v128.load(weight + at);
      const d = madd<T>(v128.sub<T>(v128.load(xBefore + at), vb), vk, vc);
      v128.store(gx + at, madd<T>(v128.mul<T>(v128.load(gBefore + at), w), va, d));
      const v = v128.load(g + at);
      const u = v128.mul<T>(madd<T>(v128.sub<T>(v128.load(x + at), vm), vs, vt), v);
      v128.store(lines + at, v128.add<T>(v128.load(lines + at), v));
      v128.store(second + at, v128.add<T>(v128.load(second + at), u));
      s0 = madd<T>(v, w, s0);
      p0 = madd<T>(u, w, p0);
      at += 16;
    } while (at < stop);
    s += sumBoth<T>(s0, zero);
    p += sumBoth<T>(p0, zero);
  } while (at < whole);
  for (; at < bytes; at += sizeof<T>()) {
    const w = load<T>(weight + at);
    const d = <T>(<T>(<T>(load<T>(xBefore + at) - before) * k) + c);
    store<T>(gx + at, <T>(<T>(<T>(load<T>(gBefore + at) * w) * a) + d));
    const v = load<T>(g + at);
    const u = <T>(<T>(<T>(<T>(load<T>(x + at) - mean) * scale) + shift) * v);
    store<T>(lines + at, <T>(load<T>(lines + at) + v));
    store<T>(second + at, <T>(load<T>(second + at) + u));
    s += <f64>(<T>(v * w));
    p += <f64>(<T>(u * w));
  }
  sum = s;
  product = p;
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

/** Rows whose columns are summed in T, in lines that stay in the cache, before it goes on in float64. */
const LINE_ROWS: usize = 32;

/** Adds n values of T to as many float64. */
function addLines<T>(sums: usize, lines: usize, n: usize): void {
  const size: usize = sizeof<T>();
  let i: usize = 0;
  for (; i + 16 / size <= n; i += 16 / size) addLanes<T>(sums + i * 8, v128.load(lines + i * size));
  for (; i < n; i++) store<f64>(sums + i * 8, load<f64>(sums + i * 8) + <f64>load<T>(lines + i * size));
}

/** gx of some rows of n, and a float64 of every column's Σ g and behind them of every column's Σ g·x̂ added to `sums`. `lines` is room for two lines of n. */
export function gradOfRowsTogether<T>(
  gx: usize,
  g: usize,
  x: usize,
  rows: usize,
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
  const perValue = 1 / <f64>n;
  let before: T = 0;
  let a: T = 0;
  let k: T = 0;
  let c: T = 0;
  for (let r: usize = 0; r < rows; r++) {
    const m = mean ? load<T>(mean + r * size) : <T>0;
    const lost: f64 = mean ? <f64>load<T>(rest + r * size) : 0;
    const scale = load<T>(invstd + r * size);
    const line = r % LINE_ROWS;
    if (line === 0) memory.fill(lines, 0, 2 * row);
    // No row is before the first: its own place is written, with nothing that stays.
    gradAndSums<T>(gx, g, x, n, r ? row : 0, before, a, k, c, m, scale, <T>(-lost * <f64>scale), weight, lines);
    if (line === LINE_ROWS - 1 || r === rows - 1) addLines<T>(sums, lines, 2 * n);
    const slope = product * perValue * <f64>scale;
    before = m;
    a = scale;
    k = <T>(-slope * <f64>scale);
    c = mean ? <T>((lost * slope - sum * perValue) * <f64>scale) : <T>0;
    gx += row;
    g += row;
    x += row;
  }
  if (rows) weightedGradRow<T>(gx - row, g - row, x - row, n, before, a, k, c, weight);
}
