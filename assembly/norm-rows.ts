/*
 * Normalization by rows: x is [rows, channels, inner], every row has its own moments, and element (r, c, i) takes weight number
 * (r mod groups)·channels + c. Without a mean (RMS norm) it counts as 0 and takes no part in the gradient. Sums are in float64; the products that they
 * add are rounded to T. `rest` is what the mean's rounding lost: of two nearly equal values no digit would be left without it.
 */
import { sumRow, sumSquaresWide } from "./rows";

export function momentsByRow<T>(
  mean: usize,
  rest: usize,
  invstd: usize,
  x: usize,
  rows: usize,
  length: usize,
  eps: f64,
): void {
  const size: usize = sizeof<T>();
  for (let r: usize = 0; r < rows; r++) {
    const m = mean ? sumRow<T>(x, length) / <f64>length : 0;
    const variance = sumSquaresWide<T>(x, length, m) / <f64>length;
    if (mean) {
      store<T>(mean + r * size, <T>m);
      store<T>(rest + r * size, <T>(m - <f64>(<T>m)));
    }
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

/** y = ((x − mean)·scale + shift)·weight + bias, weight and bias along the row */
function normalizeRowBy<T>(
  y: usize,
  x: usize,
  n: usize,
  mean: T,
  scale: T,
  shift: T,
  weight: usize,
  bias: usize,
): void {
  const bytes = n * sizeof<T>();
  const vm = v128.splat<T>(mean);
  const va = v128.splat<T>(scale);
  const vb = v128.splat<T>(shift);
  let at: usize = 0;
  for (; at + 16 <= bytes; at += 16) {
    const d = v128.add<T>(v128.mul<T>(v128.sub<T>(v128.load(x + at), vm), va), vb);
    const v = v128.mul<T>(d, v128.load(weight + at));
    v128.store(y + at, bias ? v128.add<T>(v, v128.load(bias + at)) : v);
  }
  for (; at < bytes; at += sizeof<T>()) {
    const d = <T>(<T>(<T>(load<T>(x + at) - mean) * scale) + shift);
    const v = <T>(d * load<T>(weight + at));
    store<T>(y + at, bias ? <T>(v + load<T>(bias + at)) : v);
  }
}

export function normalizeByRow<T>(
  y: usize,
  x: usize,
  rows: usize,
  groups: usize,
  channels: usize,
  inner: usize,
  mean: usize,
  rest: usize,
  invstd: usize,
  weight: usize,
  bias: usize,
): void {
  const size: usize = sizeof<T>();
  const length = channels * inner;
  for (let r: usize = 0; r < rows; r++) {
    const m = mean ? load<T>(mean + r * size) : <T>0;
    const lost: f64 = mean ? <f64>load<T>(rest + r * size) : 0;
    const scale = load<T>(invstd + r * size);
    const shift = <T>(-lost * <f64>scale);
    const first = (r % groups) * channels * size;
    if (!weight && !bias) normalizeRow<T>(y, x, length, m, scale, shift);
    else if (inner === 1 && weight)
      normalizeRowBy<T>(y, x, length, m, scale, shift, weight + first, bias ? bias + first : 0);
    else {
      for (let c: usize = 0; c < channels; c++) {
        const at = first + c * size;
        const a = weight ? <T>(scale * load<T>(weight + at)) : scale;
        const b: f64 = bias ? <f64>load<T>(bias + at) : 0;
        const row = c * inner * size;
        normalizeRow<T>(y + row, x + row, inner, m, a, <T>(b - lost * <f64>a));
      }
    }
    x += length * size;
    y += length * size;
  }
}
