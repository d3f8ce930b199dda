/*
 * The inner tiles of matrix products and convolutions: 4 or 5 rows × 32 bytes (8 float32 or 4 float64) of the output. Both operands are packed into slivers that a tile reads front to back (see pack.ts).
 *
 * Ten accumulators hide the latency of eight multiply-adds (four cycles on two ports) with two to spare. V8 loads all that a basic block reads before it computes anything, which would take 17 of 15
 * registers; a branch that is never taken ends the block after two rows. On Intel the loop goes from 43 to 55 GFLOP/s. Without fused multiply-adds products take registers too, and four rows stay
 * faster: 36 against 30.
 */

/** Rows of a tile. */
export const TILE_ROWS: usize = 4;
/** Rows of a tall tile. */
export const TALL_ROWS: usize = ASC_FEATURE_RELAXED_SIMD ? 5 : TILE_ROWS;
/** Bytes of a tile's row. */
export const TILE_BYTES: usize = 32;

/** a·b + c */
export function madd<T>(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return v128.relaxed_madd<T>(a, b, c);
  return v128.add<T>(v128.mul<T>(a, b), c);
}

/** c − a·b */
export function nmadd<T>(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return v128.relaxed_nmadd<T>(a, b, c);
  return v128.sub<T>(c, v128.mul<T>(a, b));
}

/** How many of `rows` rows tall tiles take, when they and tiles of four behind them leave as few rows empty as possible: 32 = 4 · 5 + 3 · 4. */
export function tallRows(rows: usize): usize {
  if (TALL_ROWS === TILE_ROWS) return 0;
  const tiles = (rows + TALL_ROWS - 1) / TALL_ROWS;
  return (tiles - min(tiles, tiles * TALL_ROWS - rows)) * TALL_ROWS;
}

/** Rows that those tiles have. */
export function tiledRows(rows: usize): usize {
  const tall = tallRows(rows);
  return tall + ((rows - tall + TILE_ROWS - 1) & ~(TILE_ROWS - 1));
}

/* What a tile is, as types, since those are known when it is compiled: its rows, and where b is. */
type Four = u32;
type Tall = u64;
type Sliver = u8;
type Table = u16;
type Woven = u32;
type Spread = u64;

/**
 * One tile over k steps: out (+)= start + a·b. Rows of a lie side by side, and go on by aStep bytes. b is a sliver and rows start with 0, or `table` says where in b each step's row is and `bias` what
 * each row starts with. Woven, the columns take turns with those of `even`, a finished tile; spread, with zeros.
 */
function multiply<T, Rows, Kind>(
  k: usize,
  a: usize,
  aStep: usize,
  b: usize,
  table: usize,
  bias: usize,
  even: usize,
  out: usize,
  outRow: usize,
  accumulate: bool,
): void {
  const high = sizeof<Rows>() === sizeof<Tall>() ? TALL_ROWS : TILE_ROWS;
  const tabled = sizeof<Kind>() > sizeof<Sliver>();
  const zero = v128.splat<T>(0);
  let c00 = tabled ? v128.load_splat<T>(bias) : zero;
  let c10 = tabled ? v128.load_splat<T>(bias, sizeof<T>()) : zero;
  let c20 = tabled ? v128.load_splat<T>(bias, 2 * sizeof<T>()) : zero;
  let c30 = tabled ? v128.load_splat<T>(bias, 3 * sizeof<T>()) : zero;
  let c40 = tabled && high > 4 ? v128.load_splat<T>(bias, 4 * sizeof<T>()) : zero;
  let c01 = c00;
  let c11 = c10;
  let c21 = c20;
  let c31 = c30;
  let c41 = c40;
  if (k)
    while (true) {
      const from = tabled ? b + load<usize>(table) : b;
      const b0 = v128.load(from);
      const b1 = v128.load(from, 16);
      let v = v128.load_splat<T>(a);
      c00 = madd<T>(v, b0, c00);
      c01 = madd<T>(v, b1, c01);
      v = v128.load_splat<T>(a, sizeof<T>());
      c10 = madd<T>(v, b0, c10);
      c11 = madd<T>(v, b1, c11);
      if (high > 4 && b === 0) break; // never
      v = v128.load_splat<T>(a, 2 * sizeof<T>());
      c20 = madd<T>(v, b0, c20);
      c21 = madd<T>(v, b1, c21);
      v = v128.load_splat<T>(a, 3 * sizeof<T>());
      c30 = madd<T>(v, b0, c30);
      c31 = madd<T>(v, b1, c31);
      if (high > 4) {
        v = v128.load_splat<T>(a, 4 * sizeof<T>());
        c40 = madd<T>(v, b0, c40);
        c41 = madd<T>(v, b1, c41);
      }
      if (--k === 0) break;
      a += aStep;
      if (tabled) table += 4;
      else b += TILE_BYTES;
    }
  finishRow<T, Kind>(out, even, c00, c01, accumulate);
  out += outRow;
  finishRow<T, Kind>(out, even + TILE_BYTES, c10, c11, accumulate);
  out += outRow;
  finishRow<T, Kind>(out, even + 2 * TILE_BYTES, c20, c21, accumulate);
  out += outRow;
  finishRow<T, Kind>(out, even + 3 * TILE_BYTES, c30, c31, accumulate);
  if (high > 4) finishRow<T, Kind>(out + outRow, even + 4 * TILE_BYTES, c40, c41, accumulate);
}

