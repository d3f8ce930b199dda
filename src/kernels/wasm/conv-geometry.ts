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
