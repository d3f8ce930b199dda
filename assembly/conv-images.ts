/*
 * Convolution in float32 of many small images: vectors are neither positions nor channels but images, eight side by side. Rows of two, four or seven outputs fill no vector of their own, and
 * a stride puts their inputs apart; turned so that a pixel of eight images is 32 neighbouring bytes, any position of any image is a whole vector, and a table says which pixels an output meets.
 *
 * The gradient of the input is a convolution of the output's gradient for each phase of the stride: all phases are done while the images lie so.
 */
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
  OUT_IMAGE,
  OUT_PLANE,
  OUT_ROW,
  packWeights,
  ROWS,
  STRIDE_HEIGHT,
  STRIDE_WIDTH,
  TAP_BYTES,
  TAP_TABLE,
  TAPS,
} from "./conv-taps";
import { turn } from "./conv-turn";
import { TALL_ROWS, TILE_BYTES, TILE_ROWS, tableTile, tallRows, tiledRows } from "./tile";

/** Where in a plane of outputs the first of the phase is. */
const OUT_FIRST: usize = 68;
/** Images side by side. */
const IMAGES: usize = 8;
/** Scratch begins with a bias of zeros. */
const TURNED_AT: usize = 64;

/** Steps of a phase's sums, and entries of its table. */
function steps(p: usize): usize {
  return get(p, CHANNELS) * get(p, TAPS);
}

function entries(p: usize): usize {
  return get(p, GRID_HEIGHT) * get(p, GRID_WIDTH) * steps(p);
}

/** Bytes of the packed weights of all phases, of which argument blocks of `bytes` bytes lie one behind the other. */
export function convImagesWeightsBytes(p: usize, phases: usize, bytes: usize): usize {
  let sum: usize = 0;
  for (let i: usize = 0; i < phases; i++, p += bytes) sum += steps(p);
  return tiledRows(get(p - bytes, ROWS)) * sum * 4;
}

/** Bytes of scratch: zeros, eight images and their outputs, and the tables. */
export function convImagesScratch(p: usize, phases: usize, bytes: usize): usize {
  const images = get(p, IN_IMAGE) + 1 + tiledRows(get(p, ROWS)) * get(p, OUT_PLANE);
  let tables: usize = 0;
  for (let i: usize = 0; i < phases; i++, p += bytes) tables += entries(p);
  return TURNED_AT + images * TILE_BYTES + tables * 4;
}

export function convImagesPack(p: usize, phases: usize, bytes: usize, weights: usize, w: usize): void {
  for (let i: usize = 0; i < phases; i++, p += bytes) {
    packWeights<f32>(weights, p, w, get(p, CHANNELS), p + TAP_TABLE, get(p, TAPS));
    weights += tiledRows(get(p, ROWS)) * steps(p) * 4;
  }
}

/** Where each position of a phase finds its inputs: channel by channel, and in each tap by tap; behind the last pixel are zeros. */
function fillTable(p: usize, table: usize): usize {
  const height = load<i32>(p + IN_HEIGHT);
  const width = load<i32>(p + IN_WIDTH);
  const taps = get(p, TAPS);
  const zeros = get(p, IN_IMAGE) * TILE_BYTES;
  const plane = get(p, IN_HEIGHT) * get(p, IN_WIDTH) * TILE_BYTES;
  const bytes = steps(p) * 4;
  for (let h: usize = 0; h < get(p, GRID_HEIGHT); h++) {
    for (let w: usize = 0; w < get(p, GRID_WIDTH); w++) {
      for (let t: usize = 0; t < taps; t++) {
        const tap = p + TAP_TABLE + t * TAP_BYTES;
        const row = <i32>(h * get(p, STRIDE_HEIGHT)) + load<i32>(tap);
        const column = <i32>(w * get(p, STRIDE_WIDTH)) + load<i32>(tap, 4);
        const inside = <u32>row < <u32>height && <u32>column < <u32>width;
        let from = inside ? <usize>(row * width + column) * TILE_BYTES : zeros;
        const step = inside ? plane : 0;
        for (let at = table + t * 4; at < table + bytes; at += taps * 4) {
          store<usize>(at, from);
          from += step;
        }
      }
      table += bytes;
    }
  }
  return table;
}

