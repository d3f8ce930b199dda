/*
 * The gradient of a convolution's weights: Σ over images and output positions of g·x. It is computed transposed, [channel and tap] × [output channel]: the
 * output's gradient is packed into slivers, output channels side by side, and four rows of (channel, tap) are read where they lie in a copy of the image that has
 * its border of zeros around it. Nothing larger than a band of an image is copied at a time.
 */
import { DOTS, dotTile } from "./conv-dots";
import { gradTile } from "./conv-weight-tile";
import {
  BATCH,
  CHANNELS,
  COPY_HEIGHT,
  COPY_WIDTH,
  copyBand,
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
  padded,
  STRIDE_HEIGHT,
  STRIDE_WIDTH,
  set,
  span,
  takePixels,
} from "./geometry";
import { pack } from "./pack";
import { TALL_ROWS, TILE_BYTES, TILE_ROWS, tallRows } from "./tile";

/** Bytes of packed gradients, and of copied images, that are aimed at: together they fit the second cache. */
const PANEL_BYTES: usize = 786432;
const COPY_BYTES: usize = 393216;
/** Positions that a tile should sum over before it goes back to memory: small images are taken several at a time. */
const POSITIONS: usize = 256;

/** How the work is cut, written by convWeightScratch: images, output rows and channels at a time. */
const IMAGES_AT_ONCE: usize = 68;
const ROWS_AT_ONCE: usize = 72;
const CHANNELS_AT_ONCE: usize = 76;

/** Whether the kernel is one tap that is always inside: then only what it meets is copied. */
function takesPixels(p: usize): bool {
  return get(p, KERNEL_HEIGHT) * get(p, KERNEL_WIDTH) === 1 && get(p, PADDING_HEIGHT) + get(p, PADDING_WIDTH) === 0;
}

/** Decides how the work is cut, and returns the bytes of scratch that it needs besides the sums. */
export function convWeightScratch(p: usize, size: usize): usize {
  const outChannels = padded(get(p, OUT_CHANNELS), TILE_BYTES / size);
  const outWidth = get(p, OUT_WIDTH);
  const outHeight = get(p, OUT_HEIGHT);
  const rows = min<usize>(outHeight, max<usize>(1, PANEL_BYTES / (outWidth * outChannels * size)));
  const perImage = rows * outWidth;
  const fitting = max<usize>(1, PANEL_BYTES / (perImage * outChannels * size));
  const wanted = min<usize>(fitting, (POSITIONS + perImage - 1) / perImage);
  const images: usize = rows < outHeight ? 1 : min<usize>(get(p, BATCH), wanted);
  const taken = takesPixels(p);
  const height = taken ? rows : span(rows, get(p, STRIDE_HEIGHT), get(p, KERNEL_HEIGHT), get(p, DILATION_HEIGHT));
  const width = taken ? outWidth : span(outWidth, get(p, STRIDE_WIDTH), get(p, KERNEL_WIDTH), get(p, DILATION_WIDTH));
  // A multiple of four, so that the rows that a tile has too many of never belong to other channels.
  const channels = min<usize>(get(p, CHANNELS), max<usize>(4, (COPY_BYTES / (images * height * width * size)) & ~3));
  set(p, IMAGES_AT_ONCE, images);
  set(p, ROWS_AT_ONCE, rows);
  set(p, CHANNELS_AT_ONCE, channels);
  set(p, COPY_HEIGHT, height);
  set(p, COPY_WIDTH, width);
  const panel = images * perImage * outChannels * size;
  const copy = images * channels * height * width * size;
  return padded(panel, 16) + padded(copy, 16);
}

/** Bytes of the transposed gradient, its sizes rounded up to whole tiles. */
export function convWeightSums(p: usize, size: usize): usize {
  const rows = padded(get(p, CHANNELS) * get(p, KERNEL_HEIGHT) * get(p, KERNEL_WIDTH), TILE_ROWS);
  return rows * padded(get(p, OUT_CHANNELS), TILE_BYTES / size) * size;
}

/** Where row `k` of (channel, tap) begins in the copy, in bytes. */
function rowStart<T>(p: usize, k: usize): usize {
  const kernelWidth = get(p, KERNEL_WIDTH);
  const kernelSize = get(p, KERNEL_HEIGHT) * kernelWidth;
  const c = k / kernelSize;
  const t = k - c * kernelSize;
  const h = t / kernelWidth;
  const w = t - h * kernelWidth;
  const row = c * get(p, COPY_HEIGHT) + h * get(p, DILATION_HEIGHT);
  return (row * get(p, COPY_WIDTH) + w * get(p, DILATION_WIDTH)) * sizeof<T>();
}

