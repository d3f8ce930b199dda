/* How Winograd's algorithm transforms the gradient of a convolution's output for that of its weights: A·g·Aᵀ, tiles of 4×4 into 36 places. */
import { get, OUT_CHANNELS, OUT_HEIGHT, OUT_WIDTH } from "./geometry";
import {
  A,
  A2,
  B,
  B2,
  BAND_BYTES,
  BAND_CHANNEL,
  BAND_ROW,
  BAND_TILES,
  less,
  SIDE,
  TILE_STEP,
  tilesAcross,
  times,
} from "./winograd-tiles";

/** Bytes of four channels' rows of transformed gradients, and a vector before them. */
export const GRADIENT_BAND: usize = 16 + BAND_BYTES;

/** A·g down the columns: four rows of the image make six of the band, for `count` channels, which lie s0 to s3 bytes apart. `bytes`, at least 16, is the length of a row. */
function combineGradientRows(
  to: usize,
  count: usize,
  g0: usize,
  g1: usize,
  g2: usize,
  g3: usize,
  s0: usize,
  s1: usize,
  s2: usize,
  s3: usize,
  bytes: usize,
): void {
  const last = bytes - 16;
  while (true) {
    for (let at: usize = 0; ; at = min(at + 16, last)) {
      const d0 = v128.load(g0 + at);
      const d1 = v128.load(g1 + at);
      const d2 = v128.load(g2 + at);
      const d3 = v128.load(g3 + at);
      const out = to + at;
      v128.store(out, d0);
      v128.store(out, d3, 5 * BAND_ROW);
      const u = times(A2, d2, d0);
      const v = times(A2, d3, d1);
      v128.store(out, times(A, v, u), BAND_ROW);
      v128.store(out, less(A, v, u), 2 * BAND_ROW);
      const s = times(B2, d2, d0);
      const t = times(B2, d3, d1);
      v128.store(out, times(B, t, s), 3 * BAND_ROW);
      v128.store(out, less(B, t, s), 4 * BAND_ROW);
      if (at === last) break;
    }
    if (--count === 0) return;
    to += BAND_CHANNEL;
    g0 += s0;
    g1 += s1;
    g2 += s2;
    g3 += s3;
  }
}

/** The same across, with four channels as lanes. */
function combineGradientColumns(to: usize, place: usize, band: usize, tiles: usize): void {
  const end = band + BAND_CHANNEL;
  while (true) {
    let from = band;
    let at = to;
    let left = tiles;
    while (true) {
      const x0 = v128.load(from);
      const x1 = v128.load(from, BAND_CHANNEL);
      const x2 = v128.load(from, 2 * BAND_CHANNEL);
      const x3 = v128.load(from, 3 * BAND_CHANNEL);
      const low = v128.shuffle<f32>(x0, x1, 0, 4, 1, 5);
      const high = v128.shuffle<f32>(x0, x1, 2, 6, 3, 7);
      const low2 = v128.shuffle<f32>(x2, x3, 0, 4, 1, 5);
      const high2 = v128.shuffle<f32>(x2, x3, 2, 6, 3, 7);
      const d0 = v128.shuffle<f64>(low, low2, 0, 2);
      const d1 = v128.shuffle<f64>(low, low2, 1, 3);
      const d2 = v128.shuffle<f64>(high, high2, 0, 2);
      const d3 = v128.shuffle<f64>(high, high2, 1, 3);
      v128.store(at, d0);
      let out = at + place;
      const u = times(A2, d2, d0);
      const v = times(A2, d3, d1);
      v128.store(out, times(A, v, u));
      out += place;
      v128.store(out, less(A, v, u));
      out += place;
      const s = times(B2, d2, d0);
      const t = times(B2, d3, d1);
      v128.store(out, times(B, t, s));
      out += place;
      v128.store(out, less(B, t, s));
      v128.store(out + place, d3);
      if (--left === 0) break;
      at += TILE_STEP;
      from += 16;
    }
    band += BAND_ROW;
    if (band === end) return;
    to += 6 * place;
  }
}

/** Transforms the gradient of tile row `down` of an image; as transformInput. */
export function transformGradient(
  p: usize,
  to: usize,
  place: usize,
  block: usize,
  image: usize,
  down: usize,
  band: usize,
  zeros: usize,
): void {
  const channels = get(p, OUT_CHANNELS);
  const width = get(p, OUT_WIDTH);
  const rowBytes = width * 4;
  const plane = get(p, OUT_HEIGHT) * rowBytes;
  const rows = get(p, OUT_HEIGHT) - down * SIDE;
  const across = tilesAcross(p);
  const first = image + down * SIDE * rowBytes;
  const s1 = rows > 1 ? plane : 0;
  const s2 = rows > 2 ? plane : 0;
  const s3 = rows > 3 ? plane : 0;
  band += 16;
  for (let t: usize = 0; t < across; t += BAND_TILES) {
    const tiles = min(BAND_TILES, across - t);
    const left = t * SIDE;
    const right = min(width, left + tiles * SIDE);
    const begin = min(left, right - 4);
    const bytes = (right - begin) * 4;
    const start = band + begin * 4 - left * 4;
    if (across > BAND_TILES) memory.fill(band, 0, BAND_BYTES);
    const g0 = first + begin * 4;
    const g1 = rows > 1 ? g0 + rowBytes : zeros;
    const g2 = rows > 2 ? g0 + 2 * rowBytes : zeros;
    const g3 = rows > 3 ? g0 + 3 * rowBytes : zeros;
    let tile = to + t * TILE_STEP;
    for (let c: usize = 0; c < channels; c += 4) {
      const count = min(4, channels - c);
      if (count < 4) memory.fill(band + count * BAND_CHANNEL, 0, (4 - count) * BAND_CHANNEL);
      combineGradientRows(
        start,
        count,
        g0 + c * plane,
        g1 + c * s1,
        g2 + c * s2,
        g3 + c * s3,
        plane,
        s1,
        s2,
        s3,
        bytes,
      );
      combineGradientColumns(tile, place, band, tiles);
      tile += (4 * c + 16) % TILE_STEP ? 16 : block + 16 - TILE_STEP;
    }
  }
}
