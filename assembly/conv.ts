/*
 * 2-D convolution as a matrix product that never writes out its right side: columns (output positions of the whole batch) are packed into the tile's slivers
 * straight from the image, a block of channels at a time. The same kernel computes the gradient of the input, which is a convolution of the output's gradient
 * with other taps; with a stride it is one for each phase of the stride, on a grid of its own.
 */
import {
  BATCH,
  CHANNELS,
  GRID_HEIGHT,
  GRID_WIDTH,
  get,
  IN_HEIGHT,
  IN_IMAGE,
  IN_WIDTH,
  OUT_COLUMN,
  OUT_IMAGE,
  OUT_PLANE,
  OUT_ROW,
  packWeights,
  ROWS,
  STRIDE_HEIGHT,
  STRIDE_WIDTH,
  TAP_BYTES,
  TAP_TABLE,
  TAPS,
} from "./conv-taps";
import { packedTile, TALL_ROWS, TILE_BYTES, TILE_ROWS, tallRows, tiledRows } from "./tile";

/** Steps of k (channels × taps) between two visits of the output. */
const BLOCK_K: usize = 256;
/** Rows of the weights that stay in the second cache while columns pass. */
const BLOCK_M: usize = 96;
/** Bytes of the packed panel: BLOCK_K × 512 float32. */
const PANEL_BYTES: usize = 524288;

/** A row that lies outside every image. */
const OUTSIDE: i32 = -0x40000000;

function channelsPerBlock(p: usize): usize {
  return min(get(p, CHANNELS), max(1, BLOCK_K / get(p, TAPS)));
}

function columnsPerBlock(p: usize): usize {
  const k = channelsPerBlock(p) * get(p, TAPS);
  return max(1, PANEL_BYTES / (k * TILE_BYTES));
}

/** Bytes of the packed weights. */
export function convWeightsBytes(p: usize, size: usize): usize {
  return tiledRows(get(p, ROWS)) * get(p, CHANNELS) * get(p, TAPS) * size;
}

/** Bytes of scratch that convolution needs: a panel of slivers, and small tables. */
export function convScratch(p: usize): usize {
  return TABLES_BYTES + columnsPerBlock(p) * channelsPerBlock(p) * get(p, TAPS) * TILE_BYTES;
}

/** Scratch begins with a tile, the places of its columns in the output, and the positions, offsets and mask of a vector's lanes. */
const TILE_AT: usize = 0;
const PLACES_AT: usize = 192;
const LANES_AT: usize = 256;
const OFFSETS_AT: usize = 320;
const MASK_AT: usize = 384;
const TABLES_BYTES: usize = 448;

/** Packs `count` columns from number `first` on, of channels c0 to c0 + block, into slivers. */
function packColumns<T>(
  out: usize,
  p: usize,
  x: usize,
  first: usize,
  count: usize,
  c0: usize,
  block: usize,
  scratch: usize,
): void {
  const size: usize = sizeof<T>();
  const perVector: usize = 16 / size;
  const lanes = scratch + LANES_AT;
  const taps = get(p, TAPS);
  const height = load<i32>(p + IN_HEIGHT);
  const width = load<i32>(p + IN_WIDTH);
  const plane = get(p, IN_HEIGHT) * get(p, IN_WIDTH) * size;
  const step = taps * TILE_BYTES;
  const sideBySide = get(p, STRIDE_WIDTH) === 1;
  x += c0 * plane;
  for (let j: usize = 0; j < count; j += 2 * perVector) {
    for (let half: usize = 0; half < 2; half++) {
      const together = findLanes<T>(lanes, p, first + j + half * perVector) && sideBySide;
      const top = load<i32>(lanes);
      const left = load<i32>(lanes, 4);
      const image = <usize>load<i32>(lanes, 8);
      let tap = p + TAP_TABLE;
      for (let t: usize = 0; t < taps; t++) {
        const row = load<i32>(tap);
        const column = load<i32>(tap, 4);
        const h = top + row;
        const w = left + column;
        let to = out + half * 16 + t * TILE_BYTES;
        if (together && <u32>h < <u32>height && w >= 0 && w + <i32>perVector <= width) {
          let from = x + (image + <usize>(h * width + w)) * size;
          for (let c: usize = 0; c < block; c++) {
            v128.store(to, v128.load(from));
            to += step;
            from += plane;
          }
        } else {
          gather<T>(to, step, x, plane, block, scratch, row, column, height, width);
        }
        tap += TAP_BYTES;
      }
    }
    out += block * step;
  }
}

/**
 * Writes where the columns of one vector lie in the input: row, column and image of each. Says whether they are neighbours in one row of the grid.
 */
