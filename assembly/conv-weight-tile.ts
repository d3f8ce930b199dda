/* The inner tile of a convolution's weight gradient: see conv-weight.ts, and tile.ts for why it is written so. */
import { madd, TALL_ROWS, TILE_BYTES, TILE_ROWS } from "./tile";

/* The rows of a tile as types, which are known when it is compiled. */
type Four = u32;
type Tall = u64;

function sumTile<T, Rows>(
  images: usize,
  rows: usize,
  columns: usize,
  a0: usize,
  a1: usize,
  a2: usize,
  a3: usize,
  a4: usize,
  imageStep: usize,
  rowStep: usize,
  step: usize,
  b: usize,
  out: usize,
  outRow: usize,
): void {
  const high = sizeof<Rows>() === sizeof<Tall>() ? TALL_ROWS : TILE_ROWS;
  let c00 = v128.load(out);
  let c01 = v128.load(out, 16);
  let c10 = v128.load(out + outRow);
  let c11 = v128.load(out + outRow, 16);
  let c20 = v128.load(out + 2 * outRow);
  let c21 = v128.load(out + 2 * outRow, 16);
  let c30 = v128.load(out + 3 * outRow);
  let c31 = v128.load(out + 3 * outRow, 16);
  let c40 = high > 4 ? v128.load(out + 4 * outRow) : c00;
  let c41 = high > 4 ? v128.load(out + 4 * outRow, 16) : c00;
  const rowBytes = columns * TILE_BYTES;
  // What is left to go after a row's and an image's last step.
  const rowJump = rowStep - columns * step;
  const imageJump = imageStep - rows * rowStep;
  for (; images > 0; images--) {
    for (let r = rows; r > 0; r--) {
      const end = b + rowBytes;
      do {
        const b0 = v128.load(b);
        const b1 = v128.load(b, 16);
        let v = v128.load_splat<T>(a0);
        c00 = madd<T>(v, b0, c00);
        c01 = madd<T>(v, b1, c01);
        v = v128.load_splat<T>(a1);
        c10 = madd<T>(v, b0, c10);
        c11 = madd<T>(v, b1, c11);
        if (high > 4 && b === 0) break; // never: see tile.ts
        v = v128.load_splat<T>(a2);
        c20 = madd<T>(v, b0, c20);
        c21 = madd<T>(v, b1, c21);
        v = v128.load_splat<T>(a3);
        c30 = madd<T>(v, b0, c30);
        c31 = madd<T>(v, b1, c31);
        if (high > 4) {
          v = v128.load_splat<T>(a4);
          c40 = madd<T>(v, b0, c40);
          c41 = madd<T>(v, b1, c41);
          a4 += step;
        }
        a0 += step;
        a1 += step;
        a2 += step;
        a3 += step;
        b += TILE_BYTES;
      } while (b < end);
      a0 += rowJump;
      a1 += rowJump;
      a2 += rowJump;
      a3 += rowJump;
      a4 += rowJump;
    }
    a0 += imageJump;
    a1 += imageJump;
    a2 += imageJump;
    a3 += imageJump;
    a4 += imageJump;
  }
  v128.store(out, c00);
  v128.store(out, c01, 16);
  v128.store(out + outRow, c10);
  v128.store(out + outRow, c11, 16);
  v128.store(out + 2 * outRow, c20);
  v128.store(out + 2 * outRow, c21, 16);
  v128.store(out + 3 * outRow, c30);
  v128.store(out + 3 * outRow, c31, 16);
  if (high > 4) {
    v128.store(out + 4 * outRow, c40);
    v128.store(out + 4 * outRow, c41, 16);
  }
}

/**
 * sums (`high` rows, TALL_ROWS or TILE_ROWS, × 32 bytes) += x·g over images, rows and columns of output positions; a0 to a4 are where each row's x begins.
 */
export function gradTile<T>(
  high: usize,
  images: usize,
  rows: usize,
  columns: usize,
  a0: usize,
  a1: usize,
  a2: usize,
  a3: usize,
  a4: usize,
  imageStep: usize,
  rowStep: usize,
  step: usize,
  b: usize,
  out: usize,
  outRow: usize,
): void {
  if (high === TALL_ROWS) {
    sumTile<T, Tall>(images, rows, columns, a0, a1, a2, a3, a4, imageStep, rowStep, step, b, out, outRow);
  } else {
    sumTile<T, Four>(images, rows, columns, a0, a1, a2, a3, a4, imageStep, rowStep, step, b, out, outRow);
  }
}
