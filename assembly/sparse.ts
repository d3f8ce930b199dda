/*
 * Products with a matrix most of whose elements are zero: grey images of digits, for one, are zero at four pixels of five. Zeros are left out, the rest is added in the same order, one sum for
 * each output, so results are the dense product's to the bit. (A zero times NaN or infinity is not zero: the other matrix has to be finite.)
 */
import { pack } from "./pack";
import { madd } from "./tile";

/** Columns of the other matrix that a walk along a list adds up: thirteen vectors, as many accumulators as there are registers for. */
const WIDTH: usize = 52;
const WIDTH_BYTES: usize = WIDTH * 4;
/** Most steps of k in a list. A list is how far down the packed matrix each element's row is (u32) and, VALUES behind, what to multiply it with (f32). */
const MOST_STEPS: usize = 512;
const VALUES: usize = 4 * MOST_STEPS + 16;
const LIST_BYTES: usize = 2 * VALUES;
/** Rows of a sparse left side that are done together, so that a sliver of the other matrix stays in the first cache. */
const ROWS: usize = 16;
/** Columns of a sparse right side that are done together: a line of memory. */
const LINE: usize = 16;
/** Most steps of k, and columns, of the left side that is packed for a sparse right side. */
const MOST_K: usize = 256;
const MOST_ROWS: usize = 2 * WIDTH;
/** Rows that are looked at to tell whether a matrix is sparse, and elements of each. */
const SAMPLE_ROWS: usize = 8;
const SAMPLE: usize = 512;

/** Whether at most three of ten elements are other than zero, by some of the rows. */
function isSparse(x: usize, rows: usize, row: usize, count: usize): bool {
  const step = max(rows / SAMPLE_ROWS, 1);
  const whole = min(count, SAMPLE) & ~3;
  let zeros = i32x4.splat(0);
  let seen: usize = 0;
  for (let r: usize = 0; r < rows; r += step) {
    const from = x + r * row;
    for (let i: usize = 0; i < whole; i += 4) {
      zeros = i32x4.sub(zeros, f32x4.eq(v128.load(from + i * 4), f32x4.splat(0)));
    }
    seen += whole;
    // A dense matrix is known by its first row.
    if (<usize>sum4(zeros) * 2 < seen) return false;
  }
  return <usize>sum4(zeros) * 10 >= seen * 7;
}

// @inline
function sum4(v: v128): i32 {
  return i32x4.extract_lane(v, 0) + i32x4.extract_lane(v, 1) + (i32x4.extract_lane(v, 2) + i32x4.extract_lane(v, 3));
}

/** Whether all elements are finite: then their products with zero add up to zero. */
function isFinite4(x: usize, rows: usize, row: usize, count: usize): bool {
  const zero = f32x4.splat(0);
  const whole = count & ~3;
  for (let r: usize = 0; r < rows; r++) {
    const from = x + r * row;
    let even = zero;
    let odd = zero;
    let i: usize = 0;
    for (; i + 8 <= whole; i += 8) {
      even = f32x4.add(even, f32x4.mul(v128.load(from + i * 4), zero));
      odd = f32x4.add(odd, f32x4.mul(v128.load(from + i * 4, 16), zero));
    }
    let sum: f32 = 0;
    for (; i < count; i++) sum += load<f32>(from + i * 4) * 0;
    even = f32x4.add(f32x4.add(even, odd), f32x4.splat(sum));
    if (v128.any_true(f32x4.ne(even, zero))) return false;
  }
  return true;
}

/** The same of a matrix that lies along its rows or along its columns; one that does neither counts as not finite. */
function isFiniteMatrix(x: usize, rows: usize, row: usize, columns: usize, column: usize): bool {
  if (column === 4) return isFinite4(x, rows, row, columns);
  return row === 4 && isFinite4(x, columns, column, rows);
}

