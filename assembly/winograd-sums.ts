/* The products of the weights' gradients by Winograd's algorithm: sums over the tiles of a block, at one place of the transformed tiles. */
import { madd, TILE_BYTES } from "./tile";
import { TILE_STEP } from "./winograd-tiles";

/**
 * out (6 channels × 8 output channels) = Σ over tiles, whose channels lie side by side. Twelve accumulators need the branch that is never taken, as in tile.ts, and behind
 * the first row: 62 GFLOP/s, of four rows 54. Adding to `out` behind the loop would put some of them on the stack (13 % of the time), and sums that go on from `out` would round more: see addTile.
 */
export function sumSix(tiles: usize, a: usize, b: usize, out: usize, outRow: usize): void {
  let c00 = f32x4.splat(0);
  let c01 = c00;
  let c10 = c00;
  let c11 = c00;
  let c20 = c00;
  let c21 = c00;
  let c30 = c00;
  let c31 = c00;
  let c40 = c00;
  let c41 = c00;
  let c50 = c00;
  let c51 = c00;
  while (true) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let v = v128.load_splat<f32>(a);
    c00 = madd<f32>(v, b0, c00);
    c01 = madd<f32>(v, b1, c01);
    if (b === 0) break; // never
    v = v128.load_splat<f32>(a, 4);
    c10 = madd<f32>(v, b0, c10);
    c11 = madd<f32>(v, b1, c11);
    v = v128.load_splat<f32>(a, 8);
    c20 = madd<f32>(v, b0, c20);
    c21 = madd<f32>(v, b1, c21);
    v = v128.load_splat<f32>(a, 12);
    c30 = madd<f32>(v, b0, c30);
    c31 = madd<f32>(v, b1, c31);
    v = v128.load_splat<f32>(a, 16);
    c40 = madd<f32>(v, b0, c40);
    c41 = madd<f32>(v, b1, c41);
    v = v128.load_splat<f32>(a, 20);
    c50 = madd<f32>(v, b0, c50);
    c51 = madd<f32>(v, b1, c51);
    if (--tiles === 0) break;
    a += TILE_STEP;
    b += TILE_STEP;
  }
  v128.store(out, c00);
  v128.store(out, c01, 16);
  out += outRow;
  v128.store(out, c10);
  v128.store(out, c11, 16);
  out += outRow;
  v128.store(out, c20);
  v128.store(out, c21, 16);
  out += outRow;
  v128.store(out, c30);
  v128.store(out, c31, 16);
  out += outRow;
  v128.store(out, c40);
  v128.store(out, c41, 16);
  out += outRow;
  v128.store(out, c50);
  v128.store(out, c51, 16);
}

/** The same with four channels. */
export function sumFour(tiles: usize, a: usize, b: usize, out: usize, outRow: usize): void {
  let c00 = f32x4.splat(0);
  let c01 = c00;
  let c10 = c00;
  let c11 = c00;
  let c20 = c00;
  let c21 = c00;
  let c30 = c00;
  let c31 = c00;
  const end = a + tiles * TILE_STEP;
  do {
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
    a += TILE_STEP;
    b += TILE_STEP;
  } while (a < end);
  v128.store(out, c00);
  v128.store(out, c01, 16);
  out += outRow;
  v128.store(out, c10);
  v128.store(out, c11, 16);
  out += outRow;
  v128.store(out, c20);
  v128.store(out, c21, 16);
  out += outRow;
  v128.store(out, c30);
  v128.store(out, c31, 16);
}

/** sums += those of a tile of so many rows, which lie one behind the other. */
export function addTile(rows: usize, sums: usize, row: usize, from: usize): void {
  while (true) {
    v128.store(sums, f32x4.add(v128.load(sums), v128.load(from)));
    v128.store(sums, f32x4.add(v128.load(sums, 16), v128.load(from, 16)), 16);
    if (--rows === 0) return;
    sums += row;
    from += TILE_BYTES;
  }
}
