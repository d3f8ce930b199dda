import type { ElementwiseKernels, NormKernels, NormTail, Pointer, RowShape } from "../backend.ts";
import type { FloatDType } from "../dtype.ts";
import type { Heap } from "../heap.ts";
import { ARGUMENT_BYTES, ARGUMENTS } from "./module.ts";
import { columnParts, goesByParts, type NormColumnExports } from "./norm-columns.ts";
import { unaryGradNumber, unaryNumber } from "./unary.ts";

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
type BatchNorm = (
  y: Pointer,
  mean: Pointer,
  rest: Pointer,
  invstd: Pointer,
  runningMean: Pointer,
  runningVar: Pointer,
  x: Pointer,
  outer: number,
  channels: number,
  inner: number,
  all: number,
  weight: Pointer,
  bias: Pointer,
  eps: number,
  momentum: number,
  residual: Pointer,
  op: number,
  p: number,
  q: number,
  fused: boolean,
  scratch: Pointer,
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
  residual: Pointer,
  op: number,
  p: number,
  q: number,
  fused: boolean,
  scratch: Pointer,
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
  bias: Pointer,
  own: boolean,
  batchStatistics: boolean,
  before: Pointer,
  source: Pointer,
  op: number,
  p: number,
  adds: boolean,
  scratch: Pointer,
) => void;
type RowNorm = (
  y: Pointer,
  mean: Pointer,
  rest: Pointer,
  invstd: Pointer,
  x: Pointer,
  rows: number,
  groups: number,
  channels: number,
  inner: number,
  weight: Pointer,
  bias: Pointer,
  eps: number,
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
export interface NormExports extends NormColumnExports {
  isFused(x: number): number;
  batchNormF32: BatchNorm;
  batchNormF64: BatchNorm;
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
  rowNormF32: RowNorm;
  rowNormF64: RowNorm;
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

/** Scratch memory that kernels by channels need: this many bytes, and of every channel so many. */
const SCRATCH = 2048;
const SCRATCH_PER_CHANNEL = 40;

/** No activation, as kernels are told. */
const NONE = { number: -1, p: 0, q: 0 };

/** Normalization. */
export function normKernels(wasm: NormExports, heap: Heap, reference: ElementwiseKernels): NormKernels {
  // 1 + 2⁻¹²: its square shows whether the processor's relaxed multiply-add rounds once.
  const fused = wasm.isFused(1.000244140625) !== 0;
  const is32 = (dtype: FloatDType) => dtype === "float32";
  const columns = columnParts(wasm, heap, ARGUMENTS);

  /** Runs with `bytes` of scratch memory. */
  function withScratch(bytes: number, run: (scratch: Pointer) => void): void {
    const scratch = heap.alloc(bytes);
    try {
      run(scratch);
    } finally {
      heap.free(scratch);
    }
  }

  /** Runs with the scratch memory of kernels by channels. */
  function byChannels(channels: number, run: (scratch: Pointer) => void): void {
    const bytes = SCRATCH + SCRATCH_PER_CHANNEL * channels;
    if (bytes <= ARGUMENT_BYTES) run(ARGUMENTS);
    else withScratch(bytes, run);
  }

  /** How kernels are told of an activation, and whether they have it: if not, it is left to the reference. */
  function activationOf(dtype: FloatDType, tail: NormTail | undefined) {
    const known = tail?.activation ? unaryNumber(tail.activation, dtype, tail.p) : NONE;
    return { known: known ?? NONE, missing: known ? null : (tail?.activation ?? null) };
  }

  /** normalizeByChannel; of the scratch memory it takes all but the last 24 bytes of every channel. */
  function scale(
    dtype: FloatDType,
    y: Pointer,
    x: Pointer,
    outer: number,
    channels: number,
    inner: number,
    mean: Pointer,
    rest: Pointer,
    invstd: Pointer,
    weight: Pointer,
    bias: Pointer,
    tail: NormTail | undefined,
    scratch: Pointer,
  ): void {
    const prepare = is32(dtype) ? wasm.affineByChannelF32 : wasm.affineByChannelF64;
    const { known, missing } = activationOf(dtype, tail);
    const { number, p, q } = known;
    const residual = tail?.residual ?? 0;
    const alpha = scratch + SCRATCH;
    const beta = alpha + 8 * channels;
    prepare(alpha, beta, channels, inner, mean, rest, invstd, weight, bias);
    const kernel = is32(dtype) ? wasm.scaleByChannelF32 : wasm.scaleByChannelF64;
    const rows = inner > 1 ? outer * channels : outer;
    kernel(y, x, 0, rows, channels, inner, mean, alpha, beta, residual, number, p, q, fused, scratch);
    if (missing) reference.unary(missing, dtype, y, y, outer * channels * inner, tail?.p);
  }

  return {
    batchNorm(
      dtype,
      y,
      mean,
      rest,
      invstd,
      runningMean,
      runningVar,
      x,
      outer,
      channels,
      inner,
      weight,
      bias,
      eps,
      momentum,
      tail,
    ) {
      if (inner === 1 && is32(dtype) && goesByParts(outer, channels)) {
        byChannels(channels, (scratch) => {
          // behind what scale() takes; invstd is room for m2
          columns.moments(mean, rest, invstd, x, outer, channels);
          wasm.finishMomentsF32(invstd, runningMean, runningVar, mean, invstd, channels, outer, eps, momentum);
          scale(dtype, y, x, outer, channels, 1, mean, rest, invstd, weight, bias, tail, scratch);
        });
        return;
      }
      const kernel = is32(dtype) ? wasm.batchNormF32 : wasm.batchNormF64;
      const { known, missing } = activationOf(dtype, tail);
      byChannels(channels, (scratch) =>
        kernel(
          y,
          mean,
          rest,
          invstd,
          runningMean,
          runningVar,
          x,
          outer,
          channels,
          inner,
          channels,
          weight,
          bias,
          eps,
          momentum,
          tail?.residual ?? 0,
          known.number,
          known.p,
          known.q,
          fused,
          scratch,
        ),
      );
      if (missing) reference.unary(missing, dtype, y, y, outer * channels * inner, tail?.p);
    },
    momentsByChannel(dtype, mean, rest, m2, x, outer, channels, inner) {
      const kernel = is32(dtype) ? wasm.momentsByChannelF32 : wasm.momentsByChannelF64;
      byChannels(channels, (scratch) => kernel(mean, rest, m2, x, outer, channels, inner, channels, scratch));
    },
    finishMoments(dtype, invstd, runningMean, runningVar, mean, m2, channels, count, eps, momentum) {
      const kernel = is32(dtype) ? wasm.finishMomentsF32 : wasm.finishMomentsF64;
      kernel(invstd, runningMean, runningVar, mean, m2, channels, count, eps, momentum);
    },
    batchNormEval(dtype, y, x, outer, channels, inner, mean, variance, weight, bias, eps, tail) {
      byChannels(channels, (scratch) => {
        const invstd = scratch + SCRATCH + 16 * channels;
        (is32(dtype) ? wasm.invstdF32 : wasm.invstdF64)(invstd, variance, channels, eps);
        scale(dtype, y, x, outer, channels, inner, mean, 0, invstd, weight, bias, tail, scratch);
      });
    },
    normalizeByChannel(dtype, y, x, outer, channels, inner, mean, rest, invstd, weight, bias, tail) {
      byChannels(channels, (scratch) =>
        scale(dtype, y, x, outer, channels, inner, mean, rest, invstd, weight, bias, tail, scratch),
      );
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
      tail,
    ) {
      const kernel = is32(dtype) ? wasm.normalizeByChannelGradF32 : wasm.normalizeByChannelGradF64;
      const op = tail ? unaryGradNumber(tail.activation, dtype) : NONE.number;
      if (tail && op === undefined) {
        const n = outer * channels * inner;
        reference.unaryGrad(tail.activation, dtype, tail.before, g, tail.source, n, tail.p);
      }
      const upstream = tail && op === undefined ? tail.before : g;
      if (inner === 1 && is32(dtype) && goesByParts(outer, channels)) {
        const number = op ?? NONE.number;
        const sizes = [outer, channels, mean, rest, invstd, weight, batchStatistics, number, tail] as const;
        columns.grad(gx, gWeight, gBias, upstream, x, ...sizes);
        return;
      }
      byChannels(channels, (scratch) =>
        kernel(
          gx,
          gWeight,
          gBias,
          upstream,
          x,
          outer,
          channels,
          inner,
          channels,
          mean,
          rest,
          invstd,
          weight,
          tail?.bias ?? 0,
          fused && tail?.bias !== undefined,
          batchStatistics,
          tail?.before ?? 0,
          tail?.source ?? 0,
          op ?? NONE.number,
          tail?.p ?? 0,
          tail?.adds ?? false,
          scratch,
        ),
      );
    },
    rowNorm(dtype, y, mean, rest, invstd, x, { rows, groups, channels, inner }, weight, bias, eps) {
      const kernel = is32(dtype) ? wasm.rowNormF32 : wasm.rowNormF64;
      kernel(y, mean, rest, invstd, x, rows, groups, channels, inner, weight, bias, eps);
    },
    normalizeByRowGrad(dtype, gx, gWeight, gBias, g, x, shape, mean, rest, invstd, weight) {
      const { rows, groups, channels, inner } = shape;
      const kernel = is32(dtype) ? wasm.normalizeByRowGradF32 : wasm.normalizeByRowGradF64;
      const finish = is32(dtype) ? wasm.finishRowGradF32 : wasm.finishRowGradF64;
      const weights = groups * channels;
      const perPart = rowsPerPart(shape);
      const parts = Math.ceil(rows / perPart);
      withScratch(128 + 16 * weights * (1 + parts), (scratch) => {
        const needsSums = inner > 1 || gWeight !== 0 || gBias !== 0;
        const sums = needsSums ? scratch + 128 + 16 * weights : 0;
        kernel(gx, g, x, rows, groups, channels, inner, mean, rest, invstd, weight, sums, perPart, 0, parts, scratch);
        if (needsSums) finish(gWeight, gBias, sums, weights, parts);
      });
    },
  };
}
