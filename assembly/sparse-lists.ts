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

/** For each byte the places of its bits that are one, from the lowest on, as bytes of a u64. (A table that each instance of the module filled would be zeros while another thread reads it.) */
const BITS: usize = memory.data<u64>([
  0, 0, 1, 0x100, 2, 0x200, 0x201, 0x20100, 3, 0x300, 0x301, 0x30100, 0x302, 0x30200, 0x30201, 0x3020100, 4, 0x400,
  0x401, 0x40100, 0x402, 0x40200, 0x40201, 0x4020100, 0x403, 0x40300, 0x40301, 0x4030100, 0x40302, 0x4030200, 0x4030201,
  0x403020100, 5, 0x500, 0x501, 0x50100, 0x502, 0x50200, 0x50201, 0x5020100, 0x503, 0x50300, 0x50301, 0x5030100,
  0x50302, 0x5030200, 0x5030201, 0x503020100, 0x504, 0x50400, 0x50401, 0x5040100, 0x50402, 0x5040200, 0x5040201,
  0x504020100, 0x50403, 0x5040300, 0x5040301, 0x504030100, 0x5040302, 0x504030200, 0x504030201, 0x50403020100, 6, 0x600,
  0x601, 0x60100, 0x602, 0x60200, 0x60201, 0x6020100, 0x603, 0x60300, 0x60301, 0x6030100, 0x60302, 0x6030200, 0x6030201,
  0x603020100, 0x604, 0x60400, 0x60401, 0x6040100, 0x60402, 0x6040200, 0x6040201, 0x604020100, 0x60403, 0x6040300,
  0x6040301, 0x604030100, 0x6040302, 0x604030200, 0x604030201, 0x60403020100, 0x605, 0x60500, 0x60501, 0x6050100,
  0x60502, 0x6050200, 0x6050201, 0x605020100, 0x60503, 0x6050300, 0x6050301, 0x605030100, 0x6050302, 0x605030200,
  0x605030201, 0x60503020100, 0x60504, 0x6050400, 0x6050401, 0x605040100, 0x6050402, 0x605040200, 0x605040201,
  0x60504020100, 0x6050403, 0x605040300, 0x605040301, 0x60504030100, 0x605040302, 0x60504030200, 0x60504030201,
  0x6050403020100, 7, 0x700, 0x701, 0x70100, 0x702, 0x70200, 0x70201, 0x7020100, 0x703, 0x70300, 0x70301, 0x7030100,
  0x70302, 0x7030200, 0x7030201, 0x703020100, 0x704, 0x70400, 0x70401, 0x7040100, 0x70402, 0x7040200, 0x7040201,
  0x704020100, 0x70403, 0x7040300, 0x7040301, 0x704030100, 0x7040302, 0x704030200, 0x704030201, 0x70403020100, 0x705,
  0x70500, 0x70501, 0x7050100, 0x70502, 0x7050200, 0x7050201, 0x705020100, 0x70503, 0x7050300, 0x7050301, 0x705030100,
  0x7050302, 0x705030200, 0x705030201, 0x70503020100, 0x70504, 0x7050400, 0x7050401, 0x705040100, 0x7050402,
  0x705040200, 0x705040201, 0x70504020100, 0x7050403, 0x705040300, 0x705040301, 0x70504030100, 0x705040302,
  0x70504030200, 0x70504030201, 0x7050403020100, 0x706, 0x70600, 0x70601, 0x7060100, 0x70602, 0x7060200, 0x7060201,
  0x706020100, 0x70603, 0x7060300, 0x7060301, 0x706030100, 0x7060302, 0x706030200, 0x706030201, 0x70603020100, 0x70604,
  0x7060400, 0x7060401, 0x706040100, 0x7060402, 0x706040200, 0x706040201, 0x70604020100, 0x7060403, 0x706040300,
  0x706040301, 0x70604030100, 0x706040302, 0x70604030200, 0x70604030201, 0x7060403020100, 0x70605, 0x7060500, 0x7060501,
  0x706050100, 0x7060502, 0x706050200, 0x706050201, 0x70605020100, 0x7060503, 0x706050300, 0x706050301, 0x70605030100,
  0x706050302, 0x70605030200, 0x70605030201, 0x7060503020100, 0x7060504, 0x706050400, 0x706050401, 0x70605040100,
  0x706050402, 0x70605040200, 0x70605040201, 0x7060504020100, 0x706050403, 0x70605040300, 0x70605040301,
  0x7060504030100, 0x70605040302, 0x7060504030200, 0x7060504030201, 0x706050403020100,
]);

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
