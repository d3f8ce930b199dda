/* The inner tile of conv-images.ts, and its weights: see tile.ts for the branches that are never taken. */
import { CHANNELS, get, KERNEL_SIZE, ROWS, W_CHANNEL, W_LANE } from "./conv-taps";
import { turnRows } from "./conv-turn";
import { madd, TALL_ROWS, TILE_BYTES, TILE_ROWS } from "./tile";

/** A position: its table and how many entries that has, and where its inputs and its outputs are. */
export const POSITION_BYTES: usize = 16;

/** Rows of the lowest and of the highest tile. */
export const LOWEST: usize = TILE_ROWS;
export const HIGHEST: usize = TALL_ROWS;
/** Bytes from step to step of a tile's weights, however many rows it has, so that one table serves all. */
const PITCH: usize = HIGHEST * 4;

/** Rows that are computed, of which those behind the last are nobody's. */
export function paddedRows(p: usize): usize {
  return max(get(p, ROWS), LOWEST);
}

export function tilesOf(p: usize): usize {
  return (paddedRows(p) + HIGHEST - 1) / HIGHEST;
}

/** The first row of tile number i, and how many it has: four or five, the last tile repeats rows of the one before it. */
export function firstRow(p: usize, i: usize): usize {
  const rows = paddedRows(p);
  const tiles = tilesOf(p);
  const each = rows / tiles;
  return min(i * each + min(i, rows - tiles * each), rows - max(each, LOWEST));
}

export function rowsOf(p: usize, i: usize): usize {
  const rows = paddedRows(p);
  const tiles = tilesOf(p);
  const each = rows / tiles;
  return max(each + (i < rows - tiles * each ? 1 : 0), LOWEST);
}

/** Bytes of a tile's weights. */
export function sliverBytes(p: usize): usize {
  return get(p, CHANNELS) * get(p, KERNEL_SIZE) * PITCH;
}

/** Where the weights of a step are in a sliver. */
export function weightsAt(p: usize, channel: usize, place: usize): usize {
  return (channel * get(p, KERNEL_SIZE) + place) * PITCH;
}

/** Packs all taps of w, tile by tile. */
export function packSlivers(p: usize, weights: usize, w: usize): void {
  const size = get(p, KERNEL_SIZE);
  const channels = get(p, CHANNELS);
  const lane = get(p, W_LANE) * 4;
  const channel = get(p, W_CHANNEL) * 4;
  const rows = get(p, ROWS);
  // Channels of a row of w lie one behind the other, or those of the gradient of the input far apart.
  const together = channel === size * 4;
  const steps = together ? channels * size : size;
  const blocks: usize = together ? 1 : channels;
  for (let i: usize = 0; i < tilesOf(p); i++) {
    const high = rowsOf(p, i);
    let to = weights + i * sliverBytes(p);
    let from = w + firstRow(p, i) * lane;
    for (let c: usize = 0; c < blocks; c++) {
      if (rows < LOWEST) {
        for (let k: usize = 0; k < steps; k++) {
          for (let r: usize = 0; r < LOWEST; r++) {
            store<f32>(to + k * PITCH + r * 4, r < rows ? load<f32>(from + r * lane + k * 4) : 0);
          }
        }
      } else {
        turnRows(to, PITCH, from, lane, steps);
        if (high > LOWEST) turnRows(to + (high - LOWEST) * 4, PITCH, from + (high - LOWEST) * lane, lane, steps);
      }
      to += steps * PITCH;
      from += channel;
    }
  }
}

/* The rows of a tile and the steps at once as types, which are known when it is compiled. */
type Four = u32;
type Five = u64;
type Once = u8;
type Twice = u16;

