/*
 * Normalization by rows: x is [rows, channels, inner], every row has its own moments, and element (r, c, i) takes weight number
 * (r mod groups)·channels + c. Without a mean (RMS norm) it counts as 0 and takes no part in the gradient. Sums are in float64; the products that they
 * add are rounded to T.
 */
import { addGradSums, sumOf4, sumRow, sumSquaresWide, widenHigh } from "./rows";

function momentsByRow<T>(mean: usize, invstd: usize, x: usize, rows: usize, length: usize, eps: f64): void {
  const size: usize = sizeof<T>();
  for (let r: usize = 0; r < rows; r++) {
    const m = mean ? sumRow<T>(x, length) / <f64>length : 0;
    const variance = sumSquaresWide<T>(x, length, m) / <f64>length;
    if (mean) store<T>(mean + r * size, <T>m);
    store<T>(invstd + r * size, <T>(1 / sqrt<f64>(variance + eps)));
    x += length * size;
  }
}

/** y = (x − mean)·scale + shift */
function normalizeRow<T>(y: usize, x: usize, n: usize, mean: T, scale: T, shift: T): void {
  const end = x + n * sizeof<T>();
  const vm = v128.splat<T>(mean);
  const va = v128.splat<T>(scale);
  const vb = v128.splat<T>(shift);
  for (; x + 16 <= end; x += 16) {
    v128.store(y, v128.add<T>(v128.mul<T>(v128.sub<T>(v128.load(x), vm), va), vb));
    y += 16;
  }
  for (; x < end; x += sizeof<T>()) {
    store<T>(y, <T>(<T>(<T>(load<T>(x) - mean) * scale) + shift));
    y += sizeof<T>();
  }
}

/** y = (x − mean)·scale·weight + bias, weight and bias along the row */
function normalizeRowBy<T>(y: usize, x: usize, n: usize, mean: T, scale: T, weight: usize, bias: usize): void {
  const bytes = n * sizeof<T>();
  const vm = v128.splat<T>(mean);
  const vs = v128.splat<T>(scale);
  let at: usize = 0;
  for (; at + 16 <= bytes; at += 16) {
    const v = v128.mul<T>(v128.mul<T>(v128.sub<T>(v128.load(x + at), vm), vs), v128.load(weight + at));
    v128.store(y + at, bias ? v128.add<T>(v, v128.load(bias + at)) : v);
  }
  for (; at < bytes; at += sizeof<T>()) {
    const v = <T>(<T>(<T>(load<T>(x + at) - mean) * scale) * load<T>(weight + at));
    store<T>(y + at, bias ? <T>(v + load<T>(bias + at)) : v);
  }
}

function normalizeByRow<T>(
  y: usize,
  x: usize,
  rows: usize,
  groups: usize,
  channels: usize,
  inner: usize,
  mean: usize,
  invstd: usize,
  weight: usize,
  bias: usize,
): void {
  const size: usize = sizeof<T>();
  const length = channels * inner;
  for (let r: usize = 0; r < rows; r++) {
    const m = mean ? load<T>(mean + r * size) : <T>0;
    const scale = load<T>(invstd + r * size);
    const first = (r % groups) * channels * size;
    if (!weight && !bias) normalizeRow<T>(y, x, length, m, scale, 0);
    else if (inner === 1 && weight) normalizeRowBy<T>(y, x, length, m, scale, weight + first, bias ? bias + first : 0);
    else {
      for (let c: usize = 0; c < channels; c++) {
        const at = first + c * size;
        const w = weight ? load<T>(weight + at) : <T>1;
        const row = c * inner * size;
        normalizeRow<T>(y + row, x + row, inner, m, <T>(scale * w), bias ? load<T>(bias + at) : <T>0);
      }
    }
    x += length * size;
    y += length * size;
  }
}

/**
 * gx = (h − Σh / length − (x − mean)·invstd²·Σh(x − mean) / length)·invstd with h = g·weight. `scratch` holds two float64 of every weight and two more.
 */
