import type { Conv2dShape, Pointer } from "../backend.ts";
import type { FloatDType } from "../dtype.ts";
import type { Heap } from "../heap.ts";
import { geometryOf } from "./conv-geometry.ts";
import { planned } from "./conv-plans.ts";
import { ARGUMENTS } from "./module.ts";
import type { WeightFinish } from "./winograd.ts";

/** What assembly/conv-weight-small.ts exports; `p` is an argument block. */
export interface ConvWeightSmallExports {
  convWeightSmallScratch(p: Pointer): number;
  convWeightSmallSums(p: Pointer): number;
  convWeightSmallF32(
    p: Pointer,
    sums: Pointer,
    g: Pointer,
    x: Pointer,
    first: number,
    groups: number,
    perGroup: number,
    scratch: Pointer,
  ): void;
  convWeightSmallFinishF32: WeightFinish;
}

/** Rows of outputs longer than this leave little border out, and fill tiles well enough where they lie. */
const MOST_WIDTH = 7;
/** Pairs of channels whose sums, of nine taps, stay in the second cache. */
const MOST_PAIRS = 4096;

/** Gradients of the weights of convolutions with a stride of 2 across, of small images and a multiple of eight channels. */
export function smallWeightGradients(
  wasm: ConvWeightSmallExports,
  heap: Heap,
  groupsOf: (batch: number, positions: number) => [perGroup: number, groups: number],
) {
  const blockOf = planned((s) => Int32Array.from(geometryOf(s)));
  return {
    suits(dtype: FloatDType, s: Conv2dShape): boolean {
      if (dtype !== "float32" || s.strideWidth !== 2 || s.groups !== 1 || s.outWidth > MOST_WIDTH) return false;
      if (s.inChannels % 8 !== 0 || s.outChannels % 4 !== 0 || s.kernelHeight * s.kernelWidth === 1) return false;
      return s.outHeight <= MOST_WIDTH && s.inWidth <= 2 * MOST_WIDTH && s.inChannels * s.outChannels <= MOST_PAIRS;
    },
    weightGrad(s: Conv2dShape, gw: Pointer, g: Pointer, x: Pointer): void {
      heap.i32.set(blockOf(s), ARGUMENTS / 4);
      const [perGroup, groups] = groupsOf(s.batch, s.outHeight * s.outWidth);
      const scratch = heap.alloc(wasm.convWeightSmallScratch(ARGUMENTS));
      const sums = heap.alloc(groups * wasm.convWeightSmallSums(ARGUMENTS));
      wasm.convWeightSmallF32(ARGUMENTS, sums, g, x, 0, groups, perGroup, scratch);
      wasm.convWeightSmallFinishF32(ARGUMENTS, gw, sums, groups, 0, s.outChannels);
      heap.free(sums);
      heap.free(scratch);
    },
  };
}
