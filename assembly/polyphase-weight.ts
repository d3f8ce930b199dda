/*
 * The gradient of the weights of a 3×3 convolution of stride 2, by the algorithm of polyphase.ts turned round, as winograd-weight.ts does it for stride 1: each of the 25 places is a product [channels of up to
 * four phases × tiles]·[tiles × output channels] of its own.
 */
import { convWeightSums } from "./conv-weight";
import {
  BATCH,
  CHANNELS,
  copyGeometry,
  GEOMETRY_BYTES,
  get,
  IN_IMAGE,
  OUT_CHANNELS,
  OUT_HEIGHT,
  OUT_IMAGE,
  OUT_WIDTH,
  padded,
  set,
} from "./geometry";
import { BLOCK_BYTES, blockOf } from "./polyphase-product";
import {
  A,
  A2,
  B,
  B2,
  bandBytes,
  channelAt,
  INPUTS,
  ODD,
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
import { TILE_BYTES, TILE_ROWS } from "./tile";
import { addTile, sumFour, sumSix } from "./winograd-sums";
import {
  placeBytes as gradientBytes,
  less,
  oddLines,
  rowAt,
  SIDE,
  scale,
  TILE_STEP,
  tilesAcross,
  tilesDown,
  times,
  touch,
  zeroBytes,
} from "./winograd-tiles";

/** Rows of tiles that are summed at once. */
function rowsAtOnce(p: usize): usize {
  const tiles = blockOf(phaseChannels(get(p, CHANNELS)), padded(get(p, OUT_CHANNELS), 16), BLOCK_BYTES);
  return max(1, min(tiles / tilesAcross(p), get(p, BATCH) * tilesDown(p)));
}

function sumsRow(p: usize): usize {
  return padded(get(p, OUT_CHANNELS), 8) * 4;
}

/** Bytes of the sums of one place: rows of output channels. */
function sumsPlace(p: usize): usize {
  return oddLines(4 * phaseChannels(get(p, CHANNELS)) * sumsRow(p));
}

/** Room for sums whose rows have been combined. */
const TEMPORARY: usize = 512;

/** Bytes of four channels' rows of transformed gradients. */
function gradientBand(p: usize): usize {
  return 4 * POINTS * 16 * tilesAcross(p);
}

export function polyphaseWeightScratch(p: usize): usize {
  const tiles = (rowsAtOnce(p) * tilesAcross(p)) | 4;
  const transformed =
    placeBytes(tiles, get(p, CHANNELS), TILE_STEP) + gradientBytes(tiles, get(p, OUT_CHANNELS), TILE_STEP);
  return GEOMETRY_BYTES + TEMPORARY + bandBytes(p) + gradientBand(p) + PLACES * (transformed + sumsPlace(p));
}

/** A·g down the columns: four rows of a band make five; `bytes` is their length, and the last vector may overlap the one before it. */
function combineGradientRows(to: usize, toRow: usize, g0: usize, g1: usize, g2: usize, g3: usize, bytes: usize): void {
  const last = bytes - 16;
  for (let at: usize = 0; ; at = min(at + 16, last)) {
    const d0 = v128.load(g0 + at);
    const d1 = v128.load(g1 + at);
    const d2 = v128.load(g2 + at);
    const d3 = v128.load(g3 + at);
    let out = to + at;
    v128.store(out, d0);
    const u = times(A2, d2, d0);
    const v = times(A2, d3, d1);
    out += toRow;
    v128.store(out, times(A, v, u));
    out += toRow;
    v128.store(out, less(A, v, u));
    out += toRow;
    v128.store(out, times(B, times(B2, d3, d1), times(B2, d2, d0)));
    v128.store(out + toRow, d3);
    if (at === last) return;
  }
}

/** The same across, with four channels as lanes. */
function combineGradientColumns(to: usize, place: usize, from: usize, channel: usize, tiles: usize): void {
  while (true) {
    const x0 = v128.load(from);
    const x1 = v128.load(from + channel);
    const x2 = v128.load(from + 2 * channel);
    const x3 = v128.load(from + 3 * channel);
    const low = v128.shuffle<f32>(x0, x1, 0, 4, 1, 5);
    const high = v128.shuffle<f32>(x0, x1, 2, 6, 3, 7);
    const low2 = v128.shuffle<f32>(x2, x3, 0, 4, 1, 5);
    const high2 = v128.shuffle<f32>(x2, x3, 2, 6, 3, 7);
    const d0 = v128.shuffle<f64>(low, low2, 0, 2);
    const d1 = v128.shuffle<f64>(low, low2, 1, 3);
    const d2 = v128.shuffle<f64>(high, high2, 0, 2);
    const d3 = v128.shuffle<f64>(high, high2, 1, 3);
    v128.store(to, d0);
    let out = to + place;
    const u = times(A2, d2, d0);
    const v = times(A2, d3, d1);
    v128.store(out, times(A, v, u));
    out += place;
    v128.store(out, less(A, v, u));
    out += place;
    v128.store(out, times(B, times(B2, d3, d1), times(B2, d2, d0)));
    v128.store(out + place, d3);
    if (--tiles === 0) return;
    to += TILE_STEP;
    from += 16;
  }
}

/** Transforms the gradient of tile row `down` of an image; as transformInput. The band's border on the right is 0. */
function transformGradient(
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
  const bytes = get(p, OUT_WIDTH) * 4;
  const plane = get(p, OUT_HEIGHT) * bytes;
  const top = <i32>(down * SIDE);
  const tiles = tilesAcross(p);
  const row = tiles * 16;
  const channel = POINTS * row;
  for (let c: usize = 0; c < channels; c += 4) {
    for (let i: usize = 0; i < 4; i++) {
      const g = image + (c + i) * plane;
      const height = c + i < channels ? load<i32>(p + OUT_HEIGHT) : 0;
      combineGradientRows(
        band + i * channel,
        row,
        rowAt(g, top, height, bytes, zeros),
        rowAt(g, top + 1, height, bytes, zeros),
        rowAt(g, top + 2, height, bytes, zeros),
        rowAt(g, top + 3, height, bytes, zeros),
        bytes,
      );
    }
    for (let i: usize = 0; i < POINTS; i++) {
      combineGradientColumns(
        to + POINTS * i * place + channelAt(c, TILE_STEP, block),
        place,
        band + i * row,
        channel,
        tiles,
      );
    }
  }
}

/** Gᵀ·m for one column: three vectors of five sums of the outer taps and, in the same places, four of the inner one. */
function combineAllSums(to: usize, row: usize, m0: v128, m1: v128, m2: v128, m3: v128, m4: v128): void {
  const s1 = scale(OVER_A, m1);
  const s2 = scale(OVER_MINUS_A, m2);
  const s3 = scale(OVER_B, m3);
  v128.store(to, f32x4.add(times(OVER_0, m0, s3), f32x4.add(s1, s2)));
  v128.store(to + 2 * row, times(A, f32x4.sub(s1, s2), times(B, s3, m4)));
}

function combineSingleSums(to: usize, m0: v128, m1: v128, m2: v128, m4: v128): void {
  v128.store(to, f32x4.add(times(SINGLE_A, f32x4.add(m1, m2), scale(SINGLE_0, m0)), m4));
}

/** Transforms the sums of all places back, into rows [channel and tap] of output channels, outRow bytes apart. */
function finishSums(p: usize, out: usize, outRow: usize, sums: usize, temporary: usize): void {
  const row = sumsRow(p);
  const place = sumsPlace(p);
  const each = phaseChannels(get(p, CHANNELS)) * row;
  for (let c: usize = 0; c < get(p, CHANNELS); c++) {
    for (let k: usize = 0; k < row; k += 16) {
      const from = sums + c * row + k;
      // Down: nine columns, five of the outer taps and four of the inner one, make three rows each.
      for (let j: usize = 0; j < 9; j++) {
        const along = j < POINTS ? j : j < 8 ? j - POINTS : 4;
        const at = from + along * place + (j < POINTS ? 0 : each);
        const step = POINTS * place;
        combineAllSums(
          temporary + j * 16,
          144,
          v128.load(at),
          v128.load(at + step),
          v128.load(at + 2 * step),
          v128.load(at + 3 * step),
          v128.load(at + 4 * step),
        );
        const single = at + (along === ODD ? each : 2 * each);
        combineSingleSums(
          temporary + 144 + j * 16,
          v128.load(single),
          v128.load(single + step),
          v128.load(single + 2 * step),
          v128.load(single + 4 * step),
        );
      }
      for (let i: usize = 0; i < 3; i++) {
        const at = temporary + i * 144;
        const to = out + (9 * c + 3 * i) * outRow + k;
        combineAllSums(
          to,
          outRow,
          v128.load(at),
          v128.load(at, 16),
          v128.load(at, 32),
          v128.load(at, 48),
          v128.load(at, 64),
        );
        combineSingleSums(to + outRow, v128.load(at, 80), v128.load(at, 96), v128.load(at, 112), v128.load(at, 128));
      }
    }
  }
}

/** Puts, or adds with `add`, the products of rows number `first` to first + count of the batch's rows of tiles, of which there is room for `most`. */
function sumRows(
  p: usize,
  most: usize,
  sums: usize,
  g: usize,
  x: usize,
  first: usize,
  count: usize,
  add: bool,
  scratch: usize,
): void {
  const each = phaseChannels(get(p, CHANNELS));
  const across = tilesAcross(p);
  const perImage = tilesDown(p);
  const xPlace = placeBytes(most, get(p, CHANNELS), TILE_STEP);
  const gPlace = gradientBytes(most, get(p, OUT_CHANNELS), TILE_STEP);
  const sumPlace = sumsPlace(p);
  const row = sumsRow(p);
  const block = most * TILE_STEP;
  const band = scratch;
  const gBand = band + bandBytes(p);
  const left = gBand + gradientBand(p);
  const right = left + PLACES * xPlace;
  touch(p, x, first, count, INPUTS, 1, false, sums - TEMPORARY);
  touch(p, g, first, count, SIDE, 0, true, sums - TEMPORARY);
  for (let r: usize = 0; r < count; r++) {
    const n = (first + r) / perImage;
    const down = first + r - n * perImage;
    const at = r * across * TILE_STEP;
    transformInput(p, left + at, TILE_STEP, xPlace, block, x + n * get(p, IN_IMAGE) * 4, down, band);
    transformGradient(p, right + at, gPlace, block, g + n * get(p, OUT_IMAGE) * 4, down, gBand, gBand - zeroBytes(p));
  }
  const tiles = count * across;
  const temporary = sums - TEMPORARY;
  const toRow = add ? TILE_BYTES : row;
  for (let i: usize = 0; i < PLACES; i++) {
    const channels = phasesAt(i / POINTS, i % POINTS, ODD) * each;
    for (let k: usize = 0; k < row; k += TILE_BYTES) {
      const b = right + i * gPlace + channelAt(k / 4, TILE_STEP, block);
      let to = sums + i * sumPlace + k;
      let c: usize = 0;
      if (ASC_FEATURE_RELAXED_SIMD) {
        for (let a = left + i * xPlace; c + 16 <= channels; c += 16) {
          sumSix(tiles, a, b, add ? temporary : to, toRow);
          if (add) addTile(6, to, row, temporary);
          sumSix(tiles, a + 24, b, add ? temporary : to + 6 * row, toRow);
          if (add) addTile(6, to + 6 * row, row, temporary);
          sumFour(tiles, a + 48, b, add ? temporary : to + 12 * row, toRow);
          if (add) addTile(4, to + 12 * row, row, temporary);
          a += block;
          to += 16 * row;
        }
      }
      for (; c < channels; c += TILE_ROWS) {
        sumFour(tiles, left + i * xPlace + channelAt(c, TILE_STEP, block), b, add ? temporary : to, toRow);
        if (add) addTile(4, to, row, temporary);
        to += TILE_ROWS * row;
      }
    }
  }
}

/** As winogradWeightGradF32; `scratch` has polyphaseWeightScratch bytes. */
export function polyphaseWeightGradF32(
  p: usize,
  out: usize,
  g: usize,
  x: usize,
  first: usize,
  total: usize,
  perGroup: usize,
  perSlice: usize,
  scratch: usize,
): void {
  const rows = get(p, BATCH) * tilesDown(p);
  const groups = (rows + perGroup - 1) / perGroup;
  const outChannels = get(p, OUT_CHANNELS);
  const plane = get(p, OUT_HEIGHT) * get(p, OUT_WIDTH) * 4;
  const atOnce = rowsAtOnce(p);
  const most = (atOnce * tilesAcross(p)) | 4;
  const temporary = scratch + GEOMETRY_BYTES;
  const sums = temporary + TEMPORARY;
  copyGeometry(scratch, p);
  for (let i = first; i < first + total; i++) {
    const slice = i / groups;
    const group = i - slice * groups;
    const k = slice * perSlice;
    set(scratch, OUT_CHANNELS, min(perSlice, outChannels - k));
    const rest = sums + PLACES * sumsPlace(scratch);
    if (group === 0 || i === first) memory.fill(rest, 0, bandBytes(p) + gradientBand(p));
    const start = group * perGroup;
    const last = min(rows, start + perGroup);
    for (let r = start; r < last; r += atOnce) {
      sumRows(scratch, most, sums, g + k * plane, x, r, min(atOnce, last - r), r > start, rest);
    }
    finishSums(scratch, out + group * convWeightSums(p, 4) + k * 4, sumsRow(p), sums, temporary);
  }
}
