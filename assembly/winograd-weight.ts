/*
 * The gradient of the weights of a 3×3 convolution of stride 1, by Winograd's algorithm turned round: gw = Gᵀ·(Σ (Bᵀ·x·B) ⊙ (A·g·Aᵀ))·G over all tiles. Each of the 36
 * places is a product [channels × tiles]·[tiles × output channels] of its own, summed up over blocks of tiles; only those sums are transformed back.
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
import { TILE_BYTES, TILE_ROWS } from "./tile";
import { GRADIENT_BAND, transformGradient } from "./winograd-gradient";
import { addTile, sumFour, sumSix } from "./winograd-sums";
import {
  A,
  A2,
  B,
  B2,
  bandBytes,
  imageBytes,
  OVER_0,
  OVER_A,
  OVER_B,
  oddLines,
  PLACES,
  placeBytes,
  SIDE,
  scale,
  share,
  TILE_STEP,
  tilesAcross,
  tilesDown,
  times,
  touch,
  transformInput,
  zeroBytes,
} from "./winograd-tiles";

/** Bytes of transformed tiles of both sides that are aimed at. */
const BLOCK_BYTES: usize = 589824;

/** Tiles at most where they are whole images: then what is fetched for the next block between two sums is not more lines than the processor can wait for. */
const MOST_TILES: usize = 64;

/** Rows of tiles that are summed at once: whole images if it can be. */
function rowsAtOnce(p: usize): usize {
  const bytes = padded(get(p, CHANNELS) * 4, TILE_STEP) + padded(get(p, OUT_CHANNELS) * 4, TILE_STEP);
  const across = tilesAcross(p);
  const perImage = tilesDown(p);
  const tiles = BLOCK_BYTES / (PLACES * bytes);
  const rows = (perImage * across > MOST_TILES ? tiles : min(tiles, MOST_TILES)) / across;
  return max(1, min(rows > perImage ? rows - (rows % perImage) : rows, get(p, BATCH) * perImage));
}

/** Bytes of the sums of one place: rows of output channels. */
function sumsPlace(p: usize): usize {
  return oddLines(padded(get(p, CHANNELS), TILE_ROWS) * sumsRow(p));
}

function sumsRow(p: usize): usize {
  return padded(get(p, OUT_CHANNELS), 8) * 4;
}

/** Room for sums whose rows have been combined. */
const TEMPORARY: usize = 320;

export function winogradWeightScratch(p: usize): usize {
  const tiles = (rowsAtOnce(p) * tilesAcross(p)) | 4;
  const transformed =
    placeBytes(tiles, get(p, CHANNELS), TILE_STEP) + placeBytes(tiles, get(p, OUT_CHANNELS), TILE_STEP);
  return GEOMETRY_BYTES + TEMPORARY + bandBytes(p) + GRADIENT_BAND + PLACES * (transformed + sumsPlace(p));
}

/** Gᵀ·m for one column: three vectors, `row` bytes apart, of six. */
function combineSixSums(to: usize, row: usize, from: usize, place: usize): void {
  const m0 = v128.load(from);
  from += place;
  let m1 = v128.load(from);
  from += place;
  let m2 = v128.load(from);
  const sum = scale(OVER_A, f32x4.add(m1, m2));
  const apart = scale(A * OVER_A, f32x4.sub(m1, m2));
  from += place;
  m1 = v128.load(from);
  from += place;
  m2 = v128.load(from);
  const sum2 = scale(OVER_B, f32x4.add(m1, m2));
  v128.store(to, times(OVER_0, m0, f32x4.add(sum, sum2)));
  to += row;
  v128.store(to, times(B * OVER_B, f32x4.sub(m1, m2), apart));
  v128.store(to + row, times(A2, sum, times(B2, sum2, v128.load(from + place))));
}

/** Transforms the sums of all places back, into rows [channel and tap] of output channels, outRow bytes apart. */
function finishSums(p: usize, out: usize, outRow: usize, sums: usize, temporary: usize): void {
  const row = sumsRow(p);
  const place = sumsPlace(p);
  for (let c: usize = 0; c < get(p, CHANNELS); c++) {
    for (let k: usize = 0; k < row; k += 16) {
      const from = sums + c * row + k;
      for (let i: usize = 0; i < 6; i++) combineSixSums(temporary + i * 16, 96, from + i * place, 6 * place);
      for (let i: usize = 0; i < 3; i++) {
        combineSixSums(out + (9 * c + 3 * i) * outRow + k, outRow, temporary + i * 96, 16);
      }
    }
  }
}

/** Reads a word of each line from `at` to `end`, `bytes` at most. */
function readLines(at: usize, bytes: usize, end: usize): u32 {
  let all: u32 = 0;
  for (const stop = min(end, at + bytes); at < stop; at += 64) all |= load<u32>(at);
  return all;
}

/**
 * Puts, or adds with `add`, the products of rows number `first` to first + count of the batch's rows of tiles, of which there is room for `most`, and which have been `fetched` or not. Whether the
 * `nextCount` rows behind them have been fetched meanwhile.
 */
