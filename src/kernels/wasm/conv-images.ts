import type { Conv2dShape, Pointer } from "../backend.ts";
import type { FloatDType } from "../dtype.ts";
import type { Heap } from "../heap.ts";
import { argumentBlock, kernelTaps, phases, phaseTaps, TAPS_AT, type Tap } from "./conv-geometry.ts";
import { planned } from "./conv-plans.ts";
import { ARGUMENT_BYTES, ARGUMENTS } from "./module.ts";

/** What assembly/conv-images.ts exports; argument blocks of `phases` phases, each of `bytes` bytes, lie at `p`. */
export interface ConvImagesExports {
  convImagesScratch(p: Pointer, phases: number, bytes: number): number;
  convImagesWeightsBytes(p: Pointer): number;
  convImagesPack(p: Pointer, weights: Pointer, w: Pointer): void;
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

/** One call of the kernel: the argument blocks of all phases, each of so many bytes, and the batch. */
interface Plan {
  readonly blocks: Int32Array;
  readonly phases: number;
  readonly bytes: number;
  readonly batch: number;
}

/** Geometry and taps of a phase. */
type PhaseParts = readonly [geometry: readonly number[], taps: readonly Tap[]];

/** Images that share a vector pair; up to four share it with other positions, one alone is better done along its rows. */
const IMAGES = 8;
const LEAST_IMAGES = 2;
/** Rows of outputs longer than this fill vectors well enough by themselves, those of two images already if they are longer than four. */
const MOST_WIDTH = 7;
const MOST_WIDTH_OF_TWO = 4;
/** Elements of an image, and steps of a sum: eight images of 4096 are 128 KiB, and a sum in one go stays as exact as elsewhere. */
const MOST_ELEMENTS = 4096;
const MOST_STEPS = 1152;
/** Pairs of channels from which on Winograd's algorithm is faster, where it applies: rows of four outputs and more. */
const MOST_PAIRS = 512;
const WINOGRAD_WIDTH = 4;

/** Convolutions of float32 with a stride of 2 across, of small images, with images as vectors. */
export function imageConvolutions(wasm: ConvImagesExports, heap: Heap) {
  function convolve(plan: Plan, out: Pointer, x: Pointer, w: Pointer, bias: Pointer): void {
    const { phases, bytes } = plan;
    heap.i32.set(plan.blocks, ARGUMENTS / 4);
    const scratch = heap.alloc(wasm.convImagesScratch(ARGUMENTS, phases, bytes));
    const weights = heap.alloc(wasm.convImagesWeightsBytes(ARGUMENTS));
    wasm.convImagesPack(ARGUMENTS, weights, w);
    const groups = Math.ceil(plan.batch / IMAGES);
    wasm.convImagesF32(ARGUMENTS, phases, bytes, out, x, weights, bias, 0, groups, scratch);
    heap.free(weights);
    heap.free(scratch);
  }

  const forwardPlan = planned(planForward);
  const inputGradPlan = planned(planInputGrad);

  return {
    /** Both ways: what is small, and fits the argument block with the taps of all phases. */
    suits(dtype: FloatDType, s: Conv2dShape): boolean {
      const size = s.kernelHeight * s.kernelWidth;
      if (dtype !== "float32" || s.strideWidth !== 2 || s.groups !== 1 || size === 1) return false;
      if (s.batch < LEAST_IMAGES || s.outWidth > MOST_WIDTH || s.inWidth > 2 * MOST_WIDTH) return false;
      if (s.batch === 2 && s.outWidth > MOST_WIDTH_OF_TWO) return false;
      if (s.outWidth >= WINOGRAD_WIDTH && s.inChannels * s.outChannels > MOST_PAIRS) return false;
      const elements = Math.max(s.inChannels * s.inHeight * s.inWidth, s.outChannels * s.outHeight * s.outWidth);
      if (elements > MOST_ELEMENTS || Math.max(s.inChannels, s.outChannels) * size > MOST_STEPS) return false;
      return 2 * s.strideHeight * (TAPS_AT + 12 * size) <= ARGUMENT_BYTES;
    },
    forward(s: Conv2dShape, out: Pointer, x: Pointer, w: Pointer, bias: Pointer): void {
      convolve(forwardPlan(s), out, x, w, bias);
    },
    inputGrad(s: Conv2dShape, gx: Pointer, g: Pointer, w: Pointer): void {
      convolve(inputGradPlan(s), gx, g, w, 0);
    },
  };
}

function plan(parts: readonly PhaseParts[]): Plan {
  const [batch] = parts[0][0];
  const bytes = TAPS_AT + 12 * Math.max(...parts.map(([, taps]) => taps.length));
  const blocks = new Int32Array((parts.length * bytes) / 4);
  parts.forEach(([geometry, taps], i) => {
    blocks.set(argumentBlock(geometry, taps), (i * bytes) / 4);
  });
  return { blocks, phases: parts.length, bytes, batch };
}

function planForward(s: Conv2dShape): Plan {
  const [inPlane, outPlane] = [s.inHeight * s.inWidth, s.outHeight * s.outWidth];
  const size = s.kernelHeight * s.kernelWidth;
  const geometry = [
    ...[s.batch, s.inChannels, s.inHeight, s.inWidth, s.inChannels * inPlane],
    ...[s.outChannels, s.outHeight, s.outWidth, s.strideHeight, s.strideWidth, size],
    ...[s.outChannels * outPlane, outPlane, s.outWidth, 1, s.inChannels * size, size, 0, size],
  ];
  return plan([[geometry, kernelTaps(s)]]);
}

/** For each phase of the stride a convolution of g, of which the input's channels are the rows. */
function planInputGrad(s: Conv2dShape): Plan {
  const [inPlane, outPlane] = [s.inHeight * s.inWidth, s.outHeight * s.outWidth];
  const size = s.kernelHeight * s.kernelWidth;
  const all = phases(s.inWidth, s.strideWidth, s.kernelWidth, s.dilationWidth, s.paddingWidth);
  const parts = phases(s.inHeight, s.strideHeight, s.kernelHeight, s.dilationHeight, s.paddingHeight).flatMap((down) =>
    all.map((across): PhaseParts => {
      const taps = phaseTaps(s, down, across);
      const geometry = [
        ...[s.batch, s.outChannels, s.outHeight, s.outWidth, s.outChannels * outPlane],
        ...[s.inChannels, down.count, across.count, 1, 1, taps.length],
        ...[s.inChannels * inPlane, inPlane, s.strideHeight * s.inWidth, s.strideWidth, size, s.inChannels * size],
        ...[down.first * s.inWidth + across.first, size],
      ];
      return [geometry, taps];
    }),
  );
  return plan(parts);
}
