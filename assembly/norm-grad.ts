/*
 * The gradient of normalization by channels, see norm.ts: sums over a group of channels, then gx of the group while g and x are in cache, and in the same loop the sums of
 * the next group.
 */
import { columnGradRow, columnGradRows, columnScaleRow, ROWS_TOGETHER } from "./column-rows";
import { columnGradSums } from "./columns";
import {
  addGradSums,
  gradRow,
  gradRowAndSums,
  KeptRelu,
  OwnRelu,
  Straight,
  SummedRelu,
  scaleGradRow,
} from "./grad-rows";
import { unaryGrad } from "./gradient";
import { affineByChannel, channelsTogether, HEAD } from "./norm";
import { finishSums } from "./norm-sums";

/** The number of ReLU among the operations of gradient.ts. */
const RELU: i32 = 0;

/** What forward added to channel d, see OwnRelu. */
function shiftOf<T>(shifts: usize, d: usize): T {
  return shifts ? load<T>(shifts + d * sizeof<T>()) : <T>0;
}

/** Channels side by side. */
function gradColumns<T>(
  gx: usize,
  gWeight: usize,
  gBias: usize,
  g: usize,
  x: usize,
  outer: usize,
  channels: usize,
  all: usize,
  mean: usize,
  rest: usize,
  invstd: usize,
  weight: usize,
  batchStatistics: bool,
  sums: usize,
): void {
  const stride = all * sizeof<T>();
  const products = sums + channels * 8;
  const gMeans = products + channels * 8;
  const ks = gMeans + channels * sizeof<T>();
  const scales = ks + channels * sizeof<T>();
  if (batchStatistics || gWeight || gBias) columnGradSums<T>(sums, products, g, x, outer, channels, all, mean);
  finishSums<T>(gWeight, gBias, gMeans, ks, scales, sums, products, channels, <f64>outer, rest, invstd, weight);
  if (!gx) return;
  // Backwards, since the rows that were summed last are still in cache.
  for (let left = outer; left > 0; ) {
    if (batchStatistics && left >= ROWS_TOGETHER) {
      left -= ROWS_TOGETHER;
      const i = left * stride;
      columnGradRows<T>(gx + i, g + i, x + i, channels, stride, gMeans, mean, ks, scales);
      continue;
    }
    left--;
    const i = left * stride;
    if (batchStatistics) columnGradRow<T>(gx + i, g + i, x + i, channels, gMeans, mean, ks, scales);
    else columnScaleRow<T>(gx + i, g + i, channels, scales);
  }
}

/**
 * Channels one behind the other, `together` of them walked row by row. The gradient comes by the way G, see grad-rows.ts; where op >= 0, g are rows in the making: what of
 * `upstream` comes through that activation. With `shifts`, which lie behind the scales, both are those of the forward pass.
 */
function gradRows<T, G>(
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
  invstd: usize,
  weight: usize,
  batchStatistics: bool,
  source: usize,
  before: usize,
  op: i32,
  p: f64,
  upstream: usize,
  shifts: usize,
  together: usize,
  scratch: usize,
): void {
  const size: usize = sizeof<T>();
  const row = inner * size;
  const stride = all * row;
  const end = outer * stride;
  const count = <f64>outer * <f64>inner;
  const sums = scratch + HEAD;
  const products = sums + channels * 8;
  const gMeans = products + channels * 8;
  const ks = gMeans + channels * size;
  const scales = ks + channels * size;
  // The sums of a group are taken while the one before it is written, if it is.
  const ahead = gx !== 0 && batchStatistics;
  const needsSums = batchStatistics || gWeight !== 0 || gBias !== 0;
  for (let c: usize = 0; c < channels; c += together) {
    const n = min(together, channels - c);
    const at = c * size;
    if (c === 0 || !ahead) {
      for (let r: usize = 0; r < end; r += stride) {
        for (let d = c; d < c + n; d++) {
          const i = r + d * row;
          if (op >= 0) unaryGrad<T>(op, g + i, upstream + i, source + i, inner, p, 0, scratch);
          if (!needsSums) continue;
          const m = load<T>(mean + d * size);
          const a = load<T>(scales + d * size);
          const b = shiftOf<T>(shifts, d);
          addGradSums<T, G>(sums + d * 8, products + d * 8, g + i, x + i, inner, m, source + i, before + i, a, b);
        }
      }
    }
    const ofWeight = gWeight ? gWeight + at : 0;
    const ofBias = gBias ? gBias + at : 0;
    const w = weight ? weight + at : 0;
    const first = sums + c * 8;
    finishSums<T>(
      ofWeight,
      ofBias,
      gMeans + at,
      ks + at,
      scales + at,
      first,
      first + channels * 8,
      n,
      count,
      0,
      invstd + at,
      w,
    );
    if (!gx) continue;
    for (let o: usize = 0; o < outer; o++) {
      // The rows that were summed last are still in cache: gx goes backwards, the sums of the next group forwards.
      const r = end - (o + 1) * stride;
      for (let d = c; d < c + n; d++) {
        const i = r + d * row;
        const scale = load<T>(scales + d * size);
        if (!batchStatistics) {
          scaleGradRow<T>(gx + i, g + i, inner, scale);
          continue;
        }
        const gMean = load<T>(gMeans + d * size);
        const m = load<T>(mean + d * size);
        const k = load<T>(ks + d * size);
        const next = d + together;
        if (next >= channels) {
          gradRow<T, G>(gx + i, g + i, x + i, inner, gMean, m, k, scale, source + i, before + i);
          continue;
        }
        const j = o * stride + next * row;
        if (op >= 0) unaryGrad<T>(op, g + j, upstream + j, source + j, inner, p, 0, scratch);
        const mNext = load<T>(mean + next * size);
        gradRowAndSums<T, G>(
          gx + i,
          g + i,
          x + i,
          inner,
          gMean,
          m,
          k,
          scale,
          sums + next * 8,
          products + next * 8,
          g + j,
          x + j,
          mNext,
          source + i,
          before + i,
          source + j,
          before + j,
          load<T>(scales + next * size),
          shiftOf<T>(shifts, next),
        );
      }
    }
  }
}