function normalizeByRowGrad<T>(
  gx: usize,
  gWeight: usize,
  gBias: usize,
  g: usize,
  x: usize,
  rows: usize,
  groups: usize,
  channels: usize,
  inner: usize,
  mean: usize,
  invstd: usize,
  weight: usize,
  scratch: usize,
): void {
  const size: usize = sizeof<T>();
  const length = channels * inner;
  const weights = groups * channels;
  const needsParameters = gWeight !== 0 || gBias !== 0;
  const biasSums = scratch + 16;
  const weightSums = biasSums + weights * 8;
  memory.fill(biasSums, 0, weights * 16);
  for (let r: usize = 0; r < rows; r++) {
    const first = (r % groups) * channels;
    const m = mean ? load<T>(mean + r * size) : <T>0;
    const scale = load<T>(invstd + r * size);
    const w = weight ? weight + first * size : 0;
    store<f64>(scratch, 0);
    store<f64>(scratch, 0, 8);
    if (inner === 1) {
      if (gx) weightedSums<T>(scratch, g, x, length, m, w);
      if (needsParameters) addColumns<T>(biasSums + first * 8, weightSums + first * 8, g, x, length, m, scale);
    } else {
      for (let c: usize = 0; c < channels; c++) {
        const row = c * inner * size;
        const sums = biasSums + (first + c) * 8;
        addChannel<T>(
          scratch,
          sums,
          sums + weights * 8,
          g + row,
          x + row,
          inner,
          m,
          scale,
          w ? load<T>(w + c * size) : <T>1,
        );
      }
    }
    if (gx) {
      const count = <f64>length;
      const hMean = mean ? <T>(load<f64>(scratch) / count) : <T>0;
      const k = <T>((load<f64>(scratch, 8) / count) * <f64>scale * <f64>scale);
      if (inner === 1) gradRowBy<T>(gx, g, x, length, hMean, m, k, scale, w);
      else {
        for (let c: usize = 0; c < channels; c++) {
          const row = c * inner * size;
          gradRowOf<T>(gx + row, g + row, x + row, inner, hMean, m, k, scale, w ? load<T>(w + c * size) : <T>1);
        }
      }
      gx += length * size;
    }
    g += length * size;
    x += length * size;
  }
  for (let c: usize = 0; c < weights; c++) {
    if (gBias) store<T>(gBias + c * size, <T>load<f64>(biasSums + c * 8));
    if (gWeight) store<T>(gWeight + c * size, <T>load<f64>(weightSums + c * 8));
  }
}

/** The sums of one channel of one row, added to the row's weighted ones and to the parameters'. */
function addChannel<T>(
  row: usize,
  biasSum: usize,
  weightSum: usize,
  g: usize,
  x: usize,
  n: usize,
  mean: T,
  scale: T,
  weight: T,
): void {
  const bias = load<f64>(biasSum);
  const product = load<f64>(weightSum);
  store<f64>(biasSum, 0);
  store<f64>(weightSum, 0);
  addGradSums<T>(biasSum, weightSum, g, x, n, mean);
  const sum = load<f64>(biasSum);
  const moment = load<f64>(weightSum);
  store<f64>(row, load<f64>(row) + sum * <f64>weight);
  store<f64>(row, load<f64>(row, 8) + moment * <f64>weight, 8);
  store<f64>(biasSum, bias + sum);
  store<f64>(weightSum, product + moment * <f64>scale);
}

/** Σ h and Σ h·(x − mean) with h = g·weight, the weight along the row or 0 */
function weightedSums<T>(sums: usize, g: usize, x: usize, n: usize, mean: T, weight: usize): void {
  if (!weight) {
    addGradSums<T>(sums, sums + 8, g, x, n, mean);
    return;
  }
  const bytes = n * sizeof<T>();
  const vm = v128.splat<T>(mean);
  let s0 = f64x2.splat(0);
  let s1 = s0;
  let p0 = s0;
  let p1 = s0;
  let at: usize = 0;
  for (; at + 16 <= bytes; at += 16) {
    const h = v128.mul<T>(v128.load(g + at), v128.load(weight + at));
    const d = v128.mul<T>(v128.sub<T>(v128.load(x + at), vm), h);
    if (sizeof<T>() === 4) {
      s0 = f64x2.add(s0, f64x2.promote_low_f32x4(h));
      s1 = f64x2.add(s1, widenHigh(h));
      p0 = f64x2.add(p0, f64x2.promote_low_f32x4(d));
      p1 = f64x2.add(p1, widenHigh(d));
    } else {
      s0 = f64x2.add(s0, h);
      p0 = f64x2.add(p0, d);
    }
  }
  const zero = f64x2.splat(0);
  let sum = sumOf4(s0, s1, zero, zero);
  let product = sumOf4(p0, p1, zero, zero);
  for (; at < bytes; at += sizeof<T>()) {
    const h = <T>(load<T>(g + at) * load<T>(weight + at));
    sum += <f64>h;
    product += <f64>(<T>(<T>(load<T>(x + at) - mean) * h));
  }
  store<f64>(sums, sum);
  store<f64>(sums, product, 8);
}

/** bias[c] += g[c] and weight[c] += g[c]·(x[c] − mean)·scale along a row, the sums in float64 */
function addColumns<T>(bias: usize, weight: usize, g: usize, x: usize, n: usize, mean: T, scale: T): void {
  const end = g + n * sizeof<T>();
  const vm = v128.splat<T>(mean);
  const vs = v128.splat<T>(scale);
  for (; g + 16 <= end; g += 16) {
    const v = v128.load(g);
    const d = v128.mul<T>(v128.mul<T>(v128.sub<T>(v128.load(x), vm), vs), v);
    if (sizeof<T>() === 4) {
      v128.store(bias, f64x2.add(v128.load(bias), f64x2.promote_low_f32x4(v)));
      v128.store(bias, f64x2.add(v128.load(bias, 16), widenHigh(v)), 16);
      v128.store(weight, f64x2.add(v128.load(weight), f64x2.promote_low_f32x4(d)));
      v128.store(weight, f64x2.add(v128.load(weight, 16), widenHigh(d)), 16);
    } else {
      v128.store(bias, f64x2.add(v128.load(bias), v));
      v128.store(weight, f64x2.add(v128.load(weight), d));
    }
    x += 16;
    bias += 128 / sizeof<T>();
    weight += 128 / sizeof<T>();
  }
  for (; g < end; g += sizeof<T>()) {
    const v = load<T>(g);
    store<f64>(bias, load<f64>(bias) + <f64>v);
    store<f64>(weight, load<f64>(weight) + <f64>(<T>(<T>(<T>(load<T>(x) - mean) * scale) * v)));
    x += sizeof<T>();
    bias += 8;
    weight += 8;
  }
}

