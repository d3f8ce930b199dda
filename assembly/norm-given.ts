/*
 * Normalization by channels whose statistics are not this array's alone, see norm.ts: between the sums and what is written from them lies an exchange with other ranks, so each
 * is one walk over the array in the order of memory.
 */
import { columnGradRow, columnScaleRow } from "./column-rows";
import { axpy } from "./elementwise";
import { scaleRow } from "./exact";
import { HEAD } from "./norm";
import { addGradSums, gradRow, LANE_BYTES, madd, nmadd, sumBoth, sumRow, widen } from "./rows";
import { unary } from "./unary";

/** Adds Σ (x − shift) of a row to the float64 at `sum`, and Σ (x − shift)² to the one at `squares`, all in float64. */
function addMoments<T>(sum: usize, squares: usize, x: usize, n: usize, shift: f64): void {
  const end = x + n * sizeof<T>();
  const m = f64x2.splat(shift);
  let s0 = f64x2.splat(0);
  let s1 = s0;
  let q0 = s0;
  let q1 = s0;
  if (sizeof<T>() === 4) {
    for (; x + 16 <= end; x += 16) {
      const d0 = f64x2.sub(widen(x), m);
      const d1 = f64x2.sub(widen(x + 8), m);
      s0 = f64x2.add(s0, d0);
      s1 = f64x2.add(s1, d1);
      q0 = madd<f64>(d0, d0, q0);
      q1 = madd<f64>(d1, d1, q1);
    }
  } else {
    for (; x + 32 <= end; x += 32) {
      const d0 = f64x2.sub(v128.load(x), m);
      const d1 = f64x2.sub(v128.load(x, 16), m);
      s0 = f64x2.add(s0, d0);
      s1 = f64x2.add(s1, d1);
      q0 = madd<f64>(d0, d0, q0);
      q1 = madd<f64>(d1, d1, q1);
    }
  }
  let s = sumBoth<f64>(s0, s1);
  let q = sumBoth<f64>(q0, q1);
  for (; x < end; x += sizeof<T>()) {
    const d = <f64>load<T>(x) - shift;
    s += d;
    q += d * d;
  }
  store<f64>(sum, load<f64>(sum) + s);
  store<f64>(squares, load<f64>(squares) + q);
}

/**
 * Means and Σ (x − mean)² of channels, float64, in one walk: sums of deviations from the first row's mean. That lies no further from the mean than √outer standard deviations,
 * since its row is part of them, so the square of the sum takes at most log₂ outer bits of float64's 53. `inner` > 1. `scratch` holds HEAD bytes.
 */
export function momentsInOrder<T>(
  mean: usize,
  m2: usize,
  x: usize,
  outer: usize,
  channels: usize,
  inner: usize,
  all: usize,
  scratch: usize,
): void {
  const row = inner * sizeof<T>();
  const sums = scratch + HEAD;
  const count = <f64>outer * <f64>inner;
  memory.fill(sums, 0, channels * 8);
  memory.fill(m2, 0, channels * 8);
  for (let c: usize = 0; c < channels; c++) {
    const first = count > 0 ? sumRow<T>(x + c * row, inner) / <f64>inner : 0;
    // What is not finite shows in the sums; they should not become NaN where PyTorch's are infinite.
    store<f64>(mean + c * 8, isFinite(first) ? first : 0);
  }
  for (let p = x; p < x + outer * all * row; p += all * row) {
    for (let c: usize = 0; c < channels; c++) {
      addMoments<T>(sums + c * 8, m2 + c * 8, p + c * row, inner, load<f64>(mean + c * 8));
    }
  }
  if (count === 0) return;
  for (let c: usize = 0; c < channels; c++) {
    const sum = load<f64>(sums + c * 8);
    const squares = load<f64>(m2 + c * 8);
    store<f64>(mean + c * 8, load<f64>(mean + c * 8) + sum / count);
    store<f64>(m2 + c * 8, max<f64>(0, squares - (sum * sum) / count));
  }
}

/** y = clamp(x·a + b + residual, low, high) along a row of float32, by relaxed_madd. */
function scaleClampRow(y: usize, x: usize, residual: usize, n: usize, a: f32, b: f32, low: f32, high: f32): void {
  const end = x + n * 4;
  const va = f32x4.splat(a);
  const vb = f32x4.splat(b);
  const vl = f32x4.splat(low);
  const vh = f32x4.splat(high);
  const behind = y - x;
  if (residual) {
    const beside = residual - x;
    for (; x + 32 <= end; x += 32) {
      const v0 = f32x4.add(f32x4.relaxed_madd(v128.load(x), va, vb), v128.load(x + beside));
      const v1 = f32x4.add(f32x4.relaxed_madd(v128.load(x, 16), va, vb), v128.load(x + beside, 16));
      v128.store(x + behind, f32x4.pmin(f32x4.pmax(v0, vl), vh));
      v128.store(x + behind, f32x4.pmin(f32x4.pmax(v1, vl), vh), 16);
    }
    return;
  }
  for (; x + 32 <= end; x += 32) {
    const v0 = f32x4.relaxed_madd(v128.load(x), va, vb);
    const v1 = f32x4.relaxed_madd(v128.load(x, 16), va, vb);
    v128.store(x + behind, f32x4.pmin(f32x4.pmax(v0, vl), vh));
    v128.store(x + behind, f32x4.pmin(f32x4.pmax(v1, vl), vh), 16);
  }
}

