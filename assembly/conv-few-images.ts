/*
 * The last images of conv-images.ts, when they are four at most: eight lanes are then four images at two positions, or two at four, whose inputs are copied side by side from images with zeros around them.
 */
import {
  firstRow,
  HIGHEST,
  imageTiles,
  POSITION_BYTES,
  rowsOf,
  sliverBytes,
  tilesOf,
  weightsAt,
} from "./conv-image-tile";
import {
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
  ROWS,
  STRIDE_HEIGHT,
  STRIDE_WIDTH,
  TAP_BYTES,
  TAP_TABLE,
  TAPS,
} from "./conv-taps";
import { turn } from "./conv-turn";
import { zeroRow } from "./geometry";
import { TILE_BYTES } from "./tile";

/** Most images at once. */
const MOST: usize = 4;

/** How far the outputs of all phases see beyond the image before its first (offset 0: row, 4: column) and behind its last one. */
function lead(p: usize, phases: usize, bytes: usize, offset: usize): usize {
  let first = 0;
  for (let i: usize = 0; i < phases; i++, p += bytes) {
    for (let t: usize = 0; t < get(p, TAPS); t++) first = min(first, load<i32>(p + TAP_TABLE + t * TAP_BYTES + offset));
  }
  return -first;
}

function trail(p: usize, phases: usize, bytes: usize, offset: usize): usize {
  const size = load<i32>(p + (offset ? IN_WIDTH : IN_HEIGHT));
  let last = size - 1;
  for (let i: usize = 0; i < phases; i++, p += bytes) {
    const grid = get(p, offset ? GRID_WIDTH : GRID_HEIGHT);
    const end = <i32>((grid - 1) * get(p, offset ? STRIDE_WIDTH : STRIDE_HEIGHT));
    for (let t: usize = 0; t < get(p, TAPS); t++) {
      last = max(last, end + load<i32>(p + TAP_TABLE + t * TAP_BYTES + offset));
    }
  }
  return last + 1 - size;
}

/** Rows or columns of the images with what is around them. */
function extent(p: usize, phases: usize, bytes: usize, offset: usize): usize {
  return get(p, offset ? IN_WIDTH : IN_HEIGHT) + lead(p, phases, bytes, offset) + trail(p, phases, bytes, offset);
}

/** Bytes of scratch: the images, a phase's table and the places of its inputs, those inputs of eight lanes, and a tile. */
export function fewImagesScratch(p: usize, phases: usize, bytes: usize): usize {
  const images = get(p, CHANNELS) * extent(p, phases, bytes, 0) * extent(p, phases, bytes, 4) * MOST * 4;
  let steps: usize = 0;
  for (let i: usize = 0; i < phases; i++) steps = max(steps, get(p, CHANNELS) * get(p + i * bytes, TAPS));
  return images + steps * (TILE_BYTES + 12) + POSITION_BYTES + HIGHEST * TILE_BYTES;
}

/** Rows of `count` images, of which `together`, two or four, are turned side by side, with zeros around. */
function turnPadded(
  p: usize,
  to: usize,
  x: usize,
  count: usize,
  together: usize,
  top: usize,
  bottom: usize,
  left: usize,
  right: usize,
): void {
  const width = get(p, IN_WIDTH);
  const pixel = together * 4;
  const image = get(p, IN_IMAGE) * 4;
  const row = (left + width + right) * pixel;
  const whole = together === MOST && count === MOST ? width & ~3 : 0;
  for (let c: usize = 0; c < get(p, CHANNELS); c++) {
    zeroRow(to, top * row + left * pixel);
    to += top * row + left * pixel;
    for (let h: usize = 0; h < get(p, IN_HEIGHT); h++) {
      for (let w: usize = 0; w < whole; w += 4) turn(to + w * pixel, pixel, x + w * 4, image);
      for (let w = whole; w < width; w++) {
        for (let i: usize = 0; i < together; i++) {
          store<f32>(to + w * pixel + i * 4, i < count ? load<f32>(x + i * image + w * 4) : 0);
        }
      }
      x += width * 4;
      to += width * pixel;
      // What is behind this row and before the next one.
      zeroRow(to, (left + right) * pixel);
      to += (left + right) * pixel;
    }
    to -= left * pixel;
    zeroRow(to, bottom * row);
    to += bottom * row;
  }
}

/** Copies the inputs of eight lanes side by side, for each of `k` steps. */
function gatherLanes(
  to: usize,
  k: usize,
  places: usize,
  together: usize,
  b0: usize,
  b1: usize,
  b2: usize,
  b3: usize,
): void {
  const end = to + k * TILE_BYTES;
  if (together === MOST) {
    for (; to < end; to += TILE_BYTES, places += 4) {
      const at = load<usize>(places);
      v128.store(to, v128.load(b0 + at));
      v128.store(to, v128.load(b1 + at), 16);
    }
    return;
  }
  for (; to < end; to += TILE_BYTES, places += 4) {
    const at = load<usize>(places);
    store<u64>(to, load<u64>(b0 + at));
    store<u64>(to, load<u64>(b1 + at), 8);
    store<u64>(to, load<u64>(b2 + at), 16);
    store<u64>(to, load<u64>(b3 + at), 24);
  }
}

