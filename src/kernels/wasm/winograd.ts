import { platform } from "#platform";
import { EnvironmentError } from "../../util/errors.ts";
import type { Conv2dShape, Pointer } from "../backend.ts";
import type { FloatDType } from "../dtype.ts";
import type { Heap } from "../heap.ts";
import { exchanged, geometryOf, SCRATCH_AT, TOGETHER_AT, WORK_AT } from "./conv-geometry.ts";
import type { Forward, InputGrad, WeightGrad } from "./conv-plans.ts";
import { FEW_CHANNELS } from "./conv-rows.ts";
import { ARGUMENTS } from "./module.ts";
import { threadCount } from "./threads.ts";

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
    total: number,
    perGroup: number,
    perSlice: number,
    scratch: Pointer,
  ): void;
  convWeightSums(p: Pointer, itemBytes: number): number;
  convWeightFinishF32: WeightFinish;
}

/** Groups of rows of tiles that weights' gradients are summed apart in, for threads: no more than this, and of so many tiles at least. */
const MOST_GROUPS = 16;
const LEAST_TILES = 128;
/** ns that a part of such a group takes at least. */
const LEAST_TIME = 20000;

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

type Pass = "forward" | "inputGrad" | "weightGrad";

const fours = (channels: number) => Math.ceil(channels / 4) * 4;
const eights = (channels: number) => Math.ceil(channels / 8) * 8;

/*
 * Times in ns with the fused build, fitted to both ways of 134 shapes of 1 to 512 channels, 4×4 to 56×56 and batches of 1 to 64: what they choose takes 1 % longer than the faster way, in the
 * geometric mean.
 */

/** ns for a row of tiles of one group: products at 55 GFLOP/s, transforms 10 for each channel. */
export function winogradRowTime(across: number, channels: number, outChannels: number): number {
  const [input, output] = [fours(channels), eights(outChannels)];
  return across * (1.3 * input * output + 10 * input + 10 * output);
}

/** ns for the weights of a pair of channels; and where all of them transformed exceed the caches. */
const WEIGHTS: Readonly<Record<Pass, readonly [number, number]>> = {
  forward: [40, 100],
  inputGrad: [60, 100],
  weightGrad: [80, Number.POSITIVE_INFINITY],
};
/** So many pairs of channels are 18 MiB of transformed weights. */
const LARGE = 2 ** 17;

/** ns for a position by plain sums. */
const PLAIN: Readonly<Record<Pass, (channels: number, outChannels: number) => number>> = {
  forward: (channels, out) =>
    channels < FEW_CHANNELS ? 0.44 * channels * fours(out) : channels * (0.36 * fours(out) + 2.3),
  inputGrad: (channels, out) => channels * (0.36 * fours(out) + 2.3) + 14,
  weightGrad: (channels, out) => 0.46 * channels * (channels > 1 ? eights(out) : out),
};

function isFaster(s: Conv2dShape, pass: Pass): boolean {
  const [channels, outChannels] = [s.inChannels / s.groups, s.outChannels / s.groups];
  const pairs = channels * outChannels;
  const rows = s.batch * tiles(s.outHeight);
  const weights = pairs * WEIGHTS[pass][pairs < LARGE ? 0 : 1];
  const time = rows * winogradRowTime(tiles(s.outWidth), channels, outChannels) + weights;
  return time < s.batch * s.outHeight * s.outWidth * PLAIN[pass](channels, outChannels);
}

/** The time of a row of tiles, as winogradRowTime. */
type RowTime = (across: number, channels: number, outChannels: number) => number;

/**
 * Output channels that one part sums: all, or where threads would have no group, or some more groups than others, as few as make all of them end first. Inputs are transformed again for each slice of them, so
 * that with no more threads than groups nothing is done twice.
 */
function channelsPerSlice(groups: number, threads: number, outChannels: number, time: (channels: number) => number) {
  let [best, least] = [outChannels, Number.POSITIVE_INFINITY];
  for (let slices = 1; slices <= threads; slices++) {
    const each = slices === 1 ? outChannels : eights(outChannels / slices);
    const parts = groups * Math.ceil(outChannels / each);
    const whole = Math.ceil(parts / threads) * time(each);
    if (slices > 1 && time(each) < LEAST_TIME) break;
    if (whole < least) [best, least] = [each, whole];
    if (parts % threads === 0) break;
  }
  return best;
}

/** Threads share a block of heap, of which each has so many bytes. */
const aligned = (bytes: number) => (bytes + 63) & ~63;

function writeBlock(heap: Heap, block: readonly number[]): void {
  const { i32 } = heap;
  for (let i = 0; i < block.length; i++) i32[ARGUMENTS / 4 + i] = block[i];
}

/** A geometry with what splits-linear.ts is told. */
function blockOf(s: Conv2dShape, work: number, together: number, scratch: number): number[] {
  const block = geometryOf(s);
  while (block.length <= SCRATCH_AT / 4) block.push(0);
  block[WORK_AT / 4] = Math.ceil(work);
  block[TOGETHER_AT / 4] = together;
  block[SCRATCH_AT / 4] = scratch;
  return block;
}