/** The number of clamp among the operations of unary.ts: relu and relu6 too. */
const CLAMP: i32 = 12;

/** scaleByChannel for `inner` > 1, to the same bits; where the multiply-add is one instruction, the residual and a clamp are in the same loop. */
export function scaleTailByChannel<T>(
  y: usize,
  x: usize,
  first: usize,
  rows: usize,
  channels: usize,
  inner: usize,
  alpha: usize,
  beta: usize,
  residual: usize,
  op: i32,
  p: f64,
  q: f64,
  fused: bool,
  scratch: usize,
): void {
  const size: usize = sizeof<T>();
  const together = ASC_FEATURE_RELAXED_SIMD && fused && sizeof<T>() === 4 && (op < 0 || op === CLAMP);
  const low = op < 0 ? -Infinity : p;
  const high = op < 0 ? Infinity : q;
  const whole = together ? inner & ~7 : 0;
  for (let r = first; r < first + rows; r++) {
    const c = (r % channels) * size;
    const a = load<T>(alpha + c);
    const b = load<T>(beta + c);
    const at = r * inner * size;
    if (whole) scaleClampRow(y + at, x + at, residual ? residual + at : 0, whole, <f32>a, <f32>b, <f32>low, <f32>high);
    if (whole === inner) continue;
    const i = at + whole * size;
    const n = inner - whole;
    scaleRow<T>(y + i, x + i, n, a, b, fused);
    if (residual) axpy<T>(y + i, residual + i, n, 1, scratch);
    if (op >= 0) unary<T>(op, y + i, y + i, n, p, q, scratch);
  }
}

/** g where ReLU's output s is above 0 */
function throughRelu<T>(g: v128, s: v128): v128 {
  return v128.andnot(g, v128.le<T>(s, v128.splat<T>(0)));
}

/** addGradSums of g through ReLU with the output at `source`, to the same bits; what came through is put at `before`, unless that is 0. */
function addReluGradSums<T>(
  gSum: usize,
  xSum: usize,
  g: usize,
  x: usize,
  n: usize,
  mean: T,
  source: usize,
  before: usize,
): void {
  const m = v128.splat<T>(mean);
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
    if (before) {
      for (; at + 32 <= stop; at += 32) {
        const g0 = throughRelu<T>(v128.load(g + at), v128.load(source + at));
        const g1 = throughRelu<T>(v128.load(g + at, 16), v128.load(source + at, 16));
        v128.store(before + at, g0);
        v128.store(before + at, g1, 16);
        s0 = v128.add<T>(s0, g0);
        s1 = v128.add<T>(s1, g1);
        p0 = madd<T>(v128.sub<T>(v128.load(x + at), m), g0, p0);
        p1 = madd<T>(v128.sub<T>(v128.load(x + at, 16), m), g1, p1);
      }
    } else {
      for (; at + 32 <= stop; at += 32) {
        const g0 = throughRelu<T>(v128.load(g + at), v128.load(source + at));
        const g1 = throughRelu<T>(v128.load(g + at, 16), v128.load(source + at, 16));
        s0 = v128.add<T>(s0, g0);
        s1 = v128.add<T>(s1, g1);
        p0 = madd<T>(v128.sub<T>(v128.load(x + at), m), g0, p0);
        p1 = madd<T>(v128.sub<T>(v128.load(x + at, 16), m), g1, p1);
      }
    }
    for (; at + 16 <= stop; at += 16) {
      const g0 = throughRelu<T>(v128.load(g + at), v128.load(source + at));
      if (before) v128.store(before + at, g0);
      s0 = v128.add<T>(s0, g0);
      p0 = madd<T>(v128.sub<T>(v128.load(x + at), m), g0, p0);
    }
    sum += sumBoth<T>(s0, s1);
    product += sumBoth<T>(p0, p1);
  }
  for (; at < bytes; at += sizeof<T>()) {
    const gi = load<T>(source + at) <= 0 ? <T>0 : load<T>(g + at);
    if (before) store<T>(before + at, gi);
    sum += <f64>gi;
    product += <f64>(<T>(load<T>(x + at) - mean)) * <f64>gi;
  }
  store<f64>(gSum, load<f64>(gSum) + sum);
  store<f64>(xSum, load<f64>(xSum) + product);
}

