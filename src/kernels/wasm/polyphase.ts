import type { Conv2dShape, Pointer } from "../backend.ts";
import type { FloatDType } from "../dtype.ts";
import type { Heap } from "../heap.ts";
import { geometryOf } from "./conv-geometry.ts";
import { ARGUMENTS } from "./module.ts";
import { type WeightFinish, weightGradByTiles, winogradAllowed } from "./winograd.ts";

/** What assembly/polyphase.ts exports; `p` is an argument block. */
export interface PolyphaseExports {
  polyphaseRows(p: Pointer): number;
  polyphaseScratch(p: Pointer): number;
  polyphaseWeightsBytes(p: Pointer): number;
  polyphasePackF32(
    p: Pointer,
    u: Pointer,
    w: Pointer,
    gradient: boolean,
    first: number,
    total: number,
    scratch: Pointer,
  ): void;
  polyphaseF32(
    p: Pointer,
    out: Pointer,
    x: Pointer,
    u: Pointer,
    bias: Pointer,
    first: number,
    total: number,
    scratch: Pointer,
  ): void;
  polyphaseInputScratch(p: Pointer): number;
  polyphaseInputGradF32(
    p: Pointer,
    gx: Pointer,
    g: Pointer,
    u: Pointer,
    first: number,
    total: number,
    scratch: Pointer,
  ): void;
  polyphaseWeightScratch(p: Pointer): number;
  polyphaseWeightGradF32(
    p: Pointer,
    sums: Pointer,
    g: Pointer,
    x: Pointer,
    first: number,
    total: number,
    perGroup: number,
    perSlice: number,
    scratch: Pointer,
  ): void;
  convWeightSums(p: Pointer, itemBytes: number): number;
  convWeightFinishF32: WeightFinish;
}

const tiles = (size: number) => Math.ceil(size / 4);
const up = (n: number, step: number) => Math.ceil(n / step) * step;

/*
 * Measured times in ns with the fused build: products at 50 GFLOP/s, transforms of a tile 30 for a channel of its 8×8 inputs and 11 for one of its 4×4 outputs, weights 40 for each pair of channels.
 */

/** ns for a row of tiles of one group. */
export function polyphaseRowTime(across: number, channels: number, outChannels: number): number {
  const [input, output] = [up(channels, 4), up(outChannels, 8)];
  return across * (3.24 * input * output + 30 * input + 11 * output);
}

/** Bytes of transformed weights that stay in the second cache, and, if they are more, of tiles that are done at once; see assembly/polyphase-product.ts. */
const CACHED_BYTES = 2 ** 20;
const BLOCK_BYTES = 2 * 589824;

/**
 * Whether one group takes less time than by plain sums, whose multiply-adds are `madds` at `rate` GFLOP/s. Weights, or their sums, that are too large for the cache are read again for each block of tiles, of
 * which there are `least` at least, in `again` ns for each pair of channels.
 */
function isFaster(s: Conv2dShape, madds: number, rate: number, least: number, again: number): boolean {
  const [channels, outChannels] = [s.inChannels / s.groups, s.outChannels / s.groups];
  const [down, across] = [s.batch * tiles(s.outHeight), tiles(s.outWidth)];
  const pairs = channels * outChannels;
  const blocks = Math.max(least, (down * across * (324 * channels + 100 * outChannels)) / BLOCK_BYTES);
  const pairTime = 40 + (324 * pairs > CACHED_BYTES ? blocks * again : 0);
  return down * polyphaseRowTime(across, channels, outChannels) + pairs * pairTime < (2 * madds) / rate;
}