/**
 * Where an activation followed, number `op`, the gradient before it is g·f'(source), and is put `before`, which may be gx; with `adds`, for ReLU of float32 and rows only, (g + before)·f'(source); with `own`, source is what ReLU made of the normalized x, with `bias`, by fused multiply-adds. `scratch` holds HEAD bytes, two float64 of every
 * channel, and behind them gMean, k and invstd·weight.
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
  bias: usize,
  own: bool,
  batchStatistics: bool,
  before: usize,
  source: usize,
  op: i32,
  p: f64,
  adds: bool,
  scratch: usize,
): void {
  memory.fill(scratch + HEAD, 0, channels * 16);
  if (inner === 1) {
    const stride = all * sizeof<T>();
    if (op >= 0) {
      for (let i: usize = 0; i < outer * stride; i += stride) {
        unaryGrad<T>(op, before + i, g + i, source + i, channels, p, 0, scratch);
      }
    }
    const h = op < 0 ? g : before;
    const sums = scratch + HEAD;
    gradColumns<T>(gx, gWeight, gBias, h, x, outer, channels, all, mean, rest, invstd, weight, batchStatistics, sums);
    return;
  }
  // float64 has no loops of its own for ReLU: they would be 2 % of the kernels.
  const isRelu = sizeof<T>() === 4 && op === RELU && batchStatistics && gx !== 0;
  const fromX = isRelu && own && !adds;
  const streams: usize = op < 0 || fromX ? 2 : 3;
  const row = inner * sizeof<T>();
  const together = channelsTogether(streams * outer * row, row, channels);
  if (isRelu && adds) {
    gradRows<f32, SummedRelu>(
      gx,
      gWeight,
      gBias,
      g,
      x,
      outer,
      channels,
      inner,
      all,
      mean,
      invstd,
      weight,
      batchStatistics,
      source,
      before,
      -1,
      0,
      0,
      0,
      together,
      scratch,
    );
  } else if (fromX) {
    // Above the scales, of float32, is room.
    const scales = scratch + HEAD + channels * 24;
    const shifts = scales + channels * 4;
    affineByChannel<f32>(scales, shifts, channels, inner, mean, 0, invstd, weight, bias);
    gradRows<f32, OwnRelu>(
      gx,
      gWeight,
      gBias,
      g,
      x,
      outer,
      channels,
      inner,
      all,
      mean,
      invstd,
      weight,
      batchStatistics,
      x,
      before,
      -1,
      0,
      0,
      shifts,
      together,
      scratch,
    );
  } else if (isRelu) {
    gradRows<f32, KeptRelu>(
      gx,
      gWeight,
      gBias,
      g,
      x,
      outer,
      channels,
      inner,
      all,
      mean,
      invstd,
      weight,
      batchStatistics,
      source,
      before,
      -1,
      0,
      0,
      0,
      together,
      scratch,
    );
  } else {
    gradRows<T, Straight>(
      gx,
      gWeight,
      gBias,
      op < 0 ? g : before,
      x,
      outer,
      channels,
      inner,
      all,
      mean,
      invstd,
      weight,
      batchStatistics,
      source,
      0,
      op,
      p,
      g,
      0,
      together,
      scratch,
    );
  }
}
