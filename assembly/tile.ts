/*
 * The inner tile of matrix products and convolutions, and the packing for it. Both operands are packed into slivers that the inner tile reads front to back: a in slivers of 4 rows, b in slivers of
 * 32 bytes (8 float32 or 4 float64). The tile is 4 rows × 32 bytes: 8 accumulators, the most that V8 keeps in registers.
 */

/** Rows of a tile. */
export const TILE_ROWS: usize = 4;
/** Bytes of a tile's row. */
export const TILE_BYTES: usize = 32;
/** a·b + c */
export function madd<T>(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return v128.relaxed_madd<T>(a, b, c);
  return v128.add<T>(v128.mul<T>(a, b), c);
}

/**
 * out (+)= a·b for one tile over k >= 1 steps. Row r of a starts at a + r·aRow and goes on by aStep bytes; b is a sliver.
 */
export function tile<T>(
  k: usize,
  a: usize,
  aRow: usize,
  aStep: usize,
  b: usize,
  out: usize,
  outRow: usize,
  accumulate: bool,
): void {
  let a1 = a + aRow;
  let a2 = a1 + aRow;
  let a3 = a2 + aRow;
  let c00 = v128.splat<T>(0);
  let c01 = c00;
  let c10 = c00;
  let c11 = c00;
  let c20 = c00;
  let c21 = c00;
  let c30 = c00;
  let c31 = c00;
  const end = b + k * TILE_BYTES;
  do {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let v = v128.load_splat<T>(a);
    c00 = madd<T>(v, b0, c00);
    c01 = madd<T>(v, b1, c01);
    v = v128.load_splat<T>(a1);
    c10 = madd<T>(v, b0, c10);
    c11 = madd<T>(v, b1, c11);
    v = v128.load_splat<T>(a2);
    c20 = madd<T>(v, b0, c20);
    c21 = madd<T>(v, b1, c21);
    v = v128.load_splat<T>(a3);
    c30 = madd<T>(v, b0, c30);
    c31 = madd<T>(v, b1, c31);
    a += aStep;
    a1 += aStep;
    a2 += aStep;
    a3 += aStep;
    b += TILE_BYTES;
  } while (b < end);
  storeRow<T>(out, c00, c01, accumulate);
  out += outRow;
  storeRow<T>(out, c10, c11, accumulate);
  out += outRow;
  storeRow<T>(out, c20, c21, accumulate);
  out += outRow;
  storeRow<T>(out, c30, c31, accumulate);
}

