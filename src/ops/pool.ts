import { needsGrad, record } from "../autograd/record.ts";
import type { Pool2dShape } from "../kernels/backend.ts";
import { backend } from "../kernels/registry.ts";
import { type FloatDType, isFloat, scalarTypeName } from "../tensor/dtype.ts";
import type { Shape } from "../tensor/shape.ts";
import { emptyTensor, packed, type Tensor } from "../tensor/tensor.ts";
import { ArgumentError, DTypeError, ShapeError } from "../util/errors.ts";
import { inFormatOf } from "./compute.ts";
import { squeeze, unsqueeze } from "./views.ts";

/** A number for all spatial dimensions, or one for each ([height, width]). */
export type Sizes = number | readonly number[];

/** What every pooling takes. */
export interface PoolOptions {
  /** Distance between windows. Default: the kernel size. */
  stride?: Sizes | null;
  /** Added on both sides, at most half the kernel: −∞ for the maximum, 0 for the average. Default 0. */
  padding?: Sizes;
  /** Round the output size up instead of down. */
  ceilMode?: boolean;
}

/** What max pooling takes. */
export interface MaxPoolOptions extends PoolOptions {
  /** Distance between a window's elements. Default 1. */
  dilation?: Sizes;
  /** Also give the position of each maximum within its input plane. */
  returnIndices?: boolean;
}

/** What average pooling takes. */
export interface AvgPoolOptions extends PoolOptions {
  /** Whether padding counts in the divisor. Default true. */
  countIncludePad?: boolean;
  /** Divide by this instead of the window's size. */
  divisorOverride?: number | null;
}

type Dims = 1 | 2;

const list = (values: readonly number[]) => `[${values.join(", ")}]`;

/** Sentence of PyTorch for a value with the wrong number of elements. */
const LENGTHS: Record<string, string> = {
  kernel_size: "kernel_size must either be a single int, or a tuple of two ints",
  stride: "stride must either be omitted, a single int, or a tuple of two ints",
  padding: "padding must either be a single int, or a tuple of two ints",
  dilation: "dilation must be either a single int, or a tuple of two ints",
};

function each(op: string, what: string, value: Sizes, dims: Dims): number[] {
  const values = typeof value === "number" ? new Array<number>(dims).fill(value) : [...value];
  const full = values.length === 1 && dims === 2 ? [values[0], values[0]] : values;
  if (full.length !== dims) {
    throw new ArgumentError(
      dims === 2
        ? `${op}: ${LENGTHS[what]}`
        : `${op}() ${what} must be an int, list of ints or tuple of ints of size 1 but got size ${full.length}`,
    );
  }
  const fraction = full.find((size) => !Number.isInteger(size));
  if (fraction !== undefined) throw new ArgumentError(`${op}: ${what} must be whole numbers (got ${fraction})`);
  return full;
}

function checkRank(op: string, x: Tensor, dims: Dims, mayBeEmpty: boolean): void {
  const ranks = `${dims + 1}D or ${dims + 2}D (batch mode) tensor`;
  if (x.ndim !== dims + 1 && x.ndim !== dims + 2) {
    throw new ShapeError(
      dims === 2
        ? `non-empty ${ranks} expected for input`
        : `${op}: Expected ${ranks} with optional 0 dim batch size for input, but got:${list(x.shape)}`,
      `it has the shape ${list(x.shape)}; the input is [N, channels, ${dims === 1 ? "length" : "height, width"}]`,
    );
  }
  const firstThatCounts = x.ndim === dims + 2 ? 1 : 0;
  if (!mayBeEmpty && x.shape.slice(firstThatCounts).includes(0)) {
    const prefix = dims === 1 ? `${op}: ` : "";
    throw new ShapeError(
      `${prefix}Expected ${ranks} with optional 0 dim batch size for input, but got:${list(x.shape)}`,
    );
  }
  if (!isFloat(x.dtype)) {
    throw new DTypeError(
      `"${op}" not implemented for '${scalarTypeName(x.dtype)}'`,
      "convert the input first, for example with .float()",
    );
  }
}

