import { needsGrad, record } from "../autograd/record.ts";
import type { Pool2dShape } from "../kernels/backend.ts";
import { backend } from "../kernels/registry.ts";
import { type FloatDType, isFloat, scalarTypeName } from "../tensor/dtype.ts";
import type { Shape } from "../tensor/shape.ts";
import { emptyTensor, packed, type Tensor } from "../tensor/tensor.ts";
import { ArgumentError, DTypeError, ShapeError } from "../util/errors.ts";
import { inFormatOf } from "./compute.ts";
import { placeAtMaxima, planesOf, pooledShape } from "./pool.ts";
import { squeeze, unsqueeze } from "./views.ts";

/** An output size for all spatial dimensions, or one for each; null keeps the input's. */
export type OutputSize = number | null | readonly (number | null)[];

function geometry(op: string, x: Tensor, outputSize: OutputSize): Pool2dShape {
  if (x.ndim !== 3 && x.ndim !== 4) {
    throw new ShapeError(
      `${op}(): Expected 3D or 4D tensor, but got [${x.shape.join(", ")}]`,
      "the input is [N, channels, height, width]",
    );
  }
  const empty = x.shape.findIndex((size, d) => d >= x.ndim - 2 && size === 0);
  if (empty >= 0) {
    throw new ShapeError(
      `${op}(): Expected input to have non-zero size for non-batch dimensions, but input has sizes [${x.shape.join(", ")}] with dimension ${empty} being empty`,
    );
  }
  if (!isFloat(x.dtype)) {
    throw new DTypeError(
      `"${op}" not implemented for '${scalarTypeName(x.dtype)}'`,
      "convert the input first, for example with .float()",
    );
  }
  const asked = Array.isArray(outputSize)
    ? (outputSize as (number | null)[])
    : [outputSize as number | null, outputSize as number | null];
  if (asked.length !== 2) throw new ArgumentError(`${op}: output_size must be 2`, `got ${asked.length} numbers`);
  const [inHeight, inWidth] = x.shape.slice(-2);
  const [outHeight, outWidth] = [asked[0] ?? inHeight, asked[1] ?? inWidth];
  if (![outHeight, outWidth].every((size) => Number.isInteger(size) && size >= 0)) {
    throw new ArgumentError(
      `${op}: elements of output_size must be greater than or equal to 0 but received {${outHeight}, ${outWidth}}`,
    );
  }
  return {
    planes: planesOf(x.shape, 2),
    inHeight,
    inWidth,
    outHeight,
    outWidth,
    kernelHeight: 0,
    kernelWidth: 0,
    strideHeight: 0,
    strideWidth: 0,
    paddingHeight: 0,
    paddingWidth: 0,
    dilationHeight: 0,
    dilationWidth: 0,
    countIncludePad: false,
    divisorOverride: 0,
  };
}

function average(x: Tensor, shape: Pool2dShape): Tensor {
  const source = packed(x);
  const out = emptyTensor(pooledShape(x, shape), x.dtype);
  backend().adaptiveAvgPool2d(x.dtype as FloatDType, shape, out.pointer, source.pointer);
  if (source !== x) source.storage.release();
  return record("AdaptiveAvgPool2DBackward0", inFormatOf(x, out), [x], (g) => [averageGrad(g, shape, x.shape)]);
}

function averageGrad(g: Tensor, shape: Pool2dShape, inputShape: Shape): Tensor {
  const source = packed(g);
  const out = emptyTensor(inputShape, g.dtype);
  backend().adaptiveAvgPool2dGrad(g.dtype as FloatDType, shape, out.pointer, source.pointer);
  if (source !== g) source.storage.release();
  return record("AdaptiveAvgPool2DBackwardBackward0", out, [g], (gg) => [average(gg, shape)]);
}

/**
 * Averages over windows that give the wanted output size: cell o averages positions ⌊o·in/out⌋ to ⌈(o+1)·in/out⌉, as
 * torch.nn.functional.adaptive_avg_pool2d.
 * @param x [N, channels, height, width] or [channels, height, width]
 * @throws ShapeError, DTypeError, ArgumentError with PyTorch's sentences
 * @example
 * ```ts
 * import { F, tensor } from "evenkeel";
 * F.adaptiveAvgPool2d(tensor([[[1, 2], [3, 6]]]), [1, null]).toArray(); // => [[[2, 4]]]
 * ```
 */
