import type { Conv2dShape } from "../backend.ts";

/** What assembly/geometry.ts reads, of one group. */
export function geometryOf(s: Conv2dShape): number[] {
  return [
    s.batch,
    s.inChannels / s.groups,
    s.inHeight,
    s.inWidth,
    s.inChannels * s.inHeight * s.inWidth,
    s.outChannels / s.groups,
    s.outHeight,
    s.outWidth,
    s.outChannels * s.outHeight * s.outWidth,
    s.kernelHeight,
    s.kernelWidth,
    s.strideHeight,
    s.strideWidth,
    s.paddingHeight,
    s.paddingWidth,
    s.dilationHeight,
    s.dilationWidth,
  ];
}

/** The convolution of the output's gradient that gives the input's, for a 3×3 kernel of stride 1 whose taps and channels are exchanged. */
export function exchanged(s: Conv2dShape): Conv2dShape {
  return {
    ...s,
    inChannels: s.outChannels,
    inHeight: s.outHeight,
    inWidth: s.outWidth,
    outChannels: s.inChannels,
    outHeight: s.inHeight,
    outWidth: s.inWidth,
    paddingHeight: 2 - s.paddingHeight,
    paddingWidth: 2 - s.paddingWidth,
  };
}
