import type { Conv2dShape, LinearKernels, Pointer } from "../backend.ts";
import type { FloatDType } from "../dtype.ts";
import type { Heap } from "../heap.ts";
import { exchanged, geometryOf } from "./conv-geometry.ts";
import { ARGUMENTS } from "./module.ts";

type Bytes = (p: Pointer, itemBytes: number) => number;
type Depthwise = (
  p: Pointer,
  out: Pointer,
  x: Pointer,
  w: Pointer,
  bias: Pointer,
  first: number,
  count: number,
  scratch: Pointer,
) => void;
type DepthwiseGrad = (
  p: Pointer,
  out: Pointer,
  g: Pointer,
  other: Pointer,
  first: number,
  count: number,
  scratch: Pointer,
) => void;

/** What assembly/depthwise.ts and assembly/depthwise3.ts export; `p` is an argument block. */
export interface DepthwiseExports {
  depthwiseScratch: Bytes;
  depthwiseF32: Depthwise;
  depthwiseF64: Depthwise;
  depthwiseInputGradF32: DepthwiseGrad;
  depthwiseInputGradF64: DepthwiseGrad;
  depthwiseWeightGradF32: DepthwiseGrad;
  depthwiseWeightGradF64: DepthwiseGrad;
  depthwise3Scratch: Bytes;
  depthwise3F32(...args: [...Parameters<Depthwise>, turned: boolean]): void;
  depthwise3WeightGradF32: DepthwiseGrad;
  depthwise3Stride2Scratch: Bytes;
  depthwise3Stride2InputGradF32: DepthwiseGrad;
}

/** Whether every group has one input channel. */
export function isDepthwise(s: Conv2dShape): boolean {
  return s.groups > 1 && s.groups === s.inChannels;
}

/** Whether assembly/depthwise3.ts takes it. */
function is3x3(dtype: FloatDType, s: Conv2dShape): boolean {
  const isPlain = s.kernelHeight === 3 && s.kernelWidth === 3 && s.dilationHeight * s.dilationWidth === 1;
  const isStrided = s.strideHeight === s.strideWidth && s.strideWidth <= 2;
  const isWide = s.inWidth >= 4 && s.outWidth >= 4 && s.paddingHeight <= 2 && s.paddingWidth <= 2;
  return dtype === "float32" && isPlain && isStrided && isWide && s.outChannels === s.inChannels;
}

type Convolutions = Pick<LinearKernels, "conv2d" | "conv2dInputGrad" | "conv2dWeightGrad">;

/** Convolutions whose groups have one input channel each. */
export function depthwiseConvolutions(wasm: DepthwiseExports, heap: Heap): Convolutions {
  /** Writes the geometry of all channels, and runs a kernel with its scratch memory. */
  function withScratch(dtype: FloatDType, s: Conv2dShape, bytes: Bytes, run: (scratch: Pointer) => void): void {
    heap.i32.set(geometryOf({ ...s, groups: 1 }), ARGUMENTS / 4);
    const scratch = heap.alloc(bytes(ARGUMENTS, dtype === "float32" ? 4 : 8));
    run(scratch);
    heap.free(scratch);
  }

  function conv3x3(s: Conv2dShape, out: Pointer, x: Pointer, w: Pointer, bias: Pointer, turned: boolean): void {
    withScratch("float32", s, wasm.depthwise3Scratch, (scratch) =>
      wasm.depthwise3F32(ARGUMENTS, out, x, w, bias, 0, s.inChannels, scratch, turned),
    );
  }

  return {
    conv2d(dtype, s, out, x, w, bias) {
      if (is3x3(dtype, s)) return conv3x3(s, out, x, w, bias, false);
      const kernel = dtype === "float32" ? wasm.depthwiseF32 : wasm.depthwiseF64;
      withScratch(dtype, s, wasm.depthwiseScratch, (scratch) =>
        kernel(ARGUMENTS, out, x, w, bias, 0, s.inChannels, scratch),
      );
    },
    conv2dInputGrad(dtype, s, gx, g, w) {
      if (is3x3(dtype, s) && s.strideWidth === 1) return conv3x3(exchanged(s), gx, g, w, 0, true);
      const isStride2 = is3x3(dtype, s);
      const single = isStride2 ? wasm.depthwise3Stride2InputGradF32 : wasm.depthwiseInputGradF32;
      const kernel = dtype === "float32" ? single : wasm.depthwiseInputGradF64;
      withScratch(dtype, s, isStride2 ? wasm.depthwise3Stride2Scratch : wasm.depthwiseScratch, (scratch) =>
        kernel(ARGUMENTS, gx, g, w, 0, s.inChannels, scratch),
      );
    },
    conv2dWeightGrad(dtype, s, gw, g, x) {
      const single = is3x3(dtype, s) ? wasm.depthwise3WeightGradF32 : wasm.depthwiseWeightGradF32;
      const kernel = dtype === "float32" ? single : wasm.depthwiseWeightGradF64;
      withScratch(dtype, s, is3x3(dtype, s) ? wasm.depthwise3Scratch : wasm.depthwiseScratch, (scratch) =>
        kernel(ARGUMENTS, gw, g, x, 0, s.inChannels, scratch),
      );
    },
  };
}
