/*
 * The transforms of Winograd's convolution F(4×4, 3×3) with the interpolation points 0, ±5/8, ±3/2 and ∞. Of the points whose constants are exact in float32 these
 * have about the smallest rounding errors: 1.8 times those of sums in order (root mean square, 64 channels), where 0, ±1, ±2 and ∞ have 4 times.
 *
 * Images lie channel by channel; here four channels at a time are the lanes of a vector, so that all arithmetic is without shuffles, and a tile grid of any width is
 * as good as any other. Rows are combined first, where they lie; then four channels of four columns are transposed, and columns are combined.
 */
import {
  CHANNELS,
  get,
  IN_HEIGHT,
  IN_IMAGE,
  IN_WIDTH,
  OUT_CHANNELS,
  OUT_HEIGHT,
  OUT_IMAGE,
  OUT_WIDTH,
  PADDING_HEIGHT,
  PADDING_WIDTH,
  padded,
  touchRows,
} from "./geometry";
import { madd, nmadd } from "./tile";

/** Outputs of a tile along an axis, and places of the transformed tile. */
export const SIDE: usize = 4;
export const PLACES: usize = 36;

export const A: f32 = 0.625;
export const B: f32 = 1.5;
export const A2: f32 = A * A;
export const B2: f32 = B * B;
/** One over the product of a point's distances from the others. */
export const OVER_0: f32 = 1 / (A2 * B2);
export const OVER_A: f32 = 1 / (2 * A2 * (A2 - B2));
export const OVER_B: f32 = 1 / (2 * B2 * (B2 - A2));

export function scale(f: f32, v: v128): v128 {
  return f32x4.mul(f32x4.splat(f), v);
}

/** f·v + c */
export function times(f: f32, v: v128, c: v128): v128 {
  return madd<f32>(f32x4.splat(f), v, c);
}

/** c − f·v: with this and `times` four constants are all that a transform needs, and its loop stays within the registers. */
export function less(f: f32, v: v128, c: v128): v128 {
  return nmadd<f32>(f32x4.splat(f), v, c);
}

export function tilesAcross(p: usize): usize {
  return (get(p, OUT_WIDTH) + SIDE - 1) / SIDE;
}

export function tilesDown(p: usize): usize {
  return (get(p, OUT_HEIGHT) + SIDE - 1) / SIDE;
}

/**
 * Transformed tiles lie place by place, and in a place in blocks of so many channels; blocks of 32 are for a step of 128. Then tiles always lie `step` bytes apart, and a loop
 * over channels needs one address for all of a register tile.
 */
export const TILE_STEP: usize = 64;

/** Bytes from place to place: an odd number of cache lines, so that the places of a tile do not meet in one set of the cache. */
export function oddLines(bytes: usize): usize {
  return ((bytes + 63) & ~63) | 64;
}

/** Bytes of a place of so many tiles and channels, in blocks of `step` bytes a tile. */
export function placeBytes(tiles: usize, channels: usize, step: usize): usize {
  return oddLines(padded(channels * 4, step) * tiles);
}

/** Most tiles of a row that are in the making at once, and bytes from row to row of the band they are made in: known when this is compiled, they cost no additions. An even number of vectors takes 10 % longer. */
export const BAND_TILES: usize = 17;
export const BAND_ROW: usize = 16 * (BAND_TILES + 2);
/** Six rows of a channel. */
export const BAND_CHANNEL: usize = 6 * BAND_ROW;
export const BAND_BYTES: usize = 4 * BAND_CHANNEL;

/** A vector, four channels' rows in the making, and a row of zeros; all of it has to be 0 before the first use. */
export function bandBytes(p: usize): usize {
  return 16 + BAND_BYTES + zeroBytes(p);
}

export function zeroBytes(p: usize): usize {
  return (max(get(p, IN_WIDTH), get(p, OUT_WIDTH)) * 4 + 15) & ~15;
}

/** Row `row` of a plane, or zeros outside. */
export function rowAt(plane: usize, row: i32, height: i32, rowBytes: usize, zeros: usize): usize {
  return <u32>row < <u32>height ? plane + <usize>row * rowBytes : zeros;
}

