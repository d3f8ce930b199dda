import type { NormKernels, Pointer, RowShape } from "../backend.ts";
import type { FloatDType } from "../dtype.ts";
import type { Heap } from "../heap.ts";

type MomentsByChannel = (
  mean: Pointer,
  rest: Pointer,
  m2: Pointer,
  x: Pointer,
  outer: number,
  channels: number,
  inner: number,
  all: number,
  scratch: Pointer,
) => void;
type FinishMoments = (
  invstd: Pointer,
  runningMean: Pointer,
  runningVar: Pointer,
  mean: Pointer,
  m2: Pointer,
  channels: number,
  count: number,
  eps: number,
  momentum: number,
) => void;
type Invstd = (out: Pointer, variance: Pointer, n: number, eps: number) => void;
type AffineByChannel = (
  alpha: Pointer,
  beta: Pointer,
  channels: number,
  inner: number,
  mean: Pointer,
  rest: Pointer,
  invstd: Pointer,
  weight: Pointer,
  bias: Pointer,
) => void;
type ScaleByChannel = (
  y: Pointer,
  x: Pointer,
  first: number,
  rows: number,
  channels: number,
  inner: number,
  mean: Pointer,
  alpha: Pointer,
  beta: Pointer,
  fused: boolean,
) => void;
type NormalizeByChannelGrad = (
  gx: Pointer,
  gWeight: Pointer,
  gBias: Pointer,
  g: Pointer,
  x: Pointer,
  outer: number,
  channels: number,
  inner: number,
  all: number,
  mean: Pointer,
  rest: Pointer,
  invstd: Pointer,
  weight: Pointer,
  batchStatistics: boolean,
  scratch: Pointer,
) => void;
type MomentsByRow = (
  mean: Pointer,
  rest: Pointer,
  invstd: Pointer,
  x: Pointer,
  rows: number,
  length: number,
  eps: number,
) => void;
type NormalizeByRow = (
  y: Pointer,
  x: Pointer,
  rows: number,
  groups: number,
  channels: number,
  inner: number,
  mean: Pointer,
  rest: Pointer,
  invstd: Pointer,
  weight: Pointer,
  bias: Pointer,
) => void;
type NormalizeByRowGrad = (
  gx: Pointer,
  g: Pointer,
  x: Pointer,
  rows: number,
  groups: number,
  channels: number,
  inner: number,
  mean: Pointer,
  rest: Pointer,
  invstd: Pointer,
  weight: Pointer,
  sums: Pointer,
  perPart: number,
  first: number,
  parts: number,
  scratch: Pointer,
) => void;
type FinishRowGrad = (gWeight: Pointer, gBias: Pointer, sums: Pointer, weights: number, parts: number) => void;

/** What assembly/norm.ts and assembly/norm-rows.ts export. */
export interface NormExports {
  isFused(x: number): number;
  momentsByChannelF32: MomentsByChannel;
  momentsByChannelF64: MomentsByChannel;
  finishMomentsF32: FinishMoments;
  finishMomentsF64: FinishMoments;
  invstdF32: Invstd;
  invstdF64: Invstd;
  affineByChannelF32: AffineByChannel;
  affineByChannelF64: AffineByChannel;
  scaleByChannelF32: ScaleByChannel;
  scaleByChannelF64: ScaleByChannel;
  normalizeByChannelGradF32: NormalizeByChannelGrad;
  normalizeByChannelGradF64: NormalizeByChannelGrad;
  momentsByRowF32: MomentsByRow;
  momentsByRowF64: MomentsByRow;
  normalizeByRowF32: NormalizeByRow;
  normalizeByRowF64: NormalizeByRow;
  normalizeByRowGradF32: NormalizeByRowGrad;
  normalizeByRowGradF64: NormalizeByRowGrad;
  finishRowGradF32: FinishRowGrad;
  finishRowGradF64: FinishRowGrad;
}

/** The gradient by rows is summed in parts, for threads: no more than this, and of so many elements at least. */
const MOST_PARTS = 16;
const LEAST_ELEMENTS = 32768;

/** Rows of a part, a multiple of the groups, by the shape alone, so that no sum depends on the number of threads. */
function rowsPerPart({ rows, groups, channels, inner }: RowShape): number {
  const samples = rows / groups;
  const sample = groups * channels * inner;
  return groups * Math.max(1, Math.ceil(samples / MOST_PARTS), Math.ceil(LEAST_ELEMENTS / Math.max(1, sample)));
}