/**
 * gWeight = Σ g·x̂ and gBias = Σ g of channels. Behind ReLU with the output at `source` (or 0), g is what comes through it, and is put at `before` (or 0). `inner` > 1.
 * `scratch` holds HEAD bytes, and behind them two float64 of every channel.
 */
export function gradSumsInOrder<T>(
  gWeight: usize,
  gBias: usize,
  g: usize,
  x: usize,
  outer: usize,
  channels: usize,
  inner: usize,
  all: usize,
  mean: usize,
  invstd: usize,
  source: usize,
  before: usize,
  scratch: usize,
): void {
  const size: usize = sizeof<T>();
  const row = inner * size;
  const sums = scratch + HEAD;
  const products = sums + channels * 8;
  memory.fill(sums, 0, channels * 16);
  for (let r: usize = 0; r < outer * all * row; r += all * row) {
    for (let c: usize = 0; c < channels; c++) {
      const i = r + c * row;
      const m = load<T>(mean + c * size);
      const s = sums + c * 8;
      const p = products + c * 8;
      if (source) addReluGradSums<T>(s, p, g + i, x + i, inner, m, source + i, before ? before + i : 0);
      else addGradSums<T>(s, p, g + i, x + i, inner, m);
    }
  }
  for (let c: usize = 0; c < channels; c++) {
    const at = c * size;
    store<T>(gWeight + at, <T>(load<f64>(products + c * 8) * <f64>load<T>(invstd + at)));
    store<T>(gBias + at, <T>load<f64>(sums + c * 8));
  }
}

/** gradRow of g through ReLU with the output at `source` */
function reluGradRow<T>(
  gx: usize,
  g: usize,
  x: usize,
  source: usize,
  n: usize,
  gMean: T,
  mean: T,
  k: T,
  scale: T,
): void {
  const vg = v128.splat<T>(gMean);
  const vm = v128.splat<T>(mean);
  const vk = v128.splat<T>(k);
  const vs = v128.splat<T>(scale);
  const bytes = n * sizeof<T>();
  let at: usize = 0;
  for (; at + 32 <= bytes; at += 32) {
    const h0 = v128.sub<T>(throughRelu<T>(v128.load(g + at), v128.load(source + at)), vg);
    const h1 = v128.sub<T>(throughRelu<T>(v128.load(g + at, 16), v128.load(source + at, 16)), vg);
    const d0 = nmadd<T>(v128.sub<T>(v128.load(x + at), vm), vk, h0);
    const d1 = nmadd<T>(v128.sub<T>(v128.load(x + at, 16), vm), vk, h1);
    v128.store(gx + at, v128.mul<T>(d0, vs));
    v128.store(gx + at, v128.mul<T>(d1, vs), 16);
  }
  for (; at + 16 <= bytes; at += 16) {
    const h0 = v128.sub<T>(throughRelu<T>(v128.load(g + at), v128.load(source + at)), vg);
    v128.store(gx + at, v128.mul<T>(nmadd<T>(v128.sub<T>(v128.load(x + at), vm), vk, h0), vs));
  }
  for (; at < bytes; at += sizeof<T>()) {
    const gi = load<T>(source + at) <= 0 ? <T>0 : load<T>(g + at);
    const d = <T>(<T>(load<T>(x + at) - mean) * k);
    store<T>(gx + at, <T>(<T>(<T>(gi - gMean) - d) * scale));
  }
}

/**
 * gx = (g − gMean − (x − mean)·k)·invstd·weight for `rows` rows of one channel each, from number `first` on; with inner = 1 rows are all channels side by side. Behind ReLU with the
 * output at `source` (or 0; inner > 1), g is what comes through it.
 */
export function givenGradByChannel<T>(
  gx: usize,
  g: usize,
  x: usize,
  first: usize,
  rows: usize,
  channels: usize,
  inner: usize,
  mean: usize,
  invstd: usize,
  weight: usize,
  gMean: usize,
  k: usize,
  source: usize,
): void {
  const size: usize = sizeof<T>();
  const bytes = (inner === 1 ? channels : inner) * size;
  for (let r = first; r < first + rows; r++) {
    const p = r * bytes;
    if (inner === 1) {
      columnGradRow<T>(gx + p, g + p, x + p, channels, gMean, mean, k, invstd);
      columnScaleRow<T>(gx + p, gx + p, channels, weight);
      continue;
    }
    const at = (r % channels) * size;
    const m = load<T>(mean + at);
    const scale = <T>(load<T>(invstd + at) * load<T>(weight + at));
    const level = load<T>(gMean + at);
    const slope = load<T>(k + at);
    if (source) reluGradRow<T>(gx + p, g + p, x + p, source + p, inner, level, m, slope, scale);
    else gradRow<T>(gx + p, g + p, x + p, inner, level, m, slope, scale);
  }
}
