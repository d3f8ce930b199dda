/*
 * The transforms of inputs for 3×3 convolutions of stride 2 by Winograd's algorithm. Along an axis every second input meets taps 0 and 2, and those between meet tap 1: the first are a
 * convolution of two taps, F(4, 2), with the interpolation points 0, ±3/4, 2 and ∞; the others one of a single tap, which needs four of those points. So both have their products at the same places and
 * are summed there, as if there were more channels: 9 products for 4 outputs, 81 for a tile of 4×4, where a direct convolution takes 144.
 *
 * Lanes are four channels, as in winograd-tiles.ts.
 */
import { CHANNELS, get, IN_HEIGHT, IN_WIDTH, PADDING_HEIGHT, PADDING_WIDTH, padded } from "./geometry";
import { less, oddLines, rowAt, tilesAcross, times, zeroBytes } from "./winograd-tiles";

/** Inputs of a tile along an axis that the next tile does not see, as bytes and number; places along an axis, and in all. */
export const INPUTS: usize = 8;
export const POINTS: usize = 5;
export const PLACES: usize = 25;

export const A: f32 = 0.75;
export const B: f32 = 2;
export const A2: f32 = A * A;
export const B2: f32 = B * B;
/** One over the product of a point's distances from the others; of the points but 2 for the single tap. */
export const OVER_0: f32 = 1 / (A2 * B);
export const OVER_A: f32 = 1 / (2 * A2 * (A - B));
export const OVER_MINUS_A: f32 = -1 / (2 * A2 * (A + B));
export const OVER_B: f32 = 1 / (B * (B2 - A2));
export const SINGLE_0: f32 = -1 / A2;
export const SINGLE_A: f32 = 1 / (2 * A2);

/** The point that a single tap does without: 2 forward, ∞ in the gradient of the input. */
export const ODD: usize = 3;
export const ODD_GRADIENT: usize = 4;

/** Channels of all four phases at one place, each rounded up to four. */
export function phaseChannels(channels: usize): usize {
  return padded(channels, 4);
}

/** Phases that meet at place (down, across): at `odd` there are only those of two taps. */
export function phasesAt(down: usize, across: usize, odd: usize): usize {
  return (down === odd ? 1 : 2) * (across === odd ? 1 : 2);
}

/** Bytes of a place of so many tiles, in blocks of `step` bytes a tile. */
export function placeBytes(tiles: usize, channels: usize, step: usize): usize {
  return oddLines(padded(16 * phaseChannels(channels), step) * tiles);
}

/** Bytes of four channels' rows in the making, and behind them a row of zeros; all of it has to be 0 before the first use. */
export function bandBytes(p: usize): usize {
  return 36 * bandRow(p) + zeroBytes(p);
}

/** One quad more than there are tiles, since tiles overlap. */
function bandRow(p: usize): usize {
  return tilesAcross(p) * INPUTS * 4 + 16;
}

/** Bᵀ·d of two taps down the columns: five rows make five others. `bytes`, at least 16, is their length. */
export function combineRows(
  to: usize,
  toRow: usize,
  r0: usize,
  r1: usize,
  r2: usize,
  r3: usize,
  r4: usize,
  bytes: usize,
): void {
  const last = bytes - 16;
  for (let at: usize = 0; ; at = min(at + 16, last)) {
    const d1 = v128.load(r1 + at);
    const d2 = v128.load(r2 + at);
    const d3 = v128.load(r3 + at);
    const s = less(B, d2, d3);
    const t = less(B, d1, d2);
    let out = to + at;
    v128.store(out, less(A2, less(B, v128.load(r0 + at), d1), s));
    out += toRow;
    v128.store(out, times(A, t, s));
    out += toRow;
    v128.store(out, less(A, t, s));
    out += toRow;
    v128.store(out, less(A2, d1, d3));
    v128.store(out + toRow, less(A2, t, less(B, d3, v128.load(r4 + at))));
    if (at === last) return;
  }
}

/** The same of a single tap: four rows make four others. */
function combineSingleRows(to: usize, toRow: usize, r0: usize, r1: usize, r2: usize, r3: usize, bytes: usize): void {
  const last = bytes - 16;
  for (let at: usize = 0; ; at = min(at + 16, last)) {
    const d1 = v128.load(r1 + at);
    const d2 = v128.load(r2 + at);
    let out = to + at;
    v128.store(out, less(A2, v128.load(r0 + at), d2));
    out += toRow;
    v128.store(out, times(A, d1, d2));
    out += toRow;
    v128.store(out, less(A, d1, d2));
    v128.store(out + toRow, less(A2, d1, v128.load(r3 + at)));
    if (at === last) return;
  }
}

/**
 * Both across, with four channels as lanes: one row of the band becomes five places of a row of tiles. `place2` is the place of the point 2, which only the sums of two taps have;
 * `single` is where those of a single tap go.
 */
