/*
 * 3×3 convolution of stride 2 by Winograd's algorithm, see polyphase-tiles.ts: each of the 25 places is a product [tiles × channels of up to four phases]·[those × output channels] of its own, and
 * its sums are transformed back into tiles of 4×4 outputs. Otherwise it goes as in winograd.ts.
 */
import { CHANNELS, get, IN_IMAGE, OUT_CHANNELS, OUT_HEIGHT, OUT_IMAGE, OUT_WIDTH, padded } from "./geometry";
import { blockTiles, multiplyPlaces, polyphaseRows, rowsToFetch, STEP, weightsPlace } from "./polyphase-product";
import {
  A,
  A2,
  B,
  B2,
  bandBytes,
  INPUTS,
  ODD,
  ODD_GRADIENT,
  OVER_0,
  OVER_A,
  OVER_B,
  OVER_MINUS_A,
  PLACES,
  POINTS,
  phaseChannels,
  phasesAt,
  placeBytes,
  SINGLE_0,
  SINGLE_A,
  transformInput,
} from "./polyphase-tiles";
import { loadPart, storePart } from "./scratch";
import { TILE_BYTES } from "./tile";
import { loadTap } from "./winograd-pack";
import { imageBytes, less, oddLines, SIDE, scale, tilesAcross, tilesDown, times, touch } from "./winograd-tiles";

export { polyphaseRows };

/** Room for a tile whose rows have been combined. */
const TEMPORARY: usize = 320;

/** Bytes of a tile's row of output channels. */
function outBytes(p: usize): usize {
  return padded(get(p, OUT_CHANNELS), 8) * 4;
}

export function polyphaseScratch(p: usize): usize {
  const tiles = blockTiles(p);
  return (
    TEMPORARY + bandBytes(p) + PLACES * (placeBytes(tiles, get(p, CHANNELS), STEP) + oddLines(tiles * outBytes(p)))
  );
}

export function polyphaseWeightsBytes(p: usize): usize {
  return PLACES * weightsPlace(p);
}

/** G·w for one column, nine vectors `row` bytes apart: five of the outer taps and four of the inner one. */
function combineWeights(to: usize, row: usize, w0: v128, w1: v128, w2: v128, gradient: bool): void {
  v128.store(to, scale(OVER_0, w0));
  to += row;
  v128.store(to, scale(OVER_A, times(A, w2, w0)));
  to += row;
  v128.store(to, scale(OVER_MINUS_A, less(A, w2, w0)));
  to += row;
  v128.store(to, scale(OVER_B, times(B, w2, w0)));
  to += row;
  v128.store(to, w2);
  to += row;
  v128.store(to, scale(gradient ? OVER_0 : SINGLE_0, w1));
  to += row;
  v128.store(to, scale(gradient ? OVER_A : SINGLE_A, w1));
  to += row;
  v128.store(to, scale(gradient ? OVER_MINUS_A : SINGLE_A, w1));
  v128.store(to + row, gradient ? scale(OVER_B, w1) : w1);
}

/** The place of the i-th of nine sums along an axis. */
function pointOf(i: usize, odd: usize): usize {
  return i < POINTS ? i : i < 8 ? i - POINTS : 7 - odd;
}

/** Where the 81 sums of four lanes from number `lane` on go, in bytes; rows of a sliver follow each other. */
function fillTable(p: usize, table: usize, gradient: bool, lane: usize): void {
  const each = phaseChannels(get(p, CHANNELS));
  const odd = gradient ? ODD_GRADIENT : ODD;
  for (let i: usize = 0; i < 9; i++) {
    const down = pointOf(i, odd);
    for (let j: usize = 0; j < 9; j++) {
      const across = pointOf(j, odd);
      const first = each * ((i < POINTS ? 0 : across === odd ? 1 : 2) + (j < POINTS ? 0 : 1));
      const column = gradient ? first + lane : lane;
      const rows = gradient ? get(p, OUT_CHANNELS) : phasesAt(down, across, odd) * each;
      const row = (column / 8) * rows + (gradient ? 0 : first);
      store<usize>(table, (POINTS * down + across) * weightsPlace(p) + row * TILE_BYTES + (column & 4) * 4);
      table += 4;
    }
  }
}

