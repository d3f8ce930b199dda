import type { NormTailGrad, Pointer } from "../backend.ts";
import type { Heap } from "../heap.ts";

/** What assembly/column-parts.ts exports. */
export interface NormColumnExports {
  columnPivots(pivots: Pointer, x: Pointer, rows: number, columns: number): void;
  columnPartSums(
    sums: Pointer,
    x: Pointer,
    rows: number,
    columns: number,
    pivots: Pointer,
    perPart: number,
    first: number,
    parts: number,
  ): void;
  finishColumnMoments(
    mean: Pointer,
    rest: Pointer,
    m2: Pointer,
    sums: Pointer,
    x: Pointer,
    rows: number,
    columns: number,
    pivots: Pointer,
    parts: number,
  ): void;
  columnGradPartSums(
    sums: Pointer,
    g: Pointer,
    x: Pointer,
    rows: number,
    columns: number,
    mean: Pointer,
    before: Pointer,
    source: Pointer,
    op: number,
    p: number,
    perPart: number,
    first: number,
    parts: number,
    scratch: Pointer,
  ): void;
  finishColumnGrad(
    gWeight: Pointer,
    gBias: Pointer,
    gMeans: Pointer,
    ks: Pointer,
    scales: Pointer,
    sums: Pointer,
    columns: number,
    parts: number,
    count: number,
    rest: Pointer,
    invstd: Pointer,
    weight: Pointer,
  ): void;
  columnGradWrite(
    gx: Pointer,
    g: Pointer,
    x: Pointer,
    rows: number,
    columns: number,
    gMeans: Pointer,
    mean: Pointer,
    ks: Pointer,
    scales: Pointer,
  ): void;
}

/** Sums are taken of so many parts at most, of so many rows at least and a multiple of that, by the shape alone, so that no sum depends on the number of threads. */
const MOST_PARTS = 16;
const LEAST_ROWS = 64;
/** From so many elements on batch norm of columns goes by parts: of less, its passes stay in the cache and threads gain nothing. */
const LEAST_ELEMENTS = 2 ** 18;

/** Whether batch norm of [rows, columns] float32 goes by parts. */
export function goesByParts(rows: number, columns: number): boolean {
  return rows >= 4 * LEAST_ROWS && rows * columns >= LEAST_ELEMENTS;
}

function rowsPerPart(rows: number): number {
  return LEAST_ROWS * Math.ceil(rows / (LEAST_ROWS * MOST_PARTS));
}

/** Batch norm of [rows, columns] by parts of rows: the moments, and the gradient. */
export function columnParts(wasm: NormColumnExports, heap: Heap, scratch: Pointer) {
  /** Runs with room for the sums of all parts and for three float32 of every column. */
  function withSums(rows: number, columns: number, run: (perPart: number, parts: number, sums: Pointer) => void): void {
    const perPart = rowsPerPart(rows);
    const parts = Math.ceil(rows / perPart);
    const sums = heap.alloc((16 * parts + 12) * columns);
    try {
      run(perPart, parts, sums);
    } finally {
      heap.free(sums);
    }
  }

  return {
    /** mean, rest, and Σ (x − mean)² at m2 */
    moments(mean: Pointer, rest: Pointer, m2: Pointer, x: Pointer, rows: number, columns: number): void {
      withSums(rows, columns, (perPart, parts, sums) => {
        wasm.columnPivots(mean, x, rows, columns);
        wasm.columnPartSums(sums, x, rows, columns, mean, perPart, 0, parts);
        wasm.finishColumnMoments(mean, rest, m2, sums, x, rows, columns, mean, parts);
      });
    },
    /** as normalizeByChannelGrad; `op` is the number of the tail's activation, or −1 */
    grad(
      gx: Pointer,
      gWeight: Pointer,
      gBias: Pointer,
      g: Pointer,
      x: Pointer,
      rows: number,
      columns: number,
      mean: Pointer,
      rest: Pointer,
      invstd: Pointer,
      weight: Pointer,
      batchStatistics: boolean,
      op: number,
      tail: NormTailGrad | undefined,
    ): void {
      const before = tail?.before ?? 0;
      withSums(rows, columns, (perPart, parts, sums) => {
        const gMeans = sums + 16 * parts * columns;
        const ks = gMeans + 4 * columns;
        const scales = ks + 4 * columns;
        const slope = [before, tail?.source ?? 0, op, tail?.p ?? 0] as const;
        wasm.columnGradPartSums(sums, g, x, rows, columns, mean, ...slope, perPart, 0, parts, scratch);
        wasm.finishColumnGrad(gWeight, gBias, gMeans, ks, scales, sums, columns, parts, rows, rest, invstd, weight);
        const h = op < 0 ? g : before;
        if (gx) wasm.columnGradWrite(gx, h, x, rows, columns, gMeans, mean, batchStatistics ? ks : 0, scales);
      });
    },
  };
}
