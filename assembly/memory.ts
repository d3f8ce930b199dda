import { copyRest } from "./scratch";
import { advance, operand, seek } from "./strided";

function fill<T>(out: usize, n: usize, value: T): void {
  const end = out + n * sizeof<T>();
  const vectors = out + ((n * sizeof<T>()) & ~15);
  const v = v128.splat<T>(value);
  for (; out < vectors; out += 16) v128.store(out, v);
  for (; out < end; out += sizeof<T>()) store<T>(out, value);
}

/** out[i] = value over n elements */
export function fillF32(out: usize, n: usize, value: f32): void {
  fill<f32>(out, n, value);
}

export function fillF64(out: usize, n: usize, value: f64): void {
  fill<f64>(out, n, value);
}

export function fillI32(out: usize, n: usize, value: f64): void {
  fill<i32>(out, n, truncate<f64, i32>(value));
}

export function fillI64(out: usize, n: usize, value: f64): void {
  fill<i64>(out, n, truncate<f64, i64>(value));
}

export function fillU8(out: usize, n: usize, value: f64): void {
  fill<u8>(out, n, truncate<f64, u8>(value));
}

/** Towards zero; NaN and what does not fit become the smallest integer, as on x86. */
function truncate<From, To>(x: From): To {
  if (sizeof<To>() === 4) return x > <From>-2147483649 && x < <From>2147483648 ? <To>x : <To>i32.MIN_VALUE;
  const whole = x >= <From>i64.MIN_VALUE && x < -(<From>i64.MIN_VALUE) ? <i64>x : i64.MIN_VALUE;
  return <To>whole;
}

function convert<From, To>(out: usize, x: usize, n: usize): void {
  for (const end = x + n * sizeof<From>(); x < end; x += sizeof<From>(), out += sizeof<To>()) {
    const value = load<From>(x);
    if (isFloat<From>() && isInteger<To>()) store<To>(out, truncate<From, To>(value));
    else store<To>(out, <To>value);
  }
}

function convertToBool<From>(out: usize, x: usize, n: usize): void {
  for (const end = x + n * sizeof<From>(); x < end; x += sizeof<From>(), out++) {
    store<u8>(out, load<From>(x) !== <From>0 ? 1 : 0);
  }
}

function convertFrom<From>(to: i32, out: usize, x: usize, n: usize): void {
  if (to === 0) convert<From, f32>(out, x, n);
  if (to === 1) convert<From, f64>(out, x, n);
  if (to === 2) convert<From, i32>(out, x, n);
  if (to === 3) convert<From, i64>(out, x, n);
  if (to === 4) convert<From, u8>(out, x, n);
  if (to === 5) convertToBool<From>(out, x, n);
}

/** out[i] = x[i] in another dtype; dtypes by number: float32, float64, int32, int64, uint8, bool */
export function convertDtype(from: i32, to: i32, out: usize, x: usize, n: usize): void {
  if (from === 0) convertFrom<f32>(to, out, x, n);
  if (from === 1) convertFrom<f64>(to, out, x, n);
  if (from === 2) convertFrom<i32>(to, out, x, n);
  if (from === 3) convertFrom<i64>(to, out, x, n);
  if (from === 4 && to === 0) floatBytes(out, x, n);
  else if (from === 4 || from === 5) convertFrom<u8>(to, out, x, n);
}

/** Bytes as float32, sixteen at a time: images. */
function floatBytes(out: usize, x: usize, n: usize): void {
  const whole = n & ~15;
  for (const end = x + whole; x < end; x += 16, out += 64) {
    const v = v128.load(x);
    const low = i16x8.extend_low_i8x16_u(v);
    const high = i16x8.extend_high_i8x16_u(v);
    v128.store(out, f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_u(low)));
    v128.store(out, f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_u(low)), 16);
    v128.store(out, f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_u(high)), 32);
    v128.store(out, f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_u(high)), 48);
  }
  convert<u8, f32>(out, x, n - whole);
}

/** memory.copy costs a call out of the module, which pays from about half a KiB. */
export function copyBytes(to: usize, from: usize, bytes: usize): void {
  if (bytes >= 512) {
    memory.copy(to, from, bytes);
    return;
  }
  for (const end = from + (bytes & ~15); from < end; from += 16, to += 16) v128.store(to, v128.load(from));
  copyRest(to, from, bytes & 15);
}

