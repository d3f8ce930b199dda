/* What the plain convolutions share: the layout of their argument block, and packed weights. */
import { TALL_ROWS, TILE_ROWS, tallRows } from "./tile";

/*
 * The geometry: int32 at these offsets of an argument block. Input positions are row·STRIDE_HEIGHT + tap's row, and so on; a position outside the image
 * reads 0. Distances are in elements: from image to image, from row to row of w's matrix (W_LANE), from channel to channel.
 */
export const BATCH: usize = 0;
export const CHANNELS: usize = 4;
export const IN_HEIGHT: usize = 8;
export const IN_WIDTH: usize = 12;
export const IN_IMAGE: usize = 16;
export const ROWS: usize = 20;
export const GRID_HEIGHT: usize = 24;
export const GRID_WIDTH: usize = 28;
export const STRIDE_HEIGHT: usize = 32;
export const STRIDE_WIDTH: usize = 36;
export const TAPS: usize = 40;
export const OUT_IMAGE: usize = 44;
export const OUT_PLANE: usize = 48;
export const OUT_ROW: usize = 52;
export const OUT_COLUMN: usize = 56;
export const W_LANE: usize = 60;
export const W_CHANNEL: usize = 64;
/** Where in a plane of outputs the first of a phase is, and taps of the whole kernel, of which a phase meets some: for conv-images.ts. */
export const OUT_FIRST: usize = 68;
export const KERNEL_SIZE: usize = 72;
/** The taps: row, column and place in w of each. */
export const TAP_TABLE: usize = 128;
export const TAP_BYTES: usize = 12;

export function get(p: usize, field: usize): usize {
  return <usize>load<i32>(p + field);
}

/** Packs w for the `taps` of a table, block of channels by block of channels, into slivers of TALL_ROWS rows as far as tallRows says, then of four. */
export function packWeights<T>(out: usize, p: usize, w: usize, block: usize, table: usize, taps: usize): void {
  const size: usize = sizeof<T>();
  const rows = get(p, ROWS);
  const tall = tallRows(rows);
  const channels = get(p, CHANNELS);
  const lane = get(p, W_LANE) * size;
  const channel = get(p, W_CHANNEL) * size;
  for (let c0: usize = 0; c0 < channels; c0 += block) {
    const last = min(channels, c0 + block);
    let high: usize = 0;
    for (let r: usize = 0; r < rows; r += high) {
      high = r < tall ? TALL_ROWS : TILE_ROWS;
      const valid = rows - r;
      const first = w + r * lane;
      for (let c = c0; c < last; c++) {
        for (let t: usize = 0; t < taps; t++) {
          const from = first + c * channel + get(table, t * TAP_BYTES + 8) * size;
          store<T>(out, load<T>(from));
          store<T>(out + size, valid > 1 ? load<T>(from + lane) : <T>0);
          store<T>(out + 2 * size, valid > 2 ? load<T>(from + 2 * lane) : <T>0);
          store<T>(out + 3 * size, valid > 3 ? load<T>(from + 3 * lane) : <T>0);
          if (high > TILE_ROWS) store<T>(out + 4 * size, load<T>(from + 4 * lane));
          out += high * size;
        }
      }
    }
  }
}