/** `count` images of `size` pixels, pixel by pixel. */
function gatherImages(turned: usize, x: usize, size: usize, count: usize): void {
  const image = size * 4;
  const whole = size & ~3;
  for (let i: usize = 0; i < IMAGES; i += 4) {
    // Lanes behind the last image are zeros.
    const some = i + 4 <= count;
    for (let e: usize = 0; e < whole && some; e += 4) {
      turn(turned + e * TILE_BYTES + i * 4, TILE_BYTES, x + i * image + e * 4, image);
    }
    for (let e = some ? whole : 0; e < size; e++) {
      for (let j = i; j < i + 4; j++) {
        store<f32>(turned + e * TILE_BYTES + j * 4, j < count ? load<f32>(x + j * image + e * 4) : 0);
      }
    }
  }
}

/** The outputs of `count` images, image by image. */
function scatterImages(out: usize, turned: usize, size: usize, count: usize): void {
  const image = size * 4;
  const whole = size & ~3;
  for (let i: usize = 0; i < count; i += 4) {
    const some = i + 4 <= count;
    for (let e: usize = 0; e < whole && some; e += 4) {
      turn(out + i * image + e * 4, image, turned + e * TILE_BYTES + i * 4, TILE_BYTES);
    }
    for (let e = some ? whole : 0; e < size; e++) {
      for (let j = i; j < min(i + 4, count); j++) {
        store<f32>(out + j * image + e * 4, load<f32>(turned + e * TILE_BYTES + j * 4));
      }
    }
  }
}

/** One phase of eight images. */
function convolve(p: usize, out: usize, turned: usize, weights: usize, bias: usize, zeros: usize, table: usize): void {
  const rows = get(p, ROWS);
  const tall = tallRows(rows);
  const k = steps(p);
  const plane = get(p, OUT_PLANE) * TILE_BYTES;
  let high: usize = 0;
  for (let i: usize = 0; i < rows; i += high) {
    high = i < tall ? TALL_ROWS : TILE_ROWS;
    const a = weights + i * k * 4;
    const offset = bias ? bias + i * 4 : zeros;
    let meets = table;
    for (let h: usize = 0; h < get(p, GRID_HEIGHT); h++) {
      for (let w: usize = 0; w < get(p, GRID_WIDTH); w++) {
        const place = get(p, OUT_FIRST) + h * get(p, OUT_ROW) + w * get(p, OUT_COLUMN);
        tableTile(high, k, a, turned, meets, offset, out + i * plane + place * TILE_BYTES, plane, false);
        meets += k * 4;
      }
    }
  }
}

/**
 * The convolution whose phases the argument blocks at p describe, of `total` groups of eight images from number `first` on. `weights` are from convImagesPack, `bias` is 0 or that of all rows,
 * rounded up to four, and `scratch` has convImagesScratch bytes.
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
  const turned = scratch + TURNED_AT;
  const done = turned + (size + 1) * TILE_BYTES;
  const tables = done + tiledRows(get(p, ROWS)) * get(p, OUT_PLANE) * TILE_BYTES;
  memory.fill(scratch, 0, TURNED_AT);
  memory.fill(turned + size * TILE_BYTES, 0, TILE_BYTES);
  let end = tables;
  for (let i: usize = 0; i < phases; i++) end = fillTable(p + i * bytes, end);
  for (let n = first * IMAGES; n < min((first + total) * IMAGES, get(p, BATCH)); n += IMAGES) {
    const count = min(IMAGES, get(p, BATCH) - n);
    gatherImages(turned, x + n * size * 4, size, count);
    let a = weights;
    let table = tables;
    for (let i: usize = 0; i < phases; i++) {
      const phase = p + i * bytes;
      convolve(phase, done, turned, a, bias, scratch, table);
      a += tiledRows(get(phase, ROWS)) * steps(phase) * 4;
      table += entries(phase) * 4;
    }
    scatterImages(out + n * get(p, OUT_IMAGE) * 4, done, get(p, OUT_IMAGE), count);
  }
}
