/*
 * Sums of a convolution's weight gradient as dot products along the rows of output positions. Nothing is packed, which few input channels would not pay back:
 * three output channels' gradients are read where they lie, and three rows of (channel, tap) in the copy of the image.
 */
import { madd } from "./tile";

export const DOTS: usize = 3;

function addSum(out: usize, v: v128): void {
  const low = f32x4.add(v, v128.shuffle<f32>(v, v, 2, 3, 2, 3));
  store<f32>(out, load<f32>(out) + (f32x4.extract_lane(low, 0) + f32x4.extract_lane(low, 1)));
}

/** Adds three sums to as many neighbours as exist. */
function addSums(out: usize, count: usize, v0: v128, v1: v128, v2: v128): void {
  addSum(out, v0);
  if (count > 1) addSum(out + 4, v1);
  if (count > 2) addSum(out + 8, v2);
}

/**
 * sums (`taps` rows × `channels`, three of both at most) += x·g over rows of `vectors` × 4 positions; a0 to a2 are where x begins for each row of the sums, g0
 * to g2 where g begins for each column. Those that are too many repeat others.
 */
export function dotTile(
  rows: usize,
  vectors: usize,
  a0: usize,
  a1: usize,
  a2: usize,
  rowStep: usize,
  g0: usize,
  g1: usize,
  g2: usize,
  out: usize,
  outRow: usize,
  taps: usize,
  channels: usize,
): void {
  let c00 = f32x4.splat(0);
  let c01 = c00;
  let c02 = c00;
  let c10 = c00;
  let c11 = c00;
  let c12 = c00;
  let c20 = c00;
  let c21 = c00;
  let c22 = c00;
  const rowBytes = vectors * 16;
  for (; rows > 0; rows--) {
    for (let i: usize = 0; i < rowBytes; i += 16) {
      const x0 = v128.load(a0 + i);
      const x1 = v128.load(a1 + i);
      const x2 = v128.load(a2 + i);
      let v = v128.load(g0 + i);
      c00 = madd<f32>(v, x0, c00);
      c10 = madd<f32>(v, x1, c10);
      c20 = madd<f32>(v, x2, c20);
      v = v128.load(g1 + i);
      c01 = madd<f32>(v, x0, c01);
      c11 = madd<f32>(v, x1, c11);
      c21 = madd<f32>(v, x2, c21);
      v = v128.load(g2 + i);
      c02 = madd<f32>(v, x0, c02);
      c12 = madd<f32>(v, x1, c12);
      c22 = madd<f32>(v, x2, c22);
    }
    a0 += rowStep;
    a1 += rowStep;
    a2 += rowStep;
    g0 += rowBytes;
    g1 += rowBytes;
    g2 += rowBytes;
  }
  addSums(out, channels, c00, c01, c02);
  if (taps > 1) addSums(out + outRow, channels, c10, c11, c12);
  if (taps > 2) addSums(out + 2 * outRow, channels, c20, c21, c22);
}