/** Bᵀ·d down the columns: six rows of the image make six of the band, for `count` channels, which lie s0 to s5 bytes apart. `bytes`, at least 16, is the length of a row. */
function combineInputRows(
  to: usize,
  count: usize,
  r0: usize,
  r1: usize,
  r2: usize,
  r3: usize,
  r4: usize,
  r5: usize,
  s0: usize,
  s1: usize,
  s2: usize,
  s3: usize,
  s4: usize,
  s5: usize,
  bytes: usize,
): void {
  const last = bytes - 16;
  while (true) {
    for (let at: usize = 0; ; at = min(at + 16, last)) {
      const d1 = v128.load(r1 + at);
      const d2 = v128.load(r2 + at);
      const d3 = v128.load(r3 + at);
      const d4 = v128.load(r4 + at);
      const out = to + at;
      const u = less(B2, d2, d4);
      const v = less(B2, d1, d3);
      v128.store(out, less(A2, less(B2, v128.load(r0 + at), d2), u));
      v128.store(out, times(A, v, u), BAND_ROW);
      v128.store(out, less(A, v, u), 2 * BAND_ROW);
      const s = less(A2, d2, d4);
      const t = less(A2, d1, d3);
      v128.store(out, times(B, t, s), 3 * BAND_ROW);
      v128.store(out, less(B, t, s), 4 * BAND_ROW);
      v128.store(out, less(A2, v, less(B2, d3, v128.load(r5 + at))), 5 * BAND_ROW);
      if (at === last) break;
    }
    if (--count === 0) return;
    to += BAND_CHANNEL;
    r0 += s0;
    r1 += s1;
    r2 += s2;
    r3 += s3;
    r4 += s4;
    r5 += s5;
  }
}

/** The same across, with four channels as lanes: each of the band's six rows becomes six places of a row of tiles. Loops test at their end, or V8 would splat constants anew. */
function combineInputColumns(to: usize, step: usize, place: usize, band: usize, tiles: usize): void {
  const end = band + BAND_CHANNEL;
  while (true) {
    let from = band;
    let x0 = v128.load(from);
    let x1 = v128.load(from, BAND_CHANNEL);
    let x2 = v128.load(from, 2 * BAND_CHANNEL);
    let x3 = v128.load(from, 3 * BAND_CHANNEL);
    let low = v128.shuffle<f32>(x0, x1, 0, 4, 1, 5);
    let high = v128.shuffle<f32>(x0, x1, 2, 6, 3, 7);
    let low2 = v128.shuffle<f32>(x2, x3, 0, 4, 1, 5);
    let high2 = v128.shuffle<f32>(x2, x3, 2, 6, 3, 7);
    let d0 = v128.shuffle<f64>(low, low2, 0, 2);
    let d1 = v128.shuffle<f64>(low, low2, 1, 3);
    let d2 = v128.shuffle<f64>(high, high2, 0, 2);
    let d3 = v128.shuffle<f64>(high, high2, 1, 3);
    let at = to;
    let left = tiles;
    while (true) {
      x0 = v128.load(from, 16);
      x1 = v128.load(from, BAND_CHANNEL + 16);
      x2 = v128.load(from, 2 * BAND_CHANNEL + 16);
      x3 = v128.load(from, 3 * BAND_CHANNEL + 16);
      low = v128.shuffle<f32>(x0, x1, 0, 4, 1, 5);
      high = v128.shuffle<f32>(x0, x1, 2, 6, 3, 7);
      low2 = v128.shuffle<f32>(x2, x3, 0, 4, 1, 5);
      high2 = v128.shuffle<f32>(x2, x3, 2, 6, 3, 7);
      const d4 = v128.shuffle<f64>(low, low2, 0, 2);
      const d5 = v128.shuffle<f64>(low, low2, 1, 3);
      const u = less(B2, d2, d4);
      const v = less(B2, d1, d3);
      v128.store(at, less(A2, less(B2, d0, d2), u));
      let out = at + place;
      v128.store(out, times(A, v, u));
      out += place;
      v128.store(out, less(A, v, u));
      out += place;
      const s = less(A2, d2, d4);
      const t = less(A2, d1, d3);
      v128.store(out, times(B, t, s));
      out += place;
      v128.store(out, less(B, t, s));
      v128.store(out + place, less(A2, v, less(B2, d3, d5)));
      if (--left === 0) break;
      at += step;
      from += 16;
      d0 = d4;
      d1 = d5;
      d2 = v128.shuffle<f64>(high, high2, 0, 2);
      d3 = v128.shuffle<f64>(high, high2, 1, 3);
    }
    band += BAND_ROW;
    if (band === end) return;
    to += 6 * place;
  }
}

