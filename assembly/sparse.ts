/*
 * Products with a matrix most of whose elements are zero: grey images of digits, for one, are zero at four pixels of five. Zeros are left out, the rest is added in the same order, one sum for
 * each output, so results are the dense product's to the bit. (A zero times NaN or infinity is not zero: the other matrix has to be finite.)
 */
import {
  isSparse,
  LINE,
  LIST_BYTES,
  listColumns,
  listPlaces,
  MOST_K,
  PLACES_BYTES,
  placesInRow,
  WIDTH,
  WIDTH_BYTES,
} from "./sparse-lists";
import { madd } from "./tile";

/** Most steps of k in a list of a sparse left side, whose rows of a sliver stay in the first cache: 52 KiB. */
const PANEL: usize = 256;
/** Most columns of the left side that are packed for a sparse right side. */
const MOST_ROWS: usize = 2 * WIDTH;
/** Rows of a sparse left side that are done together. */
const ROWS: usize = 64;
/** What sums begin with. */
const ZEROS: usize = memory.data(WIDTH_BYTES, 16);

/** Bytes of scratch that gemmSparseLeft needs for so many columns; gemmSparseRight needs at most 150 000, less than a dense product. */
export function sparseScratch(columns: usize, k: usize): usize {
  const packed = ((columns + WIDTH - 1) / WIDTH) * k * WIDTH_BYTES;
  return PLACES_BYTES + 16 + ROWS * (4 + LIST_BYTES + (columns + WIDTH) * 4) + packed;
}

/**
 * Packs `count` columns over k steps into slivers of WIDTH, zeros behind the last, and says whether all are finite: then their products with zero add up to zero.
 * Strides are in bytes; columns or steps have to lie side by side.
 */
function packFinite(out: usize, x: usize, column: usize, step: usize, count: usize, k: usize): bool {
  const zero = f32x4.splat(0);
  let bad = zero;
  const whole = count & ~3;
  const turned = column !== 4;
  const lines = turned ? k & ~15 : 0;
  // Lines of memory of all columns, so that each is read once.
  for (let i: usize = 0; i < lines; i += 16) {
    bad = f32x4.add(bad, turnLines(out + i * WIDTH_BYTES, x + i * 4, column, whole, k));
  }
  for (let c: usize = 0; c < count; c += WIDTH) {
    const to = out + c * k * 4;
    for (let j: usize = 0; j < WIDTH; j += 4) {
      const at = c + j;
      const valid = at < count ? min<usize>(4, count - at) : 0;
      const from = x + at * column;
      for (let i: usize = valid === 4 ? lines : 0; i < k; i++) {
        const v = valid === 4 && !turned ? v128.load(from + i * step) : loadSome(from + i * step, column, valid);
        bad = madd<f32>(v, zero, bad);
        v128.store(to + i * WIDTH_BYTES + j * 4, v);
      }
    }
  }
  return !v128.any_true(f32x4.ne(bad, zero));
}

/** Sixteen steps, which lie side by side, of `count` columns; gives zeros times all of them. */
function turnLines(out: usize, x: usize, column: usize, count: usize, k: usize): v128 {
  const zero = f32x4.splat(0);
  let bad = zero;
  let other = zero;
  const sliver = k * WIDTH_BYTES;
  const x3: usize = 3 * column;
  let last = out + WIDTH_BYTES;
  for (const end = x + count * column; x < end; x += 4 * column) {
    let from = x;
    for (let to = out; to < out + 16 * WIDTH_BYTES; to += 4 * WIDTH_BYTES) {
      const v0 = v128.load(from);
      const v1 = v128.load(from + column);
      const v2 = v128.load(from + 2 * column);
      const v3 = v128.load(from + x3);
      bad = madd<f32>(v0, zero, bad);
      other = madd<f32>(v1, zero, other);
      bad = madd<f32>(v2, zero, bad);
      other = madd<f32>(v3, zero, other);
      const low01 = v128.shuffle<f32>(v0, v1, 0, 4, 1, 5);
      const high01 = v128.shuffle<f32>(v0, v1, 2, 6, 3, 7);
      const low23 = v128.shuffle<f32>(v2, v3, 0, 4, 1, 5);
      const high23 = v128.shuffle<f32>(v2, v3, 2, 6, 3, 7);
      v128.store(to, v128.shuffle<f64>(low01, low23, 0, 2));
      v128.store(to, v128.shuffle<f64>(low01, low23, 1, 3), WIDTH_BYTES);
      v128.store(to, v128.shuffle<f64>(high01, high23, 0, 2), 2 * WIDTH_BYTES);
      v128.store(to, v128.shuffle<f64>(high01, high23, 1, 3), 3 * WIDTH_BYTES);
      from += 16;
    }
    out += 16;
    if (out === last) {
      out += sliver - WIDTH_BYTES;
      last = out + WIDTH_BYTES;
    }
  }
  return f32x4.add(bad, other);
}