function findLanes<T>(lanes: usize, p: usize, first: usize): bool {
  const perVector: usize = 16 / sizeof<T>();
  const gridWidth = get(p, GRID_WIDTH);
  const gridSize = gridWidth * get(p, GRID_HEIGHT);
  const image = first / gridSize;
  const within = first - image * gridSize;
  let offset = image * get(p, IN_IMAGE);
  let images = get(p, BATCH) - image;
  let h = within / gridWidth;
  let w = within - h * gridWidth;
  const together = w + perVector <= gridWidth && image < get(p, BATCH);
  const strideHeight = get(p, STRIDE_HEIGHT);
  const strideWidth = get(p, STRIDE_WIDTH);
  for (let i: usize = 0; i < perVector; i++) {
    store<i32>(lanes, images > 0 ? <i32>(h * strideHeight) : OUTSIDE);
    store<i32>(lanes, <i32>(w * strideWidth), 4);
    store<i32>(lanes, <i32>offset, 8);
    lanes += 12;
    if (++w < gridWidth) continue;
    w = 0;
    if (++h < get(p, GRID_HEIGHT) || images === 0) continue;
    h = 0;
    images--;
    offset += get(p, IN_IMAGE);
  }
  return together;
}

/** One vector of a sliver, for one tap and all channels of a block, lane by lane; lanes outside the image are 0. */
function gather<T>(
  out: usize,
  step: usize,
  x: usize,
  plane: usize,
  block: usize,
  scratch: usize,
  row: i32,
  column: i32,
  height: i32,
  width: i32,
): void {
  const size: usize = sizeof<T>();
  const offsets = scratch + OFFSETS_AT;
  let lane = scratch + LANES_AT;
  let mask = scratch + MASK_AT;
  let any = false;
  for (let i: usize = 0; i < 16 / size; i++) {
    const h = load<i32>(lane) + row;
    const w = load<i32>(lane, 4) + column;
    const inside = <u32>h < <u32>height && <u32>w < <u32>width;
    any = any || inside;
    store<usize>(offsets + i * 4, inside ? (<usize>load<i32>(lane, 8) + <usize>(h * width + w)) * size : 0);
    if (size === 4) store<i32>(mask, inside ? -1 : 0);
    else store<i64>(mask, inside ? -1 : 0);
    lane += 12;
    mask += size;
  }
  const o0 = load<usize>(offsets);
  const o1 = load<usize>(offsets, 4);
  const o2 = load<usize>(offsets, 8);
  const o3 = load<usize>(offsets, 12);
  const keep = v128.load(scratch + MASK_AT);
  const zero = i64x2.splat(0);
  for (let c: usize = 0; c < block; c++) {
    let v = zero;
    if (any) {
      if (size === 4) {
        v = v128.load32_zero(x + o0);
        v = v128.load32_lane(x + o1, v, 1);
        v = v128.load32_lane(x + o2, v, 2);
        v = v128.load32_lane(x + o3, v, 3);
      } else {
        v = v128.load64_zero(x + o0);
        v = v128.load64_lane(x + o1, v, 1);
      }
      v = v128.and(v, keep);
    }
    v128.store(out, v);
    out += step;
    x += plane;
  }
}

/** Writes where the columns of one tile go in the output, in bytes. */
function findPlaces<T>(places: usize, p: usize, first: usize, count: usize): void {
  const gridWidth = get(p, GRID_WIDTH);
  const gridHeight = get(p, GRID_HEIGHT);
  let h = first / gridWidth;
  let w = first - h * gridWidth;
  const image = h / gridHeight;
  h -= image * gridHeight;
  let start = image * get(p, OUT_IMAGE);
  for (let i: usize = 0; i < count; i++) {
    store<usize>(places, (start + h * get(p, OUT_ROW) + w * get(p, OUT_COLUMN)) * sizeof<T>());
    places += 4;
    if (++w < gridWidth) continue;
    w = 0;
    if (++h < gridHeight) continue;
    h = 0;
    start += get(p, OUT_IMAGE);
  }
}

/** Puts a finished tile's columns in their places. */
function scatter<T>(
  from: usize,
  out: usize,
  places: usize,
  plane: usize,
  rows: usize,
  columns: usize,
  add: bool,
): void {
  for (let r: usize = 0; r < rows; r++) {
    for (let i: usize = 0; i < columns; i++) {
      const to = out + load<usize>(places + i * 4);
      const value = load<T>(from + i * sizeof<T>());
      store<T>(to, add ? <T>(load<T>(to) + value) : value);
    }
    from += TILE_BYTES;
    out += plane;
  }
}