/** Packs the gradients of `rows` output rows from `top` on, of some images, into slivers: all images of a sliver lie together. */
function packGradients<T>(out: usize, p: usize, g: usize, images: usize, top: usize, rows: usize): void {
  const size: usize = sizeof<T>();
  const width: usize = TILE_BYTES / size;
  const outChannels = get(p, OUT_CHANNELS);
  const plane = get(p, OUT_HEIGHT) * get(p, OUT_WIDTH);
  const positions = rows * get(p, OUT_WIDTH);
  for (let o: usize = 0; o < outChannels; o += width) {
    for (let n: usize = 0; n < images; n++) {
      const from = g + (n * get(p, OUT_IMAGE) + o * plane + top * get(p, OUT_WIDTH)) * size;
      pack<T>(out, from, plane * size, size, min(width, outChannels - o), positions, width);
      out += positions * TILE_BYTES;
    }
  }
}

/** Dot products pay for up to so many rows of (channel, tap), for which packing is not paid back: 1.36 ms become 1.02 for 9, nothing is gained for 18 and more. */
const DOT_ROWS: usize = 9;

/** Whether the sums are dot products along rows of positions, read as they lie. */
function useDots<T>(p: usize): bool {
  if (sizeof<T>() !== 4 || get(p, STRIDE_WIDTH) !== 1 || get(p, OUT_WIDTH) % 4) return false;
  return get(p, CHANNELS) * get(p, KERNEL_HEIGHT) * get(p, KERNEL_WIDTH) <= DOT_ROWS;
}

/** One image's sums of `last` rows of (channel, tap) as dot products: g is its gradient at the copy's first row of positions. */
function dotImage(
  p: usize,
  sums: usize,
  sumsRow: usize,
  g: usize,
  copy: usize,
  rowStep: usize,
  last: usize,
  rows: usize,
): void {
  const outChannels = get(p, OUT_CHANNELS);
  const plane = get(p, OUT_HEIGHT) * get(p, OUT_WIDTH) * 4;
  for (let o: usize = 0; o < outChannels; o += DOTS) {
    const count = min(DOTS, outChannels - o);
    const g0 = g + o * plane;
    const g1 = g0 + min<usize>(1, count - 1) * plane;
    const g2 = g0 + (count - 1) * plane;
    for (let k: usize = 0; k < last; k += DOTS) {
      const a0 = copy + rowStart<f32>(p, k);
      const a1 = copy + rowStart<f32>(p, min(k + 1, last - 1));
      const a2 = copy + rowStart<f32>(p, min(k + 2, last - 1));
      const place = sums + k * sumsRow + o * 4;
      const vectors = get(p, OUT_WIDTH) / 4;
      dotTile(rows, vectors, a0, a1, a2, rowStep, g0, g1, g2, place, sumsRow, min(DOTS, last - k), count);
    }
  }
}

/** Sums over images number `from` up to `to`. */
function sumImages<T>(p: usize, sums: usize, g: usize, x: usize, from: usize, to: usize, scratch: usize): void {
  const size: usize = sizeof<T>();
  const width: usize = TILE_BYTES / size;
  const channels = get(p, CHANNELS);
  const outHeight = get(p, OUT_HEIGHT);
  const outWidth = get(p, OUT_WIDTH);
  const taps = get(p, KERNEL_HEIGHT) * get(p, KERNEL_WIDTH);
  const outChannels = get(p, OUT_CHANNELS);
  const sumsRow = padded(outChannels, width) * size;
  const imagesAtOnce = get(p, IMAGES_AT_ONCE);
  const rowsAtOnce = get(p, ROWS_AT_ONCE);
  const channelsAtOnce = get(p, CHANNELS_AT_ONCE);
  const inPlane = get(p, IN_HEIGHT) * get(p, IN_WIDTH) * size;
  const copyRow = get(p, COPY_WIDTH) * size;
  const copyPlane = get(p, COPY_HEIGHT) * copyRow;
  const panel = scratch;
  const copy = panel + padded(imagesAtOnce * rowsAtOnce * outWidth * sumsRow, 16);
  const taken = takesPixels(p);
  const rowStep = taken ? copyRow : get(p, STRIDE_HEIGHT) * copyRow;
  const step = taken ? size : get(p, STRIDE_WIDTH) * size;
  const takenRow = get(p, STRIDE_HEIGHT) * get(p, IN_WIDTH) * size;
  const dots = useDots<T>(p);
  memory.fill(sums, 0, convWeightSums(p, size));
  for (let n = from; n < to; n += imagesAtOnce) {
    const images = min(imagesAtOnce, to - n);
    for (let top: usize = 0; top < outHeight; top += rowsAtOnce) {
      const rows = min(rowsAtOnce, outHeight - top);
      const sliver = images * rows * outWidth * TILE_BYTES;
      if (!dots) packGradients<T>(panel, p, g + n * get(p, OUT_IMAGE) * size, images, top, rows);
      const firstRow = <i32>(top * get(p, STRIDE_HEIGHT)) - load<i32>(p + PADDING_HEIGHT);
      for (let c0: usize = 0; c0 < channels; c0 += channelsAtOnce) {
        const cb = min(channelsAtOnce, channels - c0);
        for (let i: usize = 0; i < images; i++) {
          const image = x + (n + i) * get(p, IN_IMAGE) * size + c0 * inPlane;
          for (let c: usize = 0; c < cb; c++) {
            const to = copy + (i * cb + c) * copyPlane;
            const from = image + c * inPlane;
            if (taken) takePixels<T>(to, from + top * takenRow, rows, takenRow, outWidth, get(p, STRIDE_WIDTH));
            else copyBand<T>(to, p, from, firstRow);
          }
        }
        const last = cb * taps;
        if (dots) {
          for (let i: usize = 0; i < images; i++) {
            const image = g + ((n + i) * get(p, OUT_IMAGE) + top * outWidth) * size;
            dotImage(p, sums + c0 * taps * sumsRow, sumsRow, image, copy + i * cb * copyPlane, rowStep, last, rows);
          }
          continue;
        }
        const tall = tallRows(last);
        let high: usize = 0;
        for (let k: usize = 0; k < last; k += high) {
          high = k < tall ? TALL_ROWS : TILE_ROWS;
          // Rows behind the last of all channels repeat it, and nobody reads what they sum.
          const a0 = copy + rowStart<T>(p, k);
          const a1 = copy + rowStart<T>(p, min(k + 1, last - 1));
          const a2 = copy + rowStart<T>(p, min(k + 2, last - 1));
          const a3 = copy + rowStart<T>(p, min(k + 3, last - 1));
          const a4 = copy + rowStart<T>(p, min(k + 4, last - 1));
          const imageStep = cb * copyPlane;
          let place = sums + (c0 * taps + k) * sumsRow;
          let b = panel;
          for (let o: usize = 0; o < outChannels; o += width) {
            gradTile<T>(high, images, rows, outWidth, a0, a1, a2, a3, a4, imageStep, rowStep, step, b, place, sumsRow);
            b += sliver;
            place += TILE_BYTES;
          }
        }
      }
    }
  }
}

