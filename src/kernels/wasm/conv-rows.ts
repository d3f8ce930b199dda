import type { Conv2dShape, Pointer } from "../backend.ts";
import type { FloatDType } from "../dtype.ts";
import type { Heap } from "../heap.ts";
import { MOST_TAPS, phases, TAPS_AT, type Tap } from "./conv-geometry.ts";
import { ARGUMENTS } from "./module.ts";

/** What assembly/conv-rows.ts exports; `p` is an argument block. */
export interface ConvRowsExports {
  convRowsScratch(p: Pointer): number;
  convRowsWeightsBytes(p: Pointer): number;
  convRowsAtOnce(p: Pointer): number;
  convRowsPack(p: Pointer, weights: Pointer, w: Pointer): void;
  convRowsF32(
    p: Pointer,
    out: Pointer,
    x: Pointer,
    weights: Pointer,
    bias: Pointer,
    first: number,
    total: number,
    scratch: Pointer,
  ): void;
}

/** Fewer channels than this are too few for packed columns, whatever the stride. */
export const FEW_CHANNELS = 8;

/**
 * Convolutions of float32 with a stride of 2, or of few channels, row by row of outputs. Forward one tap alone is not worth the copy: 1.2 instead of 0.9 ms for [64,16,32,32] to 32, stride 2. Its
 * gradient of the input needs none where rows are whole tiles: 0.95 instead of 1.9 ms.
 */
export function rowConvolutions(wasm: ConvRowsExports, heap: Heap) {
  function convolve(
    geometry: readonly number[],
    taps: readonly Tap[],
    out: Pointer,
    x: Pointer,
    w: Pointer,
    bias: Pointer,
  ): void {
    heap.i32.set(geometry, ARGUMENTS / 4);
    heap.i32.set(taps.flat(), (ARGUMENTS + TAPS_AT) / 4);
    const [batch, , , , , rows, gridHeight] = geometry;
    const scratch = heap.alloc(wasm.convRowsScratch(ARGUMENTS));
    const weights = heap.alloc(wasm.convRowsWeightsBytes(ARGUMENTS) + 64);
    const offsets = bias && heap.alloc(4 * rows + 16);
    wasm.convRowsPack(ARGUMENTS, weights, w);
    if (bias !== 0) {
      heap.f32.fill(0, offsets / 4, offsets / 4 + rows + 4);
      heap.f32.copyWithin(offsets / 4, bias / 4, bias / 4 + rows);
    }
    wasm.convRowsF32(ARGUMENTS, out, x, weights, offsets, 0, batch * gridHeight, scratch);
    if (bias !== 0) heap.free(offsets);
    heap.free(weights);
    heap.free(scratch);
  }

  return {
    suits(dtype: FloatDType, s: Conv2dShape): boolean {
      if (dtype !== "float32" || s.strideWidth > 2 || s.kernelHeight * s.kernelWidth === 1) return false;
      return s.strideWidth === 2 || s.inChannels / s.groups < FEW_CHANNELS;
    },
    forward(s: Conv2dShape, out: Pointer, x: Pointer, w: Pointer, bias: Pointer): void {
      const [channels, rows] = [s.inChannels / s.groups, s.outChannels / s.groups];
      const [inPlane, outPlane] = [s.inHeight * s.inWidth, s.outHeight * s.outWidth];
      const size = s.kernelHeight * s.kernelWidth;
      const taps = Array.from({ length: size }, (_, place): Tap => {
        const [h, v] = [Math.floor(place / s.kernelWidth), place % s.kernelWidth];
        return [h * s.dilationHeight - s.paddingHeight, v * s.dilationWidth - s.paddingWidth, place];
      });
      const geometry = [
        ...[s.batch, channels, s.inHeight, s.inWidth, s.inChannels * inPlane],
        ...[rows, s.outHeight, s.outWidth, s.strideHeight, s.strideWidth, size],
        ...[s.outChannels * outPlane, outPlane, s.outWidth, 1, channels * size, size, 0, s.outWidth],
      ];
      for (let group = 0; group < s.groups; group++) {
        convolve(
          geometry,
          taps,
          out + 4 * group * rows * outPlane,
          x + 4 * group * channels * inPlane,
          w + 4 * group * rows * channels * size,
          bias && bias + 4 * group * rows,
        );
      }
    },
    suitsInputGrad(dtype: FloatDType, s: Conv2dShape): boolean {
      return dtype === "float32" && s.strideWidth === 2 && s.inWidth > 1 && s.kernelHeight * s.kernelWidth <= MOST_TAPS;
    },
    /** For each phase of the stride down a convolution of g, of which the input's channels are the rows; both phases across at once. */
    inputGrad(s: Conv2dShape, gx: Pointer, g: Pointer, w: Pointer): void {
      const [channels, rows] = [s.outChannels / s.groups, s.inChannels / s.groups];
      const [inPlane, outPlane] = [s.inHeight * s.inWidth, s.outHeight * s.outWidth];
      const size = s.kernelHeight * s.kernelWidth;
      const [even, odd] = phases(s.inWidth, 2, s.kernelWidth, s.dilationWidth, s.paddingWidth);
      for (const down of phases(s.inHeight, s.strideHeight, s.kernelHeight, s.dilationHeight, s.paddingHeight)) {
        const [taps, oddTaps] = [even, odd].map((along) =>
          down.taps.flatMap(([h, row]) => along.taps.map(([v, column]): Tap => [row, column, h * s.kernelWidth + v])),
        );
        const geometry = [
          ...[s.batch, channels, s.outHeight, s.outWidth, s.outChannels * outPlane],
          ...[rows, down.count, even.count, 1, 1, taps.length],
          ...[s.inChannels * inPlane, inPlane, s.strideHeight * s.inWidth, 2, size, rows * size],
          ...[oddTaps.length, s.inWidth],
        ];
        for (let group = 0; group < s.groups; group++) {
          convolve(
            geometry,
            [...taps, ...oddTaps],
            gx + 4 * (group * rows * inPlane + down.first * s.inWidth),
            g + 4 * group * channels * outPlane,
            w + 4 * group * channels * rows * size,
            0,
          );
        }
      }
    },
  };
}
