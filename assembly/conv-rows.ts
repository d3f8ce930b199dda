/*
 * Convolution in float32 whose vectors are neighbouring outputs of a row. The inputs that they meet are read where they lie in a copy of a band of the image, which has zeros around it and,
 * for a stride of 2, even and odd columns apart. So nothing is packed tap by tap, few channels are no disadvantage, and outputs are written as they lie.
 *
 * The gradient of the input for a stride of 2 across is two convolutions of the output's gradient, one for even and one for odd columns: with OUT_COLUMN = 2 both are done, and woven together.
 */
import {
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
import { copyRow, set, zeroRow } from "./geometry";
import { storePart } from "./scratch";
import { madd, storeRow, TILE_BYTES, TILE_ROWS } from "./tile";

/** Taps of the odd columns, behind the others in the table, and outputs of a row, even and odd. */
const ODD_TAPS: usize = 68;
const OUT_WIDTH: usize = 72;

/* How the work is cut, written by convRowsScratch: the first row and column that taps see and how many rows, bytes of a copied row and of its even columns, channels and rows of outputs at once. */
const FIRST_ROW: usize = 76;
const FIRST_COLUMN: usize = 80;
const ROWS_SEEN: usize = 84;
const PITCH: usize = 88;
const HALF: usize = 92;
const CHANNELS_AT_ONCE: usize = 96;
const ROWS_AT_ONCE: usize = 100;

/** Bytes of a copied band that are aimed at, and the most steps of a sum in one go. */
const COPY_BYTES: usize = 262144;
const STEPS: usize = 1152;
/** Outputs of a tile. */
const WIDTH: usize = 8;

/** Scratch begins with two tiles and zeros. */
const ODD_AT: usize = 128;
const ZEROS_AT: usize = 256;
const TABLE_AT: usize = 320;

function paddedRows(p: usize): usize {
  return (get(p, ROWS) + TILE_ROWS - 1) & ~(TILE_ROWS - 1);
}

function copiedRows(p: usize, rows: usize): usize {
  return get(p, ROWS_SEEN) ? (rows - 1) * get(p, STRIDE_HEIGHT) + get(p, ROWS_SEEN) : 0;
}

/** Bytes of the packed weights; those of odd columns follow the others. */
export function convRowsWeightsBytes(p: usize): usize {
  return paddedRows(p) * get(p, CHANNELS) * (get(p, TAPS) + get(p, ODD_TAPS)) * 4;
}

/** Decides how the work is cut, and returns the bytes of scratch that a thread needs. */
export function convRowsScratch(p: usize): usize {
  const taps = get(p, TAPS) + get(p, ODD_TAPS);
  let top = i32.MAX_VALUE;
  let left = i32.MAX_VALUE;
  let bottom = i32.MIN_VALUE;
  let right = i32.MIN_VALUE;
  for (let t: usize = 0; t < taps; t++) {
    const tap = p + TAP_TABLE + t * TAP_BYTES;
    top = min(top, load<i32>(tap));
    bottom = max(bottom, load<i32>(tap));
    left = min(left, load<i32>(tap, 4));
    right = max(right, load<i32>(tap, 4));
  }
  const seen = taps ? <usize>(bottom - top + 1) : 0;
  const stride = get(p, STRIDE_WIDTH);
  // Whole tiles read beyond the last column.
  const half = ((get(p, GRID_WIDTH) + WIDTH - 1) & ~(WIDTH - 1)) + (taps ? <usize>(right - left) / stride : 0);
  const halfBytes = (half * 4 + 15) & ~15;
  const pitch = halfBytes * stride;
  store<i32>(p + FIRST_ROW, top);
  store<i32>(p + FIRST_COLUMN, left);
  set(p, ROWS_SEEN, seen);
  set(p, PITCH, pitch);
  set(p, HALF, halfBytes);
  const channels = min(get(p, CHANNELS), max<usize>(1, STEPS / max<usize>(1, taps)));
  let rows = get(p, GRID_HEIGHT);
  while (rows > 1 && channels * copiedRows(p, rows) * pitch > COPY_BYTES) rows = (rows + 1) / 2;
  set(p, CHANNELS_AT_ONCE, channels);
  set(p, ROWS_AT_ONCE, rows);
  return TABLE_AT + ((channels * taps * 4 + 63) & ~63) + channels * copiedRows(p, rows) * pitch + 64;
}

/** Rows of outputs that are done at once. */
export function convRowsAtOnce(p: usize): usize {
  return get(p, ROWS_AT_ONCE);
}

/** Packs the weights; convRowsScratch comes before, and `weights` has convRowsWeightsBytes bytes. */
export function convRowsPack(p: usize, weights: usize, w: usize): void {
  const block = get(p, CHANNELS_AT_ONCE);
  const taps = get(p, TAPS);
  const odd = weights + paddedRows(p) * get(p, CHANNELS) * taps * 4;
  packWeights<f32>(weights, p, w, block, p + TAP_TABLE, taps);
  packWeights<f32>(odd, p, w, block, p + TAP_TABLE + taps * TAP_BYTES, get(p, ODD_TAPS));
}

/** Where the steps of a sum find their inputs, in bytes: channel by channel, and in each tap by tap. */
function fillTable(p: usize, table: usize, first: usize, taps: usize, plane: usize): usize {
  const stride = get(p, STRIDE_WIDTH);
  for (let c: usize = 0; c < get(p, CHANNELS_AT_ONCE); c++) {
    for (let t = first; t < first + taps; t++) {
      const tap = p + TAP_TABLE + t * TAP_BYTES;
      const row = <usize>(load<i32>(tap) - load<i32>(p + FIRST_ROW));
      const column = <usize>(load<i32>(tap, 4) - load<i32>(p + FIRST_COLUMN));
      const at = (column % stride) * get(p, HALF) + (column / stride) * 4;
      store<usize>(table, c * plane + row * get(p, PITCH) + at);
      table += 4;
    }
  }
  return table;
}

/** Every second input of a row: those from x on go to `even`, those between to `odd`. */
function splitRow(even: usize, odd: usize, x: usize, count: usize): void {
  const pairs = count & ~7;
  for (let i: usize = 0; i < pairs; i += 8) {
    const v = v128.load(x);
    const w = v128.load(x, 16);
    v128.store(even, v128.shuffle<f32>(v, w, 0, 2, 4, 6));
    v128.store(odd, v128.shuffle<f32>(v, w, 1, 3, 5, 7));
    x += 32;
    even += 16;
    odd += 16;
  }
  for (let i = pairs; i < count; i++) {
    store<f32>(i & 1 ? odd : even, load<f32>(x));
    if (i & 1) odd += 4;
    else even += 4;
    x += 4;
  }
}

/** Copies what outputs from row `top` of the grid on see of some channels, with zeros around. */
function copyChannels(p: usize, to: usize, x: usize, channels: usize, top: usize, rows: usize): void {
  const height = load<i32>(p + IN_HEIGHT);
  const width = get(p, IN_WIDTH);
  const left = -load<i32>(p + FIRST_COLUMN);
  const skipped = <usize>max(0, -left);
  const lead = <usize>max(0, left);
  const stride = get(p, STRIDE_WIDTH);
  const half = get(p, HALF);
  const pitch = get(p, PITCH);
  const room = pitch / 4;
  const count = skipped < width && lead < room ? min(width - skipped, room - lead) : 0;
  const first = <i32>(top * get(p, STRIDE_HEIGHT)) + load<i32>(p + FIRST_ROW);
  for (let c: usize = 0; c < channels; c++) {
    for (let r: usize = 0; r < rows; r++) {
      const h = first + <i32>r;
      zeroRow(to, pitch);
      if (<u32>h < <u32>height && count > 0) {
        const from = x + (<usize>h * width + skipped) * 4;
        if (stride === 1) copyRow(to + lead * 4, from, count * 4);
        else
          splitRow(
            to + (lead & 1) * half + (lead >> 1) * 4,
            to + (~lead & 1) * half + ((lead + 1) >> 1) * 4,
            from,
            count,
          );
      }
      to += pitch;
    }
    x += get(p, IN_HEIGHT) * width * 4;
  }
}

/** Four output channels × eight outputs (+)= bias + Σ over `k` steps; `table` says where each step's inputs are, from x on. */
function rowTile(
  k: usize,
  a: usize,
  table: usize,
  x: usize,
  bias: usize,
  out: usize,
  outRow: usize,
  accumulate: bool,
): void {
  let c00 = v128.load_splat<f32>(bias);
  let c10 = v128.load_splat<f32>(bias, 4);
  let c20 = v128.load_splat<f32>(bias, 8);
  let c30 = v128.load_splat<f32>(bias, 12);
  let c01 = c00;
  let c11 = c10;
  let c21 = c20;
  let c31 = c30;
  for (const end = table + k * 4; table < end; table += 4) {
    const b = x + load<usize>(table);
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let v = v128.load_splat<f32>(a);
    c00 = madd<f32>(v, b0, c00);
    c01 = madd<f32>(v, b1, c01);
    v = v128.load_splat<f32>(a, 4);
    c10 = madd<f32>(v, b0, c10);
    c11 = madd<f32>(v, b1, c11);
    v = v128.load_splat<f32>(a, 8);
    c20 = madd<f32>(v, b0, c20);
    c21 = madd<f32>(v, b1, c21);
    v = v128.load_splat<f32>(a, 12);
    c30 = madd<f32>(v, b0, c30);
    c31 = madd<f32>(v, b1, c31);
    a += 16;
  }
  storeRow<f32>(out, c00, c01, accumulate);
  out += outRow;
  storeRow<f32>(out, c10, c11, accumulate);
  out += outRow;
  storeRow<f32>(out, c20, c21, accumulate);
  out += outRow;
  storeRow<f32>(out, c30, c31, accumulate);
}

/** Writes up to eight outputs, or adds them. */
function storeSome(out: usize, low: v128, high: v128, count: usize, accumulate: bool): void {
  if (count >= WIDTH) {
    storeRow<f32>(out, low, high, accumulate);
    return;
  }
  if (accumulate) {
    for (let i: usize = 0; i < count; i++) {
      store<f32>(out, load<f32>(out) + f32x4.extract_lane(low, 0));
      low = v128.shuffle<f32>(low, high, 1, 2, 3, 4);
      high = v128.shuffle<f32>(high, high, 1, 2, 3, 0);
      out += 4;
    }
    return;
  }
  storePart(out, low, min(count, 4) * 4);
  if (count > 4) storePart(out + 16, high, (count - 4) * 4);
}

/** Writes `rows` rows of a finished tile, of `count` outputs each. */
function storeTile(from: usize, out: usize, plane: usize, rows: usize, count: usize, accumulate: bool): void {
  for (; rows > 0; rows--) {
    storeSome(out, v128.load(from), v128.load(from, 16), count, accumulate);
    from += TILE_BYTES;
    out += plane;
  }
}

/** The same of a tile of even and one of odd columns. */
function weaveTiles(from: usize, out: usize, plane: usize, rows: usize, count: usize, accumulate: bool): void {
  for (; rows > 0; rows--) {
    const even = v128.load(from);
    const odd = v128.load(from, ODD_AT);
    storeSome(
      out,
      v128.shuffle<f32>(even, odd, 0, 4, 1, 5),
      v128.shuffle<f32>(even, odd, 2, 6, 3, 7),
      count,
      accumulate,
    );
    if (count > WIDTH) {
      const even2 = v128.load(from, 16);
      const odd2 = v128.load(from, ODD_AT + 16);
      const low = v128.shuffle<f32>(even2, odd2, 0, 4, 1, 5);
      storeSome(out + 32, low, v128.shuffle<f32>(even2, odd2, 2, 6, 3, 7), count - WIDTH, accumulate);
    }
    from += TILE_BYTES;
    out += plane;
  }
}

/**
 * Rows number `first` to first + total of the batch's rows of the grid. `weights` are from convRowsPack, `bias` is 0 or that of all rows of w, rounded up to four, and `scratch` has
 * convRowsScratch bytes.
 */
export function convRowsF32(
  p: usize,
  out: usize,
  x: usize,
  weights: usize,
  bias: usize,
  first: usize,
  total: usize,
  scratch: usize,
): void {
  const height = get(p, GRID_HEIGHT);
  const width = get(p, OUT_WIDTH);
  const rows = get(p, ROWS);
  const channels = get(p, CHANNELS);
  const atOnce = get(p, CHANNELS_AT_ONCE);
  const taps = get(p, TAPS);
  const oddTaps = get(p, ODD_TAPS);
  const pitch = get(p, PITCH);
  const stride = get(p, STRIDE_HEIGHT) * pitch;
  const inPlane = get(p, IN_HEIGHT) * get(p, IN_WIDTH) * 4;
  const outPlane = get(p, OUT_PLANE) * 4;
  const table = scratch + TABLE_AT;
  const band = copiedRows(p, get(p, ROWS_AT_ONCE));
  const oddTable = fillTable(p, table, 0, taps, band * pitch);
  const copy = (fillTable(p, oddTable, taps, oddTaps, band * pitch) + 63) & ~63;
  const odd = weights + paddedRows(p) * channels * taps * 4;
  const woven = get(p, OUT_COLUMN) === 2;
  const across: usize = woven ? 2 * WIDTH : WIDTH;
  memory.fill(scratch + ZEROS_AT, 0, 16);
  const last = first + total;
  for (let at = first; at < last; ) {
    const n = at / height;
    const top = at - n * height;
    const count = min(min(get(p, ROWS_AT_ONCE), height - top), last - at);
    const image = out + (n * get(p, OUT_IMAGE) + top * get(p, OUT_ROW)) * 4;
    for (let c: usize = 0; c < channels; c += atOnce) {
      const block = min(atOnce, channels - c);
      const add = c > 0;
      copyChannels(p, copy, x + n * get(p, IN_IMAGE) * 4 + c * inPlane, block, top, band);
      const k = block * taps;
      const oddK = block * oddTaps;
      const a = weights + c * taps * paddedRows(p) * 4;
      const oddA = odd + c * oddTaps * paddedRows(p) * 4;
      for (let r: usize = 0; r < count; r++) {
        for (let i: usize = 0; i < rows; i += TILE_ROWS) {
          const offset = bias && !add ? bias + i * 4 : scratch + ZEROS_AT;
          const to = image + i * outPlane + r * get(p, OUT_ROW) * 4;
          const valid = min(TILE_ROWS, rows - i);
          for (let j: usize = 0; j < width; j += across) {
            const from = copy + r * stride + (woven ? j * 2 : j * 4);
            const left = min(across, width - j);
            if (woven) {
              rowTile(k, a + i * k * 4, table, from, offset, scratch, TILE_BYTES, false);
              rowTile(oddK, oddA + i * oddK * 4, oddTable, from, offset, scratch + ODD_AT, TILE_BYTES, false);
              weaveTiles(scratch, to + j * 4, outPlane, valid, left, add);
            } else if (left === WIDTH && valid === TILE_ROWS) {
              rowTile(k, a + i * k * 4, table, from, offset, to + j * 4, outPlane, add);
            } else {
              rowTile(k, a + i * k * 4, table, from, offset, scratch, TILE_BYTES, false);
              storeTile(scratch, to + j * 4, outPlane, valid, left, add);
            }
          }
        }
      }
    }
    at += count;
  }
}