/**
 * Transforms the weights of `total` groups of four output channels from number `first` on into `u`, of polyphaseWeightsBytes bytes; for the gradient of the input those of input channels, and with taps
 * from the last to the first. `temporary` has 912 bytes.
 */
export function polyphasePackF32(
  p: usize,
  u: usize,
  w: usize,
  gradient: bool,
  first: usize,
  total: usize,
  temporary: usize,
): void {
  const inputs = get(p, CHANNELS);
  const outputs = get(p, OUT_CHANNELS);
  const lanes = gradient ? inputs : outputs;
  const lane: usize = gradient ? 36 : 36 * inputs;
  const rows = gradient ? outputs : inputs;
  const row: usize = gradient ? 36 * inputs : 36;
  const paddedRows = gradient ? rows : phaseChannels(inputs);
  const tap: isize = gradient ? -4 : 4;
  if (gradient) w += 32;
  const across = temporary + 432;
  const table = across + 144;
  for (let l = first * 4; l < (first + total) * 4; l += 4) {
    const count = l < lanes ? min<usize>(4, lanes - l) : 0;
    fillTable(p, table, gradient, l);
    for (let r: usize = 0; r < paddedRows; r++) {
      const some = r < rows ? count : 0;
      const from = w + l * lane + r * row;
      for (let i: isize = 0; i < 3; i++) {
        const w0 = loadTap(from + i * tap, lane, some);
        const w1 = loadTap(from + (i + 3) * tap, lane, some);
        const w2 = loadTap(from + (i + 6) * tap, lane, some);
        combineWeights(temporary + i * 16, 48, w0, w1, w2, gradient);
      }
      const to = u + r * TILE_BYTES;
      let at = table;
      for (let i: usize = 0; i < 9; i++) {
        const taps = temporary + i * 48;
        combineWeights(across, 16, v128.load(taps), v128.load(taps, 16), v128.load(taps, 32), gradient);
        for (let j: usize = 0; j < 144; j += 16) {
          v128.store(to + load<usize>(at), v128.load(across + j));
          at += 4;
        }
      }
    }
  }
}

/** Aᵀ·m for one column: four vectors of five. */
function combineSums(to: usize, from: usize, place: usize): void {
  const m0 = v128.load(from);
  from += place;
  const m1 = v128.load(from);
  from += place;
  const m2 = v128.load(from);
  from += place;
  const m3 = v128.load(from);
  const sum = f32x4.add(m1, m2);
  const apart = f32x4.sub(m1, m2);
  v128.store(to, f32x4.add(f32x4.add(m0, sum), m3));
  v128.store(to, times(B, m3, scale(A, apart)), 80);
  v128.store(to, times(B2, m3, scale(A2, sum)), 160);
  v128.store(to, times(B * B2, m3, times(A * A2, apart, v128.load(from + place))), 240);
}

/** Four channels of one tile: 4×4 outputs each, of which the first columns and rows exist. */
function writeTile(
  out: usize,
  plane: usize,
  row: usize,
  channels: usize,
  rows: usize,
  columns: usize,
  from: usize,
  place: usize,
  bias: v128,
  temporary: usize,
): void {
  for (let i: usize = 0; i < POINTS; i++) combineSums(temporary + i * 16, from + i * place, POINTS * place);
  while (true) {
    const m0 = f32x4.add(v128.load(temporary), bias);
    const m1 = v128.load(temporary, 16);
    const m2 = v128.load(temporary, 32);
    const m3 = v128.load(temporary, 48);
    const sum = f32x4.add(m1, m2);
    const apart = f32x4.sub(m1, m2);
    const y0 = f32x4.add(f32x4.add(m0, sum), m3);
    const y1 = times(B, m3, times(A, apart, bias));
    const y2 = times(B2, m3, times(A2, sum, bias));
    const y3 = times(B * B2, m3, times(A * A2, apart, f32x4.add(v128.load(temporary, 64), bias)));
    const low = v128.shuffle<f32>(y0, y1, 0, 4, 1, 5);
    const high = v128.shuffle<f32>(y0, y1, 2, 6, 3, 7);
    const low2 = v128.shuffle<f32>(y2, y3, 0, 4, 1, 5);
    const high2 = v128.shuffle<f32>(y2, y3, 2, 6, 3, 7);
    const x0 = v128.shuffle<f64>(low, low2, 0, 2);
    const x1 = v128.shuffle<f64>(low, low2, 1, 3);
    const x2 = v128.shuffle<f64>(high, high2, 0, 2);
    const x3 = v128.shuffle<f64>(high, high2, 1, 3);
    let to = out;
    if (channels >= 4 && columns >= 4) {
      v128.store(to, x0);
      to += plane;
      v128.store(to, x1);
      to += plane;
      v128.store(to, x2);
      v128.store(to + plane, x3);
    } else {
      const bytes = min(columns, 4) * 4;
      storePart(to, x0, bytes);
      if (channels > 1) storePart(to + plane, x1, bytes);
      if (channels > 2) storePart(to + 2 * plane, x2, bytes);
      if (channels > 3) storePart(to + 3 * plane, x3, bytes);
    }
    if (--rows === 0) return;
    out += row;
    temporary += 80;
  }
}