/** Reads what `count` rows of tiles from number `first` on see of x, `side` rows each and `overlap` of the next, or with `isOutput` where they go: 6 to 13 % of the time of images in memory. */
export function touch(
  p: usize,
  images: usize,
  first: usize,
  count: usize,
  side: usize,
  overlap: usize,
  isOutput: bool,
  scratch: usize,
): void {
  const perImage = tilesDown(p);
  const channels = get(p, isOutput ? OUT_CHANNELS : CHANNELS);
  const height = get(p, isOutput ? OUT_HEIGHT : IN_HEIGHT);
  const bytes = get(p, isOutput ? OUT_WIDTH : IN_WIDTH) * 4;
  const above = isOutput ? 0 : get(p, PADDING_HEIGHT);
  const step = get(p, isOutput ? OUT_IMAGE : IN_IMAGE) * 4;
  for (const last = first + count; first < last; ) {
    const n = first / perImage;
    const down = first - n * perImage;
    const rows = min(last - first, perImage - down);
    const top = <usize>max(0, <i32>(down * side - above));
    const end = min(height, (down + rows) * side + overlap - above);
    if (top < end) store<u32>(scratch, touchRows(images + n * step, channels, height, bytes, top, end));
    first += rows;
  }
}

/** Bytes of rows of tiles that are whole images side by side, otherwise 0. */
export function imageBytes(p: usize, rows: usize, isOutput: bool): usize {
  const image = get(p, isOutput ? OUT_IMAGE : IN_IMAGE);
  const size = isOutput
    ? get(p, OUT_CHANNELS) * get(p, OUT_HEIGHT) * get(p, OUT_WIDTH)
    : get(p, CHANNELS) * get(p, IN_HEIGHT) * get(p, IN_WIDTH);
  const perImage = tilesDown(p);
  return image === size && rows % perImage === 0 ? (rows / perImage) * image * 4 : 0;
}

/** Bytes to touch between two of so many products. */
export function share(bytes: usize, products: usize): usize {
  return padded((bytes + products - 1) / products, 64);
}

/** Transforms the input of tile row `down` of an image; `to` is where the first tile goes, and blocks of channels lie `block` bytes apart. */
export function transformInput(
  p: usize,
  to: usize,
  step: usize,
  place: usize,
  block: usize,
  image: usize,
  down: usize,
  band: usize,
): void {
  const channels = get(p, CHANNELS);
  const height = load<i32>(p + IN_HEIGHT);
  const width = load<i32>(p + IN_WIDTH);
  const rowBytes = get(p, IN_WIDTH) * 4;
  const plane = get(p, IN_HEIGHT) * rowBytes;
  const top = <i32>(down * SIDE) - load<i32>(p + PADDING_HEIGHT);
  band += 16; // a last column of tiles may have to read columns on its left
  const zeros = band + BAND_BYTES;
  const across = tilesAcross(p);
  const r0 = rowAt(image, top, height, rowBytes, zeros);
  const r1 = rowAt(image, top + 1, height, rowBytes, zeros);
  const r2 = rowAt(image, top + 2, height, rowBytes, zeros);
  const r3 = rowAt(image, top + 3, height, rowBytes, zeros);
  const r4 = rowAt(image, top + 4, height, rowBytes, zeros);
  const r5 = rowAt(image, top + 5, height, rowBytes, zeros);
  const s0 = r0 === zeros ? 0 : plane;
  const s1 = r1 === zeros ? 0 : plane;
  const s2 = r2 === zeros ? 0 : plane;
  const s3 = r3 === zeros ? 0 : plane;
  const s4 = r4 === zeros ? 0 : plane;
  const s5 = r5 === zeros ? 0 : plane;
  for (let t: usize = 0; t < across; t += BAND_TILES) {
    const tiles = min(BAND_TILES, across - t);
    // The first column of these tiles, the last one's end, and the first that is read, since at least four are.
    const left = <i32>(t * SIDE) - load<i32>(p + PADDING_WIDTH);
    const right = min(width, left + <i32>(tiles * SIDE) + 2);
    const begin = min(max(0, left), right - 4);
    const bytes = <usize>(right - begin) * 4;
    const start = band + <usize>(begin - left) * 4;
    if (across > BAND_TILES) memory.fill(band, 0, BAND_BYTES);
    let tile = to + t * step;
    const x0 = r0 + <usize>begin * 4;
    const x1 = r1 + <usize>begin * 4;
    const x2 = r2 + <usize>begin * 4;
    const x3 = r3 + <usize>begin * 4;
    const x4 = r4 + <usize>begin * 4;
    const x5 = r5 + <usize>begin * 4;
    for (let c: usize = 0; c < channels; c += 4) {
      const count = min(4, channels - c);
      if (count < 4) memory.fill(band + count * BAND_CHANNEL, 0, (4 - count) * BAND_CHANNEL);
      combineInputRows(
        start,
        count,
        x0 + c * s0,
        x1 + c * s1,
        x2 + c * s2,
        x3 + c * s3,
        x4 + c * s4,
        x5 + c * s5,
        s0,
        s1,
        s2,
        s3,
        s4,
        s5,
        bytes,
      );
      combineInputColumns(tile, step, place, band, tiles);
      tile += (4 * c + 16) % step ? 16 : block + 16 - step;
    }
  }
}
