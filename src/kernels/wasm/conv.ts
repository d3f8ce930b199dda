import type { Conv2dShape, LinearKernels, Pointer } from "../backend.ts";
import type { FloatDType } from "../dtype.ts";
import type { Heap } from "../heap.ts";
import { geometryOf, MOST_TAPS, phases, TAPS_AT, type Tap } from "./conv-geometry.ts";
import { type ConvImagesExports, imageConvolutions } from "./conv-images.ts";
import { type ConvOneExports, oneChannelConvolutions } from "./conv-one.ts";
import { type Forward, type InputGrad, planned, type WeightGrad } from "./conv-plans.ts";
import { type ConvPointwiseExports, pointwiseConvolutions } from "./conv-pointwise.ts";
import { type ConvRowsExports, rowConvolutions } from "./conv-rows.ts";
import { type ConvWeightSmallExports, smallWeightGradients } from "./conv-weight-small.ts";
import { type DepthwiseExports, depthwiseConvolutions, isDepthwise } from "./depthwise.ts";
import type { MemoryExports } from "./memory.ts";
import { ARGUMENTS } from "./module.ts";
import { type PolyphaseExports, polyphaseConvolutions } from "./polyphase.ts";
import { type WeightFinish, type WinogradExports, winogradAllowed, winogradConvolutions } from "./winograd.ts";

type Bytes = (p: Pointer, itemBytes: number) => number;
type Pack = (p: Pointer, weights: Pointer, w: Pointer) => void;
type Bias = (p: Pointer, out: Pointer, bias: Pointer, images: number) => void;
type Conv = (
  p: Pointer,
  out: Pointer,
  x: Pointer,
  weights: Pointer,
  biased: boolean,
  start: number,
  total: number,
  scratch: Pointer,
) => void;
type SumImages = (
  p: Pointer,
  sums: Pointer,
  g: Pointer,
  x: Pointer,
  first: number,
  groups: number,
  perGroup: number,
  scratch: Pointer,
) => void;

/** What assembly/conv.ts and assembly/conv-weight.ts export, and the other ways of convolution; `p` is an argument block. */
export interface ConvExports
  extends WinogradExports,
    DepthwiseExports,
    ConvImagesExports,
    ConvOneExports,
    ConvPointwiseExports,
    ConvRowsExports,
    ConvWeightSmallExports,
    PolyphaseExports,
    Pick<MemoryExports, "fillF32" | "fillF64"> {
  convWeightsBytes: Bytes;
  convScratch(p: Pointer): number;
  convPackF32: Pack;
  convPackF64: Pack;
  convBiasF32: Bias;
  convBiasF64: Bias;
  convF32: Conv;
  convF64: Conv;
  convWeightScratch: Bytes;
  convWeightGradF32: SumImages;
  convWeightGradF64: SumImages;
  convWeightFinishF64: WeightFinish;
}

/** Where convWeightScratch says how many images the weights' gradient takes at once. */
const IMAGES_AT_ONCE = 68;
/** Groups of images that are summed apart, for threads: no more than this, and of so many output positions at least, since every group costs a pass over the sums. */
const MOST_GROUPS = 16;
const LEAST_POSITIONS = 512;

/** Images in a group, and how many groups there are: by the shape alone, so that no sum depends on the number of threads. */
function imageGroups(batch: number, positions: number, atOnce: number): [perGroup: number, groups: number] {
  const wanted = Math.max(Math.ceil(batch / MOST_GROUPS), Math.ceil(LEAST_POSITIONS / positions));
  const perGroup = Math.ceil(wanted / atOnce) * atOnce;
  return [perGroup, Math.ceil(batch / perGroup)];
}

/** The same where images are small: as many at once as have 256 positions. */
function smallImageGroups(batch: number, positions: number): [perGroup: number, groups: number] {
  return imageGroups(batch, positions, Math.min(batch, Math.ceil(256 / positions)));
}