/** One row of tiles, of all output channels. */
function writeRow(
  p: usize,
  image: usize,
  from: usize,
  place: usize,
  tile: usize,
  down: usize,
  bias: usize,
  temporary: usize,
): void {
  const channels = get(p, OUT_CHANNELS);
  const width = get(p, OUT_WIDTH);
  const row = width * 4;
  const plane = get(p, OUT_HEIGHT) * row;
  const rows = min(SIDE, get(p, OUT_HEIGHT) - down * SIDE);
  for (let k: usize = 0; k < channels; k += 4) {
    const count = channels - k;
    const offset = bias ? loadPart(bias + k * 4, count * 4) : f32x4.splat(0);
    let to = image + k * plane + down * SIDE * row;
    let sums = from + k * 4;
    for (let x: usize = 0; x < width; x += SIDE) {
      writeTile(to, plane, row, count, rows, width - x, sums, place, offset, temporary);
      to += 16;
      sums += tile;
    }
  }
}

/** Rows number `first` to first + total of the batch's rows of tiles; `u` are the transformed weights, and `scratch` has polyphaseScratch bytes. */
export function polyphaseF32(
  p: usize,
  out: usize,
  x: usize,
  u: usize,
  bias: usize,
  first: usize,
  total: usize,
  scratch: usize,
): void {
  const channels = get(p, CHANNELS);
  const outRow = outBytes(p);
  const across = tilesAcross(p);
  const perImage = tilesDown(p);
  const most = blockTiles(p);
  const inPlace = placeBytes(most, channels, STEP);
  const block = most * STEP;
  const outPlace = oddLines(most * outRow);
  const band = scratch + TEMPORARY;
  const tiles = band + bandBytes(p);
  const sums = tiles + PLACES * inPlace;
  const atOnce = polyphaseRows(p);
  const last = first + total;
  memory.fill(band, 0, bandBytes(p));
  let ahead = false;
  for (let start = first; start < last; start += atOnce) {
    const rows = min(atOnce, last - start);
    const isFetched = ahead;
    if (!isFetched) touch(p, x, start, rows, INPUTS, 1, false, scratch);
    for (let r: usize = 0; r < rows; r++) {
      const n = (start + r) / perImage;
      const image = x + n * get(p, IN_IMAGE) * 4;
      transformInput(p, tiles + r * across * STEP, STEP, inPlace, block, image, start + r - n * perImage, band);
    }
    const next = start + rows;
    const nextRows = rowsToFetch(p, next, last);
    const fromBytes = imageBytes(p, nextRows, false);
    const toBytes = imageBytes(p, nextRows, true);
    ahead = fromBytes > 0 && toBytes > 0;
    const from = x + (next / perImage) * get(p, IN_IMAGE) * 4;
    const to = out + (next / perImage) * get(p, OUT_IMAGE) * 4;
    multiplyPlaces(
      p,
      false,
      ODD,
      rows * across,
      tiles,
      inPlace,
      block,
      u,
      sums,
      outPlace,
      outRow,
      scratch,
      from,
      ahead ? fromBytes : 0,
      to,
      ahead ? toBytes : 0,
    );
    if (!isFetched) touch(p, out, start, rows, SIDE, 0, true, scratch);
    for (let r: usize = 0; r < rows; r++) {
      const n = (start + r) / perImage;
      const image = out + n * get(p, OUT_IMAGE) * 4;
      writeRow(p, image, sums + r * across * outRow, outPlace, outRow, start + r - n * perImage, bias, scratch);
    }
  }
}
