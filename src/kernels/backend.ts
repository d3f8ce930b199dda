import type {
  BinaryOp,
  CompareOp,
  Conv2dShape,
  GemmShape,
  Pointer,
  Pool2dShape,
  ReduceOp,
  UnaryGradOp,
  UnaryOp,
} from "./arguments.ts";
import type { DType, FloatDType, ReducedDType } from "./dtype.ts";
import type { GivenNormKernels } from "./given-norm.ts";
import type { NormKernels } from "./norm-kernels.ts";
import type { OptimizerKernels } from "./optimizer-kernels.ts";

/*
 * The interface of every kernel, and nothing else. Kernels see addresses, sizes and strides, never a tensor.
 *
 * Conventions
 * - A `Pointer` is a byte address in the heap that all backends share, aligned to the element size; 0 means "absent"
 *   wherever a parameter says so.
 * - Strides are in elements and may be 0 (broadcast). Outputs without strides are contiguous (row-major).
 * - [outer, size, inner]: a contiguous array seen as three axes, the middle one being worked on.
 * - Outputs never overlap inputs, except that an elementwise kernel may write over an input of the same dtype that it
 *   reads contiguously (out === x).
 * - Any size may be 0.
 * - float32 sums are accumulated so that the error against float64 is never larger than PyTorch's: in float64, or
 *   in many float32 partial sums.
 */

export type * from "./arguments.ts";
export type { GivenNormKernels, NormKernels, OptimizerKernels };

/** Moving, filling and converting memory. */
export interface MemoryKernels {
  /** out[i] = value; for int64 the value is rounded towards zero, for bool it is value ≠ 0 */
  fill(dtype: DType, out: Pointer, n: number, value: number): void;
  /** out[i] = x[i] in another dtype: floats to integers truncate, anything to bool is ≠ 0 */
  convert(from: DType, to: DType, out: Pointer, x: Pointer, n: number): void;
  /** out[i] = x[i], 16 bits as float32; narrow back, to nearest, ties to even, NaN without its payload */
  widen(from: ReducedDType, out: Pointer, x: Pointer, n: number): void;
  narrow(to: ReducedDType, out: Pointer, x: Pointer, n: number): void;
  /** Copies an array of items between two strided places; `sizes` and both strides have the same rank, which may be 0. */
  copyStrided(
    itemBytes: number,
    sizes: readonly number[],
    out: Pointer,
    outStrides: readonly number[],
    x: Pointer,
    xStrides: readonly number[],
  ): void;
}

/** Elementwise kernels. */
export interface ElementwiseKernels {
  unary(op: UnaryOp, dtype: DType, out: Pointer, x: Pointer, n: number, p?: number, q?: number): void;
  unaryGrad(
    op: UnaryGradOp,
    dtype: FloatDType,
    gx: Pointer,
    g: Pointer,
    s: Pointer,
    n: number,
    p?: number,
    q?: number,
  ): void;
  /** y[i] += alpha · x[i] */
  axpy(dtype: DType, y: Pointer, x: Pointer, n: number, alpha: number): void;
  /** out is contiguous over `sizes`; a and b are strided (0 = broadcast). */
  binary(
    op: BinaryOp,
    dtype: DType,
    sizes: readonly number[],
    out: Pointer,
    a: Pointer,
    aStrides: readonly number[],
    b: Pointer,
    bStrides: readonly number[],
  ): void;
  compare(
    op: CompareOp,
    dtype: DType,
    sizes: readonly number[],
    out: Pointer,
    a: Pointer,
    aStrides: readonly number[],
    b: Pointer,
    bStrides: readonly number[],
  ): void;
  /** out = condition (bool) ? a : b */
  where(
    dtype: DType,
    sizes: readonly number[],
    out: Pointer,
    condition: Pointer,
    conditionStrides: readonly number[],
    a: Pointer,
    aStrides: readonly number[],
    b: Pointer,
    bStrides: readonly number[],
  ): void;
}

/** Reductions and softmax over the middle axis of [outer, size, inner]; the output is [outer, inner]. */
export interface ReductionKernels {
  /** The output has the input's dtype, except that any and all write bool. max and min need size > 0. */
  reduce(op: ReduceOp, dtype: DType, out: Pointer, x: Pointer, outer: number, size: number, inner: number): void;
  /** Values and int64 positions of the first largest or smallest element (a NaN wins); either output may be 0. */
  extremum(
    op: "max" | "min",
    dtype: DType,
    values: Pointer,
    indices: Pointer,
    x: Pointer,
    outer: number,
    size: number,
    inner: number,
  ): void;
  /** Sum of squared deviations over (size − correction), two passes: the variance. NaN where size <= correction. `mean` may be 0. */
  variance(
    dtype: FloatDType,
    out: Pointer,
    mean: Pointer,
    x: Pointer,
    outer: number,
    size: number,
    inner: number,
    correction: number,
  ): void;
  /** softmax, or its logarithm */
  softmax(dtype: FloatDType, log: boolean, out: Pointer, x: Pointer, outer: number, size: number, inner: number): void;
  /** From the output y: gx = y·(g − Σ g·y), or g − exp(y)·Σ g for the logarithm. */
  softmaxGrad(
    dtype: FloatDType,
    log: boolean,
    gx: Pointer,
    g: Pointer,
    y: Pointer,
    outer: number,
    size: number,
    inner: number,
  ): void;
}

