/*
 * The gradient of the input of a 3×3 convolution of stride 2 and padding 1 by Winograd's algorithm. Even inputs along an axis met tap 1 alone, odd ones taps 0 and 2: their gradients are two
 * convolutions of the output's gradient, of which both have their products at the places of one transform of it, as if there were more output channels; see polyphase-tiles.ts. At ∞ a single tap has none.
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
  padded,
} from "./geometry";
import { blockTiles, multiplyPlaces, polyphaseRows, rowsToFetch, STEP } from "./polyphase-product";
import {
  A,
  A2,
  B,
  B2,
  channelAt,
  combineRows,
  INPUTS,
  ODD_GRADIENT,
  PLACES,
  POINTS,
  phaseChannels,
} from "./polyphase-tiles";
import { storePart } from "./scratch";
import {
  imageBytes,
  less,
  oddLines,
  rowAt,
  SIDE,
  scale,
  tilesAcross,
  tilesDown,
  times,
  touch,
  zeroBytes,
} from "./winograd-tiles";

/** Room for a tile whose rows have been combined: eight rows of nine vectors. */
const TEMPORARY: usize = 1152;
const ROW: usize = 144;

/** Bytes of four channels' rows in the making, and behind them a row of zeros. */
function bandBytes(p: usize): usize {
  return 4 * POINTS * bandRow(p) + zeroBytes(p);
}

/** One quad more than there are tiles, since tiles overlap. */
function bandRow(p: usize): usize {
  return (tilesAcross(p) + 1) * 16;
}

function tilesPlace(p: usize): usize {
  return oddLines(padded(4 * get(p, OUT_CHANNELS), STEP) * blockTiles(p));
}

/** Bytes of a tile's sums at one place: the channels of all phases. */
function sumsRow(p: usize): usize {
  return 16 * phaseChannels(get(p, CHANNELS));
}

export function polyphaseInputScratch(p: usize): usize {
  return TEMPORARY + bandBytes(p) + PLACES * (tilesPlace(p) + oddLines(blockTiles(p) * sumsRow(p)));
}

/** Bᵀ·g across, with four channels as lanes: one row of the band becomes five places of a row of tiles. */
function combineColumns(to: usize, place: usize, from: usize, channel: usize, tiles: usize): void {
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
    const d1 = v128.shuffle<f64>(low, low2, 1, 3);
    const d2 = v128.shuffle<f64>(high, high2, 0, 2);
    const d3 = v128.shuffle<f64>(high, high2, 1, 3);
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
    let out = to + place;
    v128.store(out, times(A, t, s));
    out += place;
    v128.store(out, less(A, t, s));
    out += place;
    v128.store(out, less(A2, d1, d3));
    d0 = v128.shuffle<f64>(low, low2, 0, 2);
    v128.store(out + place, less(A2, t, less(B, d3, d0)));
    if (--tiles === 0) return;
    to += STEP;
  }
}

/** Transforms the gradient of tile row `down` of an image; `to` is where the first tile goes. */
function transformGradient(p: usize, to: usize, place: usize, image: usize, down: usize, band: usize): void {
  const channels = get(p, OUT_CHANNELS);
  const bytes = get(p, OUT_WIDTH) * 4;
  const plane = get(p, OUT_HEIGHT) * bytes;
  const block = blockTiles(p) * STEP;
  const top = <i32>(down * SIDE);
  const row = bandRow(p);
  const channel = POINTS * row;
  const zeros = band + 4 * channel;
  for (let c: usize = 0; c < channels; c += 4) {
    for (let i: usize = 0; i < 4; i++) {
      const height = c + i < channels ? load<i32>(p + OUT_HEIGHT) : 0;
      const g = image + (c + i) * plane;
      combineRows(
        band + i * channel,
        row,
        rowAt(g, top, height, bytes, zeros),
        rowAt(g, top + 1, height, bytes, zeros),
        rowAt(g, top + 2, height, bytes, zeros),
        rowAt(g, top + 3, height, bytes, zeros),
        rowAt(g, top + 4, height, bytes, zeros),
        bytes,
      );
    }
    const out = to + channelAt(c, STEP, block);
    for (let i: usize = 0; i < POINTS; i++) {
      combineColumns(out + POINTS * i * place, place, band + i * row, channel, tilesAcross(p));
    }
  }
}

