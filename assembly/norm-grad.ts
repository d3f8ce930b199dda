/*
 * The gradient of normalization by channels, see norm.ts: sums over a group of channels, then gx of the group while g and x are in cache, and in the same loop the sums of
 * the next group.
 */
import { columnGradRow, columnGradRows, columnScaleRow, ROWS_TOGETHER } from "./column-rows";
import { columnGradSums } from "./columns";
import { unaryGrad } from "./gradient";
import { channelsTogether, HEAD } from "./norm";
import { addGradSums, gradRow, gradRowAndSums, scaleGradRow } from "./rows";

/**
 * Where an activation followed, number `op`, the gradient before it is g·f'(source), and is put `before`. `scratch` holds HEAD bytes, two float64 of every channel, and
 * behind them gMean, k and invstd·weight.
 */
export function normalizeByChannelGrad<T>(
  gx: usize,
  gWeight: usize,
  gBias: usize,
  g: usize,
  x: usize,
  outer: usize,
  channels: usize,
  inner: usize,
  all: usize,
  mean: usize,
  rest: usize,
  invstd: usize,
  weight: usize,
  batchStatistics: bool,
  before: usize,
  source: usize,
  op: i32,
  p: f64,
  scratch: usize,
): void {
  const size: usize = sizeof<T>();
  const row = inner * size;
  const stride = all * row;
  const end = outer * stride;
  const count = <f64>outer * <f64>inner;
  const needsSums = batchStatistics || gWeight !== 0 || gBias !== 0;
  const columns = inner === 1;
  const streams: usize = op < 0 ? 2 : 3;
  const together = columns ? max(1, channels) : channelsTogether(streams * outer * row, row, channels);
  const h = op < 0 ? g : before;
  const sums = scratch + HEAD;
  const products = sums + channels * 8;
  const gMeans = products + channels * 8;
  const ks = gMeans + channels * size;
  const scales = ks + channels * size;
  // The sums of a group are taken while the one before it is written, if it is.
  const ahead = gx !== 0 && batchStatistics && !columns;
  memory.fill(sums, 0, channels * 16);
  if (columns) {
    if (op >= 0) {
      for (let i: usize = 0; i < end; i += stride) {
        unaryGrad<T>(op, before + i, g + i, source + i, channels, p, 0, scratch);
      }
    }
    if (needsSums) columnGradSums<T>(sums, products, h, x, outer, channels, all, mean);
  }
  for (let c: usize = 0; c < channels; c += together) {
    const last = min(c + together, channels);
    if (!columns && (c === 0 || !ahead)) {
      for (let r: usize = 0; r < end; r += stride) {
        for (let d = c; d < last; d++) {
          const i = r + d * row;
          if (op >= 0) unaryGrad<T>(op, before + i, g + i, source + i, inner, p, 0, scratch);
          if (needsSums) addGradSums<T>(sums + d * 8, products + d * 8, h + i, x + i, inner, load<T>(mean + d * size));
        }
      }
    }
    for (let d = c; d < last; d++) {
      const at = d * size;
      const scale = load<T>(invstd + at);
      const sum = load<f64>(sums + d * 8);
      const lost: f64 = columns && rest ? <f64>load<T>(rest + at) : 0;
      const product = load<f64>(products + d * 8) - lost * sum;
      const k = <T>(<T>(<T>(<T>product * scale) * scale) / <T>count);
      if (gWeight) store<T>(gWeight + at, <T>(product * <f64>scale));
      if (gBias) store<T>(gBias + at, <T>sum);
      // (x − mean − rest)·k is (x − mean)·k and a constant
      store<T>(gMeans + at, <T>(lost === 0 ? sum / count : sum / count - lost * <f64>k));
      store<T>(ks + at, k);
      store<T>(scales + at, weight ? <T>(scale * load<T>(weight + at)) : scale);
    }
    if (!gx) continue;
    for (let o: usize = 0; o < outer; o++) {
      // The rows that were summed last are still in cache: gx goes backwards, the sums of the next group forwards.
      const r = end - (o + 1) * stride;
      if (columns) {
        if (batchStatistics && outer - o >= ROWS_TOGETHER) {
          o += ROWS_TOGETHER - 1;
          const i = end - (o + 1) * stride;
          columnGradRows<T>(gx + i, h + i, x + i, channels, stride, gMeans, mean, ks, scales);
        } else if (batchStatistics) columnGradRow<T>(gx + r, h + r, x + r, channels, gMeans, mean, ks, scales);
        else columnScaleRow<T>(gx + r, h + r, channels, scales);
        continue;
      }
      for (let d = c; d < last; d++) {
        const at = d * size;
        const i = r + d * row;
        const scale = load<T>(scales + at);
        if (!batchStatistics) {
          scaleGradRow<T>(gx + i, h + i, inner, scale);
          continue;
        }
        const gMean = load<T>(gMeans + at);
        const m = load<T>(mean + at);
        const k = load<T>(ks + at);
        const next = d + together;
        if (next >= channels) {
          gradRow<T>(gx + i, h + i, x + i, inner, gMean, m, k, scale);
          continue;
        }
        const j = end - stride - r + next * row;
        const n = next * 8;
        if (op >= 0) unaryGrad<T>(op, before + j, g + j, source + j, inner, p, 0, scratch);
        const mNext = load<T>(mean + next * size);
        gradRowAndSums<T>(gx + i, h + i, x + i, inner, gMean, m, k, scale, sums + n, products + n, h + j, x + j, mNext);
      }
    }
  }
}
