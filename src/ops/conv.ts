import { record } from "../autograd/record.ts";
import { isTracing } from "../autograd/trace.ts";
import type { Conv2dShape } from "../kernels/backend.ts";
import { backend } from "../kernels/registry.ts";
import { type FloatDType, isFloat, scalarTypeName } from "../tensor/dtype.ts";
import { type Shape, zerosList } from "../tensor/shape.ts";
import { aliasOf, emptyTensor, packed, packInto, type Tensor } from "../tensor/tensor.ts";
import { ArgumentError, DTypeError, ShapeError } from "../util/errors.ts";
import { filled, inFormatOf } from "./compute.ts";
import { spread } from "./reduce-dims.ts";
import { squeeze, unsqueeze } from "./views.ts";

/** What a convolution takes; a pair is [height, width]. */
export interface ConvOptions {
  /** Default 1. */
  stride?: number | readonly number[];
  /** Zeros around the input: a number, one for each dimension, "valid" (none, the default is 0) or "same" (output as large as the input; stride 1). */
  padding?: number | readonly number[] | "same" | "valid";
  /** Distance between the kernel's elements. Default 1. */
  dilation?: number | readonly number[];
  /** Input and output channels fall into so many groups that see only each other. Default 1. */
  groups?: number;
}

/*
 * A convolution and its two gradients. Each is linear in both of its inputs, and the gradients of each are again one of the three,
 * so they can be differentiated any number of times.
 */

function forward(x: Tensor, weight: Tensor, bias: Tensor | null, shape: Conv2dShape): Tensor {
  const dtype = x.dtype as FloatDType;
  const [input, kernel, offset] = [packed(x), packed(weight), bias && packed(bias)];
  const out = emptyTensor([shape.batch, shape.outChannels, shape.outHeight, shape.outWidth], dtype);
  backend().conv2d(dtype, shape, out.pointer, input.pointer, kernel.pointer, offset?.pointer ?? 0);
  if (input !== x) input.storage.release();
  if (kernel !== weight) kernel.storage.release();
  if (offset && offset !== bias) offset.storage.release();
  return record(
    "ConvolutionBackward0",
    inFormatOf(x, out),
    [x, weight, bias],
    (g, needs) => [
      needs[0] ? inputGrad(g, weight, shape) : null,
      needs[1] ? weightGrad(g, x, shape) : null,
      needs[2] ? biasGrad(g, shape) : null,
    ],
    [x, weight],
    [],
    isTracing() ? { ...shape } : undefined,
  );
}

function inputGrad(g: Tensor, weight: Tensor, shape: Conv2dShape): Tensor {
  const dtype = g.dtype as FloatDType;
  const [gradient, kernel] = [packed(g), packed(weight)];
  const out = emptyTensor([shape.batch, shape.inChannels, shape.inHeight, shape.inWidth], dtype);
  backend().conv2dInputGrad(dtype, shape, out.pointer, gradient.pointer, kernel.pointer);
  if (gradient !== g) gradient.storage.release();
  if (kernel !== weight) kernel.storage.release();
  return record(
    "ConvolutionBackwardBackward0",
    out,
    [g, weight],
    (gg, needs) => [needs[0] ? forward(gg, weight, null, shape) : null, needs[1] ? weightGrad(g, gg, shape) : null],
    [g, weight],
  );
}

function weightGrad(g: Tensor, x: Tensor, shape: Conv2dShape): Tensor {
  const dtype = g.dtype as FloatDType;
  const [gradient, input] = [packed(g), packed(x)];
  const sizes = [shape.outChannels, shape.inChannels / shape.groups, shape.kernelHeight, shape.kernelWidth];
  const out = emptyTensor(sizes, dtype);
  backend().conv2dWeightGrad(dtype, shape, out.pointer, gradient.pointer, input.pointer);
  if (gradient !== g) gradient.storage.release();
  if (input !== x) input.storage.release();
  return record(
    "ConvolutionBackwardBackward0",
    out,
    [g, x],
    (gg, needs) => [needs[0] ? forward(x, gg, null, shape) : null, needs[1] ? inputGrad(g, gg, shape) : null],
    [g, x],
  );
}

function biasGrad(g: Tensor, shape: Conv2dShape): Tensor {
  const gradient = packed(g);
  const out = emptyTensor([shape.outChannels], g.dtype);
  const { batch, outChannels, outHeight, outWidth } = shape;
  backend().sumByChannel(
    g.dtype as FloatDType,
    out.pointer,
    gradient.pointer,
    batch,
    outChannels,
    outHeight * outWidth,
  );
  if (gradient !== g) gradient.storage.release();
  return record("SumBackward1", out, [g], (gg) => [spread(gg, g.shape, [0, 2, 3])]);
}

/** Zeros below and to the right. */
function padEnd(x: Tensor, height: number, width: number): Tensor {
  const [n, c, h, w] = x.shape;
  const out = filled([n, c, h + height, w + width], x.dtype, 0);
  packInto(aliasOf(out, x.shape, out.strides), x);
  return record("ConstantPadNdBackward0", out, [x], (g) => [cropEnd(g, height, width)]);
}

