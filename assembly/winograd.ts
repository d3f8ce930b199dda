/*
 * 3×3 convolution of stride 1 by Winograd's F(4×4, 3×3): a quarter of the multiplications. Tiles of 6×6 inputs and the weights are transformed; then each of the 36 places
 * is a product [tiles × channels]·[channels × output channels] of its own; its sums are transformed back into tiles of 4×4 outputs. Rows of tiles are done a block at a time,
 * so that all of it stays in the second cache. The gradient of the input is the same with the weights turned round.
 */
import { BATCH, CHANNELS, get, IN_IMAGE, OUT_CHANNELS, OUT_HEIGHT, OUT_IMAGE, OUT_WIDTH, padded } from "./geometry";
import { loadPart, storePart } from "./scratch";
import { TILE_BYTES } from "./tile";
import { weightsPlace } from "./winograd-pack";
import { multiplyTiles } from "./winograd-product";
import {
  A,
  A2,
  B,
  B2,
  bandBytes,
  imageBytes,
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
} from "./winograd-tiles";

/**
 * Bytes of transformed tiles, in and out, that are aimed at, so that with what is fetched for the next block they stay in the second cache: 64 tiles of 16 channels take 10 % less time than 128.
 * Up to twice as many where an image needs them, or enough tiles for products of full speed.
 */
const BLOCK_BYTES: usize = 294912;
const BLOCK_TILES: usize = 32;

/**
 * Bytes from tile to tile: 32 channels together where there are more than 16. So many are summed up in one go: sums of sums have a smaller rounding error than one long sum,
 * at 256 channels less than half.
 */
function tileStep(p: usize): usize {
  return get(p, CHANNELS) > 16 ? 2 * TILE_STEP : TILE_STEP;
}

/**
 * Sums lie tile by tile in blocks of 16 output channels, and the 36 places of a tile a cache line apart, with one line behind them: then they do not meet in a few sets of the cache, and all
 * distances are known when this is compiled.
 */
const SUMS_PLACE: usize = 64;
const SUMS_TILE: usize = (PLACES + 1) * SUMS_PLACE;

/** Blocks of 16 output channels. */
function sumsBlocks(p: usize): usize {
  return (get(p, OUT_CHANNELS) + 15) / 16;
}

/** Bytes of a sliver's row of a tile's output channels, all slivers together. */
function outBytes(p: usize): usize {
  return padded(get(p, OUT_CHANNELS), 8) * 4;
}

/** Rows of tiles that are done at once: whole images if it can be, and an eighth of all at most, so that threads have something to share. */
export function winogradRows(p: usize): usize {
  const across = tilesAcross(p);
  const perImage = tilesDown(p);
  const tiles = BLOCK_BYTES / (PLACES * (padded(get(p, CHANNELS) * 4, tileStep(p)) + outBytes(p)));
  const most: usize = (2 * tiles) / across;
  const wanted = min(most, max(tiles, BLOCK_TILES) / across);
  const rows = min(perImage > most ? wanted : max(wanted, perImage), (get(p, BATCH) * perImage + 7) / 8);
  return max(1, rows > perImage ? rows - (rows % perImage) : rows);
}

/** Tiles of a block, whole groups of four, and an odd number of groups: 128 tiles would lie multiples of 4 KiB apart, which costs 2 %. */
function blockTiles(p: usize): usize {
  return padded(winogradRows(p) * tilesAcross(p), 4) | 4;
}

export function winogradScratch(p: usize): usize {
  const tiles = blockTiles(p);
  return (
    TEMPORARY +
    bandBytes(p) +
    PLACES * placeBytes(tiles, get(p, CHANNELS), tileStep(p)) +
    sumsBlocks(p) * tiles * SUMS_TILE
  );
}

/** Room for a tile of four channels whose rows have been combined, but not its columns, and for its outputs. */
const EDGE: usize = 384;
const TEMPORARY: usize = EDGE + 256;