/** Σ value·row over a list, of thirteen vectors. */
function addRows(list: usize, end: usize, rows: usize, out: usize): void {
  let c0 = f32x4.splat(0);
  let c1 = c0;
  let c2 = c0;
  let c3 = c0;
  let c4 = c0;
  let c5 = c0;
  let c6 = c0;
  let c7 = c0;
  let c8 = c0;
  let c9 = c0;
  let c10 = c0;
  let c11 = c0;
  let c12 = c0;
  for (; list !== end; list += 4) {
    const row = rows + <usize>load<u32>(list);
    const v = v128.load32_splat(list, VALUES);
    c0 = madd<f32>(v, v128.load(row), c0);
    c1 = madd<f32>(v, v128.load(row, 16), c1);
    if (rows === 0) break; // never: it ends the block, or V8 would load all thirteen before it computes (see tile.ts)
    c2 = madd<f32>(v, v128.load(row, 32), c2);
    c3 = madd<f32>(v, v128.load(row, 48), c3);
    if (rows === 0) break;
    c4 = madd<f32>(v, v128.load(row, 64), c4);
    c5 = madd<f32>(v, v128.load(row, 80), c5);
    if (rows === 0) break;
    c6 = madd<f32>(v, v128.load(row, 96), c6);
    c7 = madd<f32>(v, v128.load(row, 112), c7);
    if (rows === 0) break;
    c8 = madd<f32>(v, v128.load(row, 128), c8);
    c9 = madd<f32>(v, v128.load(row, 144), c9);
    if (rows === 0) break;
    c10 = madd<f32>(v, v128.load(row, 160), c10);
    c11 = madd<f32>(v, v128.load(row, 176), c11);
    if (rows === 0) break;
    c12 = madd<f32>(v, v128.load(row, 192), c12);
  }
  v128.store(out, c0);
  v128.store(out, c1, 16);
  v128.store(out, c2, 32);
  v128.store(out, c3, 48);
  v128.store(out, c4, 64);
  v128.store(out, c5, 80);
  v128.store(out, c6, 96);
  v128.store(out, c7, 112);
  v128.store(out, c8, 128);
  v128.store(out, c9, 144);
  v128.store(out, c10, 160);
  v128.store(out, c11, 176);
  v128.store(out, c12, 192);
}

/** For each set of lanes the bytes that bring them to the front. */
const FRONT: usize = memory.data<u32>([
  0, 0, 0, 0, 0x03020100, 0, 0, 0, 0x07060504, 0, 0, 0, 0x03020100, 0x07060504, 0, 0, 0x0b0a0908, 0, 0, 0, 0x03020100,
  0x0b0a0908, 0, 0, 0x07060504, 0x0b0a0908, 0, 0, 0x03020100, 0x07060504, 0x0b0a0908, 0, 0x0f0e0d0c, 0, 0, 0,
  0x03020100, 0x0f0e0d0c, 0, 0, 0x07060504, 0x0f0e0d0c, 0, 0, 0x03020100, 0x07060504, 0x0f0e0d0c, 0, 0x0b0a0908,
  0x0f0e0d0c, 0, 0, 0x03020100, 0x0b0a0908, 0x0f0e0d0c, 0, 0x07060504, 0x0b0a0908, 0x0f0e0d0c, 0, 0x03020100,
  0x07060504, 0x0b0a0908, 0x0f0e0d0c,
]);

/** Appends those of four elements that are not zero, without a branch: which they are is not to be foreseen. `places` are their rows. */
// @inline
function append(list: usize, v: v128, places: v128): usize {
  const lanes = i32x4.bitmask(f32x4.ne(v, f32x4.splat(0)));
  const front = v128.load(FRONT + ((<usize>lanes) << 4));
  v128.store(list, i8x16.swizzle(places, front));
  v128.store(list, i8x16.swizzle(v, front), VALUES);
  return list + ((<usize>popcnt(lanes)) << 2);
}

/** The places of the first four rows, and from one four to the next. */
// @inline
function firstPlaces(): v128 {
  return i32x4(0, WIDTH_BYTES, 2 * WIDTH_BYTES, 3 * WIDTH_BYTES);
}

// @inline
function nextPlaces(places: v128): v128 {
  return i32x4.add(places, i32x4.splat(4 * WIDTH_BYTES));
}

/** `count` elements, each `step` bytes behind the one before, and zeros. */
function loadSome(x: usize, step: usize, count: usize): v128 {
  let v = v128.load32_zero(x);
  if (count > 1) v = v128.load32_lane(x + step, v, 1);
  if (count > 2) v = v128.load32_lane(x + 2 * step, v, 2);
  if (count > 3) v = v128.load32_lane(x + 3 * step, v, 3);
  return v;
}

/** The list of a row's elements other than zero; gives its end. */
function listRow(x: usize, k: usize, list: usize): usize {
  let places = firstPlaces();
  const rest = k & 3;
  for (const end = x + (k - rest) * 4; x < end; x += 16) {
    list = append(list, v128.load(x), places);
    places = nextPlaces(places);
  }
  return rest ? append(list, loadSome(x, 4, rest), places) : list;
}

