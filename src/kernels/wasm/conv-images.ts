import type { Conv2dShape, Pointer } from "../backend.ts";
import type { FloatDType } from "../dtype.ts";
import type { Heap } from "../heap.ts";
import { phases, TAPS_AT, type Tap } from "./conv-geometry.ts";
import { ARGUMENT_BYTES, ARGUMENTS } from "./module.ts";

/** What assembly/conv-images.ts exports; argument blocks of `phases` phases, each of `bytes` bytes, lie at `p`. */
export interface ConvImagesExports {
  convImagesScratch(p: Pointer, phases: number, bytes: number): number;
  convImagesWeightsBytes(p: Pointer, phases: number, bytes: number): number;
  convImagesPack(p: Pointer, phases: number, bytes: number, weights: Pointer, w: Pointer): void;
  convImagesF32(
    p: Pointer,
    phases: number,
    bytes: number,
    out: Pointer,
    x: Pointer,
    weights: Pointer,
    bias: Pointer,
    first: number,
    total: number,
    scratch: Pointer,
  ): void;
}

/** One phase: its geometry as assembly/conv-taps.ts reads it, where its first output is, and its taps. */
interface Phase {
  readonly geometry: readonly number[];
  readonly taps: readonly Tap[];
}

/** Images that share a vector pair; with fewer, half of every vector would be idle. */
const IMAGES = 8;
const LEAST_IMAGES = 6;
/** Rows of outputs longer than this fill vectors well enough by themselves. */
const MOST_WIDTH = 7;
/** Elements of an image, and steps of a sum: eight images of 4096 are 128 KiB, and a sum in one go stays as exact as elsewhere. */
const MOST_ELEMENTS = 4096;
const MOST_STEPS = 1152;
/** Pairs of channels from which on Winograd's algorithm is faster, where it applies: rows of four outputs and more. */
const MOST_PAIRS = 512;
const WINOGRAD_WIDTH = 4;

/** Convolutions of float32 with a stride of 2 across, of small images, with images as vectors. */
export function imageConvolutions(wasm: ConvImagesExports, heap: Heap) {
  function convolve(all: readonly Phase[], out: Pointer, x: Pointer, w: Pointer, bias: Pointer): void {
    const [batch, , , , , rows] = all[0].geometry;
    const bytes = TAPS_AT + 12 * Math.max(...all.map(({ taps }) => taps.length));
    all.forEach(({ geometry, taps }, i) => {
      heap.i32.set(geometry, (ARGUMENTS + i * bytes) / 4);
      heap.i32.set(taps.flat(), (ARGUMENTS + i * bytes + TAPS_AT) / 4);
    });
    const scratch = heap.alloc(wasm.convImagesScratch(ARGUMENTS, all.length, bytes));
    const weights = heap.alloc(wasm.convImagesWeightsBytes(ARGUMENTS, all.length, bytes));
    const offsets = bias && heap.alloc(4 * rows + 16);
    wasm.convImagesPack(ARGUMENTS, all.length, bytes, weights, w);
    if (bias !== 0) {
      heap.f32.fill(0, offsets / 4, offsets / 4 + rows + 4);
      heap.f32.copyWithin(offsets / 4, bias / 4, bias / 4 + rows);
    }
    const groups = Math.ceil(batch / IMAGES);
    wasm.convImagesF32(ARGUMENTS, all.length, bytes, out, x, weights, offsets, 0, groups, scratch);
    if (bias !== 0) heap.free(offsets);
    heap.free(weights);
    heap.free(scratch);
  }

  return {
    /** Both ways: what is small, and fits the argument block with the taps of all phases. */
    suits(dtype: FloatDType, s: Conv2dShape): boolean {
      const size = s.kernelHeight * s.kernelWidth;
      if (dtype !== "float32" || s.strideWidth !== 2 || s.groups !== 1 || size === 1) return false;
      if (s.batch < LEAST_IMAGES || s.outWidth > MOST_WIDTH || s.inWidth > 2 * MOST_WIDTH) return false;
      if (s.outWidth >= WINOGRAD_WIDTH && s.inChannels * s.outChannels > MOST_PAIRS) return false;
      const elements = Math.max(s.inChannels * s.inHeight * s.inWidth, s.outChannels * s.outHeight * s.outWidth);
      if (elements > MOST_ELEMENTS || Math.max(s.inChannels, s.outChannels) * size > MOST_STEPS) return false;
      return 2 * s.strideHeight * (TAPS_AT + 12 * size) <= ARGUMENT_BYTES;
    },
    forward(s: Conv2dShape, out: Pointer, x: Pointer, w: Pointer, bias: Pointer): void {
      const [inPlane, outPlane] = [s.inHeight * s.inWidth, s.outHeight * s.outWidth];
      const size = s.kernelHeight * s.kernelWidth;
      const taps = Array.from({ length: size }, (_, place): Tap => {
        const [h, v] = [Math.floor(place / s.kernelWidth), place % s.kernelWidth];
        return [h * s.dilationHeight - s.paddingHeight, v * s.dilationWidth - s.paddingWidth, place];
      });
      const geometry = [
        ...[s.batch, s.inChannels, s.inHeight, s.inWidth, s.inChannels * inPlane],
        ...[s.outChannels, s.outHeight, s.outWidth, s.strideHeight, s.strideWidth, size],
        ...[s.outChannels * outPlane, outPlane, s.outWidth, 1, s.inChannels * size, size, 0],
      ];
      convolve([{ geometry, taps }], out, x, w, bias);
    },
    /** For each phase of the stride a convolution of g, of which the input's channels are the rows. */
    inputGrad(s: Conv2dShape, gx: Pointer, g: Pointer, w: Pointer): void {
      const [inPlane, outPlane] = [s.inHeight * s.inWidth, s.outHeight * s.outWidth];
      const size = s.kernelHeight * s.kernelWidth;
      const across = phases(s.inWidth, s.strideWidth, s.kernelWidth, s.dilationWidth, s.paddingWidth);
      const down = phases(s.inHeight, s.strideHeight, s.kernelHeight, s.dilationHeight, s.paddingHeight);
      const all = down.flatMap((vertical) =>
        across.map((horizontal): Phase => {
          const taps = vertical.taps.flatMap(([h, row]) =>
            horizontal.taps.map(([v, column]): Tap => [row, column, h * s.kernelWidth + v]),
          );
          const geometry = [
            ...[s.batch, s.outChannels, s.outHeight, s.outWidth, s.outChannels * outPlane],
            ...[s.inChannels, vertical.count, horizontal.count, 1, 1, taps.length],
            ...[s.inChannels * inPlane, inPlane, s.strideHeight * s.inWidth, s.strideWidth, size, s.inChannels * size],
            vertical.first * s.inWidth + horizontal.first,
          ];
          return { geometry, taps };
        }),
      );
      convolve(all, gx, g, w, 0);
    },
  };
}