export function adaptiveAvgPool2d(x: Tensor, outputSize: OutputSize): Tensor {
  return average(x, geometry("adaptive_avg_pool2d", x, outputSize));
}

/** @throws ShapeError unless x is [N, channels, length] or [channels, length] */
function asPlanes(op: string, x: Tensor): Tensor {
  if (x.ndim === 2 || x.ndim === 3) return unsqueeze(x, -2);
  throw new ShapeError(
    `Expected 2 to 3 dimensions, but got ${x.ndim}-dimensional tensor for argument #1 'self' (while checking arguments for ${op})`,
    "the input is [N, channels, length]",
  );
}

function oneSize(outputSize: OutputSize): readonly (number | null)[] {
  return [1, ...(Array.isArray(outputSize) ? outputSize : [outputSize])];
}

/**
 * adaptiveAvgPool2d in one dimension, as torch.nn.functional.adaptive_avg_pool1d.
 * @param x [N, channels, length] or [channels, length]
 * @throws ShapeError, DTypeError, ArgumentError with PyTorch's sentences
 * @example
 * ```ts
 * import { F, tensor } from "evenkeel";
 * F.adaptiveAvgPool1d(tensor([[1, 3, 2]]), 1).toArray(); // => [[2]]
 * ```
 */
export function adaptiveAvgPool1d(x: Tensor, outputSize: OutputSize): Tensor {
  return squeeze(adaptiveAvgPool2d(asPlanes("adaptive_avg_pool1d", x), oneSize(outputSize)), -2);
}

type WithIndices<O> = O extends { returnIndices: true } ? [output: Tensor, indices: Tensor] : Tensor;

function maxima(x: Tensor, outputSize: OutputSize, returnIndices: boolean): [Tensor, Tensor | null] {
  const shape = geometry("adaptive_max_pool2d", x, outputSize);
  const source = packed(x);
  const out = emptyTensor(pooledShape(x, shape), x.dtype);
  const indices = returnIndices || needsGrad(x) ? emptyTensor(out.shape, "int64") : null;
  backend().adaptiveMaxPool2d(x.dtype as FloatDType, shape, out.pointer, indices?.pointer ?? 0, source.pointer);
  if (source !== x) source.storage.release();
  const values = inFormatOf(x, out);
  if (!indices) return [values, null];
  const back = (g: Tensor) => [placeAtMaxima(g, indices, shape, x.shape)];
  return [record("AdaptiveMaxPool2DBackward0", values, [x], back, [indices]), indices];
}

/**
 * Maxima over the windows of adaptiveAvgPool2d, as torch.nn.functional.adaptive_max_pool2d.
 * @param x [N, channels, height, width] or [channels, height, width]
 * @returns the maxima, and with `returnIndices` their positions h·width + w too
 * @throws ShapeError, DTypeError, ArgumentError with PyTorch's sentences
 * @example
 * ```ts
 * import { F, tensor } from "evenkeel";
 * const [largest, where] = F.adaptiveMaxPool2d(tensor([[[1, 2], [3, 6]]]), 1, { returnIndices: true });
 * largest.item(); // => 6
 * where.item(); // => 3
 * ```
 */
export function adaptiveMaxPool2d<O extends { returnIndices?: boolean } = object>(
  x: Tensor,
  outputSize: OutputSize,
  options?: O,
): WithIndices<O> {
  const [values, indices] = maxima(x, outputSize, options?.returnIndices ?? false);
  return (options?.returnIndices ? [values, indices] : values) as WithIndices<O>;
}

/**
 * adaptiveMaxPool2d in one dimension, as torch.nn.functional.adaptive_max_pool1d.
 * @param x [N, channels, length] or [channels, length]
 * @throws ShapeError, DTypeError, ArgumentError with PyTorch's sentences
 * @example
 * ```ts
 * import { F, tensor } from "evenkeel";
 * F.adaptiveMaxPool1d(tensor([[1, 3, 2]]), 2).toArray(); // => [[3, 3]]
 * ```
 */
export function adaptiveMaxPool1d<O extends { returnIndices?: boolean } = object>(
  x: Tensor,
  outputSize: OutputSize,
  options?: O,
): WithIndices<O> {
  const planes = asPlanes("adaptive_max_pool1d", x);
  const [values, indices] = maxima(planes, oneSize(outputSize), options?.returnIndices ?? false);
  const line = squeeze(values, -2);
  return (options?.returnIndices && indices ? [line, squeeze(indices, -2)] : line) as WithIndices<O>;
}
