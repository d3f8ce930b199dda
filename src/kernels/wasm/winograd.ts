import { platform } from "#platform";
import { EnvironmentError } from "../../util/errors.ts";
import type { Conv2dShape, Pointer } from "../backend.ts";
import type { FloatDType } from "../dtype.ts";
import type { Heap } from "../heap.ts";
import { exchanged, geometryOf } from "./conv-geometry.ts";
import { ARGUMENTS } from "./module.ts";

export type WeightFinish = (
  p: Pointer,
  gw: Pointer,
  sums: Pointer,
  groups: number,
  first: number,
  total: number,
) => void;

/** What assembly/winograd.ts exports; `p` is an argument block. */
export interface WinogradExports {
  winogradRows(p: Pointer): number;
  winogradScratch(p: Pointer): number;
  winogradWeightsBytes(p: Pointer): number;
  winogradPackF32(
    p: Pointer,
    u: Pointer,
    w: Pointer,
    outStep: number,
    inStep: number,
    turned: boolean,
    first: number,
    total: number,
    scratch: Pointer,
  ): void;
  winogradF32(
    p: Pointer,
    out: Pointer,
    x: Pointer,
    u: Pointer,
    bias: Pointer,
    first: number,
    total: number,
    scratch: Pointer,
  ): void;
  winogradWeightScratch(p: Pointer): number;
  winogradWeightGradF32(
    p: Pointer,
    sums: Pointer,
    g: Pointer,
    x: Pointer,
    first: number,
    groups: number,
    perGroup: number,
    scratch: Pointer,
  ): void;
  convWeightSums(p: Pointer, itemBytes: number): number;
  convWeightFinishF32: WeightFinish;
}

/** Groups of rows of tiles that weights' gradients are summed apart in, for threads: no more than this, and of so many tiles at least. */
const MOST_GROUPS = 16;
const LEAST_TILES = 64;

let allowed: boolean | undefined;

/** Whether 3×3 convolutions may go by Winograd's algorithm. */
export function winogradAllowed(): boolean {
  if (allowed === undefined) {
    const value = platform.environment("EVENKEEL_WINOGRAD");
    if (value && value !== "on" && value !== "off") {
      throw new EnvironmentError(`EVENKEEL_WINOGRAD is "${value}"`, "set it to on or off, or to nothing");
    }
    allowed = value !== "off";
  }
  return allowed;
}

export function allowWinograd(yes: boolean): void {
  allowed = yes;
}

const tiles = (size: number) => Math.ceil(size / 4);

/*
 * Measured times in ns with the fused build: products at 50 GFLOP/s, transforms of a tile 10.5 for an input channel and 7.5 for an output channel, weights 9 for each
 * pair of channels; plain sums at 40 GFLOP/s. The gradient of the weights takes about as long.
 */

/** ns for a row of tiles of one group. */
export function winogradRowTime(across: number, channels: number, outChannels: number): number {
  const out = Math.ceil(outChannels / 8) * 8;
  return across * (1.44 * channels * out + 10.5 * Math.ceil(channels / 4) * 4 + 7.5 * outChannels);
}

function isFaster(s: Conv2dShape): boolean {
  const [channels, outChannels] = [s.inChannels / s.groups, s.outChannels / s.groups];
  const rows = s.batch * tiles(s.outHeight);
  const time = rows * winogradRowTime(tiles(s.outWidth), channels, outChannels) + 9 * channels * outChannels;
  return time < (s.batch * s.outHeight * s.outWidth * channels * outChannels * 18) / 40;
}

/** Convolutions by Winograd's algorithm, for shapes that suit it: 3×3 kernels of float32, not strided nor dilated, of enough channels. */
export function winogradConvolutions(wasm: WinogradExports, heap: Heap) {
  function run(
    s: Conv2dShape,
    out: Pointer,
    x: Pointer,
    w: Pointer,
    bias: Pointer,
    wSteps: readonly [out: number, input: number],
    turned: boolean,
  ): void {
    const [channels, outChannels] = [s.inChannels / s.groups, s.outChannels / s.groups];
    heap.i32.set(geometryOf(s), ARGUMENTS / 4);
    const weights = heap.alloc(wasm.winogradWeightsBytes(ARGUMENTS));
    const scratch = heap.alloc(wasm.winogradScratch(ARGUMENTS));
    for (let group = 0; group < s.groups; group++) {
      const from = w + 36 * group * channels * outChannels;
      wasm.winogradPackF32(ARGUMENTS, weights, from, ...wSteps, turned, 0, Math.ceil(outChannels / 8), scratch);
      wasm.winogradF32(
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
  }

  return {
    suits(dtype: FloatDType, s: Conv2dShape): boolean {
      const is3x3 = s.kernelHeight === 3 && s.kernelWidth === 3;
      const isPlain = s.strideHeight * s.strideWidth * s.dilationHeight * s.dilationWidth === 1;
      const isPadded = s.paddingHeight <= 2 && s.paddingWidth <= 2;
      if (dtype !== "float32" || !is3x3 || !isPlain || !isPadded) return false;
      return s.inWidth >= 4 && s.outWidth >= 4 && isFaster(s) && winogradAllowed();
    },
    forward(s: Conv2dShape, out: Pointer, x: Pointer, w: Pointer, bias: Pointer): void {
      run(s, out, x, w, bias, [(9 * s.inChannels) / s.groups, 9], false);
    },
    /** A convolution of the output's gradient, with the weights turned round and their channels exchanged. */
    inputGrad(s: Conv2dShape, gx: Pointer, g: Pointer, w: Pointer): void {
      run(exchanged(s), gx, g, w, 0, [9, (9 * s.inChannels) / s.groups], true);
    },
    weightGrad(s: Conv2dShape, gw: Pointer, g: Pointer, x: Pointer): void {
      const [channels, outChannels] = [s.inChannels / s.groups, s.outChannels / s.groups];
      const rows = s.batch * tiles(s.outHeight);
      const wanted = Math.floor((rows * tiles(s.outWidth)) / LEAST_TILES);
      const perGroup = Math.ceil(rows / Math.max(1, Math.min(MOST_GROUPS, wanted)));
      const parts = Math.ceil(rows / perGroup);
      heap.i32.set(geometryOf(s), ARGUMENTS / 4);
      const sums = heap.alloc(parts * wasm.convWeightSums(ARGUMENTS, 4));
      const scratch = heap.alloc(wasm.winogradWeightScratch(ARGUMENTS));
      for (let group = 0; group < s.groups; group++) {
        const right = g + 4 * group * outChannels * s.outHeight * s.outWidth;
        const left = x + 4 * group * channels * s.inHeight * s.inWidth;
        wasm.winogradWeightGradF32(ARGUMENTS, sums, right, left, 0, parts, perGroup, scratch);
        wasm.convWeightFinishF32(ARGUMENTS, gw + 36 * group * channels * outChannels, sums, parts, 0, 9 * channels);
      }
      heap.free(scratch);
      heap.free(sums);
    },
  };
}
