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
import { madd } from "./tile";

/** Outputs of a tile along an axis, and places of the transformed tile. */
export const SIDE: usize = 4;
export const PLACES: usize = 36;

export const A: f32 = 0.625;
export const B: f32 = 1.5;
export const A2: f32 = A * A;
export const B2: f32 = B * B;
const PRODUCT: f32 = A2 * B2;
const SUM: f32 = A2 + B2;
/** One over the product of a point's distances from the others. */
export const OVER_0: f32 = 1 / PRODUCT;
export const OVER_A: f32 = 1 / (2 * A2 * (A2 - B2));
export const OVER_B: f32 = 1 / (2 * B2 * (B2 - A2));

export function scale(f: f32, v: v128): v128 {
  return f32x4.mul(f32x4.splat(f), v);
}

/** f·v + c */
export function times(f: f32, v: v128, c: v128): v128 {
  return madd<f32>(f32x4.splat(f), v, c);
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

/** Bytes of four channels' rows in the making, and behind them a row of zeros; all of it has to be 0 before the first use. */
export function bandBytes(p: usize): usize {
  return 24 * bandRow(p) + zeroBytes(p);
}

/** One quad more than there are tiles, since tiles overlap. */
function bandRow(p: usize): usize {
  return (tilesAcross(p) + 1) * 16;
}

export function zeroBytes(p: usize): usize {
  return (max(get(p, IN_WIDTH), get(p, OUT_WIDTH)) * 4 + 15) & ~15;
}

/** Row `row` of a plane, or zeros outside. */
export function rowAt(plane: usize, row: i32, height: i32, rowBytes: usize, zeros: usize): usize {
  return <u32>row < <u32>height ? plane + <usize>row * rowBytes : zeros;
}

/** Bᵀ·d down the columns: six rows of an image's band make six others. `bytes`, at least 16, is their length. */
function combineInputRows(
  to: usize,
  toRow: usize,
  r0: usize,
  r1: usize,
  r2: usize,
  r3: usize,
  r4: usize,
  r5: usize,
  bytes: usize,
): void {
  const last = bytes - 16;
  for (let at: usize = 0; ; at = min(at + 16, last)) {
    const d1 = v128.load(r1 + at);
    const d2 = v128.load(r2 + at);
    const d3 = v128.load(r3 + at);
    const d4 = v128.load(r4 + at);
    let out = to + at;
    v128.store(out, times(-SUM, d2, times(PRODUCT, v128.load(r0 + at), d4)));
    const u = times(-B2, d2, d4);
    const v = times(-B2, d1, d3);
    out += toRow;
    v128.store(out, times(A, v, u));
    out += toRow;
    v128.store(out, times(-A, v, u));
    const s = times(-A2, d2, d4);
    const t = times(-A2, d1, d3);
    out += toRow;
    v128.store(out, times(B, t, s));
    out += toRow;
    v128.store(out, times(-B, t, s));
    out += toRow;
    v128.store(out, times(-SUM, d3, times(PRODUCT, d1, v128.load(r5 + at))));
    if (at === last) return;
  }
}

/** The same across, with four channels as lanes: one row of the band becomes six places of a row of tiles. */
function combineInputColumns(to: usize, step: usize, place: usize, from: usize, channel: usize, tiles: usize): void {
  let x0 = v128.load(from);
  let x1 = v128.load(from + channel);
  let x2 = v128.load(from + 2 * channel);
  let x3 = v128.load(from + 3 * channel);
  let low = v128.shuffle<f32>(x0, x1, 0, 4, 1, 5);
  let high = v128.shuffle<f32>(x0, x1, 2, 6, 3, 7);
  let low2 = v128.shuffle<f32>(x2, x3, 0, 4, 1, 5);
  let high2 = v128.shuffle<f32>(x2, x3, 2, 6, 3, 7);
  let d0 = v128.shuffle<f64>(low, low2, 0, 2);
  let d1 = v128.shuffle<f64>(low, low2, 1, 3);
  let d2 = v128.shuffle<f64>(high, high2, 0, 2);
  let d3 = v128.shuffle<f64>(high, high2, 1, 3);
  for (; tiles > 0; tiles--) {
    from += 16;
    x0 = v128.load(from);
    x1 = v128.load(from + channel);
    x2 = v128.load(from + 2 * channel);
    x3 = v128.load(from + 3 * channel);
    low = v128.shuffle<f32>(x0, x1, 0, 4, 1, 5);
    high = v128.shuffle<f32>(x0, x1, 2, 6, 3, 7);
    low2 = v128.shuffle<f32>(x2, x3, 0, 4, 1, 5);
    high2 = v128.shuffle<f32>(x2, x3, 2, 6, 3, 7);
    const d4 = v128.shuffle<f64>(low, low2, 0, 2);
    const d5 = v128.shuffle<f64>(low, low2, 1, 3);
    v128.store(to, times(-SUM, d2, times(PRODUCT, d0, d4)));
    let out = to + place;
    const u = times(-B2, d2, d4);
    const v = times(-B2, d1, d3);
    v128.store(out, times(A, v, u));
    out += place;
    v128.store(out, times(-A, v, u));
    out += place;
    const s = times(-A2, d2, d4);
    const t = times(-A2, d1, d3);
    v128.store(out, times(B, t, s));
    out += place;
    v128.store(out, times(-B, t, s));
    out += place;
    v128.store(out, times(-SUM, d3, times(PRODUCT, d1, d5)));
    to += step;
    d0 = d4;
    d1 = d5;
    d2 = v128.shuffle<f64>(high, high2, 0, 2);
    d3 = v128.shuffle<f64>(high, high2, 1, 3);
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
  const bytes = get(p, IN_WIDTH) * 4;
  const plane = get(p, IN_HEIGHT) * bytes;
  const top = <i32>(down * SIDE) - load<i32>(p + PADDING_HEIGHT);
  const row = bandRow(p);
  const zeros = band + 24 * row;
  const start = band + get(p, PADDING_WIDTH) * 4;
  const tiles = tilesAcross(p);
  for (let c: usize = 0; c < channels; c += 4) {
    for (let i: usize = 0; i < 4; i++) {
      const h = c + i < channels ? height : 0;
      const x = image + (c + i) * plane;
      combineInputRows(
        start + i * 6 * row,
        row,
        rowAt(x, top, h, bytes, zeros),
        rowAt(x, top + 1, h, bytes, zeros),
        rowAt(x, top + 2, h, bytes, zeros),
        rowAt(x, top + 3, h, bytes, zeros),
        rowAt(x, top + 4, h, bytes, zeros),
        rowAt(x, top + 5, h, bytes, zeros),
        bytes,
      );
    }
    for (let i: usize = 0; i < 6; i++) {
      combineInputColumns(to + 6 * i * place, step, place, band + i * row, 6 * row, tiles);
    }
    to += (4 * c + 16) % step ? 16 : block + 16 - step;
  }
}