/** Normalization. */
export function normKernels(wasm: NormExports, heap: Heap): NormKernels {
  // 1 + 2⁻¹²: its square shows whether the processor's relaxed multiply-add rounds once.
  const fused = wasm.isFused(1.000244140625) !== 0;
  const is32 = (dtype: FloatDType) => dtype === "float32";

  /** Runs with `bytes` of scratch memory. */
  function withScratch(bytes: number, run: (scratch: Pointer) => void): void {
    const scratch = heap.alloc(bytes);
    try {
      run(scratch);
    } finally {
      heap.free(scratch);
    }
  }

  return {
    momentsByChannel(dtype, mean, rest, m2, x, outer, channels, inner) {
      const kernel = is32(dtype) ? wasm.momentsByChannelF32 : wasm.momentsByChannelF64;
      withScratch(64 + 16 * channels, (scratch) =>
        kernel(mean, rest, m2, x, outer, channels, inner, channels, scratch),
      );
    },
    finishMoments(dtype, invstd, runningMean, runningVar, mean, m2, channels, count, eps, momentum) {
      const kernel = is32(dtype) ? wasm.finishMomentsF32 : wasm.finishMomentsF64;
      kernel(invstd, runningMean, runningVar, mean, m2, channels, count, eps, momentum);
    },
    invstd(dtype, out, variance, n, eps) {
      const kernel = is32(dtype) ? wasm.invstdF32 : wasm.invstdF64;
      kernel(out, variance, n, eps);
    },
    normalizeByChannel(dtype, y, x, outer, channels, inner, mean, rest, invstd, weight, bias) {
      const prepare = is32(dtype) ? wasm.affineByChannelF32 : wasm.affineByChannelF64;
      const kernel = is32(dtype) ? wasm.scaleByChannelF32 : wasm.scaleByChannelF64;
      withScratch(16 * channels, (alpha) => {
        const beta = alpha + 8 * channels;
        prepare(alpha, beta, channels, inner, mean, rest, invstd, weight, bias);
        kernel(y, x, 0, inner === 1 ? outer : outer * channels, channels, inner, mean, alpha, beta, fused);
      });
    },
    normalizeByChannelGrad(
      dtype,
      gx,
      gWeight,
      gBias,
      g,
      x,
      outer,
      channels,
      inner,
      mean,
      rest,
      invstd,
      weight,
      batchStatistics,
    ) {
      const kernel = is32(dtype) ? wasm.normalizeByChannelGradF32 : wasm.normalizeByChannelGradF64;
      withScratch(40 * channels, (scratch) =>
        kernel(
          gx,
          gWeight,
          gBias,
          g,
          x,
          outer,
          channels,
          inner,
          channels,
          mean,
          rest,
          invstd,
          weight,
          batchStatistics,
          scratch,
        ),
      );
    },
    momentsByRow(dtype, mean, rest, invstd, x, rows, length, eps) {
      const kernel = is32(dtype) ? wasm.momentsByRowF32 : wasm.momentsByRowF64;
      kernel(mean, rest, invstd, x, rows, length, eps);
    },
    normalizeByRow(dtype, y, x, shape, mean, rest, invstd, weight, bias) {
      const kernel = is32(dtype) ? wasm.normalizeByRowF32 : wasm.normalizeByRowF64;
      kernel(y, x, shape.rows, shape.groups, shape.channels, shape.inner, mean, rest, invstd, weight, bias);
    },
    normalizeByRowGrad(dtype, gx, gWeight, gBias, g, x, shape, mean, rest, invstd, weight) {
      const { rows, groups, channels, inner } = shape;
      const kernel = is32(dtype) ? wasm.normalizeByRowGradF32 : wasm.normalizeByRowGradF64;
      const finish = is32(dtype) ? wasm.finishRowGradF32 : wasm.finishRowGradF64;
      const weights = groups * channels;
      const perPart = rowsPerPart(shape);
      const parts = Math.ceil(rows / perPart);
      withScratch(16 + 16 * weights * parts, (scratch) => {
        const needsSums = inner > 1 || gWeight !== 0 || gBias !== 0;
        const sums = needsSums ? scratch + 16 : 0;
        kernel(gx, g, x, rows, groups, channels, inner, mean, rest, invstd, weight, sums, perPart, 0, parts, scratch);
        if (needsSums) finish(gWeight, gBias, sums, weights, parts);
      });
    },
  };
}