/** Whether gemmSparseLeft may take the product. */
export function hasSparseLeft(
  m: usize,
  n: usize,
  k: usize,
  a: usize,
  aRow: usize,
  aColumn: usize,
  b: usize,
  bRow: usize,
  bColumn: usize,
): bool {
  if (aColumn !== 4 || n < WIDTH || k < 64 || m < 8) return false;
  return isSparse(a, m, aRow, k) && isFiniteMatrix(b, k, bRow, n, bColumn);
}

/**
 * Rows of out (+)= rows of a·b over one block of k and of columns, strides in bytes. `scratch` holds a list, a row of outputs, and b packed in slivers of WIDTH columns.
 */
export function gemmSparseLeft(
  m: usize,
  n: usize,
  k: usize,
  out: usize,
  outRow: usize,
  a: usize,
  aRow: usize,
  b: usize,
  bRow: usize,
  bColumn: usize,
  add: bool,
  scratch: usize,
): void {
  const ends = scratch;
  const lists = ends + ROWS * 4;
  const sums = lists + ROWS * LIST_BYTES;
  const sumBytes = (n + WIDTH) * 4;
  const packed = sums + ROWS * sumBytes;
  pack<f32>(packed, b, bColumn, bRow, n, k, WIDTH);
  for (let i: usize = 0; i < m; i += ROWS) {
    const rows = min(ROWS, m - i);
    for (let r: usize = 0; r < rows; r++) {
      store<u32>(ends + r * 4, <u32>listRow(a + (i + r) * aRow, k, lists + r * LIST_BYTES));
    }
    for (let j: usize = 0; j < n; j += WIDTH) {
      for (let r: usize = 0; r < rows; r++) {
        const end = <usize>load<u32>(ends + r * 4);
        addRows(lists + r * LIST_BYTES, end, packed + j * k * 4, sums + r * sumBytes + j * 4);
      }
    }
    for (let r: usize = 0; r < rows; r++) storeSums(out + (i + r) * outRow, sums + r * sumBytes, n, add);
  }
}

function storeSums(out: usize, sums: usize, n: usize, add: bool): void {
  const whole = n & ~3;
  let j: usize = 0;
  for (; j < whole; j += 4) {
    const v = v128.load(sums + j * 4);
    v128.store(out + j * 4, add ? f32x4.add(v128.load(out + j * 4), v) : v);
  }
  for (; j < n; j++) {
    const v = load<f32>(sums + j * 4);
    store<f32>(out + j * 4, add ? load<f32>(out + j * 4) + v : v);
  }
}

/** Whether gemmSparseRight may take the product. */
export function hasSparseRight(
  m: usize,
  n: usize,
  k: usize,
  a: usize,
  aRow: usize,
  aColumn: usize,
  b: usize,
  bRow: usize,
  bColumn: usize,
): bool {
  if (bColumn !== 4 || m < WIDTH || n < 64 || k < 8 || k > MOST_K) return false;
  return isSparse(b, k, bRow, n) && isFiniteMatrix(a, m, aRow, k, aColumn);
}

/**
 * out (+)= a·b, strides in bytes, a line of columns of b at a time: its lists, their sums over the rows of a, and these turned into columns of out. `scratch` holds the lists' ends, the lists, the
 * sums and a packed in slivers of WIDTH rows.
 */
export function gemmSparseRight(
  m: usize,
  n: usize,
  k: usize,
  out: usize,
  outRow: usize,
  a: usize,
  aRow: usize,
  aColumn: usize,
  b: usize,
  bRow: usize,
  add: bool,
  scratch: usize,
): void {
  const ends = scratch;
  const lists = ends + LINE * 4;
  const sums = lists + LINE * LIST_BYTES;
  const packed = sums + LINE * MOST_ROWS * 4;
  for (let i0: usize = 0; i0 < m; i0 += MOST_ROWS) {
    const rows = min(MOST_ROWS, m - i0);
    pack<f32>(packed, a + i0 * aRow, aRow, aColumn, rows, k, WIDTH);
    for (let j: usize = 0; j < n; j += LINE) {
      const columns = min(LINE, n - j);
      listColumns(b + j * 4, bRow, columns, k, ends, lists);
      for (let c: usize = 0; c < columns; c++) {
        const list = lists + c * LIST_BYTES;
        const end = <usize>load<u32>(ends + c * 4);
        const to = sums + c * MOST_ROWS * 4;
        for (let i: usize = 0; i < rows; i += WIDTH) addRows(list, end, packed + i * k * 4, to + i * 4);
      }
      storeColumns(out + i0 * outRow + j * 4, outRow, sums, rows, columns, add);
    }
  }
}