/** Aᵀ·m for one column of the odd rows' sums, two taps, and of the even rows': four vectors each. */
function combineSums(to: usize, from: usize, single: usize, place: usize): void {
  let m0 = v128.load(from);
  from += place;
  let m1 = v128.load(from);
  from += place;
  let m2 = v128.load(from);
  from += place;
  let m3 = v128.load(from);
  let sum = f32x4.add(m1, m2);
  let apart = f32x4.sub(m1, m2);
  v128.store(to, f32x4.add(f32x4.add(m0, sum), m3), ROW);
  v128.store(to, times(B, m3, scale(A, apart)), 3 * ROW);
  v128.store(to, times(B2, m3, scale(A2, sum)), 5 * ROW);
  v128.store(to, times(B * B2, m3, times(A * A2, apart, v128.load(from + place))), 7 * ROW);
  if (to === 0) return; // never
  m0 = v128.load(single);
  single += place;
  m1 = v128.load(single);
  single += place;
  m2 = v128.load(single);
  m3 = v128.load(single + place);
  sum = f32x4.add(m1, m2);
  apart = f32x4.sub(m1, m2);
  v128.store(to, f32x4.add(f32x4.add(m0, sum), m3));
  v128.store(to, times(B, m3, scale(A, apart)), 2 * ROW);
  v128.store(to, times(B2, m3, scale(A2, sum)), 4 * ROW);
  v128.store(to, times(B * B2, m3, scale(A * A2, apart)), 6 * ROW);
}

/** Four columns of four channels, of which some exist. */
function writeColumns(
  out: usize,
  plane: usize,
  channels: usize,
  columns: usize,
  y0: v128,
  y1: v128,
  y2: v128,
  y3: v128,
): void {
  const low = v128.shuffle<f32>(y0, y1, 0, 4, 1, 5);
  const high = v128.shuffle<f32>(y0, y1, 2, 6, 3, 7);
  const low2 = v128.shuffle<f32>(y2, y3, 0, 4, 1, 5);
  const high2 = v128.shuffle<f32>(y2, y3, 2, 6, 3, 7);
  const x0 = v128.shuffle<f64>(low, low2, 0, 2);
  const x1 = v128.shuffle<f64>(low, low2, 1, 3);
  const x2 = v128.shuffle<f64>(high, high2, 0, 2);
  const x3 = v128.shuffle<f64>(high, high2, 1, 3);
  if (channels >= 4 && columns >= 4) {
    v128.store(out, x0);
    out += plane;
    v128.store(out, x1);
    out += plane;
    v128.store(out, x2);
    v128.store(out + plane, x3);
    return;
  }
  const bytes = min(columns, 4) * 4;
  storePart(out, x0, bytes);
  if (channels > 1) storePart(out + plane, x1, bytes);
  if (channels > 2) storePart(out + 2 * plane, x2, bytes);
  if (channels > 3) storePart(out + 3 * plane, x3, bytes);
}

/** Four channels of one tile: 8×8 gradients each, of which the first columns and rows exist. `each` is the distance of phases in bytes. */
function writeTile(
  out: usize,
  plane: usize,
  row: usize,
  channels: usize,
  rows: usize,
  columns: usize,
  from: usize,
  place: usize,
  each: usize,
  temporary: usize,
): void {
  for (let i: usize = 0; i < POINTS; i++) {
    const at = from + i * place;
    combineSums(temporary + i * 16, at, at + (i === ODD_GRADIENT ? each : 2 * each), POINTS * place);
  }
  for (let i: usize = 0; i < POINTS - 1; i++) {
    const at = from + i * place + each;
    combineSums(temporary + (POINTS + i) * 16, at, at + 2 * each, POINTS * place);
  }
  while (true) {
    let m0 = v128.load(temporary, 80);
    let m1 = v128.load(temporary, 96);
    let m2 = v128.load(temporary, 112);
    let m3 = v128.load(temporary, 128);
    let sum = f32x4.add(m1, m2);
    let apart = f32x4.sub(m1, m2);
    const e0 = f32x4.add(f32x4.add(m0, sum), m3);
    const e1 = times(B, m3, scale(A, apart));
    const e2 = times(B2, m3, scale(A2, sum));
    const e3 = times(B * B2, m3, scale(A * A2, apart));
    m0 = v128.load(temporary);
    m1 = v128.load(temporary, 16);
    m2 = v128.load(temporary, 32);
    m3 = v128.load(temporary, 48);
    sum = f32x4.add(m1, m2);
    apart = f32x4.sub(m1, m2);
    const d0 = f32x4.add(f32x4.add(m0, sum), m3);
    const d1 = times(B, m3, scale(A, apart));
    writeColumns(out, plane, channels, columns, e0, d0, e1, d1);
    if (columns > 4) {
      const d2 = times(B2, m3, scale(A2, sum));
      const d3 = times(B * B2, m3, times(A * A2, apart, v128.load(temporary, 64)));
      writeColumns(out + 16, plane, channels, columns - 4, e2, d2, e3, d3);
    }
    if (--rows === 0) return;
    out += row;
    temporary += ROW;
  }
}