function geometry(
  op: string,
  dims: Dims,
  x: Tensor,
  kernelSize: Sizes,
  options: MaxPoolOptions & AvgPoolOptions,
): Pool2dShape {
  const kernel = each(op, "kernel_size", kernelSize, dims);
  const stride = options.stride == null ? kernel : each(op, "stride", options.stride, dims);
  const padding = each(op, "padding", options.padding ?? 0, dims);
  const dilation = each(op, "dilation", options.dilation ?? 1, dims);
  if (kernel.some((k) => k <= 0))
    throw new ArgumentError(`${op}() kernel_size must be greater than zero, but got ${kernel.join("x")}`);
  if (stride.some((s) => s <= 0))
    throw new ArgumentError("stride should not be zero", `${op}: got stride ${stride.join("x")}`);
  if (dilation.some((d) => d <= 0))
    throw new ArgumentError(`dilation should be greater than zero, but got ${dilation.join("x")}`);
  const negative = padding.find((p) => p < 0);
  if (negative !== undefined) throw new ArgumentError(`pad must be non-negative, but got pad: ${negative}`);
  padding.forEach((p, i) => {
    if (p > Math.floor(kernel[i] / 2)) {
      throw new ArgumentError(
        `pad should be at most half of kernel size, but got pad=${p} and kernel_size=${kernel[i]}`,
      );
    }
  });
  if (options.divisorOverride === 0) throw new ArgumentError("divisor must be not zero");
  const sizes = x.shape.slice(-dims);
  const out = sizes.map((size, i) => {
    const room = size + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1;
    const steps = (options.ceilMode ? Math.ceil(room / stride[i]) : Math.floor(room / stride[i])) + 1;
    // no window may begin in the padding behind the input
    return options.ceilMode && (steps - 1) * stride[i] >= size + padding[i] ? steps - 1 : steps;
  });
  if (out.some((size) => size < 1)) {
    const channels = x.shape[x.ndim - dims - 1];
    const [from, to] = [sizes, out].map((s) => [channels, ...(dims === 1 ? [1, ...s] : s)].join("x"));
    throw new ShapeError(
      `Given input size: (${from}). Calculated output size: (${to}). Output size is too small`,
      "use a smaller kernel",
    );
  }
  // 1-D pooling has height 1
  const both = (values: number[], height: number) => (dims === 1 ? [height, values[0]] : values);
  const [inHeight, inWidth] = both(sizes, 1);
  const [outHeight, outWidth] = both(out, 1);
  const [kernelHeight, kernelWidth] = both(kernel, 1);
  const [strideHeight, strideWidth] = both(stride, 1);
  const [paddingHeight, paddingWidth] = both(padding, 0);
  const [dilationHeight, dilationWidth] = both(dilation, 1);
  return {
    planes: planesOf(x.shape, dims),
    inHeight,
    inWidth,
    outHeight,
    outWidth,
    kernelHeight,
    kernelWidth,
    strideHeight,
    strideWidth,
    paddingHeight,
    paddingWidth,
    dilationHeight,
    dilationWidth,
    countIncludePad: options.countIncludePad ?? true,
    divisorOverride: options.divisorOverride ?? 0,
  };
}

/** N·C */
export function planesOf(shape: Shape, dims: number): number {
  return shape.slice(0, -dims).reduce((a, b) => a * b, 1);
}

/** The shape of a pooling's output: the input's but for the pooled dimensions. */
export function pooledShape(x: Tensor, shape: Pool2dShape): number[] {
  return [...x.shape.slice(0, -2), shape.outHeight, shape.outWidth];
}

/** The values at the positions of the maxima. Linear, like its gradient below. */
function pickMaxima(x: Tensor, indices: Tensor, shape: Pool2dShape): Tensor {
  const source = packed(x);
  const out = emptyTensor(indices.shape, x.dtype);
  const { planes, inHeight, inWidth, outHeight, outWidth } = shape;
  backend().gather(
    x.dtype as FloatDType,
    out.pointer,
    source.pointer,
    indices.pointer,
    planes,
    inHeight * inWidth,
    outHeight * outWidth,
    1,
  );
  if (source !== x) source.storage.release();
  return record("GatherBackward0", out, [x], (g) => [placeAtMaxima(g, indices, shape, x.shape)], [indices]);
}

/** The gradient of a max pooling: g at the positions of the maxima, added where windows overlap, and 0 elsewhere. */
export function placeAtMaxima(g: Tensor, indices: Tensor, shape: Pool2dShape, inputShape: Shape): Tensor {
  const source = packed(g);
  const out = emptyTensor(inputShape, g.dtype);
  backend().maxPool2dGrad(g.dtype as FloatDType, shape, out.pointer, source.pointer, indices.pointer);
  if (source !== g) source.storage.release();
  const back = (gg: Tensor) => [pickMaxima(gg, indices, shape)];
  return record("MaxPool2DWithIndicesBackwardBackward0", out, [g], back, [indices]);
}

function maxPool(x: Tensor, shape: Pool2dShape, returnIndices: boolean): { values: Tensor; indices: Tensor | null } {
  const source = packed(x);
  const out = emptyTensor(pooledShape(x, shape), x.dtype);
  const indices = returnIndices || needsGrad(x) ? emptyTensor(out.shape, "int64") : null;
  backend().maxPool2d(x.dtype as FloatDType, shape, out.pointer, indices?.pointer ?? 0, source.pointer);
  if (source !== x) source.storage.release();
  const values = inFormatOf(x, out);
  if (!indices) return { values, indices };
  const back = (g: Tensor) => [placeAtMaxima(g, indices, shape, x.shape)];
  return { values: record("MaxPool2DWithIndicesBackward0", values, [x], back, [indices], [], { ...shape }), indices };
}