/** Writes the bias over images of the output, which is contiguous. */
function fillBias<T>(p: usize, out: usize, bias: usize, images: usize): void {
  const plane = get(p, OUT_PLANE);
  for (let n: usize = 0; n < images; n++) {
    let to = out + n * get(p, OUT_IMAGE) * sizeof<T>();
    for (let r: usize = 0; r < get(p, ROWS); r++) {
      const value = load<T>(bias + r * sizeof<T>());
      const end = to + plane * sizeof<T>();
      const four = v128.splat<T>(value);
      for (; to + 16 <= end; to += 16) v128.store(to, four);
      for (; to < end; to += sizeof<T>()) store<T>(to, value);
    }
  }
}

/** `total` columns from number `start` on; with `biased` they are added to what is there. */
function conv<T>(
  p: usize,
  out: usize,
  x: usize,
  weights: usize,
  biased: bool,
  start: usize,
  total: usize,
  scratch: usize,
): void {
  const size: usize = sizeof<T>();
  const width: usize = TILE_BYTES / size;
  const rows = get(p, ROWS);
  const channels = get(p, CHANNELS);
  const taps = get(p, TAPS);
  const end = start + total;
  const plane = get(p, OUT_PLANE) * size;
  const contiguous = get(p, OUT_COLUMN) === 1 && get(p, OUT_ROW) === get(p, GRID_WIDTH);
  const block = channelsPerBlock(p);
  const blockColumns = columnsPerBlock(p) * width;
  const padded = tiledRows(rows);
  const tall = tallRows(rows);
  const tile = scratch + TILE_AT;
  const places = scratch + PLACES_AT;
  const panel = scratch + TABLES_BYTES;
  for (let first = start; first < end; first += blockColumns) {
    const count = min(blockColumns, end - first);
    for (let c0: usize = 0; c0 < channels; c0 += block) {
      const cb = min(block, channels - c0);
      const k = cb * taps;
      const add = biased || c0 > 0;
      packColumns<T>(panel, p, x, first, count, c0, cb, scratch);
      const a = weights + c0 * taps * padded * size;
      let last: usize = 0;
      for (let i0: usize = 0; i0 < rows; i0 = last) {
        while (last < min(rows, i0 + BLOCK_M)) last += last < tall ? TALL_ROWS : TILE_ROWS;
        for (let j: usize = 0; j < count; j += width) {
          const columns = min(width, count - j);
          const sliver = panel + j * k * size;
          findPlaces<T>(places, p, first + j, columns);
          const begin = load<usize>(places);
          const whole =
            contiguous && columns === width && load<usize>(places, 4 * (width - 1)) === begin + TILE_BYTES - size;
          let high: usize = 0;
          for (let i = i0; i < last; i += high) {
            high = i < tall ? TALL_ROWS : TILE_ROWS;
            const place = out + i * plane;
            if (whole && i + high <= rows) {
              packedTile<T>(high, k, a + i * k * size, sliver, place + begin, plane, add);
            } else {
              packedTile<T>(high, k, a + i * k * size, sliver, tile, TILE_BYTES, false);
              scatter<T>(tile, place, places, plane, min(high, rows - i), columns, add);
            }
          }
        }
      }
    }
  }
}

/** Packs the weights; `weights` has convWeightsBytes bytes. */
export function convPackF32(p: usize, weights: usize, w: usize): void {
  packWeights<f32>(weights, p, w, channelsPerBlock(p), p + TAP_TABLE, get(p, TAPS));
}

export function convPackF64(p: usize, weights: usize, w: usize): void {
  packWeights<f64>(weights, p, w, channelsPerBlock(p), p + TAP_TABLE, get(p, TAPS));
}

export function convBiasF32(p: usize, out: usize, bias: usize, images: usize): void {
  fillBias<f32>(p, out, bias, images);
}

export function convBiasF64(p: usize, out: usize, bias: usize, images: usize): void {
  fillBias<f64>(p, out, bias, images);
}

/** The convolution that the argument block p describes, or some of its columns; `scratch` has convScratch bytes. */
export function convF32(
  p: usize,
  out: usize,
  x: usize,
  weights: usize,
  biased: bool,
  start: usize,
  total: usize,
  scratch: usize,
): void {
  conv<f32>(p, out, x, weights, biased, start, total, scratch);
}

export function convF64(
  p: usize,
  out: usize,
  x: usize,
  weights: usize,
  biased: bool,
  start: usize,
  total: usize,
  scratch: usize,
): void {
  conv<f64>(p, out, x, weights, biased, start, total, scratch);
}
