/*
 * Convolution in float32 of many small images: vectors are neither positions nor channels but images, eight side by side. Rows of two, four or seven outputs fill no vector of their own, and
 * a stride puts their inputs apart; turned so that a pixel of eight images is 32 neighbouring bytes, any position of any image is a whole vector, and a table says which pixels an output meets. Those
 * outside the image are left out, so borders cost nothing: of the products of 2 × 2 outputs of 4 × 4 pixels with padding 25 of 36 are left.
 *
 * The gradient of the input is a convolution of the output's gradient for each phase of the stride: all phases are done while the images lie so.
 */
import { fewImages, fewImagesScratch } from "./conv-few-images";
import {
  fillBias,
  firstRow,
  imageTiles,
  POSITION_BYTES,
  packSlivers,
  paddedRows,
  rowsOf,
  sliverBytes,
  tilesOf,
  weightsAt,
} from "./conv-image-tile";
import {
  BATCH,
  CHANNELS,
  GRID_HEIGHT,
  GRID_WIDTH,
  get,
  IN_HEIGHT,
  IN_IMAGE,
  IN_WIDTH,
  OUT_COLUMN,
  OUT_FIRST,
  OUT_IMAGE,
  OUT_PLANE,
  OUT_ROW,
  STRIDE_HEIGHT,
  STRIDE_WIDTH,
  TAP_BYTES,
  TAP_TABLE,
  TAPS,
} from "./conv-taps";
import { turn } from "./conv-turn";
import { TILE_BYTES } from "./tile";

/** Images side by side. */
const IMAGES: usize = 8;
/** Inputs of eight images that stay in the first cache while all rows of the weights pass; others meet them row by row of outputs. */
const CACHED_BYTES: usize = 16384;

function positions(p: usize): usize {
  return get(p, GRID_HEIGHT) * get(p, GRID_WIDTH);
}

/** Bytes of a phase's positions and, at most, their tables. */
function tableBytes(p: usize): usize {
  return positions(p) * (POSITION_BYTES + get(p, CHANNELS) * get(p, TAPS) * 8);
}

function turnedBytes(p: usize): usize {
  return (get(p, IN_IMAGE) + paddedRows(p) * get(p, OUT_PLANE)) * TILE_BYTES;
}

/** Bytes of the packed weights. */
export function convImagesWeightsBytes(p: usize): usize {
  return tilesOf(p) * sliverBytes(p);
}

/** Bytes of scratch: what rows begin with, eight images and their outputs, and the tables of all phases, of which argument blocks of `bytes` bytes lie one behind the other. */
export function convImagesScratch(p: usize, phases: usize, bytes: usize): usize {
  let tables: usize = 0;
  for (let i: usize = 0; i < phases; i++) tables += tableBytes(p + i * bytes);
  return paddedRows(p) * TILE_BYTES + max(turnedBytes(p) + tables, fewImagesScratch(p, phases, bytes));
}

export function convImagesPack(p: usize, weights: usize, w: usize): void {
  packSlivers(p, weights, w);
}

/** Whether outputs in rows h and h − 1, or for columns, are inside and outside the image with the same taps. */
function sameTaps(p: usize, h: usize, stride: usize, offset: usize, size: usize): bool {
  const now = <i32>(h * stride);
  const before = now - <i32>stride;
  for (let tap = p + TAP_TABLE; tap < p + TAP_TABLE + get(p, TAPS) * TAP_BYTES; tap += TAP_BYTES) {
    const at = load<i32>(tap + offset);
    if (<u32>(now + at) < <u32>size !== <u32>(before + at) < <u32>size) return false;
  }
  return true;
}

/** The table of one position; returns its end. */
function fillTable(p: usize, table: usize, h: i32, w: i32): usize {
  const height = load<i32>(p + IN_HEIGHT);
  const width = load<i32>(p + IN_WIDTH);
  const end = p + TAP_TABLE + get(p, TAPS) * TAP_BYTES;
  for (let c: usize = 0; c < get(p, CHANNELS); c++) {
    for (let tap = p + TAP_TABLE; tap < end; tap += TAP_BYTES) {
      const row = load<i32>(tap);
      const column = load<i32>(tap, 4);
      if (<u32>(h + row) >= <u32>height || <u32>(w + column) >= <u32>width) continue;
      store<usize>(table, weightsAt(p, c, get(tap, 8)));
      store<i32>(table, ((<i32>c * height + row) * width + column) * <i32>TILE_BYTES, 4);
      table += 8;
    }
  }
  return table;
}

