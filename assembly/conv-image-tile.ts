/* The inner tile of conv-images.ts, and its weights: see tile.ts for the branches that are never taken. */
import { CHANNELS, get, KERNEL_SIZE, ROWS, W_CHANNEL, W_LANE } from "./conv-taps";
import { turnRows } from "./conv-turn";
import { madd, TALL_ROWS, TILE_ROWS } from "./tile";

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

/* The rows of a tile as types, which are known when it is compiled. */
type Four = u32;
type Five = u64;

function multiply<Rows>(k: usize, table: usize, a: usize, b: usize, bias: usize, out: usize, row: usize): void {
  const five = sizeof<Rows>() > sizeof<Four>();
  const zero = i64x2.splat(0);
  let c00 = v128.load32_splat(bias);
  let c10 = v128.load32_splat(bias, 4);
  let c20 = v128.load32_splat(bias, 8);
  let c30 = v128.load32_splat(bias, 12);
  let c40 = five ? v128.load32_splat(bias, 16) : zero;
  let c01 = c00;
  let c11 = c10;
  let c21 = c20;
  let c31 = c30;
  let c41 = c40;
  const end = table + k * 8;
  if (k)
    while (true) {
      const from = b + load<usize>(table, 4);
      const w = a + load<usize>(table);
      const b0 = v128.load(from);
      const b1 = v128.load(from, 16);
      let v = v128.load_splat<f32>(w);
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
      table += 8;
      if (table === end) break;
    }
  v128.store(out, c00);
  v128.store(out, c01, 16);
  out += row;
  v128.store(out, c10);
  v128.store(out, c11, 16);
  out += row;
  v128.store(out, c20);
  v128.store(out, c21, 16);
  out += row;
  v128.store(out, c30);
  v128.store(out, c31, 16);
  if (five) {
    out += row;
    v128.store(out, c40);
    v128.store(out, c41, 16);
  }
}

/** out (`high` rows × 8) = bias + a·b over k entries of the table, each of which says where the weights and the inputs of a step are. */
export function imageTile(
  high: usize,
  k: usize,
  table: usize,
  a: usize,
  b: usize,
  bias: usize,
  out: usize,
  row: usize,
): void {
  if (high > LOWEST) multiply<Five>(k, table, a, b, bias, out, row);
  else multiply<Four>(k, table, a, b, bias, out, row);
}
