/*
 * Convolution in float32 of kernels of one tap with a stride of 2 across and no padding, and the gradient of its input, image by image: what outputs meet is copied side by side, into the first cache
 * where it fits. What the next image reads and writes is fetched a few lines before each tile, which waits for no memory.
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
  TAP_TABLE,
} from "./conv-taps";
import { copyRow, takePixels, zeroRow } from "./geometry";
import { spreadTile, TALL_ROWS, TILE_BYTES, TILE_ROWS, tableTile, tallRows, tiledRows } from "./tile";

/** Outputs of a tile. */
const WIDTH: usize = 8;

/** Scratch begins with a tile, zeros, and a word that keeps what has been read only to be fetched. */
const ZEROS_AT: usize = 192;
const WORD_AT: usize = 224;
const TABLE_AT: usize = 256;

function tableBytes(p: usize): usize {
  return (get(p, CHANNELS) * 4 + 63) & ~63;
}

/** Bytes of a channel's copy: whole tiles, and an odd number of cache lines. */
function copyPlane(p: usize): usize {
  const positions = get(p, GRID_HEIGHT) * get(p, GRID_WIDTH);
  return ((((positions + WIDTH - 1) & ~(WIDTH - 1)) * 4 + 63) & ~63) | 64;
}

export function convPointwiseScratch(p: usize): usize {
  return TABLE_AT + tableBytes(p) + get(p, CHANNELS) * copyPlane(p);
}

export function convPointwiseWeightsBytes(p: usize): usize {
  return tiledRows(get(p, ROWS)) * get(p, CHANNELS) * 4;
}

/** Packs the weights, into convPointwiseWeightsBytes bytes. */
export function convPointwisePack(p: usize, weights: usize, w: usize): void {
  packWeights<f32>(weights, p, w, get(p, CHANNELS), p + TAP_TABLE, 1);
}

/** Copies what an image's outputs meet, channel by channel. */
function copyImage(p: usize, copy: usize, image: usize): void {
  const height = get(p, GRID_HEIGHT);
  const width = get(p, GRID_WIDTH);
  const row = get(p, STRIDE_HEIGHT) * get(p, IN_WIDTH) * 4;
  const stride = get(p, STRIDE_WIDTH);
  const plane = copyPlane(p);
  const step = get(p, IN_HEIGHT) * get(p, IN_WIDTH) * 4;
  for (let c = get(p, CHANNELS); c > 0; c--) {
    if (stride === 1) copyRow(copy, image, height * width * 4);
    else takePixels<f32>(copy, image, height, row, width, stride);
    copy += plane;
    image += step;
  }
}

/** Puts outputs number `first` to first + count, of rows of a finished tile, in their places of planes. */
function scatter(p: usize, tile: usize, out: usize, rows: usize, first: usize, count: usize): void {
  const width = get(p, GRID_WIDTH);
  const plane = get(p, OUT_PLANE) * 4;
  const column = get(p, OUT_COLUMN) * 4;
  const row = get(p, OUT_ROW) * 4;
  for (let i = first; i < first + count; i++) {
    const h = i / width;
    let to = out + h * row + (i - h * width) * column;
    for (let r: usize = 0; r < rows; r++) {
      store<f32>(to, load<f32>(tile + r * TILE_BYTES));
      to += plane;
    }
    tile += 4;
  }
}

/**
 * Images number `first` to first + total. `weights` are from convPointwisePack, `bias` is 0 or that of all rows of w, rounded up to four, and `scratch` has convPointwiseScratch bytes. With OUT_COLUMN = 2
 * outputs take turns with zeros, and rows between them are zeros.
 */
export function convPointwiseF32(
  p: usize,
  out: usize,
  x: usize,
  weights: usize,
  bias: usize,
  first: usize,
  total: usize,
  scratch: usize,
): void {
  const channels = get(p, CHANNELS);
  const rows = get(p, ROWS);
  const width = get(p, GRID_WIDTH);
  const positions = get(p, GRID_HEIGHT) * width;
  const plane = get(p, OUT_PLANE) * 4;
  const isSpread = get(p, OUT_COLUMN) > 1;
  const isWhole = !isSpread || width % WIDTH === 0;
  const tall = tallRows(rows);
  const table = scratch + TABLE_AT;
  const copy = table + tableBytes(p);
  const step = copyPlane(p);
  for (let c: usize = 0; c < channels; c++) store<usize>(table + c * 4, c * step);
  memory.fill(scratch + ZEROS_AT, 0, 32);
  const inImage = get(p, IN_IMAGE) * 4;
  const inBytes = channels * get(p, IN_HEIGHT) * get(p, IN_WIDTH) * 4;
  const outImage = get(p, OUT_IMAGE) * 4;
  const outBytes = rows * plane;
  const down = tall / TALL_ROWS + (tiledRows(rows) - tall) / TILE_ROWS;
  const tiles = down * ((positions + WIDTH - 1) / WIDTH);
  // Lines of rows between those that are met are read too: 0.99 instead of 1.13 ms forward, since memory is fastest in order.
  const inShare = (inBytes / tiles + 64) & ~63;
  const outShare = (outBytes / tiles + 64) & ~63;
  const last = first + total;
  if (isSpread) zeroRow(out + first * outImage, outBytes);
  let all: u32 = 0;
  for (let n = first; n < last; n++) {
    copyImage(p, copy, x + n * inImage);
    const image = out + n * outImage;
    let inAt = x + (n + 1) * inImage;
    let outAt = image + outImage;
    const inEnd = n + 1 < last ? inAt + inBytes : 0;
    const outEnd = n + 1 < last ? outAt + outBytes : 0;
    let high: usize = 0;
    for (let i: usize = 0; i < rows; i += high) {
      high = i < tall ? TALL_ROWS : TILE_ROWS;
      const a = weights + i * channels * 4;
      const offset = bias ? bias + i * 4 : scratch + ZEROS_AT;
      const valid = min(high, rows - i);
      const to = image + i * plane;
      for (let j: usize = 0; j < positions; j += WIDTH) {
        for (const stop = min(inEnd, inAt + inShare); inAt < stop; inAt += 64) all |= load<u32>(inAt);
        if (outAt < outEnd) {
          const share = min(outShare, outEnd - outAt);
          if (isSpread) zeroRow(outAt, share);
          else for (let at: usize = 0; at < share; at += 64) store<u32>(outAt + at, 0);
          outAt += share;
        }
        const from = copy + j * 4;
        if (!isWhole || valid < high || j + WIDTH > positions) {
          tableTile(high, channels, a, from, table, offset, scratch, TILE_BYTES, false);
          scatter(p, scratch, to, valid, j, min(WIDTH, positions - j));
        } else if (isSpread) {
          const h = j / width;
          const place = to + h * get(p, OUT_ROW) * 4 + (j - h * width) * 8;
          spreadTile(high, channels, a, from, table, offset, place, plane);
        } else {
          tableTile(high, channels, a, from, table, offset, to + j * 4, plane, false);
        }
      }
    }
  }
  store<u32>(scratch + WORD_AT, all); // or nothing would be read
}
