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

/** Behind the geometry: what splits-linear.ts is told of a kernel, so that nobody computes it again. Work of an item, items that are done together, and a thread's bytes of scratch. */
export const WORK_AT = 88;
export const TOGETHER_AT = 92;
export const SCRATCH_AT = 96;

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

/** Argument block: the geometry, and from here on three int32 of every tap. */
export const TAPS_AT = 128;
export const MOST_TAPS = Math.floor((32768 - TAPS_AT) / 12);

/** One tap of a kernel: which row and column it reads, relative to stride × output position, and its place in w. */
export type Tap = readonly [row: number, column: number, place: number];

/** Output positions of one phase of a stride, and the kernel rows that meet them with the row of the gradient that each reads. */
export interface Phase {
  readonly first: number;
  readonly count: number;
  readonly taps: readonly (readonly [kernelAt: number, offset: number])[];
}

/** The phases of one axis: input positions first, first + stride, … meet the same rows of the kernel. */
export function phases(size: number, stride: number, kernel: number, dilation: number, padding: number): Phase[] {
  return Array.from({ length: Math.min(stride, size) }, (_, first) => {
    const taps: [number, number][] = [];
    for (let k = 0; k < kernel; k++) {
      const distance = first + padding - k * dilation;
      if (distance % stride === 0) taps.push([k, distance / stride]);
    }
    return { first, count: Math.ceil((size - first) / stride), taps };
  });
}

/** All taps of a kernel. */
export function kernelTaps(s: Conv2dShape): Tap[] {
  return Array.from({ length: s.kernelHeight * s.kernelWidth }, (_, place): Tap => {
    const [h, v] = [Math.floor(place / s.kernelWidth), place % s.kernelWidth];
    return [h * s.dilationHeight - s.paddingHeight, v * s.dilationWidth - s.paddingWidth, place];
  });
}

/** Those that the positions of a phase down and of one across meet. */
export function phaseTaps(s: Conv2dShape, down: Phase, across: Phase): Tap[] {
  return down.taps.flatMap(([h, row]) => across.taps.map(([v, column]): Tap => [row, column, h * s.kernelWidth + v]));
}

/** Geometry and taps as they lie in an argument block. */
export function argumentBlock(geometry: readonly number[], taps: readonly Tap[]): Int32Array {
  const block = new Int32Array(TAPS_AT / 4 + 3 * taps.length);
  block.set(geometry);
  block.set(taps.flat(), TAPS_AT / 4);
  return block;
}
