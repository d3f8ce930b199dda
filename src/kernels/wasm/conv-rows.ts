import type { Conv2dShape, Pointer } from "../backend.ts";
import type { FloatDType } from "../dtype.ts";
import type { Heap } from "../heap.ts";
import { argumentBlock, kernelTaps, MOST_TAPS, phases, phaseTaps, type Tap } from "./conv-geometry.ts";
import { planned } from "./conv-plans.ts";
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
  function convolve({ block, rows, items }: Plan, out: Pointer, x: Pointer, w: Pointer, bias: Pointer): void {
    heap.i32.set(block, ARGUMENTS / 4);
    const scratch = heap.alloc(wasm.convRowsScratch(ARGUMENTS));
    const weights = heap.alloc(wasm.convRowsWeightsBytes(ARGUMENTS) + 64);
    const offsets = bias && heap.alloc(4 * rows + 16);
    wasm.convRowsPack(ARGUMENTS, weights, w);
    if (bias !== 0) {
      heap.f32.fill(0, offsets / 4, offsets / 4 + rows + 4);
      heap.f32.copyWithin(offsets / 4, bias / 4, bias / 4 + rows);
    }
    wasm.convRowsF32(ARGUMENTS, out, x, weights, offsets, 0, items, scratch);
    if (bias !== 0) heap.free(offsets);
    heap.free(weights);
    heap.free(scratch);
  }

  const forwardPlan = planned(planForward);
  const inputGradPlans = planned(planInputGrad);

  return {
    suits(dtype: FloatDType, s: Conv2dShape): boolean {
      if (dtype !== "float32" || s.strideWidth > 2 || s.kernelHeight * s.kernelWidth === 1) return false;
      return s.strideWidth === 2 || s.inChannels / s.groups < FEW_CHANNELS;
    },
    forward(s: Conv2dShape, out: Pointer, x: Pointer, w: Pointer, bias: Pointer): void {
      const plan = forwardPlan(s);
      const [channels, rows] = [s.inChannels / s.groups, s.outChannels / s.groups];
      for (let group = 0; group < s.groups; group++) {
        convolve(
          plan,
          out + 4 * group * rows * s.outHeight * s.outWidth,
          x + 4 * group * channels * s.inHeight * s.inWidth,
          w + 4 * group * rows * channels * s.kernelHeight * s.kernelWidth,
          bias && bias + 4 * group * rows,
        );
      }
    },
    suitsInputGrad(dtype: FloatDType, s: Conv2dShape): boolean {
      return dtype === "float32" && s.strideWidth === 2 && s.inWidth > 1 && s.kernelHeight * s.kernelWidth <= MOST_TAPS;
    },
    inputGrad(s: Conv2dShape, gx: Pointer, g: Pointer, w: Pointer): void {
      const [channels, rows] = [s.outChannels / s.groups, s.inChannels / s.groups];
      for (const plan of inputGradPlans(s)) {
        for (let group = 0; group < s.groups; group++) {
          convolve(
            plan,
            gx + 4 * (group * rows * s.inHeight * s.inWidth + plan.first),
            g + 4 * group * channels * s.outHeight * s.outWidth,
            w + 4 * group * channels * rows * s.kernelHeight * s.kernelWidth,
            0,
          );
        }
      }
    },
  };
}

/** One call of the kernel: its argument block, rows of the result and of the whole batch, and where in a plane the first output is. */
export interface Plan {
  readonly block: Int32Array;
  readonly rows: number;
  readonly items: number;
  readonly first: number;
}

function plan(geometry: readonly number[], taps: readonly Tap[], first: number): Plan {
  const [batch, , , , , rows, gridHeight] = geometry;
  return { block: argumentBlock(geometry, taps), rows, items: batch * gridHeight, first };
}

export function planForward(s: Conv2dShape): Plan {
  const [channels, rows] = [s.inChannels / s.groups, s.outChannels / s.groups];
  const [inPlane, outPlane] = [s.inHeight * s.inWidth, s.outHeight * s.outWidth];
  const size = s.kernelHeight * s.kernelWidth;
  const geometry = [
    ...[s.batch, channels, s.inHeight, s.inWidth, s.inChannels * inPlane],
    ...[rows, s.outHeight, s.outWidth, s.strideHeight, s.strideWidth, size],
    ...[s.outChannels * outPlane, outPlane, s.outWidth, 1, channels * size, size, 0, s.outWidth],
  ];
  return plan(geometry, kernelTaps(s), 0);
}

/** For each phase of the stride down a convolution of g, of which the input's channels are the rows; both phases across at once. */
export function planInputGrad(s: Conv2dShape): Plan[] {
  const [channels, rows] = [s.outChannels / s.groups, s.inChannels / s.groups];
  const [inPlane, outPlane] = [s.inHeight * s.inWidth, s.outHeight * s.outWidth];
  const size = s.kernelHeight * s.kernelWidth;
  const [even, odd] = phases(s.inWidth, 2, s.kernelWidth, s.dilationWidth, s.paddingWidth);
  return phases(s.inHeight, s.strideHeight, s.kernelHeight, s.dilationHeight, s.paddingHeight).map((down) => {
    const [taps, oddTaps] = [even, odd].map((along) => phaseTaps(s, down, along));
    const geometry = [
      ...[s.batch, channels, s.outHeight, s.outWidth, s.outChannels * outPlane],
      ...[rows, down.count, even.count, 1, 1, taps.length],
      ...[s.inChannels * inPlane, inPlane, s.strideHeight * s.inWidth, 2, size, rows * size],
      ...[oddTaps.length, s.inWidth],
    ];
    return plan(geometry, [...taps, ...oddTaps], down.first * s.inWidth);
  });
}