/** Where the inputs of position `q` of a phase begin, relative to the image's first pixel. */
function inputAt(p: usize, q: usize, row: usize, pixel: usize): usize {
  const h = q / get(p, GRID_WIDTH);
  const w = q - h * get(p, GRID_WIDTH);
  return h * get(p, STRIDE_HEIGHT) * row + w * get(p, STRIDE_WIDTH) * pixel;
}

/** Writes the outputs of a tile's rows: `count` images at `some` positions from number q on. */
function scatterTile(
  p: usize,
  tile: usize,
  out: usize,
  high: usize,
  q: usize,
  some: usize,
  count: usize,
  together: usize,
): void {
  const plane = get(p, OUT_PLANE) * 4;
  const image = get(p, OUT_IMAGE) * 4;
  const gridWidth = get(p, GRID_WIDTH);
  const column = get(p, OUT_COLUMN) * 4;
  const h = q / gridWidth;
  let left = gridWidth - (q - h * gridWidth);
  let begin = out + (get(p, OUT_FIRST) + h * get(p, OUT_ROW)) * 4 + (gridWidth - left) * column;
  for (; some > 0; some--) {
    let to = begin;
    let from = tile;
    const end = tile + high * TILE_BYTES;
    if (count === 2) {
      for (; from < end; from += TILE_BYTES, to += plane) {
        store<f32>(to, load<f32>(from));
        store<f32>(to + image, load<f32>(from, 4));
      }
    } else if (count === MOST) {
      for (; from < end; from += TILE_BYTES, to += plane) {
        store<f32>(to, load<f32>(from));
        store<f32>(to + image, load<f32>(from, 4));
        store<f32>(to + 2 * image, load<f32>(from, 8));
        store<f32>(to + 3 * image, load<f32>(from, 12));
      }
    } else {
      for (; from < end; from += TILE_BYTES, to += plane) {
        for (let i: usize = 0; i < count; i++) store<f32>(to + i * image, load<f32>(from + i * 4));
      }
    }
    tile += together * 4;
    begin += column;
    if (--left > 0) continue;
    left = gridWidth;
    begin += get(p, OUT_ROW) * 4 - gridWidth * column;
  }
}

/** The convolution of `count` images, four at most, with all phases; `scratch` has fewImagesScratch bytes and `bias` 32 bytes a row. */
export function fewImages(
  p: usize,
  phases: usize,
  bytes: usize,
  out: usize,
  x: usize,
  weights: usize,
  bias: usize,
  count: usize,
  scratch: usize,
): void {
  const together: usize = count > 2 ? MOST : 2;
  const across: usize = 8 / together;
  const pixel = together * 4;
  const top = lead(p, phases, bytes, 0);
  const left = lead(p, phases, bytes, 4);
  const bottom = trail(p, phases, bytes, 0);
  const right = trail(p, phases, bytes, 4);
  const row = (left + get(p, IN_WIDTH) + right) * pixel;
  const plane = (top + get(p, IN_HEIGHT) + bottom) * row;
  const tile = scratch;
  const images = tile + HIGHEST * TILE_BYTES;
  const panel = images + get(p, CHANNELS) * plane;
  turnPadded(p, images, x, count, together, top, bottom, left, right);
  for (let i: usize = 0; i < phases; i++, p += bytes) {
    const taps = get(p, TAPS);
    const k = get(p, CHANNELS) * taps;
    const table = panel + k * TILE_BYTES;
    const places = table + k * 8;
    const list = places + k * 4;
    store<usize>(list, table);
    store<usize>(list, k, 4);
    store<usize>(list, 0, 8);
    store<usize>(list, 0, 12);
    let step: usize = 0;
    for (let c: usize = 0; c < get(p, CHANNELS); c++) {
      for (let t: usize = 0; t < taps; t++) {
        const tap = p + TAP_TABLE + t * TAP_BYTES;
        store<usize>(table + step * 8, weightsAt(p, c, get(tap, 8)));
        store<usize>(table + step * 8, step * TILE_BYTES, 4);
        store<usize>(places + step * 4, c * plane + (top + get(tap, 0)) * row + (left + get(tap, 4)) * pixel);
        step++;
      }
    }
    const total = get(p, GRID_HEIGHT) * get(p, GRID_WIDTH);
    const some = min(across, total);
    for (let q: usize = 0; q < total; q += across) {
      // The last lanes repeat positions of those before.
      const first = min(q, total - some);
      const b0 = images + inputAt(p, first, row, pixel);
      const b1 = images + inputAt(p, first + min<usize>(1, some - 1), row, pixel);
      const b2 = images + inputAt(p, first + min<usize>(2, some - 1), row, pixel);
      const b3 = images + inputAt(p, first + some - 1, row, pixel);
      gatherLanes(panel, k, places, together, b0, b1, b2, b3);
      for (let r: usize = 0; r < tilesOf(p); r++) {
        const at = firstRow(p, r);
        const high = rowsOf(p, r);
        const a = weights + r * sliverBytes(p);
        const even = get(p, CHANNELS) % 2 === 0;
        imageTiles(high, even, list, list + POSITION_BYTES, a, panel, bias + at * TILE_BYTES, tile, TILE_BYTES);
        scatterTile(
          p,
          tile,
          out + at * get(p, OUT_PLANE) * 4,
          min(high, get(p, ROWS) - at),
          first,
          some,
          count,
          together,
        );
      }
    }
  }
}