function multiply<Rows, Steps>(
  list: usize,
  end: usize,
  a: usize,
  turned: usize,
  bias: usize,
  out: usize,
  row: usize,
): void {
  const five = sizeof<Rows>() > sizeof<Four>();
  const twice = sizeof<Steps>() > sizeof<Once>();
  const zero = i64x2.splat(0);
  for (; list < end; list += POSITION_BYTES) {
    let table = load<usize>(list);
    const last = table + load<usize>(list, 4) * 8;
    const b = turned + load<usize>(list, 8);
    let c00 = v128.load(bias);
    let c01 = v128.load(bias, 16);
    let c10 = v128.load(bias, 32);
    let c11 = v128.load(bias, 48);
    let c20 = v128.load(bias, 64);
    let c21 = v128.load(bias, 80);
    let c30 = v128.load(bias, 96);
    let c31 = v128.load(bias, 112);
    let c40 = five ? v128.load(bias, 128) : zero;
    let c41 = five ? v128.load(bias, 144) : zero;
    let from: usize;
    let w: usize;
    let v: v128;
    let b0: v128;
    let b1: v128;
    if (table !== last)
      while (true) {
        from = b + load<usize>(table, 4);
        w = a + load<usize>(table);
        b0 = v128.load(from);
        b1 = v128.load(from, 16);
        v = v128.load_splat<f32>(w);
        c00 = madd<f32>(v, b0, c00);
        c01 = madd<f32>(v, b1, c01);
        v = v128.load_splat<f32>(w, 4);
        c10 = madd<f32>(v, b0, c10);
        c11 = madd<f32>(v, b1, c11);
        if (five && a === 0) break; // never
        v = v128.load_splat<f32>(w, 8);
        c20 = madd<f32>(v, b0, c20);
        c21 = madd<f32>(v, b1, c21);
        v = v128.load_splat<f32>(w, 12);
        c30 = madd<f32>(v, b0, c30);
        c31 = madd<f32>(v, b1, c31);
        if (five) {
          v = v128.load_splat<f32>(w, 16);
          c40 = madd<f32>(v, b0, c40);
          c41 = madd<f32>(v, b1, c41);
        }
        if (twice) {
          if (turned === 0) break; // never
          from = b + load<usize>(table, 12);
          w = a + load<usize>(table, 8);
          b0 = v128.load(from);
          b1 = v128.load(from, 16);
          v = v128.load_splat<f32>(w);
          c00 = madd<f32>(v, b0, c00);
          c01 = madd<f32>(v, b1, c01);
          v = v128.load_splat<f32>(w, 4);
          c10 = madd<f32>(v, b0, c10);
          c11 = madd<f32>(v, b1, c11);
          if (five && out === 0) break; // never
          v = v128.load_splat<f32>(w, 8);
          c20 = madd<f32>(v, b0, c20);
          c21 = madd<f32>(v, b1, c21);
          v = v128.load_splat<f32>(w, 12);
          c30 = madd<f32>(v, b0, c30);
          c31 = madd<f32>(v, b1, c31);
          if (five) {
            v = v128.load_splat<f32>(w, 16);
            c40 = madd<f32>(v, b0, c40);
            c41 = madd<f32>(v, b1, c41);
          }
        }
        table += twice ? 16 : 8;
        if (table === last) break;
      }
    let to = out + load<usize>(list, 12);
    v128.store(to, c00);
    v128.store(to, c01, 16);
    to += row;
    v128.store(to, c10);
    v128.store(to, c11, 16);
    to += row;
    v128.store(to, c20);
    v128.store(to, c21, 16);
    to += row;
    v128.store(to, c30);
    v128.store(to, c31, 16);
    if (five) {
      to += row;
      v128.store(to, c40);
      v128.store(to, c41, 16);
    }
  }
}

/**
 * out (`high` rows × 8) = bias + a·b at the positions of a list: a table of steps, their number, where in `turned` b begins, and where in `out` the tile goes. Entries of a table say where the weights and the
 * inputs of a step are, and `even` that their number always is; `bias` has 32 bytes a row.
 */
export function imageTiles(
  high: usize,
  even: bool,
  list: usize,
  end: usize,
  a: usize,
  turned: usize,
  bias: usize,
  out: usize,
  row: usize,
): void {
  if (high > LOWEST) {
    if (even) multiply<Five, Twice>(list, end, a, turned, bias, out, row);
    else multiply<Five, Once>(list, end, a, turned, bias, out, row);
  } else {
    if (even) multiply<Four, Twice>(list, end, a, turned, bias, out, row);
    else multiply<Four, Once>(list, end, a, turned, bias, out, row);
  }
}

/** What the sums of each row begin with, 32 bytes a row. */
export function fillBias(p: usize, to: usize, bias: usize): void {
  for (let r: usize = 0; r < paddedRows(p); r++) {
    const v = f32x4.splat(bias && r < get(p, ROWS) ? load<f32>(bias + r * 4) : 0);
    v128.store(to + r * TILE_BYTES, v);
    v128.store(to + r * TILE_BYTES, v, 16);
  }
}