/** The outputs of a tile that exist: `channels` of four, and `columns` and `rows` of them. */
function copyEdge(
  out: usize,
  plane: usize,
  row: usize,
  channels: usize,
  rows: usize,
  columns: usize,
  from: usize,
): void {
  const bytes = min(columns, 4) * 4;
  for (let c: usize = 0; c < min<usize>(channels, 4); c++) {
    for (let r: usize = 0; r < rows; r++)
      storePart(out + c * plane + r * row, v128.load(from + c * 64 + r * 16), bytes);
  }
}

/**
 * Aᵀ·m·A of four channels of a row of tiles, down the columns and then across: 4×4 outputs each, of which the first `rows` and, of the last tile, the first columns exist. Loops test at
 * their end, or V8 would splat constants anew.
 */
function writeTiles(
  out: usize,
  plane: usize,
  row: usize,
  channels: usize,
  rows: usize,
  columns: usize,
  from: usize,
  bias: v128,
  temporary: usize,
): void {
  const end = temporary + 96;
  const last = temporary + rows * 96;
  while (true) {
    let to = temporary;
    let at = from;
    while (true) {
      const m1 = v128.load(at, 6 * SUMS_PLACE);
      const m2 = v128.load(at, 12 * SUMS_PLACE);
      const m3 = v128.load(at, 18 * SUMS_PLACE);
      const m4 = v128.load(at, 24 * SUMS_PLACE);
      const sum = f32x4.add(m1, m2);
      const apart = f32x4.sub(m1, m2);
      const sum2 = f32x4.add(m3, m4);
      const apart2 = f32x4.sub(m3, m4);
      v128.store(to, f32x4.add(f32x4.add(v128.load(at), sum), sum2));
      v128.store(to, times(B, apart2, scale(A, apart)), 96);
      v128.store(to, times(B2, sum2, scale(A2, sum)), 192);
      v128.store(to, times(B * B2, apart2, times(A * A2, apart, v128.load(at, 30 * SUMS_PLACE))), 288);
      to += 16;
      if (to === end) break;
      at += SUMS_PLACE;
    }
    const isWhole = channels >= 4 && columns >= 4;
    const planeStep = isWhole ? plane : 64;
    const rowStep = isWhole ? row : 16;
    let y = isWhole ? out : temporary + EDGE;
    at = temporary;
    while (true) {
      const m1 = v128.load(at, 16);
      const m2 = v128.load(at, 32);
      const m3 = v128.load(at, 48);
      const m4 = v128.load(at, 64);
      const sum = f32x4.add(m1, m2);
      const apart = f32x4.sub(m1, m2);
      const sum2 = f32x4.add(m3, m4);
      const apart2 = f32x4.sub(m3, m4);
      const y0 = f32x4.add(f32x4.add(f32x4.add(v128.load(at), bias), sum), sum2);
      const y1 = times(B, apart2, times(A, apart, bias));
      const y2 = times(B2, sum2, times(A2, sum, bias));
      const y3 = times(B * B2, apart2, times(A * A2, apart, f32x4.add(v128.load(at, 80), bias)));
      const low = v128.shuffle<f32>(y0, y1, 0, 4, 1, 5);
      const high = v128.shuffle<f32>(y0, y1, 2, 6, 3, 7);
      const low2 = v128.shuffle<f32>(y2, y3, 0, 4, 1, 5);
      const high2 = v128.shuffle<f32>(y2, y3, 2, 6, 3, 7);
      v128.store(y, v128.shuffle<f64>(low, low2, 0, 2));
      let next = y + planeStep;
      v128.store(next, v128.shuffle<f64>(low, low2, 1, 3));
      next += planeStep;
      v128.store(next, v128.shuffle<f64>(high, high2, 0, 2));
      v128.store(next + planeStep, v128.shuffle<f64>(high, high2, 1, 3));
      at += 96;
      if (at === last) break;
      y += rowStep;
    }
    if (!isWhole) copyEdge(out, plane, row, channels, rows, columns, temporary + EDGE);
    if (columns <= SIDE) return;
    columns -= SIDE;
    out += 4 * SIDE;
    from += SUMS_TILE;
  }
}