function cropEnd(x: Tensor, height: number, width: number): Tensor {
  const [n, c, h, w] = x.shape;
  const out = aliasOf(x, [n, c, h - height, w - width], x.strides);
  return record("SliceBackward0", out, [x], (g) => [padEnd(g, height, width)]);
}

const list = (values: readonly number[]) => `[${values.join(", ")}]`;

/** One number for each of up to three spatial dimensions. */
const repeated = (value: number, dims: number): number[] => [value, value, value].slice(0, dims);

/** A number for each spatial dimension. */
function each(what: string, value: number | readonly number[], dims: number): number[] {
  if (typeof value === "number") return repeated(value, dims);
  if (value.length === dims) return [...value];
  if (value.length === 1) return repeated(value[0], dims);
  throw new ArgumentError(
    `expected ${what} to be a single integer value or a list of ${dims} values to match the convolution dimensions, but got ${what}=${list(value)}`,
  );
}

function checkDTypes(x: Tensor, weight: Tensor, bias: Tensor | null): void {
  if (x.dtype !== weight.dtype) {
    throw new DTypeError(
      `expected scalar type ${scalarTypeName(x.dtype)} but found ${scalarTypeName(weight.dtype)}`,
      `the input is ${x.dtype}, the weight ${weight.dtype}: convert one, for example with .float()`,
    );
  }
  if (!isFloat(x.dtype)) {
    throw new DTypeError(
      `"slow_conv2d_cpu" not implemented for '${scalarTypeName(x.dtype)}'`,
      "convolutions compute in float32 and float64: convert input and model, for example with .float()",
    );
  }
  if (bias && bias.dtype !== x.dtype) {
    const name = (t: Tensor) => scalarTypeName(t.dtype).toLowerCase();
    throw new DTypeError(
      `Input type (${name(x)}) and bias type (${name(bias)}) should be the same`,
      "convert one of them",
    );
  }
}

function checkWhole(stride: number[], padding: number[], dilation: number[], groups: number): void {
  for (const numbers of [stride, padding, dilation, [groups]]) {
    for (const value of numbers) {
      if (Number.isInteger(value)) continue;
      throw new ArgumentError(`stride, padding, dilation and groups are whole numbers (got ${value})`);
    }
  }
  if (padding.some((p) => p < 0))
    throw new ArgumentError("negative padding is not supported", `got padding=${list(padding)}`);
  if (stride.some((s) => s <= 0))
    throw new ArgumentError("non-positive stride is not supported", `got stride=${list(stride)}`);
  if (dilation.some((d) => d <= 0))
    throw new ArgumentError(`dilation should be greater than zero, but got ${list(dilation)}`);
  if (groups <= 0) throw new ArgumentError("non-positive groups is not supported", `got groups=${groups}`);
}

/** The sizes that have to go together; x is batched. */
function checkSizes(x: Tensor, weight: Tensor, bias: Tensor | null, groups: number): void {
  if (weight.ndim !== x.ndim) {
    throw new ShapeError(
      `Expected ${weight.ndim}-dimensional input for ${weight.ndim}-dimensional weight ${list(weight.shape)}, but got ${x.ndim}-dimensional input of size ${list(x.shape)} instead`,
      "the weight is [out channels, in channels / groups, kernel …]",
    );
  }
  const [outChannels, perGroup] = weight.shape;
  if (outChannels % groups !== 0) {
    throw new ShapeError(
      `Given groups=${groups}, expected weight to be divisible by ${groups} at dimension 0, but got weight of size [${list(weight.shape)}] instead`,
      "the number of output channels must be a multiple of groups",
    );
  }
  if (x.shape[1] !== perGroup * groups) {
    throw new ShapeError(
      `Given groups=${groups}, weight of size ${list(weight.shape)}, expected input${list(x.shape)} to have ${perGroup * groups} channels, but got ${x.shape[1]} channels instead`,
      "the input is [N, channels, …]",
    );
  }
  if (bias && (bias.ndim !== 1 || bias.shape[0] !== outChannels)) {
    throw new ShapeError(
      `Given weight of size ${list(weight.shape)}, expected bias to be 1-dimensional with ${outChannels} elements, but got bias of size ${list(bias.shape)} instead`,
    );
  }
}

/** Padding before and after each dimension's elements, "same" giving the odd zero to the end as PyTorch does. */
function paddingOf(option: ConvOptions["padding"], weight: Tensor, stride: number[], dilation: number[]) {
  const dims = stride.length;
  if (option === "same") {
    if (stride.some((s) => s !== 1)) {
      throw new ArgumentError(
        "padding='same' is not supported for strided convolutions",
        "give the padding as numbers",
      );
    }
    const total = dilation.map((d, i) => d * ((weight.shape[i + 2] ?? 1) - 1));
    return { padding: total.map((t) => Math.floor(t / 2)), extra: total.map((t) => t % 2) };
  }
  if (typeof option === "string" && option !== "valid") {
    throw new ArgumentError(`Invalid padding string: '${option}'`, 'use "same", "valid" or numbers');
  }
  const padding = option === "valid" ? 0 : (option ?? 0);
  return { padding: each("padding", padding, dims), extra: repeated(0, dims) };
}