/** The lists of neighbouring columns, four at a time. */
function listColumns(x: usize, row: usize, columns: usize, k: usize, ends: usize, lists: usize): void {
  const whole = columns & ~3;
  const rest = k & 3;
  for (let c: usize = 0; c < whole; c += 4) {
    let from = x + c * 4;
    let list0 = lists + c * LIST_BYTES;
    let list1 = list0 + LIST_BYTES;
    let list2 = list1 + LIST_BYTES;
    let list3 = list2 + LIST_BYTES;
    let places = firstPlaces();
    for (let i: usize = 0; i < k; i += 4) {
      // Rows behind the last are zeros.
      const some = i + 4 > k;
      const x0 = v128.load(from);
      const x1 = some && rest < 2 ? f32x4.splat(0) : v128.load(from + row);
      const x2 = some && rest < 3 ? f32x4.splat(0) : v128.load(from + 2 * row);
      const x3 = some ? f32x4.splat(0) : v128.load(from + 3 * row);
      const low01 = v128.shuffle<f32>(x0, x1, 0, 4, 1, 5);
      const high01 = v128.shuffle<f32>(x0, x1, 2, 6, 3, 7);
      const low23 = v128.shuffle<f32>(x2, x3, 0, 4, 1, 5);
      const high23 = v128.shuffle<f32>(x2, x3, 2, 6, 3, 7);
      list0 = append(list0, v128.shuffle<f64>(low01, low23, 0, 2), places);
      list1 = append(list1, v128.shuffle<f64>(low01, low23, 1, 3), places);
      list2 = append(list2, v128.shuffle<f64>(high01, high23, 0, 2), places);
      list3 = append(list3, v128.shuffle<f64>(high01, high23, 1, 3), places);
      places = nextPlaces(places);
      from += 4 * row;
    }
    v128.store(ends + c * 4, i32x4(<i32>list0, <i32>list1, <i32>list2, <i32>list3));
  }
  for (let c = whole; c < columns; c++) {
    let list = lists + c * LIST_BYTES;
    let places = firstPlaces();
    for (let i: usize = 0; i < k; i += 4) {
      list = append(list, loadSome(x + i * row + c * 4, row, min<usize>(4, k - i)), places);
      places = nextPlaces(places);
    }
    store<u32>(ends + c * 4, <u32>list);
  }
}

/** Sums of columns, each MOST_ROWS apart, into the rows of out. */
function storeColumns(out: usize, outRow: usize, sums: usize, rows: usize, columns: usize, add: bool): void {
  const whole = columns === LINE ? rows & ~3 : 0;
  let i: usize = 0;
  for (; i < whole; i += 4) {
    for (let c: usize = 0; c < LINE; c += 4) {
      const from = sums + (c * MOST_ROWS + i) * 4;
      const x0 = v128.load(from);
      const x1 = v128.load(from + MOST_ROWS * 4);
      const x2 = v128.load(from + 2 * MOST_ROWS * 4);
      const x3 = v128.load(from + 3 * MOST_ROWS * 4);
      const low01 = v128.shuffle<f32>(x0, x1, 0, 4, 1, 5);
      const high01 = v128.shuffle<f32>(x0, x1, 2, 6, 3, 7);
      const low23 = v128.shuffle<f32>(x2, x3, 0, 4, 1, 5);
      const high23 = v128.shuffle<f32>(x2, x3, 2, 6, 3, 7);
      const to = out + i * outRow + c * 4;
      storeVector(to, v128.shuffle<f64>(low01, low23, 0, 2), add);
      storeVector(to + outRow, v128.shuffle<f64>(low01, low23, 1, 3), add);
      storeVector(to + 2 * outRow, v128.shuffle<f64>(high01, high23, 0, 2), add);
      storeVector(to + 3 * outRow, v128.shuffle<f64>(high01, high23, 1, 3), add);
    }
  }
  for (; i < rows; i++) {
    for (let c: usize = 0; c < columns; c++) {
      const to = out + i * outRow + c * 4;
      const v = load<f32>(sums + (c * MOST_ROWS + i) * 4);
      store<f32>(to, add ? load<f32>(to) + v : v);
    }
  }
}

// @inline
function storeVector(to: usize, v: v128, add: bool): void {
  v128.store(to, add ? f32x4.add(v128.load(to), v) : v);
}
