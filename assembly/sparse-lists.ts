/* Which elements of a matrix are not zero: lists that sparse.ts walks along. */

/** Columns of the other matrix that a walk along a list adds up: thirteen vectors, as many accumulators as there are registers for. */
export const WIDTH: usize = 52;
export const WIDTH_BYTES: usize = WIDTH * 4;
/** Most steps of k of a list. */
export const MOST_K: usize = 256;
/** A list says of each element how far down the sliver its row is (u32), and what to multiply that with (f32). */
export const LIST_BYTES: usize = 8 * (MOST_K + 2);
/** Places of elements that are not zero (u16), of which a list is made. */
export const PLACES_BYTES: usize = 2 * MOST_K + 32;
/** Columns of a sparse right side that are done together: a line of memory. */
export const LINE: usize = 16;
/** Rows that are looked at to tell whether a matrix is sparse, and elements of each. */
const SAMPLE_ROWS: usize = 8;
const SAMPLE: usize = 512;

/** For each byte the places of its bits that are one, from the lowest on. */
const BITS: usize = memory.data(256 * 8, 16);
for (let byte: usize = 0; byte < 256; byte++) {
  let to = BITS + byte * 8;
  for (let bit: usize = 0; bit < 8; bit++) {
    if (((byte >> bit) & 1) !== 0) store<u8>(to++, <u8>bit);
  }
}

/** Whether at most three of ten elements are other than zero, by some of the rows. */
export function isSparse(x: usize, rows: usize, row: usize, count: usize): bool {
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

/** For sixteen elements that lie side by side −1 in each byte whose element is not zero. */
// @inline
function notZero16(x: usize): v128 {
  const zero = f32x4.splat(0);
  const low = i16x8.narrow_i32x4_s(f32x4.ne(v128.load(x), zero), f32x4.ne(v128.load(x, 16), zero));
  const high = i16x8.narrow_i32x4_s(f32x4.ne(v128.load(x, 32), zero), f32x4.ne(v128.load(x, 48), zero));
  return i8x16.narrow_i16x8_s(low, high);
}

/** Appends the places of a byte's ones, the lowest of which is at `first`, without a branch: which they are is not to be foreseen. */
// @inline
function append(list: usize, byte: usize, first: v128): usize {
  v128.store(list, i16x8.add(first, v128.load_ext<u8>(BITS + (byte << 3))));
  return list + ((<usize>popcnt(<u32>byte)) << 1);
}

/** The places of a row's elements other than zero; gives their end. */
export function placesInRow(x: usize, k: usize, places: usize): usize {
  const whole = k & ~15;
  const eight = i16x8.splat(8);
  let first = i16x8.splat(0);
  for (const end = x + whole * 4; x < end; x += 64) {
    const ones = <usize>i8x16.bitmask(notZero16(x));
    places = append(places, ones & 255, first);
    first = i16x8.add(first, eight);
    places = append(places, ones >> 8, first);
    first = i16x8.add(first, eight);
  }
  return placesOneByOne(x, 4, whole, k, places);
}

/** Appends the places from `first` to `end` of elements that are not zero, one by one. */
function placesOneByOne(x: usize, step: usize, first: usize, end: usize, places: usize): usize {
  for (let i = first; i < end; i++, x += step) {
    store<u16>(places, <u16>i);
    places += load<f32>(x) !== 0 ? 2 : 0;
  }
  return places;
}

/** The list of places, whose elements are `step` bytes apart; gives its end. */
export function listPlaces(places: usize, end: usize, x: usize, step: usize, list: usize): usize {
  store<u16>(end, 0);
  const last = list + ((end - places) << 2);
  for (; list < last; list += 16) {
    const i = <usize>load<u16>(places);
    const j = <usize>load<u16>(places, 2);
    store<u32>(list, <u32>(i * WIDTH_BYTES));
    store<f32>(list, load<f32>(x + i * step), 4);
    store<u32>(list, <u32>(j * WIDTH_BYTES), 8);
    store<f32>(list, load<f32>(x + j * step), 12);
    places += 4;
  }
  return last;
}

/** The lists of neighbouring columns. Of a whole line `ones` gets a byte for each column and eight rows, whose bits say which of them are not zero. */
export function listColumns(
  x: usize,
  row: usize,
  columns: usize,
  k: usize,
  ones: usize,
  places: usize,
  ends: usize,
  list: usize,
): void {
  const whole = columns === LINE;
  let last = ones;
  if (whole) {
    let from = x;
    for (let i: usize = 0; i < k; i += 8) {
      let bytes = i8x16.splat(0);
      let bit = i8x16.splat(1);
      for (let r = min<usize>(8, k - i); r > 0; r--) {
        bytes = v128.or(bytes, v128.and(bit, notZero16(from)));
        bit = i8x16.add(bit, bit);
        from += row;
      }
      v128.store(last, bytes);
      last += LINE;
    }
  }
  for (let c: usize = 0; c < columns; c++, x += 4) {
    store<u32>(ends + c * 4, <u32>list);
    let end = places;
    if (whole) {
      let first = i16x8.splat(0);
      for (let at = ones + c; at < last; at += LINE) {
        end = append(end, <usize>load<u8>(at), first);
        first = i16x8.add(first, i16x8.splat(8));
      }
    } else end = placesOneByOne(x, row, 0, k, end);
    list = listPlaces(places, end, x, row, list);
  }
  store<u32>(ends + columns * 4, <u32>list);
}