/** The output's spatial sizes, of an input [N, C, …] and a weight [out, in, …]. @throws ShapeError */
function sizesAfter(
  input: Shape,
  weight: Shape,
  stride: readonly number[],
  padding: readonly number[],
  extra: readonly number[],
  dilation: readonly number[],
): number[] {
  const sizes = zerosList(stride.length);
  const spans = zerosList(stride.length);
  const padded = zerosList(stride.length);
  for (let d = 0; d < sizes.length; d++) {
    const kernel = weight[d + 2];
    if (kernel <= 0) throw new ShapeError(`kernel size should be greater than zero, but got ${list(weight.slice(2))}`);
    spans[d] = dilation[d] * (kernel - 1) + 1;
    padded[d] = input[d + 2] + 2 * padding[d] + extra[d];
    sizes[d] = Math.floor((padded[d] - spans[d]) / stride[d]) + 1;
  }
  if (sizes.some((size) => size <= 0)) {
    throw new ShapeError(
      `Calculated padded input size per channel: (${padded.join(" x ")}). Kernel size: (${spans.join(" x ")}). Kernel size can't be greater than actual input size`,
      "use a larger input, more padding or a smaller kernel",
    );
  }
  return sizes;
}

function convolve(dims: 1 | 2, input: Tensor, weight: Tensor, bias: Tensor | null, options: ConvOptions): Tensor {
  const isBatched = input.ndim === dims + 2;
  if (!isBatched && input.ndim !== dims + 1) {
    throw new ShapeError(
      `Expected ${dims + 1}D (unbatched) or ${dims + 2}D (batched) input to conv${dims}d, but got input of size: ${list(input.shape)}`,
      `the input is [N, channels, ${dims === 1 ? "length" : "height, width"}]`,
    );
  }
  checkDTypes(input, weight, bias);
  const { groups = 1 } = options;
  const stride = each("stride", options.stride ?? 1, dims);
  const dilation = each("dilation", options.dilation ?? 1, dims);
  const { padding, extra } = paddingOf(options.padding, weight, stride, dilation);
  checkWhole(stride, padding, dilation, groups);
  const batched = isBatched ? input : unsqueeze(input, 0);
  checkSizes(batched, weight, bias, groups);
  const outSizes = sizesAfter(batched.shape, weight.shape, stride, padding, extra, dilation);
  // a 1-D convolution has height 1
  const flat = dims === 1;
  const height = (values: readonly number[], ofFlat: number) => (flat ? ofFlat : values[0]);
  const width = (values: readonly number[]) => values[dims - 1];
  let x = flat ? unsqueeze(batched, 2) : batched;
  if (height(extra, 0) + width(extra) > 0) x = padEnd(x, height(extra, 0), width(extra));
  const out = forward(x, flat ? unsqueeze(weight, 2) : weight, bias, {
    batch: x.shape[0],
    inChannels: x.shape[1],
    inHeight: x.shape[2],
    inWidth: x.shape[3],
    outChannels: weight.shape[0],
    outHeight: height(outSizes, 1),
    outWidth: width(outSizes),
    kernelHeight: flat ? 1 : weight.shape[2],
    kernelWidth: weight.shape[dims + 1],
    strideHeight: height(stride, 1),
    strideWidth: width(stride),
    paddingHeight: height(padding, 0),
    paddingWidth: width(padding),
    dilationHeight: height(dilation, 1),
    dilationWidth: width(dilation),
    groups,
  });
  const shaped = flat ? squeeze(out, 2) : out;
  return isBatched ? shaped : squeeze(shaped, 0);
}

/**
 * 1-D convolution (cross-correlation), as torch.nn.functional.conv1d.
 *
 * @param input [N, in, length] or [in, length]
 * @param weight [out, in / groups, kernel]
 * @param bias [out], or none
 * @returns [N, out, ⌊(length + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1]
 * @throws ShapeError, DTypeError, ArgumentError with PyTorch's sentences
 */
export function conv1d(input: Tensor, weight: Tensor, bias?: Tensor | null, options: ConvOptions = {}): Tensor {
  return convolve(1, input, weight, bias ?? null, options);
}

/**
 * 2-D convolution (cross-correlation), as torch.nn.functional.conv2d. In float32 a 3×3 kernel of stride 1 goes by Winograd's algorithm where that is faster: errors of at most 1.4e-6
 * of the largest output in docs/convolution.md, two to three times those of plain sums, which `setWinograd(false)` gives.
 *
 * @param input [N, in, height, width] or [in, height, width]
 * @param weight [out, in / groups, kernel height, kernel width]
 * @param bias [out], or none
 * @returns [N, out, height', width'], each ⌊(size + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1
 * @throws ShapeError, DTypeError, ArgumentError with PyTorch's sentences
 */
export function conv2d(input: Tensor, weight: Tensor, bias?: Tensor | null, options: ConvOptions = {}): Tensor {
  return convolve(2, input, weight, bias ?? null, options);
}