/** gx = (g·weight − hMean − (x − mean)·k)·scale, one weight */
function gradRowOf<T>(gx: usize, g: usize, x: usize, n: usize, hMean: T, mean: T, k: T, scale: T, weight: T): void {
  const end = x + n * sizeof<T>();
  const vh = v128.splat<T>(hMean);
  const vm = v128.splat<T>(mean);
  const vk = v128.splat<T>(k);
  const vs = v128.splat<T>(scale);
  const vw = v128.splat<T>(weight);
  for (; x + 16 <= end; x += 16) {
    const h = v128.sub<T>(v128.mul<T>(v128.load(g), vw), vh);
    const d = v128.mul<T>(v128.sub<T>(v128.load(x), vm), vk);
    v128.store(gx, v128.mul<T>(v128.sub<T>(h, d), vs));
    g += 16;
    gx += 16;
  }
  for (; x < end; x += sizeof<T>()) {
    const h = <T>(<T>(load<T>(g) * weight) - hMean);
    const d = <T>(<T>(load<T>(x) - mean) * k);
    store<T>(gx, <T>(<T>(h - d) * scale));
    g += sizeof<T>();
    gx += sizeof<T>();
  }
}

/** The same with the weights along the row. */
function gradRowBy<T>(gx: usize, g: usize, x: usize, n: usize, hMean: T, mean: T, k: T, scale: T, weight: usize): void {
  if (!weight) {
    gradRowOf<T>(gx, g, x, n, hMean, mean, k, scale, 1);
    return;
  }
  const bytes = n * sizeof<T>();
  const vh = v128.splat<T>(hMean);
  const vm = v128.splat<T>(mean);
  const vk = v128.splat<T>(k);
  const vs = v128.splat<T>(scale);
  let at: usize = 0;
  for (; at + 16 <= bytes; at += 16) {
    const h = v128.sub<T>(v128.mul<T>(v128.load(g + at), v128.load(weight + at)), vh);
    const d = v128.mul<T>(v128.sub<T>(v128.load(x + at), vm), vk);
    v128.store(gx + at, v128.mul<T>(v128.sub<T>(h, d), vs));
  }
  for (; at < bytes; at += sizeof<T>()) {
    const h = <T>(<T>(load<T>(g + at) * load<T>(weight + at)) - hMean);
    const d = <T>(<T>(load<T>(x + at) - mean) * k);
    store<T>(gx + at, <T>(<T>(h - d) * scale));
  }
}

export function momentsByRowF32(mean: usize, invstd: usize, x: usize, rows: usize, length: usize, eps: f64): void {
  momentsByRow<f32>(mean, invstd, x, rows, length, eps);
}

export function momentsByRowF64(mean: usize, invstd: usize, x: usize, rows: usize, length: usize, eps: f64): void {
  momentsByRow<f64>(mean, invstd, x, rows, length, eps);
}

export function normalizeByRowF32(
  y: usize,
  x: usize,
  rows: usize,
  groups: usize,
  channels: usize,
  inner: usize,
  mean: usize,
  invstd: usize,
  weight: usize,
  bias: usize,
): void {
  normalizeByRow<f32>(y, x, rows, groups, channels, inner, mean, invstd, weight, bias);
}

export function normalizeByRowF64(
  y: usize,
  x: usize,
  rows: usize,
  groups: usize,
  channels: usize,
  inner: usize,
  mean: usize,
  invstd: usize,
  weight: usize,
  bias: usize,
): void {
  normalizeByRow<f64>(y, x, rows, groups, channels, inner, mean, invstd, weight, bias);
}

export function normalizeByRowGradF32(
  gx: usize,
  gWeight: usize,
  gBias: usize,
  g: usize,
  x: usize,
  rows: usize,
  groups: usize,
  channels: usize,
  inner: usize,
  mean: usize,
  invstd: usize,
  weight: usize,
  scratch: usize,
): void {
  normalizeByRowGrad<f32>(gx, gWeight, gBias, g, x, rows, groups, channels, inner, mean, invstd, weight, scratch);
}

export function normalizeByRowGradF64(
  gx: usize,
  gWeight: usize,
  gBias: usize,
  g: usize,
  x: usize,
  rows: usize,
  groups: usize,
  channels: usize,
  inner: usize,
  mean: usize,
  invstd: usize,
  weight: usize,
  scratch: usize,
): void {
  normalizeByRowGrad<f64>(gx, gWeight, gBias, g, x, rows, groups, channels, inner, mean, invstd, weight, scratch);
}
