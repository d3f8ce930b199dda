/*
 * The gradient of the weights of a convolution of small images, in float32: tap by tap a product of the output's gradient, turned so that the channels of a position lie side by side, with the inputs
 * that the tap meets, turned in the same way. A table names the positions whose input lies inside the image, so borders cost nothing: of the pairs of 2 × 2 outputs of 4 × 4 pixels with padding 25 of 36
 * are left. Sums go through images and positions in the same order as those of conv-weight.ts.
 */
import { turn, turnRows } from "./conv-turn";
import {
  BATCH,
  CHANNELS,
  DILATION_HEIGHT,
  DILATION_WIDTH,
  get,
  IN_HEIGHT,
  IN_IMAGE,
  IN_WIDTH,
  KERNEL_HEIGHT,
  KERNEL_WIDTH,
  OUT_CHANNELS,
  OUT_HEIGHT,
  OUT_IMAGE,
  OUT_WIDTH,
  PADDING_HEIGHT,
  PADDING_WIDTH,
  STRIDE_HEIGHT,
  STRIDE_WIDTH,
} from "./geometry";
import { madd, TILE_BYTES } from "./tile";

/** Input channels of a tile. */
const LANES: usize = 8;
/** Output channels of the highest tile. */
const HIGHEST: usize = ASC_FEATURE_RELAXED_SIMD ? 6 : 4;
/** Bytes of eight channels of inputs and of gradients that a tile reads, which should stay in the first cache. */
const CACHED_BYTES: usize = 32768;

function inPixels(p: usize): usize {
  return get(p, IN_HEIGHT) * get(p, IN_WIDTH);
}

function outPixels(p: usize): usize {
  return get(p, OUT_HEIGHT) * get(p, OUT_WIDTH);
}

function kernelSize(p: usize): usize {
  return get(p, KERNEL_HEIGHT) * get(p, KERNEL_WIDTH);
}

/** Images whose tables and turned pixels are made at once. */
function imagesAtOnce(p: usize): usize {
  const bytes = inPixels(p) * TILE_BYTES + outPixels(p) * get(p, OUT_CHANNELS) * 4;
  return min(get(p, BATCH), max<usize>(1, CACHED_BYTES / bytes));
}

/** The table begins with the number of entries of an image for each tap. */
function tableBytes(p: usize): usize {
  return kernelSize(p) * (4 + 8 * imagesAtOnce(p) * outPixels(p));
}

/** Bytes of scratch of a thread: the table, and images turned; channels are multiples of eight, those of outputs of four. */
export function convWeightSmallScratch(p: usize): usize {
  const pixels = inPixels(p) * get(p, CHANNELS) + outPixels(p) * get(p, OUT_CHANNELS);
  return ((tableBytes(p) + 63) & ~63) + imagesAtOnce(p) * pixels * 4;
}

/** Bytes of the sums of one group of images: [output channel, tap, input channel]. */
export function convWeightSmallSums(p: usize): usize {
  return get(p, OUT_CHANNELS) * kernelSize(p) * get(p, CHANNELS) * 4;
}

/** For each tap the places of the input and of the gradient, in bytes, at each position that meets the image. */
function fillTable(p: usize, table: usize): void {
  const size = kernelSize(p);
  const images = imagesAtOnce(p);
  const room = images * outPixels(p) * 8;
  const gStep = get(p, OUT_CHANNELS) * 4;
  let tap: usize = 0;
  for (let kh: usize = 0; kh < get(p, KERNEL_HEIGHT); kh++) {
    for (let kw: usize = 0; kw < get(p, KERNEL_WIDTH); kw++) {
      const begin = table + size * 4 + tap * room;
      let at = begin;
      let g: usize = 0;
      for (let n: usize = 0; n < images; n++) {
        const image = n * inPixels(p);
        let h = <i32>(kh * get(p, DILATION_HEIGHT)) - load<i32>(p + PADDING_HEIGHT);
        for (let i: usize = 0; i < get(p, OUT_HEIGHT); i++) {
          let w = <i32>(kw * get(p, DILATION_WIDTH)) - load<i32>(p + PADDING_WIDTH);
          for (let j: usize = 0; j < get(p, OUT_WIDTH); j++) {
            if (<u32>h < <u32>get(p, IN_HEIGHT) && <u32>w < <u32>get(p, IN_WIDTH)) {
              store<usize>(at, (image + <usize>h * get(p, IN_WIDTH) + <usize>w) * TILE_BYTES);
              store<usize>(at, g, 4);
              at += 8;
            }
            w += load<i32>(p + STRIDE_WIDTH);
            g += gStep;
          }
          h += load<i32>(p + STRIDE_HEIGHT);
        }
      }
      store<usize>(table + tap * 4, (at - begin) / 8 / images);
      tap++;
    }
  }
}