/** `count` elements, each `step` bytes behind the one before, and zeros. */
function loadSome(x: usize, step: usize, count: usize): v128 {
  if (count === 0) return f32x4.splat(0);
  let v = v128.load32_zero(x);
  if (count > 1) v = v128.load32_lane(x + step, v, 1);
  if (count > 2) v = v128.load32_lane(x + 2 * step, v, 2);
  if (count > 3) v = v128.load32_lane(x + 3 * step, v, 3);
  return v;
}

/* How many vectors a walk adds up, as types, since that is known when it is compiled. */
type Twelve = u32;
type Thirteen = u64;

/** out = from + Σ value·row over a list, of twelve or thirteen vectors. */
function addVectors<Vectors>(list: usize, end: usize, rows: usize, from: usize, out: usize): void {
  let c0 = v128.load(from);
  let c1 = v128.load(from, 16);
  let c2 = v128.load(from, 32);
  let c3 = v128.load(from, 48);
  let c4 = v128.load(from, 64);
  let c5 = v128.load(from, 80);
  let c6 = v128.load(from, 96);
  let c7 = v128.load(from, 112);
  let c8 = v128.load(from, 128);
  let c9 = v128.load(from, 144);
  let c10 = v128.load(from, 160);
  let c11 = v128.load(from, 176);
  const wide = sizeof<Vectors>() === sizeof<Thirteen>();
  let c12 = wide ? v128.load(from, 192) : c0;
  for (; list !== end; list += 8) {
    const row = rows + <usize>load<u32>(list);
    const v = v128.load32_splat(list, 4);
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
    if (wide) c12 = madd<f32>(v, v128.load(row, 192), c12);
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
  if (wide) v128.store(out, c12, 192);
}

/** The same of as many of the `columns` from a sliver's first on as it has. */
function addRows(list: usize, end: usize, rows: usize, from: usize, out: usize, columns: usize): void {
  if (columns > WIDTH - 4) addVectors<Thirteen>(list, end, rows, from, out);
  else addVectors<Twelve>(list, end, rows, from, out);
}

/** Whether gemmSparseLeft may take the product. */
export function hasSparseLeft(
  m: usize,
  n: usize,
  k: usize,
  a: usize,
  aRow: usize,
  aColumn: usize,
  bRow: usize,
  bColumn: usize,
): bool {
  if (aColumn !== 4 || n < WIDTH || k < 64 || m < 8 || (bRow !== 4 && bColumn !== 4)) return false;
  return isSparse(a, m, aRow, k);
}

/**
 * Rows of out (+)= rows of a·b over one block of k and of columns, strides in bytes; false, and nothing done, where b is not finite. `scratch` holds places, the lists' ends, the lists, rows of
 * outputs, and b packed.
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
): bool {
  const places = scratch;
  const ends = places + PLACES_BYTES;
  const lists = ends + (ROWS + 4) * 4;
  const sums = lists + ROWS * LIST_BYTES;
  const sumBytes = (n + WIDTH) * 4;
  const packed = sums + ROWS * sumBytes;
  if (!packFinite(packed, b, bColumn, bRow, n, k)) return false;
  for (let i: usize = 0; i < m; i += ROWS) {
    const rows = min(ROWS, m - i);
    for (let k0: usize = 0; k0 < k; k0 += PANEL) {
      const kb = min(PANEL, k - k0);
      let list = lists;
      for (let r: usize = 0; r < rows; r++) {
        store<u32>(ends + r * 4, <u32>list);
        const x = a + (i + r) * aRow + k0 * 4;
        list = listPlaces(places, placesInRow(x, kb, places), x, 4, list);
      }
      store<u32>(ends + rows * 4, <u32>list);
      for (let j: usize = 0; j < n; j += WIDTH) {
        const sliver = packed + (j * k + k0 * WIDTH) * 4;
        let to = sums + j * 4;
        for (let r = ends; r < ends + rows * 4; r += 4) {
          addRows(<usize>load<u32>(r), <usize>load<u32>(r, 4), sliver, k0 ? to : ZEROS, to, n - j);
          to += sumBytes;
        }
      }
    }
    for (let r: usize = 0; r < rows; r++) storeSums(out + (i + r) * outRow, sums + r * sumBytes, n, add);
  }
  return true;
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
  aRow: usize,
  aColumn: usize,
  b: usize,
  bRow: usize,
  bColumn: usize,
): bool {
  if (bColumn !== 4 || m < WIDTH || n < 64 || k < 8 || k > MOST_K || (aRow !== 4 && aColumn !== 4)) return false;
  return isSparse(b, k, bRow, n);
}

/**
 * out (+)= a·b, strides in bytes, a line of columns of b at a time: its lists, their sums over the rows of a, and these turned into columns of out. Gives how many rows are done: all, or those before
 * some that are not finite. `scratch` holds which elements are not zero, places, the lists' ends, the lists, the sums and a packed.
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
): usize {
  const ones = scratch;
  const places = ones + (MOST_K / 8) * LINE;
  const ends = places + PLACES_BYTES;
  const lists = ends + (LINE + 4) * 4;
  const sums = lists + LINE * LIST_BYTES;
  const packed = sums + LINE * MOST_ROWS * 4;
  for (let i0: usize = 0; i0 < m; i0 += MOST_ROWS) {
    const rows = min(MOST_ROWS, m - i0);
    if (!packFinite(packed, a + i0 * aRow, aRow, aColumn, rows, k)) return i0;
    for (let j: usize = 0; j < n; j += LINE) {
      const columns = min(LINE, n - j);
      listColumns(b + j * 4, bRow, columns, k, ones, places, ends, lists);
      for (let c: usize = 0; c < columns; c++) {
        const list = <usize>load<u32>(ends + c * 4);
        const end = <usize>load<u32>(ends + c * 4, 4);
        const to = sums + c * MOST_ROWS * 4;
        for (let i: usize = 0; i < rows; i += WIDTH)
          addRows(list, end, packed + i * k * 4, ZEROS, to + i * 4, rows - i);
      }
      storeColumns(out + i0 * outRow + j * 4, outRow, sums, rows, columns, add);
    }
  }
  return m;
}

/** Sums of columns, each MOST_ROWS apart, into the rows of out. */
function storeColumns(out: usize, outRow: usize, sums: usize, rows: usize, columns: usize, add: bool): void {
  const whole = columns === LINE && !add ? rows & ~3 : 0;
  const out3: usize = 3 * outRow;
  for (let i: usize = 0; i < whole; i += 4) {
    let from = sums + i * 4;
    for (const end = out + 64; out < end; out += 16) {
      const x0 = v128.load(from);
      const x1 = v128.load(from, MOST_ROWS * 4);
      const x2 = v128.load(from, 2 * MOST_ROWS * 4);
      const x3 = v128.load(from, 3 * MOST_ROWS * 4);
      const low01 = v128.shuffle<f32>(x0, x1, 0, 4, 1, 5);
      const high01 = v128.shuffle<f32>(x0, x1, 2, 6, 3, 7);
      const low23 = v128.shuffle<f32>(x2, x3, 0, 4, 1, 5);
      const high23 = v128.shuffle<f32>(x2, x3, 2, 6, 3, 7);
      v128.store(out, v128.shuffle<f64>(low01, low23, 0, 2));
      v128.store(out + outRow, v128.shuffle<f64>(low01, low23, 1, 3));
      v128.store(out + 2 * outRow, v128.shuffle<f64>(high01, high23, 0, 2));
      v128.store(out + out3, v128.shuffle<f64>(high01, high23, 1, 3));
      from += 4 * MOST_ROWS * 4;
    }
    out += 4 * outRow - 64;
  }
  for (let i = whole; i < rows; i++, out += outRow) {
    for (let c: usize = 0; c < columns; c++) {
      const to = out + c * 4;
      const v = load<f32>(sums + (c * MOST_ROWS + i) * 4);
      store<f32>(to, add ? load<f32>(to) + v : v);
    }
  }
}