function sumRows(
  p: usize,
  most: usize,
  sums: usize,
  g: usize,
  x: usize,
  first: usize,
  count: usize,
  nextCount: usize,
  fetched: bool,
  add: bool,
  scratch: usize,
): bool {
  const channels = get(p, CHANNELS);
  const across = tilesAcross(p);
  const perImage = tilesDown(p);
  const xPlace = placeBytes(most, channels, TILE_STEP);
  const gPlace = placeBytes(most, get(p, OUT_CHANNELS), TILE_STEP);
  const sumPlace = sumsPlace(p);
  const row = sumsRow(p);
  const block = most * TILE_STEP;
  const band = scratch;
  const gBand = band + bandBytes(p);
  const left = gBand + GRADIENT_BAND;
  const right = left + PLACES * xPlace;
  if (!fetched) {
    touch(p, x, first, count, SIDE, 2, false, sums - TEMPORARY);
    touch(p, g, first, count, SIDE, 0, true, sums - TEMPORARY);
  }
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
  // What the next block reads is fetched a few lines before each sum, which waits for no memory: 8 % of the time of [64, 16, 32, 32] and [64, 32, 16, 16].
  const next = first + count;
  const isAhead = ASC_FEATURE_RELAXED_SIMD && channels % 16 === 0 && next % perImage === 0;
  let xAt = x + (next / perImage) * get(p, IN_IMAGE) * 4;
  let gAt = g + (next / perImage) * get(p, OUT_IMAGE) * 4;
  const xEnd = xAt + (isAhead ? imageBytes(p, nextCount, false) : 0);
  const gEnd = gAt + (isAhead ? imageBytes(p, nextCount, true) : 0);
  const calls = PLACES * (row / TILE_BYTES) * ((channels / 16) * 3);
  const xShare = isAhead ? share(xEnd - xAt, calls) : 0;
  const gShare = isAhead ? share(gEnd - gAt, calls) : 0;
  const ahead = xEnd > xAt && gEnd > gAt;
  let all: u32 = 0;
  for (let i: usize = 0; i < PLACES; i++) {
    for (let k: usize = 0; k < row; k += TILE_BYTES) {
      const b = right + i * gPlace + (k / TILE_STEP) * block + (k % TILE_STEP);
      let to = sums + i * sumPlace + k;
      let c: usize = 0;
      if (ASC_FEATURE_RELAXED_SIMD) {
        for (let a = left + i * xPlace; c + 16 <= channels; c += 16) {
          all |= readLines(xAt, xShare, xEnd) | readLines(gAt, gShare, gEnd);
          sumSix(tiles, a, b, add ? temporary : to, toRow);
          if (add) addTile(6, to, row, temporary);
          all |= readLines(xAt + xShare, xShare, xEnd) | readLines(gAt + gShare, gShare, gEnd);
          sumSix(tiles, a + 24, b, add ? temporary : to + 6 * row, toRow);
          if (add) addTile(6, to + 6 * row, row, temporary);
          all |= readLines(xAt + 2 * xShare, xShare, xEnd) | readLines(gAt + 2 * gShare, gShare, gEnd);
          sumFour(tiles, a + 48, b, add ? temporary : to + 12 * row, toRow);
          if (add) addTile(4, to + 12 * row, row, temporary);
          xAt += 3 * xShare;
          gAt += 3 * gShare;
          a += block;
          to += 16 * row;
        }
      }
      for (; c < channels; c += TILE_ROWS) {
        const a = left + i * xPlace + ((4 * c) / TILE_STEP) * block + ((4 * c) % TILE_STEP);
        sumFour(tiles, a, b, add ? temporary : to, toRow);
        if (add) addTile(4, to, row, temporary);
        to += TILE_ROWS * row;
      }
    }
  }
  store<u32>(sums - TEMPORARY, all); // or nothing would be read
  return ahead;
}

/** Groups number `from` to `to`, of the output channels that `p` has; `out` and its rows are as those of all of them. */
function sumGroups(
  p: usize,
  out: usize,
  outRow: usize,
  outGroup: usize,
  g: usize,
  x: usize,
  from: usize,
  to: usize,
  perGroup: usize,
  atOnce: usize,
  scratch: usize,
): void {
  const most = (atOnce * tilesAcross(p)) | 4;
  const rows = get(p, BATCH) * tilesDown(p);
  const sums = scratch + TEMPORARY;
  const rest = sums + PLACES * sumsPlace(p);
  memory.fill(rest, 0, bandBytes(p) + GRADIENT_BAND);
  const end = min(rows, to * perGroup);
  let fetched = false;
  for (let i = from; i < to; i++) {
    const start = i * perGroup;
    const last = min(rows, start + perGroup);
    for (let r = start; r < last; r += atOnce) {
      const count = min(atOnce, last - r);
      const next = r + count;
      const nextCount = min(atOnce, (next < last ? last : min(end, next + perGroup)) - next);
      fetched = sumRows(p, most, sums, g, x, r, count, nextCount, fetched, r > start, rest);
    }
    finishSums(p, out + i * outGroup, outRow, sums, scratch);
  }
}

/**
 * Groups of `perGroup` rows of tiles have sums of their own, one behind the other, as those of convWeightGradF32: convWeightFinishF32 adds them. Parts number `first` to first + total are those of the first
 * `perSlice` output channels, group by group, then those of the next ones: x is transformed for each slice anew, and no sum depends on it. `scratch` has winogradWeightScratch bytes.
 */
export function winogradWeightGradF32(
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
  const groups = (get(p, BATCH) * tilesDown(p) + perGroup - 1) / perGroup;
  const outChannels = get(p, OUT_CHANNELS);
  const plane = get(p, OUT_HEIGHT) * get(p, OUT_WIDTH) * 4;
  const atOnce = rowsAtOnce(p);
  copyGeometry(scratch, p);
  for (const last = first + total; first < last; ) {
    const slice = first / groups;
    const from = first - slice * groups;
    const to = min(groups, from + last - first);
    const k = slice * perSlice;
    set(scratch, OUT_CHANNELS, min(perSlice, outChannels - k));
    sumGroups(
      scratch,
      out + k * 4,
      sumsRow(p),
      convWeightSums(p, 4),
      g + k * plane,
      x,
      from,
      to,
      perGroup,
      atOnce,
      scratch + GEOMETRY_BYTES,
    );
    first += to - from;
  }
}