/** All positions of a phase. Those that meet the image with the same taps as their neighbours share a table. */
function fillPositions(p: usize, list: usize): void {
  const gridWidth = get(p, GRID_WIDTH);
  let free = list + positions(p) * POSITION_BYTES;
  for (let h: usize = 0; h < get(p, GRID_HEIGHT); h++) {
    const top = h * get(p, STRIDE_HEIGHT);
    const above = h > 0 && sameTaps(p, h, get(p, STRIDE_HEIGHT), 0, get(p, IN_HEIGHT));
    for (let w: usize = 0; w < gridWidth; w++) {
      const left = w * get(p, STRIDE_WIDTH);
      const twin = above
        ? list - gridWidth * POSITION_BYTES
        : w > 0 && sameTaps(p, w, get(p, STRIDE_WIDTH), 4, get(p, IN_WIDTH))
          ? list - POSITION_BYTES
          : 0;
      let table = free;
      let count: usize = 0;
      if (twin) {
        table = load<usize>(twin);
        count = load<usize>(twin, 4);
      } else {
        free = fillTable(p, table, <i32>top, <i32>left);
        count = (free - table) / 8;
      }
      store<usize>(list, table);
      store<usize>(list, count, 4);
      store<usize>(list, (top * get(p, IN_WIDTH) + left) * TILE_BYTES, 8);
      store<usize>(list, (get(p, OUT_FIRST) + h * get(p, OUT_ROW) + w * get(p, OUT_COLUMN)) * TILE_BYTES, 12);
      list += POSITION_BYTES;
    }
  }
}

/** `count` images of `size` pixels, five to eight, pixel by pixel; lanes behind the last image are zeros. */
function gatherImages(turned: usize, x: usize, size: usize, count: usize): void {
  const image = size * 4;
  const half = x + 4 * image;
  const whole = size & ~3;
  const all = count === IMAGES;
  for (let e: usize = 0; e < whole; e += 4) {
    const to = turned + e * TILE_BYTES;
    turn(to, TILE_BYTES, x + e * 4, image);
    if (all) turn(to + 16, TILE_BYTES, half + e * 4, image);
  }
  for (let e = all ? whole : 0; e < size; e++) {
    for (let i: usize = e < whole ? 4 : 0; i < IMAGES; i++) {
      store<f32>(turned + e * TILE_BYTES + i * 4, i < count ? load<f32>(x + i * image + e * 4) : 0);
    }
  }
}

/** The outputs of `count` images, image by image. */
function scatterImages(out: usize, turned: usize, size: usize, count: usize): void {
  const image = size * 4;
  const half = out + 4 * image;
  const whole = size & ~3;
  const all = count === IMAGES;
  for (let e: usize = 0; e < whole; e += 4) {
    const from = turned + e * TILE_BYTES;
    turn(out + e * 4, image, from, TILE_BYTES);
    if (all) turn(half + e * 4, image, from + 16, TILE_BYTES);
  }
  for (let e = all ? whole : 0; e < size; e++) {
    for (let i: usize = e < whole ? 4 : 0; i < count; i++) {
      store<f32>(out + i * image + e * 4, load<f32>(turned + e * TILE_BYTES + i * 4));
    }
  }
}

/** One phase of eight images. */
function convolve(p: usize, out: usize, turned: usize, weights: usize, bias: usize, list: usize): void {
  const plane = get(p, OUT_PLANE) * TILE_BYTES;
  const end = list + positions(p) * POSITION_BYTES;
  const large = get(p, IN_IMAGE) * TILE_BYTES > CACHED_BYTES;
  const even = get(p, CHANNELS) % 2 === 0;
  const block = (large ? get(p, GRID_WIDTH) : positions(p)) * POSITION_BYTES;
  for (; list < end; list += block) {
    for (let i: usize = 0; i < tilesOf(p); i++) {
      const first = firstRow(p, i);
      const a = weights + i * sliverBytes(p);
      const offset = bias + first * TILE_BYTES;
      imageTiles(rowsOf(p, i), even, list, list + block, a, turned, offset, out + first * plane, plane);
    }
  }
}

/**
 * The convolution whose phases the argument blocks at p describe, of `total` groups of eight images from number `first` on. `weights` are from convImagesPack, `bias` may be 0, and `scratch` has convImagesScratch bytes.
 */
export function convImagesF32(
  p: usize,
  phases: usize,
  bytes: usize,
  out: usize,
  x: usize,
  weights: usize,
  bias: usize,
  first: usize,
  total: usize,
  scratch: usize,
): void {
  const size = get(p, IN_IMAGE);
  const batch = get(p, BATCH);
  const turned = scratch + paddedRows(p) * TILE_BYTES;
  const done = turned + size * TILE_BYTES;
  const lists = turned + turnedBytes(p);
  fillBias(p, scratch, bias);
  let ready = false;
  for (let n = first * IMAGES; n < min((first + total) * IMAGES, batch); n += IMAGES) {
    const count = min(IMAGES, batch - n);
    const from = x + n * size * 4;
    const to = out + n * get(p, OUT_IMAGE) * 4;
    if (count <= IMAGES / 2) {
      fewImages(p, phases, bytes, to, from, weights, scratch, count, turned);
      continue;
    }
    let list = lists;
    gatherImages(turned, from, size, count);
    for (let i: usize = 0; i < phases; i++) {
      const phase = p + i * bytes;
      if (!ready) fillPositions(phase, list);
      convolve(phase, done, turned, weights, scratch, list);
      list += tableBytes(phase);
    }
    ready = true;
    scatterImages(to, done, get(p, OUT_IMAGE), count);
  }
}