/** The gradient of the weights by a kernel that sums rows of tiles in groups, which are added up behind it: a function of its own for each shape. */
export function weightGradByTiles(
  wasm: Pick<WinogradExports, "convWeightSums" | "convWeightFinishF32">,
  heap: Heap,
  rowTime: RowTime,
  scratchBytes: (p: Pointer) => number,
  sumParts: WinogradExports["winogradWeightGradF32"],
) {
  return (s: Conv2dShape): WeightGrad => {
    const [channels, outChannels] = [s.inChannels / s.groups, s.outChannels / s.groups];
    const [rows, across] = [s.batch * tiles(s.outHeight), tiles(s.outWidth)];
    const wanted = Math.floor((rows * across) / LEAST_TILES);
    const perGroup = Math.ceil(rows / Math.max(1, Math.min(MOST_GROUPS, wanted)));
    const groups = Math.ceil(rows / perGroup);
    const time = (each: number) => perGroup * rowTime(across, channels, each);
    writeBlock(heap, geometryOf(s));
    const scratch = aligned(scratchBytes(ARGUMENTS));
    const sumsBytes = aligned(groups * wasm.convWeightSums(ARGUMENTS, 4));
    const plan = (threads: number) => {
      const perSlice = channelsPerSlice(groups, threads, outChannels, time);
      const parts = groups * Math.ceil(outChannels / perSlice);
      return { threads, perSlice, parts, block: blockOf(s, time(perSlice) / 0.3, 1, scratch) };
    };
    let cut = plan(threadCount());
    return (gw, g, x) => {
      if (cut.threads !== threadCount()) cut = plan(threadCount());
      const { threads, perSlice, parts, block } = cut;
      writeBlock(heap, block);
      const sums = heap.alloc(sumsBytes + threads * scratch);
      for (let group = 0; group < s.groups; group++) {
        const right = g + 4 * group * outChannels * s.outHeight * s.outWidth;
        const left = x + 4 * group * channels * s.inHeight * s.inWidth;
        sumParts(ARGUMENTS, sums, right, left, 0, parts, perGroup, perSlice, sums + sumsBytes);
        wasm.convWeightFinishF32(ARGUMENTS, gw + 36 * group * channels * outChannels, sums, groups, 0, 9 * channels);
      }
      heap.free(sums);
    };
  };
}

/** Convolutions by Winograd's algorithm, for shapes that suit it: 3×3 kernels of float32, not strided nor dilated, of enough channels. */
export function winogradConvolutions(wasm: WinogradExports, heap: Heap) {
  function prepared(s: Conv2dShape, outStep: number, inStep: number, turned: boolean): Forward {
    const [channels, outChannels] = [s.inChannels / s.groups, s.outChannels / s.groups];
    writeBlock(heap, geometryOf(s));
    const weightsBytes = aligned(wasm.winogradWeightsBytes(ARGUMENTS));
    const scratchBytes = aligned(wasm.winogradScratch(ARGUMENTS));
    const work = winogradRowTime(tiles(s.outWidth), channels, outChannels) / 0.3;
    const block = blockOf(s, work, wasm.winogradRows(ARGUMENTS), scratchBytes);
    const [slivers, rows] = [Math.ceil(outChannels / 8), s.batch * tiles(s.outHeight)];
    return (out, x, w, bias) => {
      writeBlock(heap, block);
      const weights = heap.alloc(weightsBytes + threadCount() * scratchBytes);
      const scratch = weights + weightsBytes;
      for (let group = 0; group < s.groups; group++) {
        const from = w + 36 * group * channels * outChannels;
        wasm.winogradPackF32(ARGUMENTS, weights, from, outStep, inStep, turned, 0, slivers, scratch);
        const to = out + 4 * group * outChannels * s.outHeight * s.outWidth;
        const image = x + 4 * group * channels * s.inHeight * s.inWidth;
        const offsets = bias && bias + 4 * group * outChannels;
        wasm.winogradF32(ARGUMENTS, to, image, weights, offsets, 0, rows, scratch);
      }
      heap.free(weights);
    };
  }

  return {
    suits(dtype: FloatDType, s: Conv2dShape, pass: Pass): boolean {
      const is3x3 = s.kernelHeight === 3 && s.kernelWidth === 3;
      const isPlain = s.strideHeight * s.strideWidth * s.dilationHeight * s.dilationWidth === 1;
      const isPadded = s.paddingHeight <= 2 && s.paddingWidth <= 2;
      if (dtype !== "float32" || !is3x3 || !isPlain || !isPadded) return false;
      const computed = pass === "inputGrad" ? exchanged(s) : s;
      return s.inWidth >= 4 && s.outWidth >= 4 && isFaster(computed, pass) && winogradAllowed();
    },
    forward: (s: Conv2dShape): Forward => prepared(s, (9 * s.inChannels) / s.groups, 9, false),
    /** A convolution of the output's gradient, with the weights turned round and their channels exchanged. */
    inputGrad(s: Conv2dShape): InputGrad {
      const convolve = prepared(exchanged(s), 9, (9 * s.inChannels) / s.groups, true);
      return (gx, g, w) => convolve(gx, g, w, 0);
    },
    weightGrad: weightGradByTiles(wasm, heap, winogradRowTime, wasm.winogradWeightScratch, wasm.winogradWeightGradF32),
  };
}
