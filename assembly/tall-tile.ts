import { madd, pack, packedTile, storeRow, TILE_BYTES, TILE_ROWS } from "./tile";

/*
 * A tile of 5 rows × 32 bytes: ten accumulators, which hide the latency of eight multiply-adds (four cycles on two ports) with two to spare. V8 loads all that a basic block reads before it computes
 * anything, which would take 17 of 15 registers; a branch that is never taken ends the block after two rows. On Intel the loop goes from 43 to 55 GFLOP/s. Without fused multiply-adds products take
 * registers too, and four rows stay faster: 36 against 30.
 */

/** Rows of a tall tile. */
export const TALL_ROWS: usize = ASC_FEATURE_RELAXED_SIMD ? 5 : TILE_ROWS;

/** out (+)= a·b for one tile over k >= 1 steps. The rows of a lie side by side and go on by aStep bytes, which without fused multiply-adds are those of a sliver; b is a sliver. */
export function tallTile<T>(
  k: usize,
  a: usize,
  aStep: usize,
  b: usize,
  out: usize,
  outRow: usize,
  accumulate: bool,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) {
    packedTile<T>(k, a, b, out, outRow, accumulate);
    return;
  }
  let c00 = v128.splat<T>(0);
  let c01 = c00;
  let c10 = c00;
  let c11 = c00;
  let c20 = c00;
  let c21 = c00;
  let c30 = c00;
  let c31 = c00;
  let c40 = c00;
  let c41 = c00;
  while (true) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let v = v128.load_splat<T>(a);
    c00 = madd<T>(v, b0, c00);
    c01 = madd<T>(v, b1, c01);
    v = v128.load_splat<T>(a, sizeof<T>());
    c10 = madd<T>(v, b0, c10);
    c11 = madd<T>(v, b1, c11);
    if (b === 0) break; // never
    v = v128.load_splat<T>(a, 2 * sizeof<T>());
    c20 = madd<T>(v, b0, c20);
    c21 = madd<T>(v, b1, c21);
    v = v128.load_splat<T>(a, 3 * sizeof<T>());
    c30 = madd<T>(v, b0, c30);
    c31 = madd<T>(v, b1, c31);
    v = v128.load_splat<T>(a, 4 * sizeof<T>());
    c40 = madd<T>(v, b0, c40);
    c41 = madd<T>(v, b1, c41);
    if (--k === 0) break;
    a += aStep;
    b += TILE_BYTES;
  }
  storeRow<T>(out, c00, c01, accumulate);
  out += outRow;
  storeRow<T>(out, c10, c11, accumulate);
  out += outRow;
  storeRow<T>(out, c20, c21, accumulate);
  out += outRow;
  storeRow<T>(out, c30, c31, accumulate);
  out += outRow;
  storeRow<T>(out, c40, c41, accumulate);
}

/** Packs `rows` rows over k steps into slivers of TALL_ROWS, zeros behind the last. Strides are in bytes. */
export function packTall<T>(out: usize, x: usize, row: usize, step: usize, rows: usize, k: usize): void {
  if (!ASC_FEATURE_RELAXED_SIMD) {
    pack<T>(out, x, row, step, rows, k, TALL_ROWS);
    return;
  }
  const size: usize = sizeof<T>();
  const sliver = TALL_ROWS * size;
  for (let first: usize = 0; first < rows; first += TALL_ROWS) {
    const from = x + first * row;
    const valid = min(TALL_ROWS, rows - first);
    let done: usize = 0;
    if (size === 4 && step === 4 && valid === TALL_ROWS) {
      done = k & ~3;
      packFour(out, from, row, done);
    }
    for (let i = done; i < k; i++) {
      for (let r: usize = 0; r < TALL_ROWS; r++) {
        store<T>(out + i * sliver + r * size, r < valid ? load<T>(from + r * row + i * step) : <T>0);
      }
    }
    out += sliver * k;
  }
}

/** Five rows of float32 whose elements lie side by side; k is a multiple of four. */
function packFour(out: usize, x: usize, row: usize, k: usize): void {
  for (const end = x + (k << 2); x < end; x += 16) {
    const x0 = v128.load(x);
    const x1 = v128.load(x + row);
    const x2 = v128.load(x + 2 * row);
    const x3 = v128.load(x + 3 * row);
    const x4 = v128.load(x + 4 * row);
    const low01 = v128.shuffle<f32>(x0, x1, 0, 4, 1, 5);
    const high01 = v128.shuffle<f32>(x0, x1, 2, 6, 3, 7);
    const low23 = v128.shuffle<f32>(x2, x3, 0, 4, 1, 5);
    const high23 = v128.shuffle<f32>(x2, x3, 2, 6, 3, 7);
    v128.store(out, v128.shuffle<f64>(low01, low23, 0, 2));
    v128.store32_lane(out, x4, 0, 16);
    v128.store(out, v128.shuffle<f64>(low01, low23, 1, 3), 20);
    v128.store32_lane(out, x4, 1, 36);
    v128.store(out, v128.shuffle<f64>(high01, high23, 0, 2), 40);
    v128.store32_lane(out, x4, 2, 56);
    v128.store(out, v128.shuffle<f64>(high01, high23, 1, 3), 60);
    v128.store32_lane(out, x4, 3, 76);
    out += 80;
  }
}
