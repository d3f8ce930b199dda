/*
 * Batch normalization of many rows of channels side by side, float32, for threads: sums are taken of parts, which are runs of `perPart` rows whoever takes them, and added in order; then rows
 * are written, see norm.ts and norm-grad.ts.
 */
import { columnGradRow, columnGradRows, columnScaleRow, ROWS_TOGETHER } from "./column-rows";
import { columnGradSums, pivotsOf, settle, storeMoments, sumAbout } from "./columns";
import { unaryGrad } from "./gradient";
import { finishSums } from "./norm-sums";

/** Adds to the first of some parts' sums those of the others, in order; a part has two float64 of every column. */
function addParts(sums: usize, columns: usize, parts: usize): void {
  const bytes = columns * 16;
  const end = sums + bytes;
  for (let p = end; p < sums + parts * bytes; p += bytes) {
    for (let at: usize = 0; at < bytes; at += 16) {
      v128.store(sums + at, f64x2.add(v128.load(sums + at), v128.load(p + at)));
    }
  }
}

/** What columnPartSums takes the differences from: a float32 of each column. */
export function columnPivots(pivots: usize, x: usize, rows: usize, columns: usize): void {
  pivotsOf(pivots, x, rows, columns, columns);
}

/** Σ (x − pivot) and Σ (x − pivot)² of `parts` parts from number `first` on. */
export function columnPartSums(
  sums: usize,
  x: usize,
  rows: usize,
  columns: usize,
  pivots: usize,
  perPart: usize,
  first: usize,
  parts: usize,
): void {
  for (let part = first; part < first + parts; part++) {
    const to = sums + part * columns * 16;
    const row = part * perPart;
    memory.fill(to, 0, columns * 16);
    sumAbout(to, to + columns * 8, x + row * columns * 4, min(perPart, rows - row), columns, columns, pivots);
  }
}

/** The moments from the sums of all parts, as columnMoments gives them. */
export function finishColumnMoments(
  mean: usize,
  rest: usize,
  m2: usize,
  sums: usize,
  x: usize,
  rows: usize,
  columns: usize,
  pivots: usize,
  parts: usize,
): void {
  const squares = sums + columns * 8;
  addParts(sums, columns, parts);
  settle(sums, squares, x, rows, columns, columns, pivots);
  storeMoments<f32>(mean, rest, m2, columns, sums, squares);
}

/** Σ g and Σ g·(x − mean) of parts; behind an activation, number `op`, g·f'(source) takes the place of g, and is put `before`. */
export function columnGradPartSums(
  sums: usize,
  g: usize,
  x: usize,
  rows: usize,
  columns: usize,
  mean: usize,
  before: usize,
  source: usize,
  op: i32,
  p: f64,
  perPart: usize,
  first: usize,
  parts: usize,
  scratch: usize,
): void {
  for (let part = first; part < first + parts; part++) {
    const to = sums + part * columns * 16;
    const row = part * perPart;
    const at = row * columns * 4;
    const n = min(perPart, rows - row);
    if (op >= 0) unaryGrad<f32>(op, before + at, g + at, source + at, n * columns, p, 0, scratch);
    columnGradSums<f32>(to, to + columns * 8, (op < 0 ? g : before) + at, x + at, n, columns, columns, mean);
  }
}

/** gWeight and gBias from the sums of all parts, and a float32 of every column of what gx is made of at `gMeans`, `ks` and `scales`. */
export function finishColumnGrad(
  gWeight: usize,
  gBias: usize,
  gMeans: usize,
  ks: usize,
  scales: usize,
  sums: usize,
  columns: usize,
  parts: usize,
  count: f64,
  rest: usize,
  invstd: usize,
  weight: usize,
): void {
  addParts(sums, columns, parts);
  const products = sums + columns * 8;
  finishSums<f32>(gWeight, gBias, gMeans, ks, scales, sums, products, columns, count, rest, invstd, weight);
}

/** gx of `rows` rows from the given addresses on; `ks` may be 0: then statistics are fixed. */
export function columnGradWrite(
  gx: usize,
  g: usize,
  x: usize,
  rows: usize,
  columns: usize,
  gMeans: usize,
  mean: usize,
  ks: usize,
  scales: usize,
): void {
  const stride = columns * 4;
  // Backwards, since the rows that were summed last are still in cache.
  for (let left = rows; left > 0; ) {
    if (ks && left >= ROWS_TOGETHER) {
      left -= ROWS_TOGETHER;
      const i = left * stride;
      columnGradRows<f32>(gx + i, g + i, x + i, columns, stride, gMeans, mean, ks, scales);
      continue;
    }
    left--;
    const i = left * stride;
    if (ks) columnGradRow<f32>(gx + i, g + i, x + i, columns, gMeans, mean, ks, scales);
    else columnScaleRow<f32>(gx + i, g + i, columns, scales);
  }
}