/** Operands out and x: `rows` rows of `bytes` contiguous bytes, from row number `first` of the odometer at `source` on. */
export function copyRows(axes: usize, rows: usize, bytes: usize, first: usize, source: usize, scratch: usize): void {
  seek(scratch, source, axes, first, 1, 1, 0);
  do copyBytes(operand(scratch, 0), operand(scratch, 1), bytes);
  while (--rows && advance(scratch, axes));
}

function copySteps<T>(axes: usize, rows: usize, n: usize, outStep: usize, xStep: usize, scratch: usize): void {
  do {
    let out = operand(scratch, 0);
    let x = operand(scratch, 1);
    for (let i: usize = 0; i < n; i++, out += outStep, x += xStep) store<T>(out, load<T>(x));
  } while (--rows && advance(scratch, axes));
}

/** Operands out and x: rows of n items, each a step in bytes from the one before; rows as in copyRows. */
export function copyStepped(
  itemBytes: i32,
  axes: usize,
  rows: usize,
  n: usize,
  outStep: usize,
  xStep: usize,
  first: usize,
  source: usize,
  scratch: usize,
): void {
  seek(scratch, source, axes, first, outStep, xStep, 0);
  if (itemBytes === 4) copySteps<u32>(axes, rows, n, outStep, xStep, scratch);
  else if (itemBytes === 8) copySteps<u64>(axes, rows, n, outStep, xStep, scratch);
  else if (itemBytes === 2) copySteps<u16>(axes, rows, n, outStep, xStep, scratch);
  else copySteps<u8>(axes, rows, n, outStep, xStep, scratch);
}

/** A 4 × 4 block of 32-bit items. */
function transpose4x4(out: usize, outStride: usize, x: usize, xStride: usize): void {
  const a = v128.load(x);
  const b = v128.load(x + xStride);
  const c = v128.load(x + 2 * xStride);
  const d = v128.load(x + 3 * xStride);
  const ab0 = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
  const ab2 = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
  const cd0 = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
  const cd2 = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
  v128.store(out, v128.shuffle<i64>(ab0, cd0, 0, 2));
  v128.store(out + outStride, v128.shuffle<i64>(ab0, cd0, 1, 3));
  v128.store(out + 2 * outStride, v128.shuffle<i64>(ab2, cd2, 0, 2));
  v128.store(out + 3 * outStride, v128.shuffle<i64>(ab2, cd2, 1, 3));
}

function transposeItems<T>(out: usize, outStride: usize, x: usize, xStride: usize, rows: usize, columns: usize): void {
  for (let r: usize = 0; r < rows; r++) {
    for (let c: usize = 0; c < columns; c++) {
      store<T>(out + r * outStride + c * sizeof<T>(), load<T>(x + c * xStride + r * sizeof<T>()));
    }
  }
}

/** out[r, c] = x[c, r] in tiles of 16 × 16, whose lines on both sides stay in the first cache. */
function transposePlane<T>(out: usize, outStride: usize, x: usize, xStride: usize, rows: usize, columns: usize): void {
  for (let r: usize = 0; r < rows; r += 16) {
    const tileRows = min<usize>(16, rows - r);
    for (let c: usize = 0; c < columns; c += 16) {
      const tileColumns = min<usize>(16, columns - c);
      const to = out + r * outStride + c * sizeof<T>();
      const from = x + c * xStride + r * sizeof<T>();
      if (sizeof<T>() === 4 && tileRows === 16 && tileColumns === 16) {
        for (let i: usize = 0; i < 16; i += 4) {
          for (let j: usize = 0; j < 16; j += 4) {
            transpose4x4(to + i * outStride + j * 4, outStride, from + j * xStride + i * 4, xStride);
          }
        }
      } else {
        transposeItems<T>(to, outStride, from, xStride, tileRows, tileColumns);
      }
    }
  }
}

/** Operands out and x: `planes` planes that lie row by row in out and column by column in x; from number `first` on. */
export function transpose(
  itemBytes: i32,
  axes: usize,
  planes: usize,
  rows: usize,
  columns: usize,
  outStride: usize,
  xStride: usize,
  first: usize,
  source: usize,
  scratch: usize,
): void {
  seek(scratch, source, axes, first, outStride, itemBytes, 0);
  do {
    const out = operand(scratch, 0);
    const x = operand(scratch, 1);
    if (itemBytes === 4) transposePlane<u32>(out, outStride, x, xStride, rows, columns);
    else if (itemBytes === 8) transposePlane<u64>(out, outStride, x, xStride, rows, columns);
    else if (itemBytes === 2) transposePlane<u16>(out, outStride, x, xStride, rows, columns);
    else transposePlane<u8>(out, outStride, x, xStride, rows, columns);
  } while (--planes && advance(scratch, axes));
}
