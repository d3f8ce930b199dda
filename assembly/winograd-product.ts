/*
 * The products of Winograd's convolution: tiles × channels by channels × output channels, at one place of the transformed tiles. Tiles lie 16 elements of T apart, which has
 * to be known when this is compiled: then one address does for all rows of a register tile. So T is i32 for blocks of 16 channels, and i64 for blocks of 32.
 */
import { madd, storeRow, TILE_BYTES, TILE_ROWS } from "./tile";

/** Rows of the taller register tile; see tile.ts. */
const TALL: usize = 5;

/** out (+)= `count` tiles times a sliver of eight output channels, over `channels` of one block. Up to three tiles behind the last are read and written. */
export function multiplyTiles<T>(
  count: usize,
  channels: usize,
  a: usize,
  u: usize,
  out: usize,
  outRow: usize,
  accumulate: bool,
): void {
  let talls: usize = 0;
  if (ASC_FEATURE_RELAXED_SIMD) {
    const fours = (TALL - (count % TALL)) % TALL;
    if (count > fours * TILE_ROWS) talls = (count - fours * TILE_ROWS) / TALL;
    if (talls) fives<T>(talls, channels, a, u, out, outRow, accumulate);
  }
  const done = talls * TALL;
  if (done < count) {
    a += done * 16 * sizeof<T>();
    fours<T>((count - done + TILE_ROWS - 1) / TILE_ROWS, channels, a, u, out + done * outRow, outRow, accumulate);
  }
}

/*
 * The loop over tiles is in here, since with 16 channels a call takes a tenth of the time: five rows run at 57 GFLOP/s in the first cache, with 16 channels and with 32, tiles of four
 * rows at 53. The branch that is never taken is V8's, as in tile.ts; six rows run at 40 to 47.
 */
function fives<T>(
  count: usize,
  channels: usize,
  a: usize,
  u: usize,
  out: usize,
  outRow: usize,
  accumulate: bool,
): void {
  const step: usize = 16 * sizeof<T>();
  const back = (channels - 1) * TILE_BYTES;
  const end = u + back;
  const next = TALL * step - (channels - 1) * 4;
  while (true) {
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
    while (true) {
      const b0 = v128.load(u);
      const b1 = v128.load(u, 16);
      let v = v128.load_splat<f32>(a);
      c00 = madd<f32>(v, b0, c00);
      c01 = madd<f32>(v, b1, c01);
      v = v128.load_splat<f32>(a, 16 * sizeof<T>());
      c10 = madd<f32>(v, b0, c10);
      c11 = madd<f32>(v, b1, c11);
      v = v128.load_splat<f32>(a, 32 * sizeof<T>());
      c20 = madd<f32>(v, b0, c20);
      c21 = madd<f32>(v, b1, c21);
      if (u === 0) break; // never
      v = v128.load_splat<f32>(a, 48 * sizeof<T>());
      c30 = madd<f32>(v, b0, c30);
      c31 = madd<f32>(v, b1, c31);
      v = v128.load_splat<f32>(a, 64 * sizeof<T>());
      c40 = madd<f32>(v, b0, c40);
      c41 = madd<f32>(v, b1, c41);
      if (u === end) break;
      a += 4;
      u += TILE_BYTES;
    }
    storeRow<f32>(out, c00, c01, accumulate);
    out += outRow;
    storeRow<f32>(out, c10, c11, accumulate);
    out += outRow;
    storeRow<f32>(out, c20, c21, accumulate);
    out += outRow;
    storeRow<f32>(out, c30, c31, accumulate);
    out += outRow;
    storeRow<f32>(out, c40, c41, accumulate);
    if (--count === 0) return;
    out += outRow;
    a += next;
    u -= back;
  }
}

function fours<T>(
  count: usize,
  channels: usize,
  a: usize,
  u: usize,
  out: usize,
  outRow: usize,
  accumulate: bool,
): void {
  const step: usize = 16 * sizeof<T>();
  const back = channels * TILE_BYTES;
  const end = u + back;
  const next = TILE_ROWS * step - channels * 4;
  for (; count > 0; count--) {
    let c00 = f32x4.splat(0);
    let c01 = c00;
    let c10 = c00;
    let c11 = c00;
    let c20 = c00;
    let c21 = c00;
    let c30 = c00;
    let c31 = c00;
    do {
      const b0 = v128.load(u);
      const b1 = v128.load(u, 16);
      let v = v128.load_splat<f32>(a);
      c00 = madd<f32>(v, b0, c00);
      c01 = madd<f32>(v, b1, c01);
      v = v128.load_splat<f32>(a, 16 * sizeof<T>());
      c10 = madd<f32>(v, b0, c10);
      c11 = madd<f32>(v, b1, c11);
      v = v128.load_splat<f32>(a, 32 * sizeof<T>());
      c20 = madd<f32>(v, b0, c20);
      c21 = madd<f32>(v, b1, c21);
      v = v128.load_splat<f32>(a, 48 * sizeof<T>());
      c30 = madd<f32>(v, b0, c30);
      c31 = madd<f32>(v, b1, c31);
      a += 4;
      u += TILE_BYTES;
    } while (u < end);
    storeRow<f32>(out, c00, c01, accumulate);
    out += outRow;
    storeRow<f32>(out, c10, c11, accumulate);
    out += outRow;
    storeRow<f32>(out, c20, c21, accumulate);
    out += outRow;
    storeRow<f32>(out, c30, c31, accumulate);
    out += outRow;
    a += next;
    u -= back;
  }
}
