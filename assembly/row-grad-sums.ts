/* Sums of the gradient of normalization by rows with weights along the row: of a row, and of its columns for the parameters. */
import { addGradSums, Straight } from "./grad-rows";
import { LANE_BYTES, madd, sumBoth, widenHigh } from "./rows";

/** Σ h and Σ h·(x − mean) with h = g·weight, the weight along the row or 0 */
export function weightedSums<T>(sums: usize, g: usize, x: usize, n: usize, mean: T, weight: usize): void {
  if (!weight) {
    addGradSums<T, Straight>(sums, sums + 8, g, x, n, mean, 0, 0, 0, 0);
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
export const BLOCK_ROWS: usize = 8;

/** Adds the lanes of T to as many float64. */
export function addLanes<T>(sums: usize, v: v128): void {
  if (sizeof<T>() === 8) {
    v128.store(sums, f64x2.add(v128.load(sums), v));
    return;
  }
  v128.store(sums, f64x2.add(v128.load(sums), f64x2.promote_low_f32x4(v)));
  v128.store(sums, f64x2.add(v128.load(sums, 16), widenHigh(v)), 16);
}

/** addColumns for some rows, each with its own constants; without `mean` that is 0. */
export function addBlock<T>(
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
export function addColumns<T>(
  bias: usize,
  weight: usize,
  g: usize,
  x: usize,
  n: usize,
  mean: T,
  scale: T,
  shift: T,
): void {
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
