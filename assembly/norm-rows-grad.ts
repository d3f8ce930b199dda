/* The gradient of normalization by rows, see norm-rows.ts. */

import { addGradSums, Straight } from "./grad-rows";
import { affineGradRow, gradOfPairs, weightedGradRow } from "./row-grad-along";
import { addBlock, addColumns, BLOCK_ROWS, weightedSums } from "./row-grad-sums";

/**
 * gx = (h − Σh / length − (x − mean)·invstd²·Σh(x − mean) / length)·invstd with h = g·weight, for rows number `from` up to `to`. `sums` takes the parameters'
 * gradients: a float64 of every bias and then of every weight; with inner = 1 it may be 0. `scratch` holds 128 bytes and two lines of T.
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
  if (gx && sums && weight && groups === 1 && inner === 1 && length * size >= 16 && to - from > 1) {
    const pairs = (to - from) >> 1;
    const m = mean ? mean + from * size : 0;
    const lost = rest + from * size;
    const scale = invstd + from * size;
    gradOfPairs<T>(gx, g, x, pairs, length, m, lost, scale, weight, sums, scratch + 128);
    from += 2 * pairs;
    gx += 2 * pairs * length * size;
    g += 2 * pairs * length * size;
    x += 2 * pairs * length * size;
  }
  for (let r = from; r < to; r++) {
    const first = (r % groups) * channels;
    const m = mean ? load<T>(mean + r * size) : <T>0;
    const lost: f64 = mean ? <f64>load<T>(rest + r * size) : 0;
    const scale = load<T>(invstd + r * size);
    const w = weight ? weight + first * size : 0;
    store<f64>(scratch, 0);
    store<f64>(scratch, 0, 8);
    if (inner === 1) {
      const shift = <T>(lost * <f64>scale);
      if (gx) weightedSums<T>(scratch, g, x, length, m, w);
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
      const slope = <T>(-k * scale);
      const level = <T>(-hMean * scale);
      if (inner === 1 && w) weightedGradRow<T>(gx, g, x, length, m, scale, slope, level, w);
      else {
        const runs = w ? channels : 1;
        const run = w ? inner : length;
        for (let c: usize = 0; c < runs; c++) {
          const row = c * run * size;
          const a = w ? <T>(scale * load<T>(w + c * size)) : scale;
          affineGradRow<T>(gx + row, g + row, x + row, run, m, a, slope, level);
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
  addGradSums<T, Straight>(biasSum, weightSum, g, x, n, mean, 0, 0, 0, 0);
  const sum = load<f64>(biasSum);
  const moment = load<f64>(weightSum) - lost * sum;
  store<f64>(row, load<f64>(row) + sum * <f64>weight);
  store<f64>(row, load<f64>(row, 8) + moment * <f64>weight, 8);
  store<f64>(biasSum, bias + sum);
  store<f64>(weightSum, product + moment * <f64>scale);
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
