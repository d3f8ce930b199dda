/* What is written of channels side by side (inner = 1), see norm.ts and norm-grad.ts: along a row every column has its own constants. */

import { madd } from "./rows";

/** Rows that are written together: their constants are loaded once for all of them. */
export const ROWS_TOGETHER: usize = 4;

/** y = (x − mean)·α + β along a row of which every column has its own constants. */
export function columnScaleShiftRow<T>(y: usize, x: usize, columns: usize, mean: usize, a: usize, b: usize): void {
  const bytes = columns * sizeof<T>();
  let at: usize = 0;
  for (; at + 16 <= bytes; at += 16) {
    const d = v128.sub<T>(v128.load(x + at), v128.load(mean + at));
    v128.store(y + at, madd<T>(d, v128.load(a + at), v128.load(b + at)));
  }
  for (; at < bytes; at += sizeof<T>()) {
    const d = <T>(load<T>(x + at) - load<T>(mean + at));
    store<T>(y + at, <T>(<T>(d * load<T>(a + at)) + load<T>(b + at)));
  }
}

/** columnScaleShiftRow of ROWS_TOGETHER rows, `row` bytes apart, to the same bits. */
export function columnScaleShiftRows<T>(
  y: usize,
  x: usize,
  columns: usize,
  row: usize,
  mean: usize,
  a: usize,
  b: usize,
): void {
  const size: usize = sizeof<T>();
  const whole = (columns * size) & ~15;
  let at: usize = 0;
  if (whole) {
    do {
      const m = v128.load(mean + at);
      const va = v128.load(a + at);
      const vb = v128.load(b + at);
      let p = at;
      v128.store(y + p, madd<T>(v128.sub<T>(v128.load(x + p), m), va, vb));
      p += row;
      v128.store(y + p, madd<T>(v128.sub<T>(v128.load(x + p), m), va, vb));
      p += row;
      v128.store(y + p, madd<T>(v128.sub<T>(v128.load(x + p), m), va, vb));
      p += row;
      v128.store(y + p, madd<T>(v128.sub<T>(v128.load(x + p), m), va, vb));
      at += 16;
    } while (at < whole);
  }
  const c = whole / size;
  if (c === columns) return;
  for (let r: usize = 0; r < ROWS_TOGETHER * row; r += row) {
    columnScaleShiftRow<T>(y + whole + r, x + whole + r, columns - c, mean + whole, a + whole, b + whole);
  }
}

/** (g − gMean − (x − mean)·k)·scale */
function gradOf<T>(g: v128, x: v128, gMean: v128, mean: v128, k: v128, scale: v128): v128 {
  const d = v128.mul<T>(v128.sub<T>(x, mean), k);
  return v128.mul<T>(v128.sub<T>(v128.sub<T>(g, gMean), d), scale);
}

/** gx = (g − gMean − (x − mean)·k)·scale along a row of which every column has its own constants. */
export function columnGradRow<T>(
  gx: usize,
  g: usize,
  x: usize,
  columns: usize,
  gMean: usize,
  mean: usize,
  k: usize,
  scale: usize,
): void {
  const bytes = columns * sizeof<T>();
  let at: usize = 0;
  for (; at + 16 <= bytes; at += 16) {
    const h = v128.load(gMean + at);
    const m = v128.load(mean + at);
    v128.store(
      gx + at,
      gradOf<T>(v128.load(g + at), v128.load(x + at), h, m, v128.load(k + at), v128.load(scale + at)),
    );
  }
  for (; at < bytes; at += sizeof<T>()) {
    const d = <T>(<T>(load<T>(x + at) - load<T>(mean + at)) * load<T>(k + at));
    const v = <T>(<T>(load<T>(g + at) - load<T>(gMean + at)) - d);
    store<T>(gx + at, <T>(v * load<T>(scale + at)));
  }
}

/** columnGradRow of ROWS_TOGETHER rows, `row` bytes apart, to the same bits. */
export function columnGradRows<T>(
  gx: usize,
  g: usize,
  x: usize,
  columns: usize,
  row: usize,
  gMean: usize,
  mean: usize,
  k: usize,
  scale: usize,
): void {
  const size: usize = sizeof<T>();
  const whole = (columns * size) & ~15;
  let at: usize = 0;
  if (whole) {
    do {
      const h = v128.load(gMean + at);
      const m = v128.load(mean + at);
      const slope = v128.load(k + at);
      const s = v128.load(scale + at);
      let p = at;
      v128.store(gx + p, gradOf<T>(v128.load(g + p), v128.load(x + p), h, m, slope, s));
      p += row;
      v128.store(gx + p, gradOf<T>(v128.load(g + p), v128.load(x + p), h, m, slope, s));
      p += row;
      v128.store(gx + p, gradOf<T>(v128.load(g + p), v128.load(x + p), h, m, slope, s));
      p += row;
      v128.store(gx + p, gradOf<T>(v128.load(g + p), v128.load(x + p), h, m, slope, s));
      at += 16;
    } while (at < whole);
  }
  const c = whole / size;
  if (c === columns) return;
  for (let r: usize = 0; r < ROWS_TOGETHER * row; r += row) {
    const p = whole + r;
    columnGradRow<T>(gx + p, g + p, x + p, columns - c, gMean + whole, mean + whole, k + whole, scale + whole);
  }
}

/** gx = g·scale along a row of which every column has its own constants. */
export function columnScaleRow<T>(gx: usize, g: usize, columns: usize, scale: usize): void {
  const bytes = columns * sizeof<T>();
  let at: usize = 0;
  for (; at + 16 <= bytes; at += 16) v128.store(gx + at, v128.mul<T>(v128.load(g + at), v128.load(scale + at)));
  for (; at < bytes; at += sizeof<T>()) store<T>(gx + at, <T>(load<T>(g + at) * load<T>(scale + at)));
}