/* The rows of a tile as types, which are known when it is compiled. */
type Four = u8;
type Five = u16;
type Six = u32;

/** sums (rows × 8) += g·x over k >= 1 entries of the table; see tile.ts for the branches that are never taken. */
function sumTile<Rows>(k: usize, table: usize, x: usize, g: usize, out: usize, row: usize): void {
  const five = sizeof<Rows>() > sizeof<Four>();
  const six = sizeof<Rows>() > sizeof<Five>();
  const zero = i64x2.splat(0);
  const out2 = out + 2 * row;
  const out4 = out + 4 * row;
  let c00 = v128.load(out);
  let c01 = v128.load(out, 16);
  let c10 = v128.load(out + row);
  let c11 = v128.load(out + row, 16);
  let c20 = v128.load(out2);
  let c21 = v128.load(out2, 16);
  let c30 = v128.load(out2 + row);
  let c31 = v128.load(out2 + row, 16);
  let c40 = five ? v128.load(out4) : zero;
  let c41 = five ? v128.load(out4, 16) : zero;
  let c50 = six ? v128.load(out4 + row) : zero;
  let c51 = six ? v128.load(out4 + row, 16) : zero;
  const end = table + k * 8;
  while (true) {
    const from = x + load<usize>(table);
    const a = g + load<usize>(table, 4);
    const b0 = v128.load(from);
    const b1 = v128.load(from, 16);
    let v = v128.load_splat<f32>(a);
    c00 = madd<f32>(v, b0, c00);
    c01 = madd<f32>(v, b1, c01);
    if (six && x === 0) break; // never
    v = v128.load_splat<f32>(a, 4);
    c10 = madd<f32>(v, b0, c10);
    c11 = madd<f32>(v, b1, c11);
    if (five && !six && g === 0) break; // never
    v = v128.load_splat<f32>(a, 8);
    c20 = madd<f32>(v, b0, c20);
    c21 = madd<f32>(v, b1, c21);
    if (six && g === 0) break; // never
    v = v128.load_splat<f32>(a, 12);
    c30 = madd<f32>(v, b0, c30);
    c31 = madd<f32>(v, b1, c31);
    if (five) {
      v = v128.load_splat<f32>(a, 16);
      c40 = madd<f32>(v, b0, c40);
      c41 = madd<f32>(v, b1, c41);
    }
    if (six) {
      v = v128.load_splat<f32>(a, 20);
      c50 = madd<f32>(v, b0, c50);
      c51 = madd<f32>(v, b1, c51);
    }
    table += 8;
    if (table === end) break;
  }
  v128.store(out, c00);
  v128.store(out, c01, 16);
  v128.store(out + row, c10);
  v128.store(out + row, c11, 16);
  v128.store(out2, c20);
  v128.store(out2, c21, 16);
  v128.store(out2 + row, c30);
  v128.store(out2 + row, c31, 16);
  if (five) {
    v128.store(out4, c40);
    v128.store(out4, c41, 16);
  }
  if (six) {
    v128.store(out4 + row, c50);
    v128.store(out4 + row, c51, 16);
  }
}

