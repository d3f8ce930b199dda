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

/** What goes over all positions; the rest, over channels alone, is left to the reference. */
export function givenNormKernels(wasm: GivenNormExports): Pick<GivenNormKernels, "givenGradByChannel"> {
  return {
    givenGradByChannel(dtype, gx, g, x, outer, channels, inner, mean, invstd, weight, gMean, k) {
      const kernel = dtype === "float32" ? wasm.givenGradByChannelF32 : wasm.givenGradByChannelF64;
      const rows = inner === 1 ? outer : outer * channels;
      kernel(gx, g, x, 0, rows, channels, inner, mean, invstd, weight, gMean, k);
    },
  };
}
