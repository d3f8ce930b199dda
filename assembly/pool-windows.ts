/*
 * Pooling over planes. What an output pools along an axis is a window of int32: start, end, step, and how many elements an average counts when padding counts.
 * A table holds one window for every output row and behind them one for every output column; adaptive pooling differs only in its table.
 */
export const START: usize = 0;
export const END: usize = 4;
export const STEP: usize = 8;
export const PADDED: usize = 12;
export const WINDOW_BYTES: usize = 16;

/** A field of the window at an address. */
export function get(window: usize, field: usize): i32 {
  return load<i32>(window + field);
}