/** One row of tiles, of all input channels. */
function writeRow(p: usize, image: usize, from: usize, place: usize, down: usize, temporary: usize): void {
  const channels = get(p, CHANNELS);
  const width = get(p, IN_WIDTH);
  const row = width * 4;
  const plane = get(p, IN_HEIGHT) * row;
  const tile = sumsRow(p);
  const rows = min(INPUTS, get(p, IN_HEIGHT) - down * INPUTS);
  for (let c: usize = 0; c < channels; c += 4) {
    let to = image + c * plane + down * INPUTS * row;
    let sums = from + c * 4;
    for (let x: usize = 0; x < width; x += INPUTS) {
      writeTile(to, plane, row, channels - c, rows, width - x, sums, place, tile / 4, temporary);
      to += 4 * INPUTS;
      sums += tile;
    }
  }
}

/** Rows number `first` to first + total of the batch's rows of tiles; `u` are the transformed weights, and `scratch` has polyphaseInputScratch bytes. */
export function polyphaseInputGradF32(
  p: usize,
  gx: usize,
  g: usize,
  u: usize,
  first: usize,
  total: usize,
  scratch: usize,
): void {
  const across = tilesAcross(p);
  const perImage = tilesDown(p);
  const place = tilesPlace(p);
  const block = blockTiles(p) * STEP;
  const sumRow = sumsRow(p);
  const sumPlace = oddLines(blockTiles(p) * sumRow);
  const band = scratch + TEMPORARY;
  const tiles = band + bandBytes(p);
  const sums = tiles + PLACES * place;
  const atOnce = polyphaseRows(p);
  const last = first + total;
  memory.fill(band, 0, bandBytes(p));
  let ahead = false;
  for (let start = first; start < last; start += atOnce) {
    const rows = min(atOnce, last - start);
    const isFetched = ahead;
    if (!isFetched) touch(p, g, start, rows, SIDE, 1, true, scratch);
    for (let r: usize = 0; r < rows; r++) {
      const n = (start + r) / perImage;
      const image = g + n * get(p, OUT_IMAGE) * 4;
      transformGradient(p, tiles + r * across * STEP, place, image, start + r - n * perImage, band);
    }
    const next = start + rows;
    const nextRows = rowsToFetch(p, next, last);
    const fromBytes = imageBytes(p, nextRows, true);
    const toBytes = imageBytes(p, nextRows, false);
    ahead = fromBytes > 0 && toBytes > 0;
    const from = g + (next / perImage) * get(p, OUT_IMAGE) * 4;
    const to = gx + (next / perImage) * get(p, IN_IMAGE) * 4;
    multiplyPlaces(
      p,
      true,
      ODD_GRADIENT,
      rows * across,
      tiles,
      place,
      block,
      u,
      sums,
      sumPlace,
      sumRow,
      scratch,
      from,
      ahead ? fromBytes : 0,
      to,
      ahead ? toBytes : 0,
    );
    if (!isFetched) touch(p, gx, start, rows, INPUTS, 1, false, scratch);
    for (let r: usize = 0; r < rows; r++) {
      const n = (start + r) / perImage;
      const image = gx + n * get(p, IN_IMAGE) * 4;
      writeRow(p, image, sums + r * across * sumRow, sumPlace, start + r - n * perImage, scratch);
    }
  }
}