/** 3×3 convolutions of stride 2 by Winograd's algorithm, for shapes that suit it. */
export function polyphaseConvolutions(wasm: PolyphaseExports, heap: Heap) {
  function applies(dtype: FloatDType, s: Conv2dShape): boolean {
    const is3x3 = s.kernelHeight === 3 && s.kernelWidth === 3;
    const isStrided = s.strideHeight === 2 && s.strideWidth === 2 && s.dilationHeight * s.dilationWidth === 1;
    const isPadded = s.paddingHeight <= 2 && s.paddingWidth <= 2;
    return (
      dtype === "float32" && is3x3 && isStrided && isPadded && s.inWidth >= 4 && s.outWidth >= 4 && winogradAllowed()
    );
  }

  return {
    suits(dtype: FloatDType, s: Conv2dShape): boolean {
      if (!applies(dtype, s)) return false;
      const madds = (9 * s.batch * s.outHeight * up(s.outWidth, 8) * s.inChannels * s.outChannels) / s.groups ** 2;
      return isFaster(s, madds, 44, 8, 16);
    },
    suitsInputGrad(dtype: FloatDType, s: Conv2dShape): boolean {
      if (!applies(dtype, s) || s.paddingHeight !== 1 || s.paddingWidth !== 1) return false;
      const pairs = (up(s.inChannels / s.groups, 4) * s.outChannels) / s.groups;
      return isFaster(s, 9 * s.batch * s.outHeight * up(s.outWidth, 8) * pairs, 36, 8, 16);
    },
    suitsWeightGrad(dtype: FloatDType, s: Conv2dShape): boolean {
      if (!applies(dtype, s)) return false;
      const madds = (9 * s.batch * s.outHeight * s.outWidth * s.inChannels * s.outChannels) / s.groups ** 2;
      return isFaster(s, madds, 41, 1, 32);
    },
    forward(s: Conv2dShape, out: Pointer, x: Pointer, w: Pointer, bias: Pointer): void {
      const [channels, outChannels] = [s.inChannels / s.groups, s.outChannels / s.groups];
      heap.i32.set(geometryOf(s), ARGUMENTS / 4);
      const weights = heap.alloc(wasm.polyphaseWeightsBytes(ARGUMENTS));
      const scratch = heap.alloc(wasm.polyphaseScratch(ARGUMENTS));
      for (let group = 0; group < s.groups; group++) {
        const from = w + 36 * group * channels * outChannels;
        const fours = 2 * Math.ceil(outChannels / 8);
        wasm.polyphasePackF32(ARGUMENTS, weights, from, false, 0, fours, scratch);
        wasm.polyphaseF32(
          ARGUMENTS,
          out + 4 * group * outChannels * s.outHeight * s.outWidth,
          x + 4 * group * channels * s.inHeight * s.inWidth,
          weights,
          bias && bias + 4 * group * outChannels,
          0,
          s.batch * tiles(s.outHeight),
          scratch,
        );
      }
      heap.free(scratch);
      heap.free(weights);
    },
    inputGrad(s: Conv2dShape, gx: Pointer, g: Pointer, w: Pointer): void {
      const [channels, outChannels] = [s.inChannels / s.groups, s.outChannels / s.groups];
      heap.i32.set(geometryOf(s), ARGUMENTS / 4);
      const weights = heap.alloc(wasm.polyphaseWeightsBytes(ARGUMENTS));
      const scratch = heap.alloc(wasm.polyphaseInputScratch(ARGUMENTS));
      for (let group = 0; group < s.groups; group++) {
        const from = w + 36 * group * channels * outChannels;
        wasm.polyphasePackF32(ARGUMENTS, weights, from, true, 0, Math.ceil(channels / 4), scratch);
        wasm.polyphaseInputGradF32(
          ARGUMENTS,
          gx + 4 * group * channels * s.inHeight * s.inWidth,
          g + 4 * group * outChannels * s.outHeight * s.outWidth,
          weights,
          0,
          s.batch * tiles(s.outHeight),
          scratch,
        );
      }
      heap.free(scratch);
      heap.free(weights);
    },
    weightGrad: weightGradByTiles(
      wasm,
      heap,
      polyphaseRowTime,
      wasm.polyphaseWeightScratch,
      wasm.polyphaseWeightGradF32,
    ),
  };
}