/** Sums over images number `from` up to `to`; `table` is filled. */
function sumImages(p: usize, sums: usize, g: usize, x: usize, from: usize, to: usize, table: usize): void {
  const size = kernelSize(p);
  const channels = get(p, CHANNELS);
  const outChannels = get(p, OUT_CHANNELS);
  const pixels = inPixels(p);
  const positions = outPixels(p);
  const atOnce = imagesAtOnce(p);
  const gRow = outChannels * 4;
  const sumsRow = size * channels * 4;
  const turnedG = table + ((tableBytes(p) + 63) & ~63);
  const turnedX = turnedG + atOnce * positions * gRow;
  const sliver = atOnce * pixels * TILE_BYTES;
  memory.fill(sums, 0, convWeightSmallSums(p));
  for (let n = from; n < to; n += atOnce) {
    const images = min(atOnce, to - n);
    for (let i: usize = 0; i < images; i++) {
      let image = g + (n + i) * get(p, OUT_IMAGE) * 4;
      for (let o: usize = 0; o < outChannels; o += 4) {
        turnRows(turnedG + i * positions * gRow + o * 4, gRow, image, positions * 4, positions);
        image += positions * 16;
      }
      image = x + (n + i) * get(p, IN_IMAGE) * 4;
      for (let c: usize = 0; c < channels; c += LANES) {
        const place = turnedX + (c / LANES) * sliver + i * pixels * TILE_BYTES;
        turnRows(place, TILE_BYTES, image, pixels * 4, pixels);
        turnRows(place + 16, TILE_BYTES, image + pixels * 16, pixels * 4, pixels);
        image += pixels * 32;
      }
    }
    for (let c: usize = 0; c < channels; c += LANES) {
      const b = turnedX + (c / LANES) * sliver;
      for (let t: usize = 0; t < size; t++) {
        const k = images * get(table, t * 4);
        if (k === 0) continue;
        const entries = table + size * 4 + t * atOnce * positions * 8;
        let tiles = (outChannels + HIGHEST - 1) / HIGHEST;
        let high: usize = 0;
        for (let o: usize = 0; o < outChannels; o += high) {
          high = (outChannels - o + tiles - 1) / tiles--;
          const place = sums + o * sumsRow + (t * channels + c) * 4;
          const a = turnedG + o * 4;
          if (ASC_FEATURE_RELAXED_SIMD && high === 6) sumTile<Six>(k, entries, b, a, place, sumsRow);
          else if (ASC_FEATURE_RELAXED_SIMD && high === 5) sumTile<Five>(k, entries, b, a, place, sumsRow);
          else sumTile<Four>(k, entries, b, a, place, sumsRow);
        }
      }
    }
  }
}

/** Groups of `perGroup` images from number `first` on have sums of their own, one behind the other. */
export function convWeightSmallF32(
  p: usize,
  sums: usize,
  g: usize,
  x: usize,
  first: usize,
  groups: usize,
  perGroup: usize,
  scratch: usize,
): void {
  const bytes = convWeightSmallSums(p);
  fillTable(p, scratch);
  for (let i = first; i < first + groups; i++) {
    sumImages(p, sums + i * bytes, g, x, i * perGroup, min((i + 1) * perGroup, get(p, BATCH)), scratch);
  }
}

/** Adds the groups' sums, in their order, and writes the gradient of `total` output channels from number `first` on, which is [output channel, input channel, tap]. */
export function convWeightSmallFinishF32(
  p: usize,
  gw: usize,
  sums: usize,
  groups: usize,
  first: usize,
  total: usize,
): void {
  const bytes = convWeightSmallSums(p);
  const size = kernelSize(p);
  const channels = get(p, CHANNELS);
  const row = channels * 4;
  const begin = sums + first * size * row;
  const end = begin + total * size * row;
  for (let i: usize = 1; i < groups; i++) {
    for (let at = begin; at < end; at += 16) v128.store(at, f32x4.add(v128.load(at), v128.load(at + i * bytes)));
  }
  gw += first * size * row;
  const whole = size & ~3;
  for (let from = begin; from < end; from += size * row) {
    for (let c: usize = 0; c < row; c += 16) {
      for (let t: usize = 0; t < whole; t += 4) turn(gw + t * 4, size * 4, from + t * row + c, row);
      for (let t = whole; t < size; t++) {
        const v = v128.load(from + t * row + c);
        v128.store_lane<f32>(gw + t * 4, v, 0);
        v128.store_lane<f32>(gw + (t + size) * 4, v, 1);
        v128.store_lane<f32>(gw + (t + 2 * size) * 4, v, 2);
        v128.store_lane<f32>(gw + (t + 3 * size) * 4, v, 3);
      }
      gw += size * 16;
    }
  }
}