/** One row of tiles, of all output channels, whose blocks of 16 have sums `block` bytes apart. */
function writeRow(p: usize, image: usize, from: usize, block: usize, down: usize, bias: usize, temporary: usize): void {
  const channels = get(p, OUT_CHANNELS);
  const width = get(p, OUT_WIDTH);
  const row = width * 4;
  const plane = get(p, OUT_HEIGHT) * row;
  const rows = min(SIDE, get(p, OUT_HEIGHT) - down * SIDE);
  for (let k: usize = 0; k < channels; k += 4) {
    const count = channels - k;
    const offset = bias ? loadPart(bias + k * 4, count * 4) : f32x4.splat(0);
    const sums = from + (k / 16) * block + (k % 16) * 4;
    writeTiles(image + k * plane + down * SIDE * row, plane, row, count, rows, width, sums, offset, temporary);
  }
}

/** Rows number `first` to first + total of the batch's rows of tiles; `u` are the transformed weights, and `scratch` has winogradScratch bytes. */
export function winogradF32(
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
  const step = tileStep(p);
  const together = step / 4;
  const outRow = outBytes(p);
  const across = tilesAcross(p);
  const perImage = tilesDown(p);
  const most = blockTiles(p);
  const inPlace = placeBytes(most, channels, step);
  const block = most * step;
  const sumsBlock = most * SUMS_TILE;
  const weightsStep = weightsPlace(p);
  const band = scratch + TEMPORARY;
  const tiles = band + bandBytes(p);
  const sums = tiles + PLACES * inPlace;
  const atOnce = winogradRows(p);
  const last = first + total;
  const products = PLACES * (outRow / TILE_BYTES);
  memory.fill(band, 0, bandBytes(p));
  let ahead = false;
  for (let start = first; start < last; start += atOnce) {
    const rows = min(atOnce, last - start);
    if (!ahead) touch(p, x, start, rows, SIDE, 2, false, scratch);
    for (let r: usize = 0; r < rows; r++) {
      const n = (start + r) / perImage;
      const image = x + n * get(p, IN_IMAGE) * 4;
      transformInput(p, tiles + r * across * step, step, inPlace, block, image, start + r - n * perImage, band);
    }
    const count = rows * across;
    // What the next block reads and writes is fetched a few lines at a time while this one is multiplied, which waits for no memory: stores into what is overwritten anyway do not hold up what follows.
    const next = start + rows;
    const nextRows = next % perImage ? 0 : min(atOnce, last - next);
    let xAt = x + (next / perImage) * get(p, IN_IMAGE) * 4;
    let outAt = out + (next / perImage) * get(p, OUT_IMAGE) * 4;
    const xEnd = xAt + imageBytes(p, nextRows, false);
    const outEnd = outAt + imageBytes(p, nextRows, true);
    const xShare = share(xEnd - xAt, products);
    const outShare = share(outEnd - outAt, products);
    const wasAhead = ahead;
    ahead = xEnd > xAt && outEnd > outAt;
    let all: u32 = 0;
    for (let i: usize = 0; i < PLACES; i++) {
      let weights = u + i * weightsStep;
      for (let k: usize = 0; k < outRow; k += TILE_BYTES) {
        if (ahead) {
          for (const stop = min(xEnd, xAt + xShare); xAt < stop; xAt += 64) all |= load<u32>(xAt);
          for (const stop = min(outEnd, outAt + outShare); outAt < stop; outAt += 64) store<u32>(outAt, 0);
        }
        let from = tiles + i * inPlace;
        const to = sums + (k / 64) * sumsBlock + i * SUMS_PLACE + (k % 64);
        for (let c: usize = 0; c < channels; c += together) {
          const summed = min(together, channels - c);
          if (together === 16) multiplyTiles<i32>(count, summed, from, weights, to, SUMS_TILE, c > 0);
          else multiplyTiles<i64>(count, summed, from, weights, to, SUMS_TILE, c > 0);
          from += block;
          weights += summed * TILE_BYTES;
        }
      }
    }
    store<u32>(scratch, all); // or nothing would be read
    if (!wasAhead) touch(p, out, start, rows, SIDE, 0, true, scratch);
    for (let r: usize = 0; r < rows; r++) {
      const n = (start + r) / perImage;
      const image = out + n * get(p, OUT_IMAGE) * 4;
      writeRow(p, image, sums + r * across * SUMS_TILE, sumsBlock, start + r - n * perImage, bias, scratch);
    }
  }
}
