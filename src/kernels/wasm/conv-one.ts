import type { Conv2dShape, Pointer } from "../backend.ts";
import type { FloatDType } from "../dtype.ts";
import type { Heap } from "../heap.ts";
import { geometryOf } from "./conv-geometry.ts";
import { planned } from "./conv-plans.ts";
import { ARGUMENTS } from "./module.ts";

/** What assembly/conv-one.ts exports; `p` is an argument block. */
export interface ConvOneExports {
  convOneScratch(p: Pointer): number;
  convOneF32(
    p: Pointer,
    out: Pointer,
    x: Pointer,
    w: Pointer,
    bias: Pointer,
    first: number,
    total: number,
    scratch: Pointer,
  ): void;
}

/** Columns of a tile, and pixels whose copy stays in the first cache. */
const LEAST_WIDTH = 8;
const MOST_PIXELS = 4096;

/** 3×3 convolutions of float32 with a stride of 2, of small images of one channel. */
export function oneChannelConvolutions(wasm: ConvOneExports, heap: Heap) {
  const blockOf = planned((s) => Int32Array.from(geometryOf(s)));
  return {
    suits(dtype: FloatDType, s: Conv2dShape): boolean {
      if (dtype !== "float32" || s.inChannels !== 1 || s.kernelHeight !== 3 || s.kernelWidth !== 3) return false;
      if (s.strideHeight !== 2 || s.strideWidth !== 2 || s.dilationHeight * s.dilationWidth !== 1) return false;
      if (s.paddingHeight > 2 || s.paddingWidth > 2 || s.outChannels % 4 !== 0) return false;
      return s.outWidth >= LEAST_WIDTH && s.inHeight * s.inWidth <= MOST_PIXELS;
    },
    forward(s: Conv2dShape, out: Pointer, x: Pointer, w: Pointer, bias: Pointer): void {
      heap.i32.set(blockOf(s), ARGUMENTS / 4);
      const scratch = heap.alloc(wasm.convOneScratch(ARGUMENTS));
      wasm.convOneF32(ARGUMENTS, out, x, w, bias, 0, s.batch, scratch);
      heap.free(scratch);
    },
  };
}