/** Whether the kernel only mixes channels: then an image is one long row. */
function isPointwise(s: Conv2dShape): boolean {
  return (
    s.kernelHeight * s.kernelWidth * s.strideHeight * s.strideWidth === 1 &&
    s.paddingHeight === 0 &&
    s.paddingWidth === 0
  );
}

function asRow(s: Conv2dShape): Conv2dShape {
  const inWidth = s.inHeight * s.inWidth;
  return { ...s, inHeight: 1, inWidth, outHeight: 1, outWidth: inWidth };
}

/** Convolutions on one heap; kernels of thousands of taps are left to `reference`. */
export function convKernels(
  wasm: ConvExports,
  heap: Heap,
  reference: LinearKernels,
): Pick<LinearKernels, "conv2d" | "conv2dInputGrad" | "conv2dWeightGrad"> {
  const bytesOf = (dtype: FloatDType) => (dtype === "float32" ? 4 : 8);
  const winograd = winogradConvolutions(wasm, heap);
  const polyphase = polyphaseConvolutions(wasm, heap);
  const depthwise = depthwiseConvolutions(wasm, heap);
  const images = imageConvolutions(wasm, heap);
  const oneChannel = oneChannelConvolutions(wasm, heap);
  const pointwise = pointwiseConvolutions(wasm, heap);
  const rows = rowConvolutions(wasm, heap);
  const small = smallWeightGradients(wasm, heap, smallImageGroups);

  function convolve(
    dtype: FloatDType,
    geometry: readonly number[],
    taps: readonly Tap[],
    out: Pointer,
    x: Pointer,
    w: Pointer,
    bias: Pointer,
  ): void {
    heap.i32.set(geometry, ARGUMENTS / 4);
    heap.i32.set(taps.flat(), (ARGUMENTS + TAPS_AT) / 4);
    const is32 = dtype === "float32";
    const weights = heap.alloc(wasm.convWeightsBytes(ARGUMENTS, bytesOf(dtype)));
    const scratch = heap.alloc(wasm.convScratch(ARGUMENTS));
    const [batch, , , , , , gridHeight, gridWidth] = geometry;
    (is32 ? wasm.convPackF32 : wasm.convPackF64)(ARGUMENTS, weights, w);
    if (bias !== 0) (is32 ? wasm.convBiasF32 : wasm.convBiasF64)(ARGUMENTS, out, bias, batch);
    const columns = batch * gridHeight * gridWidth;
    (is32 ? wasm.convF32 : wasm.convF64)(ARGUMENTS, out, x, weights, bias !== 0, 0, columns, scratch);
    heap.free(scratch);
    heap.free(weights);
  }

  /** One group of the forward pass. */
  function forward(
    dtype: FloatDType,
    s: Conv2dShape,
    group: number,
    out: Pointer,
    x: Pointer,
    w: Pointer,
    bias: Pointer,
  ): void {
    const [channels, rows] = [s.inChannels / s.groups, s.outChannels / s.groups];
    const [inPlane, outPlane] = [s.inHeight * s.inWidth, s.outHeight * s.outWidth];
    const taps: Tap[] = [];
    for (let h = 0; h < s.kernelHeight; h++) {
      for (let v = 0; v < s.kernelWidth; v++) {
        taps.push([h * s.dilationHeight - s.paddingHeight, v * s.dilationWidth - s.paddingWidth, taps.length]);
      }
    }
    const geometry = [
      s.batch,
      channels,
      s.inHeight,
      s.inWidth,
      s.inChannels * inPlane,
      rows,
      s.outHeight,
      s.outWidth,
      s.strideHeight,
      s.strideWidth,
      taps.length,
      s.outChannels * outPlane,
      outPlane,
      s.outWidth,
      1,
      channels * taps.length,
      taps.length,
    ];
    const bytes = bytesOf(dtype);
    convolve(
      dtype,
      geometry,
      taps,
      out + group * rows * outPlane * bytes,
      x + group * channels * inPlane * bytes,
      w + group * rows * channels * taps.length * bytes,
      bias === 0 ? 0 : bias + group * rows * bytes,
    );
  }

  /** One group of the input's gradient: for each phase of the stride a convolution of g, of which the input's channels are the rows. */
  function inputGrad(dtype: FloatDType, s: Conv2dShape, group: number, gx: Pointer, g: Pointer, w: Pointer): void {
    const [channels, rows] = [s.outChannels / s.groups, s.inChannels / s.groups];
    const [inPlane, outPlane] = [s.inHeight * s.inWidth, s.outHeight * s.outWidth];
    const kernelSize = s.kernelHeight * s.kernelWidth;
    const bytes = bytesOf(dtype);
    const across = phases(s.inWidth, s.strideWidth, s.kernelWidth, s.dilationWidth, s.paddingWidth);
    for (const down of phases(s.inHeight, s.strideHeight, s.kernelHeight, s.dilationHeight, s.paddingHeight)) {
      for (const along of across) {
        const taps = down.taps.flatMap(([h, row]) =>
          along.taps.map(([v, column]): Tap => [row, column, h * s.kernelWidth + v]),
        );
        if (taps.length === 0) continue;
        const geometry = [
          s.batch,
          channels,
          s.outHeight,
          s.outWidth,
          s.outChannels * outPlane,
          rows,
          down.count,
          along.count,
          1,
          1,
          taps.length,
          s.inChannels * inPlane,
          inPlane,
          s.strideHeight * s.inWidth,
          s.strideWidth,
          kernelSize,
          rows * kernelSize,
        ];
        convolve(
          dtype,
          geometry,
          taps,
          gx + (group * rows * inPlane + down.first * s.inWidth + along.first) * bytes,
          g + group * channels * outPlane * bytes,
          w + group * channels * rows * kernelSize * bytes,
          0,
        );
      }
    }
  }

  /** One group of the weights' gradient. */
  function weightGrad(dtype: FloatDType, s: Conv2dShape, group: number, gw: Pointer, g: Pointer, x: Pointer): void {
    const [channels, rows] = [s.inChannels / s.groups, s.outChannels / s.groups];
    const bytes = bytesOf(dtype);
    const to = gw + group * rows * channels * s.kernelHeight * s.kernelWidth * bytes;
    const right = g + group * rows * s.outHeight * s.outWidth * bytes;
    const left = x + group * channels * s.inHeight * s.inWidth * bytes;
    const sum = dtype === "float32" ? wasm.convWeightGradF32 : wasm.convWeightGradF64;
    const finish = dtype === "float32" ? wasm.convWeightFinishF32 : wasm.convWeightFinishF64;
    heap.i32.set(geometryOf(s), ARGUMENTS / 4);
    const scratch = heap.alloc(wasm.convWeightScratch(ARGUMENTS, bytes));
    const atOnce = heap.i32[(ARGUMENTS + IMAGES_AT_ONCE) / 4];
    const [perGroup, groups] = imageGroups(s.batch, s.outHeight * s.outWidth, atOnce);
    const sums = heap.alloc(groups * wasm.convWeightSums(ARGUMENTS, bytes));
    sum(ARGUMENTS, sums, right, left, 0, groups, perGroup, scratch);
    finish(ARGUMENTS, to, sums, groups, 0, channels * s.kernelHeight * s.kernelWidth);
    heap.free(sums);
    heap.free(scratch);
  }

  /** What the kernels do not take: nothing to do, or more taps than fit the argument block. */
  function isOdd(s: Conv2dShape): boolean {
    const sizes = [s.batch, s.inChannels, s.inHeight, s.inWidth, s.outChannels, s.outHeight, s.outWidth];
    return sizes.includes(0) || s.kernelHeight * s.kernelWidth > MOST_TAPS;
  }

  function chooseForward(dtype: FloatDType, shape: Conv2dShape): Forward {
    if (isOdd(shape)) return (...args) => reference.conv2d(dtype, shape, ...args);
    if (isDepthwise(shape)) return (...args) => depthwise.conv2d(dtype, shape, ...args);
    if (winograd.suits(dtype, shape, "forward")) return winograd.forward(shape);
    if (images.suits(dtype, shape)) return (...args) => images.forward(shape, ...args);
    if (oneChannel.suits(dtype, shape)) return (...args) => oneChannel.forward(shape, ...args);
    if (polyphase.suits(dtype, shape)) return (...args) => polyphase.forward(shape, ...args);
    if (pointwise.suits(dtype, shape)) return pointwise.forward(shape);
    if (rows.suits(dtype, shape)) return (...args) => rows.forward(shape, ...args);
    const s = isPointwise(shape) ? asRow(shape) : shape;
    return (...args) => {
      for (let group = 0; group < s.groups; group++) forward(dtype, s, group, ...args);
    };
  }

  function chooseInputGrad(dtype: FloatDType, shape: Conv2dShape): InputGrad {
    if (isOdd(shape)) return (...args) => reference.conv2dInputGrad(dtype, shape, ...args);
    if (isDepthwise(shape)) return (...args) => depthwise.conv2dInputGrad(dtype, shape, ...args);
    if (winograd.suits(dtype, shape, "inputGrad")) return winograd.inputGrad(shape);
    if (images.suits(dtype, shape)) return (...args) => images.inputGrad(shape, ...args);
    if (polyphase.suitsInputGrad(dtype, shape)) return (...args) => polyphase.inputGrad(shape, ...args);
    if (pointwise.suits(dtype, shape)) return pointwise.inputGrad(shape);
    if (rows.suitsInputGrad(dtype, shape)) return (...args) => rows.inputGrad(shape, ...args);
    const s = isPointwise(shape) ? asRow(shape) : shape;
    // A stride beyond the kernel leaves positions that no output reads.
    const gaps = s.kernelHeight < s.strideHeight || s.kernelWidth < s.strideWidth;
    const dilated = s.strideHeight * s.strideWidth > 1 && s.dilationHeight * s.dilationWidth > 1;
    const fill = dtype === "float32" ? wasm.fillF32 : wasm.fillF64;
    return (gx, g, w) => {
      if (gaps || dilated) fill(gx, s.batch * s.inChannels * s.inHeight * s.inWidth, 0);
      for (let group = 0; group < s.groups; group++) inputGrad(dtype, s, group, gx, g, w);
    };
  }

  function chooseWeightGrad(dtype: FloatDType, shape: Conv2dShape): WeightGrad {
    if (isOdd(shape)) return (...args) => reference.conv2dWeightGrad(dtype, shape, ...args);
    if (isDepthwise(shape)) return (...args) => depthwise.conv2dWeightGrad(dtype, shape, ...args);
    if (winograd.suits(dtype, shape, "weightGrad")) return winograd.weightGrad(shape);
    if (small.suits(dtype, shape)) return (...args) => small.weightGrad(shape, ...args);
    if (polyphase.suitsWeightGrad(dtype, shape)) return polyphase.weightGrad(shape);
    return (...args) => {
      for (let group = 0; group < shape.groups; group++) weightGrad(dtype, shape, group, ...args);
    };
  }

  const forwards = ways(chooseForward);
  const inputGrads = ways(chooseInputGrad);
  const weightGrads = ways(chooseWeightGrad);
  return {
    conv2d: (dtype, shape, out, x, w, bias) => forwards(dtype, shape)(out, x, w, bias),
    conv2dInputGrad: (dtype, shape, gx, g, w) => inputGrads(dtype, shape)(gx, g, w),
    conv2dWeightGrad: (dtype, shape, gw, g, x) => weightGrads(dtype, shape)(gw, g, x),
  };
}

/** The way that `choose` finds for a shape: of float32 it is kept, with Winograd's algorithm and without. */
function ways<Way>(choose: (dtype: FloatDType, s: Conv2dShape) => Way) {
  const [all, plain] = [planned((s) => choose("float32", s)), planned((s) => choose("float32", s))];
  return (dtype: FloatDType, s: Conv2dShape): Way =>
    dtype === "float64" ? choose(dtype, s) : winogradAllowed() ? all(s) : plain(s);
}
