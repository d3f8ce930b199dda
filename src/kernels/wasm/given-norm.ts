import type { Pointer } from "../arguments.ts";
import type { GivenNormKernels } from "../given-norm.ts";

type GivenGradByChannel = (
  gx: Pointer,
  g: Pointer,
  x: Pointer,
  first: number,
  rows: number,
  channels: number,
  inner: number,
  mean: Pointer,
  invstd: Pointer,
  weight: Pointer,
  gMean: Pointer,
  k: Pointer,
) => void;

/** What assembly/norm-given.ts exports. */
export interface GivenNormExports {
  givenGradByChannelF32: GivenGradByChannel;
  givenGradByChannelF64: GivenGradByChannel;
}

/** Backward by sums that are given. */
export function givenNormKernels(wasm: GivenNormExports): GivenNormKernels {
  return {
    givenGradByChannel(dtype, gx, g, x, outer, channels, inner, mean, invstd, weight, gMean, k) {
      const kernel = dtype === "float32" ? wasm.givenGradByChannelF32 : wasm.givenGradByChannelF64;
      const rows = inner === 1 ? outer : outer * channels;
      kernel(gx, g, x, 0, rows, channels, inner, mean, invstd, weight, gMean, k);
    },
  };
}
