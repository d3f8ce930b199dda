import type { Conv2dShape, Pointer } from "../backend.ts";
import type { FloatDType } from "../dtype.ts";
import type { Heap } from "../heap.ts";
import type { Forward, InputGrad } from "./conv-plans.ts";
import { type Plan, planForward, planInputGrad } from "./conv-rows.ts";
import { ARGUMENTS } from "./module.ts";

/** What assembly/conv-pointwise.ts exports; `p` is an argument block. */
export interface ConvPointwiseExports {
  convPointwiseScratch(p: Pointer): number;
  convPointwiseWeightsBytes(p: Pointer): number;
  convPointwisePack(p: Pointer, weights: Pointer, w: Pointer): void;
  convPointwiseF32(
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

/** Outputs of a plane from which on tiles of eight are filled well, and pairs of channels and copied elements that stay in the caches. */
const LEAST_POSITIONS = 32;
const MOST_PAIRS = 4096;
const MOST_COPIED = 65536;

/** Convolutions of float32 with a kernel of one tap, a stride of 2 across and no padding. */
export function pointwiseConvolutions(wasm: ConvPointwiseExports, heap: Heap) {
  function convolve(plan: Plan, batch: number, out: Pointer, x: Pointer, w: Pointer, bias: Pointer): void {
    heap.i32.set(plan.block, ARGUMENTS / 4);
    const { rows } = plan;
    const scratch = heap.alloc(wasm.convPointwiseScratch(ARGUMENTS));
    const weights = heap.alloc(wasm.convPointwiseWeightsBytes(ARGUMENTS));
    const offsets = bias && heap.alloc(4 * rows + 16);
    wasm.convPointwisePack(ARGUMENTS, weights, w);
    if (bias !== 0) {
      heap.f32.fill(0, offsets / 4, offsets / 4 + rows + 4);
      heap.f32.copyWithin(offsets / 4, bias / 4, bias / 4 + rows);
    }
    wasm.convPointwiseF32(ARGUMENTS, out, x, weights, offsets, 0, batch, scratch);
    if (bias !== 0) heap.free(offsets);
    heap.free(weights);
    heap.free(scratch);
  }

  return {
    /** Both ways. */
    suits(dtype: FloatDType, s: Conv2dShape): boolean {
      if (dtype !== "float32" || s.kernelHeight * s.kernelWidth !== 1 || s.strideWidth !== 2) return false;
      if (s.paddingHeight + s.paddingWidth > 0 || s.inWidth === 1) return false;
      const positions = s.outHeight * s.outWidth;
      const [channels, rows] = [s.inChannels / s.groups, s.outChannels / s.groups];
      if (positions < LEAST_POSITIONS || channels * rows > MOST_PAIRS) return false;
      return Math.max(channels, rows) * positions <= MOST_COPIED;
    },
    forward(s: Conv2dShape): Forward {
      const plan = planForward(s);
      const [channels, rows] = [s.inChannels / s.groups, s.outChannels / s.groups];
      const [inPlane, outPlane] = [4 * s.inHeight * s.inWidth, 4 * s.outHeight * s.outWidth];
      return (out, x, w, bias) => {
        for (let group = 0; group < s.groups; group++) {
          const [to, from] = [out + group * rows * outPlane, x + group * channels * inPlane];
          convolve(plan, s.batch, to, from, w + 4 * group * rows * channels, bias && bias + 4 * group * rows);
        }
      };
    },
    inputGrad(s: Conv2dShape): InputGrad {
      const plan = planInputGrad(s)[0];
      const [channels, rows] = [s.outChannels / s.groups, s.inChannels / s.groups];
      const [inPlane, outPlane] = [4 * s.inHeight * s.inWidth, 4 * s.outHeight * s.outWidth];
      return (gx, g, w) => {
        for (let group = 0; group < s.groups; group++) {
          const [to, from] = [gx + group * rows * inPlane, g + group * channels * outPlane];
          convolve(plan, s.batch, to, from, w + 4 * group * channels * rows, 0);
        }
      };
    },
  };
}