function finishRow<T, Kind>(out: usize, even: usize, low: v128, high: v128, accumulate: bool): void {
  if (sizeof<Kind>() === sizeof<Woven>()) weaveRow(out, v128.load(even), v128.load(even, 16), low, high, accumulate);
  else if (sizeof<Kind>() === sizeof<Spread>()) weaveRow(out, low, high, v128.splat<T>(0), v128.splat<T>(0), false);
  else storeRow<T>(out, low, high, accumulate);
}

/** out (+)= a·b for one tall tile over k >= 1 steps. Rows of a lie side by side and go on by aStep bytes; b is a sliver. */
export function tallTile<T>(k: usize, a: usize, aStep: usize, b: usize, out: usize, row: usize, add: bool): void {
  multiply<T, Tall, Sliver>(k, a, aStep, b, 0, 0, 0, out, row, add);
}

/** out (+)= a·b for one tile of TALL_ROWS or TILE_ROWS rows; a and b are slivers. */
export function packedTile<T>(high: usize, k: usize, a: usize, b: usize, out: usize, row: usize, add: bool): void {
  if (high === TALL_ROWS) multiply<T, Tall, Sliver>(k, a, TALL_ROWS * sizeof<T>(), b, 0, 0, 0, out, row, add);
  else multiply<T, Four, Sliver>(k, a, TILE_ROWS * sizeof<T>(), b, 0, 0, 0, out, row, add);
}

/** out (+)= bias + a·b of float32; `table` says where in b each step's row is, and `bias` holds a float32 for each row. */
export function tableTile(
  high: usize,
  k: usize,
  a: usize,
  b: usize,
  table: usize,
  bias: usize,
  out: usize,
  row: usize,
  add: bool,
): void {
  if (high === TALL_ROWS) multiply<f32, Tall, Table>(k, a, TALL_ROWS * 4, b, table, bias, 0, out, row, add);
  else multiply<f32, Four, Table>(k, a, TILE_ROWS * 4, b, table, bias, 0, out, row, add);
}

/** The same of odd columns, which take turns with those of a finished tile, `even`: 16 columns of outputs. */
export function wovenTile(
  high: usize,
  k: usize,
  a: usize,
  b: usize,
  table: usize,
  bias: usize,
  even: usize,
  out: usize,
  row: usize,
  add: bool,
): void {
  if (high === TALL_ROWS) multiply<f32, Tall, Woven>(k, a, TALL_ROWS * 4, b, table, bias, even, out, row, add);
  else multiply<f32, Four, Woven>(k, a, TILE_ROWS * 4, b, table, bias, even, out, row, add);
}

/** out = bias + a·b of float32, each followed by a zero: 16 columns. */
export function spreadTile(
  high: usize,
  k: usize,
  a: usize,
  b: usize,
  table: usize,
  bias: usize,
  out: usize,
  row: usize,
): void {
  if (high === TALL_ROWS) multiply<f32, Tall, Spread>(k, a, TALL_ROWS * 4, b, table, bias, 0, out, row, false);
  else multiply<f32, Four, Spread>(k, a, TILE_ROWS * 4, b, table, bias, 0, out, row, false);
}

/** Eight even and eight odd columns of a row, written or added by turns. */
function weaveRow(out: usize, even: v128, even2: v128, odd: v128, odd2: v128, accumulate: bool): void {
  storeRow<f32>(out, v128.shuffle<f32>(even, odd, 0, 4, 1, 5), v128.shuffle<f32>(even, odd, 2, 6, 3, 7), accumulate);
  const low = v128.shuffle<f32>(even2, odd2, 0, 4, 1, 5);
  storeRow<f32>(out + 32, low, v128.shuffle<f32>(even2, odd2, 2, 6, 3, 7), accumulate);
}

/** One row of a tile, written or added. */
export function storeRow<T>(out: usize, low: v128, high: v128, accumulate: bool): void {
  if (accumulate) {
    low = v128.add<T>(low, v128.load(out));
    high = v128.add<T>(high, v128.load(out, 16));
  }
  v128.store(out, low);
  v128.store(out, high, 16);
}

/** Copies the valid corner of a finished tile to its place. */
export function storeCorner<T>(
  from: usize,
  out: usize,
  outRow: usize,
  rows: usize,
  columns: usize,
  accumulate: bool,
): void {
  const bytes: usize = columns * sizeof<T>();
  for (let r: usize = 0; r < rows; r++) {
    for (let i: usize = 0; i < bytes; i += sizeof<T>()) {
      const sum = load<T>(from + i);
      store<T>(out + i, accumulate ? <T>(load<T>(out + i) + sum) : sum);
    }
    from += TILE_BYTES;
    out += outRow;
  }
}

/** Sum of a vector's lanes. */
export function lanes<T>(v: v128): T {
  const low = <T>(v128.extract_lane<T>(v, 0) + v128.extract_lane<T>(v, 1));
  if (sizeof<T>() === 8) return low;
  return <T>(low + <T>(v128.extract_lane<T>(v, 2) + v128.extract_lane<T>(v, 3)));
}
