/* The gradient of normalization by rows, see norm-rows.ts. */
import { addGradSums, LANE_BYTES, madd, nmadd, sumBoth, widenHigh } from "./rows";

/**
 * gx = (h − Σh / length − (x − mean)·invstd²·Σh(x − mean) / length)·invstd with h = g·weight, for rows number `from` up to `to`. `sums` takes the parameters'
 * gradients: a float64 of every bias and then of every weight; with inner = 1 it may be 0. `scratch` holds two float64, and BLOCK_ROWS of T.
 */
function gradOfRows<T>(
  gx: usize,
  g: usize,
  x: usize,
  from: usize,
  to: usize,
  groups: usize,
  channels: usize,
  inner: usize,
  mean: usize,
  rest: usize,
  invstd: usize,
  weight: usize,
  sums: usize,
  scratch: usize,
): void {
  const size: usize = sizeof<T>();
  const length = channels * inner;
  const weights = groups * channels;
  const weightSums = sums + weights * 8;
  if (sums) memory.fill(sums, 0, weights * 16);
  g += from * length * size;
  x += from * length * size;
  if (gx) gx += from * length * size;
  for (let r = from; r < to; r++) {
    const first = (r % groups) * channels;
    const m = mean ? load<T>(mean + r * size) : <T>0;
    const lost: f64 = mean ? <f64>load<T>(rest + r * size) : 0;
    const scale = load<T>(invstd + r * size);
    const w = weight ? weight + first * size : 0;
    store<f64>(scratch, 0);
    store<f64>(scratch, 0, 8);
    if (inner === 1) {
      if (gx) weightedSums<T>(scratch, g, x, length, m, w);
      const shift = <T>(lost * <f64>scale);
      if (sums && groups > 1) addColumns<T>(sums + first * 8, weightSums + first * 8, g, x, length, m, scale, shift);
      if (sums && groups === 1) {
        // Rows of one block are in the first cache when their columns are walked down.
        const n = (r - from) % BLOCK_ROWS;
        store<T>(scratch + 16 + n * size, shift);
        if (n === BLOCK_ROWS - 1 || r === to - 1) {
          const back = n * length * size;
          const row = (r - n) * size;
          const s = invstd + row;
          addBlock<T>(sums, weightSums, g - back, x - back, length, n + 1, mean ? mean + row : 0, s, scratch + 16);
        }
      }
    } else {
      for (let c: usize = 0; c < channels; c++) {
        const row = c * inner * size;
        const sum = sums + (first + c) * 8;
        addChannel<T>(
          scratch,
          sum,
          sum + weights * 8,
          g + row,
          x + row,
          inner,
          m,
          lost,
          scale,
          w ? load<T>(w + c * size) : <T>1,
        );
      }
    }
    if (gx) {
      const count = <f64>length;
      const sum = load<f64>(scratch);
      // (x − mean − rest)·k is (x − mean)·k and a constant
      const product = load<f64>(scratch, 8) - (inner === 1 ? lost * sum : 0);
      const k = <T>((product / count) * <f64>scale * <f64>scale);
      const hMean = mean ? <T>(sum / count - lost * <f64>k) : <T>0;
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
}

/** Adds the parts' sums in their order, and writes the parameters' gradients. */
export function finishRowGrad<T>(gWeight: usize, gBias: usize, sums: usize, weights: usize, parts: usize): void {
  const size: usize = sizeof<T>();
  for (let c: usize = 0; c < weights; c++) {
    let bias: f64 = 0;
    let weight: f64 = 0;
    for (let part: usize = 0; part < parts; part++) {
      const at = sums + (2 * part * weights + c) * 8;
      bias += load<f64>(at);
      weight += load<f64>(at + weights * 8);
    }
    if (gBias) store<T>(gBias + c * size, <T>bias);
    if (gWeight) store<T>(gWeight + c * size, <T>weight);
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
  lost: f64,
  scale: T,
  weight: T,
): void {
  const bias = load<f64>(biasSum);
  const product = load<f64>(weightSum);
  store<f64>(biasSum, 0);
  store<f64>(weightSum, 0);
  addGradSums<T>(biasSum, weightSum, g, x, n, mean);
  const sum = load<f64>(biasSum);
  const moment = load<f64>(weightSum) - lost * sum;
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
      const h0 = v128.mul<T>(v128.load(g + at), v128.load(weight + at));
      const h1 = v128.mul<T>(v128.load(g + at, 16), v128.load(weight + at, 16));
      s0 = v128.add<T>(s0, h0);
      s1 = v128.add<T>(s1, h1);
      p0 = madd<T>(v128.sub<T>(v128.load(x + at), vm), h0, p0);
      p1 = madd<T>(v128.sub<T>(v128.load(x + at, 16), vm), h1, p1);
    }
    for (; at + 16 <= stop; at += 16) {
      const h0 = v128.mul<T>(v128.load(g + at), v128.load(weight + at));
      s0 = v128.add<T>(s0, h0);
      p0 = madd<T>(v128.sub<T>(v128.load(x + at), vm), h0, p0);
    }
    sum += sumBoth<T>(s0, s1);
    product += sumBoth<T>(p0, p1);
  }
  for (; at < bytes; at += sizeof<T>()) {
    const h = <T>(load<T>(g + at) * load<T>(weight + at));
    sum += <f64>h;
    product += <f64>(<T>(<T>(load<T>(x + at) - mean) * h));
  }
  store<f64>(sums, sum);
  store<f64>(sums, product, 8);
}

/** Rows whose gradients are summed in T before it goes on in float64. */
const BLOCK_ROWS: usize = 8;

function addLanes<T>(sums: usize, v: v128): void {
  if (sizeof<T>() === 8) {
    v128.store(sums, f64x2.add(v128.load(sums), v));
    return;
  }
  v128.store(sums, f64x2.add(v128.load(sums), f64x2.promote_low_f32x4(v)));
  v128.store(sums, f64x2.add(v128.load(sums, 16), widenHigh(v)), 16);
}

/** addColumns for some rows, each with its own constants; without `mean` that is 0. */
function addBlock<T>(
  bias: usize,
  weight: usize,
  g: usize,
  x: usize,
  n: usize,
  rows: usize,
  mean: usize,
  scale: usize,
  shift: usize,
): void {
  const size: usize = sizeof<T>();
  const lanes: usize = 16 / size;
  const row = n * size;
  const zero = v128.splat<T>(0);
  let c: usize = 0;
  for (; c + 2 * lanes <= n; c += 2 * lanes) {
    let s0 = zero;
    let s1 = zero;
    let p0 = zero;
    let p1 = zero;
    let at = c * size;
    for (let r: usize = 0; r < rows * size; r += size) {
      const m = mean ? v128.load_splat<T>(mean + r) : zero;
      const a = v128.load_splat<T>(scale + r);
      const t = v128.load_splat<T>(shift + r);
      const v0 = v128.load(g + at);
      const v1 = v128.load(g + at, 16);
      s0 = v128.add<T>(s0, v0);
      s1 = v128.add<T>(s1, v1);
      p0 = madd<T>(v128.sub<T>(v128.mul<T>(v128.sub<T>(v128.load(x + at), m), a), t), v0, p0);
      p1 = madd<T>(v128.sub<T>(v128.mul<T>(v128.sub<T>(v128.load(x + at, 16), m), a), t), v1, p1);
      at += row;
    }
    addLanes<T>(bias + c * 8, s0);
    addLanes<T>(bias + (c + lanes) * 8, s1);
    addLanes<T>(weight + c * 8, p0);
    addLanes<T>(weight + (c + lanes) * 8, p1);
  }
  for (; c < n; c++) {
    let sum = load<f64>(bias + c * 8);
    let product = load<f64>(weight + c * 8);
    let at = c * size;
    for (let r: usize = 0; r < rows * size; r += size) {
      const v = load<T>(g + at);
      const m = mean ? load<T>(mean + r) : <T>0;
      sum += <f64>v;
      product += <f64>(<T>(<T>(<T>(<T>(load<T>(x + at) - m) * load<T>(scale + r)) - load<T>(shift + r)) * v));
      at += row;
    }
    store<f64>(bias + c * 8, sum);
    store<f64>(weight + c * 8, product);
  }
}

/** bias[c] += g[c] and weight[c] += g[c]·((x[c] − mean)·scale − shift) along a row, the sums in float64 */
function addColumns<T>(bias: usize, weight: usize, g: usize, x: usize, n: usize, mean: T, scale: T, shift: T): void {
  const end = g + n * sizeof<T>();
  const vm = v128.splat<T>(mean);
  const vs = v128.splat<T>(scale);
  const vt = v128.splat<T>(shift);
  for (; g + 16 <= end; g += 16) {
    const v = v128.load(g);
    const d = v128.mul<T>(v128.sub<T>(v128.mul<T>(v128.sub<T>(v128.load(x), vm), vs), vt), v);
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
    store<f64>(weight, load<f64>(weight) + <f64>(<T>(<T>(<T>(<T>(load<T>(x) - mean) * scale) - shift) * v)));
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
    v128.store(gx + at, v128.mul<T>(nmadd<T>(v128.sub<T>(v128.load(x + at), vm), vk, h), vs));
  }
  for (; at < bytes; at += sizeof<T>()) {
    const h = <T>(<T>(load<T>(g + at) * load<T>(weight + at)) - hMean);
    const d = <T>(<T>(load<T>(x + at) - mean) * k);
    store<T>(gx + at, <T>(<T>(h - d) * scale));
  }
}

/** The gradient by rows, in parts of `perPart` rows with sums of their own, one behind the other; `parts` of them from number `first` on. */
export function normalizeByRowGrad<T>(
  gx: usize,
  g: usize,
  x: usize,
  rows: usize,
  groups: usize,
  channels: usize,
  inner: usize,
  mean: usize,
  rest: usize,
  invstd: usize,
  weight: usize,
  sums: usize,
  perPart: usize,
  first: usize,
  parts: usize,
  scratch: usize,
): void {
  for (let part = first; part < first + parts; part++) {
    const from = part * perPart;
    const to = min(rows, from + perPart);
    const own = sums ? sums + part * groups * channels * 16 : 0;
    gradOfRows<T>(gx, g, x, from, to, groups, channels, inner, mean, rest, invstd, weight, own, scratch);
  }
}