function combineColumns(
  to: usize,
  place2: usize,
  single: usize,
  step: usize,
  place: usize,
  from: usize,
  channel: usize,
  tiles: usize,
): void {
  let x0 = v128.load(from);
  let x1 = v128.load(from + channel);
  let x2 = v128.load(from + 2 * channel);
  let x3 = v128.load(from + 3 * channel);
  let low = v128.shuffle<f32>(x0, x1, 0, 4, 1, 5);
  let high = v128.shuffle<f32>(x0, x1, 2, 6, 3, 7);
  let low2 = v128.shuffle<f32>(x2, x3, 0, 4, 1, 5);
  let high2 = v128.shuffle<f32>(x2, x3, 2, 6, 3, 7);
  let d0 = v128.shuffle<f64>(low, low2, 0, 2);
  while (true) {
    const e0 = v128.shuffle<f64>(low, low2, 1, 3);
    const d1 = v128.shuffle<f64>(high, high2, 0, 2);
    const e1 = v128.shuffle<f64>(high, high2, 1, 3);
    from += 16;
    x0 = v128.load(from);
    x1 = v128.load(from + channel);
    x2 = v128.load(from + 2 * channel);
    x3 = v128.load(from + 3 * channel);
    low = v128.shuffle<f32>(x0, x1, 0, 4, 1, 5);
    high = v128.shuffle<f32>(x0, x1, 2, 6, 3, 7);
    low2 = v128.shuffle<f32>(x2, x3, 0, 4, 1, 5);
    high2 = v128.shuffle<f32>(x2, x3, 2, 6, 3, 7);
    const e2 = v128.shuffle<f64>(low, low2, 1, 3);
    const e3 = v128.shuffle<f64>(high, high2, 1, 3);
    v128.store(single, less(A2, e0, e2));
    let out = single + place;
    v128.store(out, times(A, e1, e2));
    out += place;
    v128.store(out, less(A, e1, e2));
    v128.store(out + 2 * place, less(A2, e1, e3));
    const d2 = v128.shuffle<f64>(low, low2, 0, 2);
    const d3 = v128.shuffle<f64>(high, high2, 0, 2);
    if (from === 0) return; // never
    from += 16;
    x0 = v128.load(from);
    x1 = v128.load(from + channel);
    x2 = v128.load(from + 2 * channel);
    x3 = v128.load(from + 3 * channel);
    low = v128.shuffle<f32>(x0, x1, 0, 4, 1, 5);
    high = v128.shuffle<f32>(x0, x1, 2, 6, 3, 7);
    low2 = v128.shuffle<f32>(x2, x3, 0, 4, 1, 5);
    high2 = v128.shuffle<f32>(x2, x3, 2, 6, 3, 7);
    const s = less(B, d2, d3);
    const t = less(B, d1, d2);
    v128.store(to, less(A2, less(B, d0, d1), s));
    out = to + place;
    v128.store(out, times(A, t, s));
    out += place;
    v128.store(out, less(A, t, s));
    v128.store(place2, less(A2, d1, d3));
    d0 = v128.shuffle<f64>(low, low2, 0, 2);
    v128.store(out + 2 * place, less(A2, t, less(B, d3, d0)));
    if (--tiles === 0) return;
    to += step;
    place2 += step;
    single += step;
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
  const each = phaseChannels(channels);
  const height = load<i32>(p + IN_HEIGHT);
  const bytes = get(p, IN_WIDTH) * 4;
  const plane = get(p, IN_HEIGHT) * bytes;
  const top = <i32>(down * INPUTS) - load<i32>(p + PADDING_HEIGHT);
  const row = bandRow(p);
  const channel = 9 * row;
  const zeros = band + 36 * row;
  const tiles = tilesAcross(p);
  for (let c: usize = 0; c < channels; c += 4) {
    for (let i: usize = 0; i < 4; i++) {
      const h = c + i < channels ? height : 0;
      const x = image + (c + i) * plane;
      const start = band + get(p, PADDING_WIDTH) * 4 + i * channel;
      combineRows(
        start,
        row,
        rowAt(x, top, h, bytes, zeros),
        rowAt(x, top + 2, h, bytes, zeros),
        rowAt(x, top + 4, h, bytes, zeros),
        rowAt(x, top + 6, h, bytes, zeros),
        rowAt(x, top + 8, h, bytes, zeros),
        bytes,
      );
      combineSingleRows(
        start + POINTS * row,
        row,
        rowAt(x, top + 1, h, bytes, zeros),
        rowAt(x, top + 3, h, bytes, zeros),
        rowAt(x, top + 5, h, bytes, zeros),
        rowAt(x, top + 7, h, bytes, zeros),
        bytes,
      );
    }
    for (let i: usize = 0; i < 9; i++) {
      // Where channels of the phases go: those of two taps across, those at the point 2, and those of a single tap across.
      const first = i < POINTS ? c : c + 2 * each;
      const at2 = i < POINTS ? c : c + each;
      const point = i < POINTS ? i : i < 8 ? i - POINTS : 4;
      const out = to + POINTS * point * place;
      combineColumns(
        out + channelAt(first, step, block),
        out + 3 * place + channelAt(at2, step, block),
        out + channelAt(first + each, step, block),
        step,
        place,
        band + i * row,
        channel,
        tiles,
      );
    }
  }
}

/** Bytes from a tile to one of its channels. */
export function channelAt(channel: usize, step: usize, block: usize): usize {
  return ((4 * channel) / step) * block + ((4 * channel) % step);
}