/** Indexing along the middle axis. Indices are int64; negative ones are not wrapped. Each returns the position in `index` of the first value out of range, or −1; then the output is undefined. */
export interface IndexKernels {
  /** out[o, j, i] = x[o, index[o, j, i], i]; x is [outer, size, inner], index and out are [outer, count, inner] */
  gather(
    dtype: DType,
    out: Pointer,
    x: Pointer,
    index: Pointer,
    outer: number,
    size: number,
    count: number,
    inner: number,
  ): number;
  /** out[o, index[o, j, i], i] += x[o, j, i] */
  scatterAdd(
    dtype: DType,
    out: Pointer,
    x: Pointer,
    index: Pointer,
    outer: number,
    size: number,
    count: number,
    inner: number,
  ): number;
  /** out[o, j, i] = x[o, index[j], i] */
  indexSelect(
    dtype: DType,
    out: Pointer,
    x: Pointer,
    index: Pointer,
    outer: number,
    size: number,
    count: number,
    inner: number,
  ): number;
  /** out[j, i] = x[index[j], i] / 255 of uint8 [size, inner], in float32 */
  selectPixels(out: Pointer, x: Pointer, index: Pointer, size: number, count: number, inner: number): number;
  /** out[o, index[j], i] += x[o, j, i] */
  indexAdd(
    dtype: DType,
    out: Pointer,
    x: Pointer,
    index: Pointer,
    outer: number,
    size: number,
    count: number,
    inner: number,
  ): number;
  /**
   * Negative log-likelihood over logp [n, classes, inner], target int64 [n, inner]: out[n, inner] = −weight[t]·logp[n, t, i], and 0 where the
   * target is ignoreIndex. `weight` (per class) may be 0. Into `total`, which may be 0 too, goes the sum of weight[t] over the targets that are not ignoreIndex.
   */
  nll(
    dtype: FloatDType,
    out: Pointer,
    total: Pointer,
    logp: Pointer,
    target: Pointer,
    weight: Pointer,
    n: number,
    classes: number,
    inner: number,
    ignoreIndex: number,
  ): number;
  /** glogp is written whole: −weight[t]·g[n, i] at the targets, 0 elsewhere. */
  nllGrad(
    dtype: FloatDType,
    glogp: Pointer,
    g: Pointer,
    target: Pointer,
    weight: Pointer,
    n: number,
    classes: number,
    inner: number,
    ignoreIndex: number,
  ): number;
}

/** Matrix products and convolutions. */
export interface LinearKernels {
  gemm(dtype: FloatDType, shape: GemmShape, out: Pointer, a: Pointer, b: Pointer): void;
  /** w is [outChannels, inChannels / groups, kh, kw]; bias (may be 0) is [outChannels] */
  conv2d(dtype: FloatDType, shape: Conv2dShape, out: Pointer, x: Pointer, w: Pointer, bias: Pointer): void;
  conv2dInputGrad(dtype: FloatDType, shape: Conv2dShape, gx: Pointer, g: Pointer, w: Pointer): void;
  conv2dWeightGrad(dtype: FloatDType, shape: Conv2dShape, gw: Pointer, g: Pointer, x: Pointer): void;
  /** out[c] = Σ over outer and inner of x[outer, channels, inner]: bias gradients */
  sumByChannel(dtype: FloatDType, out: Pointer, x: Pointer, outer: number, channels: number, inner: number): void;
}

/** Pooling. */
export interface PoolKernels {
  /** indices (int64, may be 0): position of the maximum within its input plane, h·inWidth + w; a NaN wins */
  maxPool2d(dtype: FloatDType, shape: Pool2dShape, out: Pointer, indices: Pointer, x: Pointer): void;
  /** gx is written whole */
  maxPool2dGrad(dtype: FloatDType, shape: Pool2dShape, gx: Pointer, g: Pointer, indices: Pointer): void;
  avgPool2d(dtype: FloatDType, shape: Pool2dShape, out: Pointer, x: Pointer): void;
  avgPool2dGrad(dtype: FloatDType, shape: Pool2dShape, gx: Pointer, g: Pointer): void;
  /** Each output cell averages rows ⌊o·in/out⌋ to ⌈(o+1)·in/out⌉; kernel, stride, padding and dilation are not read. */
  adaptiveAvgPool2d(dtype: FloatDType, shape: Pool2dShape, out: Pointer, x: Pointer): void;
  adaptiveAvgPool2dGrad(dtype: FloatDType, shape: Pool2dShape, gx: Pointer, g: Pointer): void;
  /** indices as in maxPool2d; its gradient is maxPool2dGrad */
  adaptiveMaxPool2d(dtype: FloatDType, shape: Pool2dShape, out: Pointer, indices: Pointer, x: Pointer): void;
}

/** Everything a backend computes. */
export interface Backend
  extends MemoryKernels,
    ElementwiseKernels,
    ReductionKernels,
    IndexKernels,
    LinearKernels,
    PoolKernels,
    NormKernels,
    GivenNormKernels,
    OptimizerKernels {
  /** "reference" or "wasm" */
  readonly name: string;
  /** which SIMD build computes: relaxed (fused multiply-add), base, or none */
  readonly simd: "relaxed" | "base" | "none";
  readonly threads: number;
}