/** The same with a packed: its four rows lie side by side. */
export function packedTile<T>(k: usize, a: usize, b: usize, out: usize, outRow: usize, accumulate: bool): void {
  let c00 = v128.splat<T>(0);
  let c01 = c00;
  let c10 = c00;
  let c11 = c00;
  let c20 = c00;
  let c21 = c00;
  let c30 = c00;
  let c31 = c00;
  const end = b + k * TILE_BYTES;
  do {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let v = v128.load_splat<T>(a);
    c00 = madd<T>(v, b0, c00);
    c01 = madd<T>(v, b1, c01);
    v = v128.load_splat<T>(a, sizeof<T>());
    c10 = madd<T>(v, b0, c10);
    c11 = madd<T>(v, b1, c11);
    v = v128.load_splat<T>(a, 2 * sizeof<T>());
    c20 = madd<T>(v, b0, c20);
    c21 = madd<T>(v, b1, c21);
    v = v128.load_splat<T>(a, 3 * sizeof<T>());
    c30 = madd<T>(v, b0, c30);
    c31 = madd<T>(v, b1, c31);
    a += TILE_ROWS * sizeof<T>();
    b += TILE_BYTES;
  } while (b < end);
  storeRow<T>(out, c00, c01, accumulate);
  out += outRow;
  storeRow<T>(out, c10, c11, accumulate);
  out += outRow;
  storeRow<T>(out, c20, c21, accumulate);
  out += outRow;
  storeRow<T>(out, c30, c31, accumulate);
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

/**
 * Packs `count` lanes (rows of a or columns of b) over k steps into slivers of `width` lanes, zeros behind the last. Strides are in bytes.
 */
export function pack<T>(out: usize, x: usize, lane: usize, step: usize, count: usize, k: usize, width: usize): void {
  const perVector: usize = 16 / sizeof<T>();
  const rowBytes: usize = width * sizeof<T>();
  for (let first: usize = 0; first < count; first += width) {
    if (rowBytes === TILE_BYTES && lane === sizeof<T>() && first + width <= count) {
      packRows(out, x + first * lane, step, k);
      out += rowBytes * k;
      continue;
    }
    for (let half: usize = 0; half < width; half += perVector) {
      const from = first + half;
      const valid = from < count ? min(perVector, count - from) : 0;
      packVector<T>(out + half * sizeof<T>(), rowBytes, x + from * lane, lane, step, valid, k);
    }
    out += rowBytes * k;
  }
}

/** A sliver of b whose columns lie side by side: both vectors of a row together, so that each line of memory is fetched once or twice, not four times. */
function packRows(out: usize, x: usize, step: usize, k: usize): void {
  for (const end = out + k * TILE_BYTES; out < end; out += TILE_BYTES) {
    v128.store(out, v128.load(x));
    v128.store(out, v128.load(x, 16), 16);
    x += step;
  }
}

/** One vector's lanes of a sliver, of which the first `valid` exist. */
function packVector<T>(out: usize, outStep: usize, x: usize, lane: usize, step: usize, valid: usize, k: usize): void {
  const perVector: usize = 16 / sizeof<T>();
  if (valid === perVector && lane === sizeof<T>()) {
    for (let i: usize = 0; i < k; i++) {
      v128.store(out, v128.load(x));
      x += step;
      out += outStep;
    }
    return;
  }
  if (sizeof<T>() === 4 && valid === perVector && step === 4) {
    const whole = k & ~3;
    for (let i: usize = 0; i < whole; i += 4) {
      transpose4(out, outStep, x, lane);
      x += 16;
      out += outStep << 2;
    }
    k -= whole;
  }
  for (let i: usize = 0; i < k; i++) {
    for (let j: usize = 0; j < perVector; j++) {
      store<T>(out + j * sizeof<T>(), j < valid ? load<T>(x + j * lane) : <T>0);
    }
    x += step;
    out += outStep;
  }
}

/** Transposes 4 × 4 float32. */
function transpose4(out: usize, outStep: usize, x: usize, lane: usize): void {
  const x0 = v128.load(x);
  const x1 = v128.load(x + lane);
  const x2 = v128.load(x + 2 * lane);
  const x3 = v128.load(x + 3 * lane);
  const low01 = v128.shuffle<f32>(x0, x1, 0, 4, 1, 5);
  const high01 = v128.shuffle<f32>(x0, x1, 2, 6, 3, 7);
  const low23 = v128.shuffle<f32>(x2, x3, 0, 4, 1, 5);
  const high23 = v128.shuffle<f32>(x2, x3, 2, 6, 3, 7);
  v128.store(out, v128.shuffle<f64>(low01, low23, 0, 2));
  v128.store(out + outStep, v128.shuffle<f64>(low01, low23, 1, 3));
  v128.store(out + 2 * outStep, v128.shuffle<f64>(high01, high23, 0, 2));
  v128.store(out + 3 * outStep, v128.shuffle<f64>(high01, high23, 1, 3));
}

/** Sum of a vector's lanes. */
export function lanes<T>(v: v128): T {
  const low = <T>(v128.extract_lane<T>(v, 0) + v128.extract_lane<T>(v, 1));
  if (sizeof<T>() === 8) return low;
  return <T>(low + <T>(v128.extract_lane<T>(v, 2) + v128.extract_lane<T>(v, 3)));
}
