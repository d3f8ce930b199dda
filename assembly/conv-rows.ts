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
import { splitRow } from "./conv-turn";
import { copyRow, set, zeroRow } from "./geometry";
import { storePart } from "./scratch";
import { storeRow, TALL_ROWS, TILE_BYTES, TILE_ROWS, tableTile, tallRows, tiledRows, wovenTile } from "./tile";

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
/** Whether inputs are read where they are: those of a single tap, which outputs meet one by one. */
const IN_PLACE: usize = 104;

/** Bytes of a copied band that are aimed at, and the most steps of a sum in one go. */
const COPY_BYTES: usize = 262144;
const STEPS: usize = 1152;
/** Outputs of a tile. */
const WIDTH: usize = 8;

/** Scratch begins with two tiles and zeros. */
const ODD_AT: usize = 192;
const ZEROS_AT: usize = 384;
const TABLE_AT: usize = 448;

function copiedRows(p: usize, rows: usize): usize {
  return get(p, ROWS_SEEN) ? (rows - 1) * get(p, STRIDE_HEIGHT) + get(p, ROWS_SEEN) : 0;
}

/** Bytes of the packed weights; those of odd columns follow the others. */
export function convRowsWeightsBytes(p: usize): usize {
  return tiledRows(get(p, ROWS)) * get(p, CHANNELS) * (get(p, TAPS) + get(p, ODD_TAPS)) * 4;
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
  // Tiles read whole vectors, which must not begin inside an image and end outside.
  const same = stride === 1 && get(p, STRIDE_HEIGHT) === 1 && top === 0 && left === 0;
  const width = get(p, IN_WIDTH);
  const fits = width === get(p, GRID_WIDTH) && width % WIDTH === 0 && get(p, GRID_HEIGHT) <= get(p, IN_HEIGHT);
  set(p, IN_PLACE, taps === 1 && same && fits);
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
  const odd = weights + tiledRows(get(p, ROWS)) * get(p, CHANNELS) * taps * 4;
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

/** Copies what outputs from row `top` of the grid on see of some channels. What is left and right of the image in the copy is 0 already. */
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
      if (<u32>h >= <u32>height) {
        zeroRow(to, pitch);
      } else if (count > 0) {
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

/** Outputs that no input meets. */
function zeroOutputs(p: usize, image: usize, count: usize): void {
  for (let i: usize = 0; i < get(p, ROWS); i++) {
    for (let r: usize = 0; r < count; r++) zeroRow(image + r * get(p, OUT_ROW) * 4, get(p, OUT_WIDTH) * 4);
    image += get(p, OUT_PLANE) * 4;
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
  const pitch = get(p, IN_PLACE) ? get(p, IN_WIDTH) * 4 : get(p, PITCH);
  const stride = get(p, STRIDE_HEIGHT) * pitch;
  const inPlane = get(p, IN_HEIGHT) * get(p, IN_WIDTH) * 4;
  const outPlane = get(p, OUT_PLANE) * 4;
  const table = scratch + TABLE_AT;
  const band = copiedRows(p, get(p, ROWS_AT_ONCE));
  const inPlace = get(p, IN_PLACE) !== 0;
  const copyPlane = inPlace ? inPlane : band * pitch;
  const oddTable = fillTable(p, table, 0, taps, copyPlane);
  const copy = (fillTable(p, oddTable, taps, oddTaps, copyPlane) + 63) & ~63;
  const padded = tiledRows(rows);
  const tall = tallRows(rows);
  const odd = weights + padded * channels * taps * 4;
  const woven = get(p, OUT_COLUMN) === 2;
  const across: usize = woven ? 2 * WIDTH : WIDTH;
  memory.fill(scratch + ZEROS_AT, 0, 32);
  if (!inPlace) memory.fill(copy, 0, atOnce * band * pitch);
  const last = first + total;
  for (let at = first; at < last; ) {
    const n = at / height;
    const top = at - n * height;
    const count = min(min(get(p, ROWS_AT_ONCE), height - top), last - at);
    const image = out + (n * get(p, OUT_IMAGE) + top * get(p, OUT_ROW)) * 4;
    at += count;
    if (taps + oddTaps === 0) {
      zeroOutputs(p, image, count);
      continue;
    }
    for (let c: usize = 0; c < channels; c += atOnce) {
      const block = min(atOnce, channels - c);
      const add = c > 0;
      let begin = x + n * get(p, IN_IMAGE) * 4 + c * inPlane;
      if (inPlace) {
        begin += top * pitch;
      } else {
        copyChannels(p, copy, begin, block, top, band);
        begin = copy;
      }
      const k = block * taps;
      const oddK = block * oddTaps;
      const a = weights + c * taps * padded * 4;
      const oddA = odd + c * oddTaps * padded * 4;
      for (let r: usize = 0; r < count; r++) {
        let high: usize = 0;
        for (let i: usize = 0; i < rows; i += high) {
          high = i < tall ? TALL_ROWS : TILE_ROWS;
          const offset = bias && !add ? bias + i * 4 : scratch + ZEROS_AT;
          const to = image + i * outPlane + r * get(p, OUT_ROW) * 4;
          const whole = i + high <= rows;
          for (let j: usize = 0; j < width; j += across) {
            // The last tile may repeat outputs of the one before it, as long as none are added.
            if (j + across > width && width > across && !add && !(woven && width & 1)) j = width - across;
            const from = begin + r * stride + (woven ? j * 2 : j * 4);
            const left = min(across, width - j);
            const place = to + j * 4;
            const direct = whole && left === across;
            if (direct && !woven) {
              tableTile(high, k, a + i * k * 4, from, table, offset, place, outPlane, add);
              continue;
            }
            tableTile(high, k, a + i * k * 4, from, table, offset, scratch, TILE_BYTES, false);
            if (direct) {
              wovenTile(high, oddK, oddA + i * oddK * 4, from, oddTable, offset, scratch, place, outPlane, add);
              continue;
            }
            const valid = min(high, rows - i);
            if (woven) {
              tableTile(high, oddK, oddA + i * oddK * 4, from, oddTable, offset, scratch + ODD_AT, TILE_BYTES, false);
              weaveTiles(scratch, place, outPlane, valid, left, add);
            } else {
              storeTile(scratch, place, outPlane, valid, left, add);
            }
          }
        }
      }
    }
  }
}