function avgPool(x: Tensor, shape: Pool2dShape): Tensor {
  const source = packed(x);
  const out = emptyTensor(pooledShape(x, shape), x.dtype);
  backend().avgPool2d(x.dtype as FloatDType, shape, out.pointer, source.pointer);
  if (source !== x) source.storage.release();
  return record("AvgPool2DBackward0", inFormatOf(x, out), [x], (g) => [avgPoolGrad(g, shape, x.shape)], [], [], {
    ...shape,
  });
}

function avgPoolGrad(g: Tensor, shape: Pool2dShape, inputShape: Shape): Tensor {
  const source = packed(g);
  const out = emptyTensor(inputShape, g.dtype);
  backend().avgPool2dGrad(g.dtype as FloatDType, shape, out.pointer, source.pointer);
  if (source !== g) source.storage.release();
  return record("AvgPool2DBackwardBackward0", out, [g], (gg) => [avgPool(gg, shape)]);
}

type WithIndices<O> = O extends { returnIndices: true } ? [output: Tensor, indices: Tensor] : Tensor;

function maxPoolOf(
  op: string,
  dims: Dims,
  x: Tensor,
  kernelSize: Sizes,
  options: MaxPoolOptions,
): Tensor | [Tensor, Tensor] {
  checkRank(op, x, dims, false);
  const shape = geometry(op, dims, x, kernelSize, options);
  const { values, indices } = maxPool(dims === 1 ? unsqueeze(x, -2) : x, shape, options.returnIndices ?? false);
  const [output, positions] = [values, indices].map((t) => (t && dims === 1 ? squeeze(t, -2) : t));
  return options.returnIndices ? [output as Tensor, positions as Tensor] : (output as Tensor);
}

/**
 * The maximum of each window, as torch.nn.functional.max_pool1d.
 * @param x [N, channels, length] or [channels, length]
 * @returns the maxima, and with `returnIndices` their positions too
 * @throws ShapeError, DTypeError, ArgumentError with PyTorch's sentences
 * @example
 * ```ts
 * import { F, tensor } from "evenkeel";
 * F.maxPool1d(tensor([[1, 3, 2, 0]]), 2).toArray(); // => [[3, 2]]
 * ```
 */
export function maxPool1d<O extends MaxPoolOptions = MaxPoolOptions>(
  x: Tensor,
  kernelSize: Sizes,
  options?: O,
): WithIndices<O> {
  return maxPoolOf("max_pool1d", 1, x, kernelSize, options ?? {}) as WithIndices<O>;
}

/**
 * The maximum of each window, as torch.nn.functional.max_pool2d. A NaN is a maximum.
 * @param x [N, channels, height, width] or [channels, height, width]
 * @returns the maxima, and with `returnIndices` their positions h·width + w too
 * @throws ShapeError, DTypeError, ArgumentError with PyTorch's sentences
 * @example
 * ```ts
 * import { F, tensor } from "evenkeel";
 * const [largest, where] = F.maxPool2d(tensor([[[1, 2], [3, 4]]]), 2, { returnIndices: true });
 * largest.item(); // => 4
 * where.item(); // => 3
 * ```
 */
export function maxPool2d<O extends MaxPoolOptions = MaxPoolOptions>(
  x: Tensor,
  kernelSize: Sizes,
  options?: O,
): WithIndices<O> {
  return maxPoolOf("max_pool2d", 2, x, kernelSize, options ?? {}) as WithIndices<O>;
}

/**
 * The average of each window, as torch.nn.functional.avg_pool1d.
 * @param x [N, channels, length] or [channels, length]
 * @throws ShapeError, DTypeError, ArgumentError with PyTorch's sentences
 * @example
 * ```ts
 * import { F, tensor } from "evenkeel";
 * F.avgPool1d(tensor([[1, 3, 2, 0]]), 2).toArray(); // => [[2, 1]]
 * ```
 */
export function avgPool1d(x: Tensor, kernelSize: Sizes, options: Omit<AvgPoolOptions, "divisorOverride"> = {}): Tensor {
  checkRank("avg_pool1d", x, 1, true);
  return squeeze(avgPool(unsqueeze(x, -2), geometry("avg_pool1d", 1, x, kernelSize, options)), -2);
}

/**
 * The average of each window, as torch.nn.functional.avg_pool2d.
 * @param x [N, channels, height, width] or [channels, height, width]
 * @throws ShapeError, DTypeError, ArgumentError with PyTorch's sentences
 * @example
 * ```ts
 * import { F, tensor } from "evenkeel";
 * F.avgPool2d(tensor([[[1, 2], [3, 6]]]), 2).toArray(); // => [[[3]]]
 * ```
 */
export function avgPool2d(x: Tensor, kernelSize: Sizes, options: AvgPoolOptions = {}): Tensor {
  checkRank("avg_pool2d", x, 2, true);
  return avgPool(x, geometry("avg_pool2d", 2, x, kernelSize, options));
}