/** Groups of `perGroup` images from number `first` on have sums of their own, one behind the other. */
function sumGroups<T>(
  p: usize,
  sums: usize,
  g: usize,
  x: usize,
  first: usize,
  groups: usize,
  perGroup: usize,
  scratch: usize,
): void {
  const bytes = convWeightSums(p, sizeof<T>());
  for (let i = first; i < first + groups; i++) {
    sumImages<T>(p, sums + i * bytes, g, x, i * perGroup, min((i + 1) * perGroup, get(p, BATCH)), scratch);
  }
}

/** Adds the groups' sums, in their order, and writes the gradient: `total` rows of (channel, tap) from number `first` on. */
function finish<T>(p: usize, gw: usize, sums: usize, groups: usize, first: usize, total: usize): void {
  const bytes = convWeightSums(p, sizeof<T>());
  const outChannels = get(p, OUT_CHANNELS);
  const rowBytes = padded(outChannels, TILE_BYTES / sizeof<T>()) * sizeof<T>();
  const begin = sums + first * rowBytes;
  const end = begin + total * rowBytes;
  for (let i: usize = 1; i < groups; i++) {
    const from = i * bytes;
    for (let at = begin; at < end; at += 16) {
      v128.store(at, v128.add<T>(v128.load(at), v128.load(at + from)));
    }
  }
  const rows = get(p, CHANNELS) * get(p, KERNEL_HEIGHT) * get(p, KERNEL_WIDTH);
  transpose<T>(gw + first * sizeof<T>(), rows, begin, total, outChannels, rowBytes);
}

/** Writes rows × columns the other way round, columns `outRow` elements apart; `width` columns at a time, so that every line of memory is touched once. */
function transpose<T>(out: usize, outRow: usize, x: usize, rows: usize, columns: usize, rowBytes: usize): void {
  const size: usize = sizeof<T>();
  const width: usize = 64 / size;
  for (let c0: usize = 0; c0 < columns; c0 += width) {
    const last = min(columns, c0 + width);
    for (let r: usize = 0; r < rows; r++) {
      const from = x + r * rowBytes;
      for (let c = c0; c < last; c++) store<T>(out + (c * outRow + r) * size, load<T>(from + c * size));
    }
  }
}

/** Sums of groups of images; the argument block p has been through convWeightScratch, and convWeightFinish adds them. */
export function convWeightGradF32(
  p: usize,
  sums: usize,
  g: usize,
  x: usize,
  first: usize,
  groups: usize,
  perGroup: usize,
  scratch: usize,
): void {
  sumGroups<f32>(p, sums, g, x, first, groups, perGroup, scratch);
}

export function convWeightGradF64(
  p: usize,
  sums: usize,
  g: usize,
  x: usize,
  first: usize,
  groups: usize,
  perGroup: usize,
  scratch: usize,
): void {
  sumGroups<f64>(p, sums, g, x, first, groups, perGroup, scratch);
}

/** The gradient of the weights of one group of channels: `total` of its channels × taps from number `first` on. */
export function convWeightFinishF32(p: usize, gw: usize, sums: usize, groups: usize, first: usize, total: usize): void {
  finish<f32>(p, gw, sums, groups, first, total);
}

export function convWeightFinishF64(p: usize, gw: usize, sums: usize, groups: usize, first: usize, total: usize): void {
  finish<f64>(p, gw, sums, groups, first, total);
}
