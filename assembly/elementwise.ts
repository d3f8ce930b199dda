import { BLOCK, BLOCK_BYTES, BLOCKS, copyRest, pack, REST } from "./scratch";
import { advance, operand, seek } from "./strided";

/*
 * Elementwise kernels of several strided inputs, row by row. The loops know two kinds of input: contiguous, and one vector
 * read again and again. A broadcast scalar becomes such a vector, any other stride is packed, a block at a time.
 * Operations are classes without fields, as in unary.ts.
 */

class Add {
  apply<T>(a: v128, b: v128): v128 {
    return v128.add<T>(a, b);
  }
}
class Sub {
  apply<T>(a: v128, b: v128): v128 {
    return v128.sub<T>(a, b);
  }
}
class Mul {
  apply<T>(a: v128, b: v128): v128 {
    return v128.mul<T>(a, b);
  }
}
class Div {
  apply<T>(a: v128, b: v128): v128 {
    return v128.div<T>(a, b);
  }
}
class Maximum {
  apply<T>(a: v128, b: v128): v128 {
    return v128.max<T>(a, b);
  }
}
class Minimum {
  apply<T>(a: v128, b: v128): v128 {
    return v128.min<T>(a, b);
  }
}
class Eq {
  apply<T>(a: v128, b: v128): v128 {
    return v128.eq<T>(a, b);
  }
}
class Ne {
  apply<T>(a: v128, b: v128): v128 {
    return v128.ne<T>(a, b);
  }
}
class Lt {
  apply<T>(a: v128, b: v128): v128 {
    return v128.lt<T>(a, b);
  }
}
class Le {
  apply<T>(a: v128, b: v128): v128 {
    return v128.le<T>(a, b);
  }
}
class Gt {
  apply<T>(a: v128, b: v128): v128 {
    return v128.gt<T>(a, b);
  }
}
class Ge {
  apply<T>(a: v128, b: v128): v128 {
    return v128.ge<T>(a, b);
  }
}

/** How many bytes of an output with one byte per element a vector of T makes. */
function lanes<T>(): usize {
  return 16 / sizeof<T>();
}

/** Stores a mask of 16 / sizeof<T>() lanes as that many bytes, 0 or 1. */
function storeMask<T>(out: usize, mask: v128): void {
  const ones = v128.and(mask, i8x16.splat(1));
  if (sizeof<T>() === 1) {
    v128.store(out, ones);
  } else if (sizeof<T>() === 4) {
    const bytes = v128.shuffle<u8>(ones, ones, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12);
    v128.store_lane<u32>(out, bytes, 0);
  } else {
    const bytes = v128.shuffle<u8>(ones, ones, 0, 8, 0, 8, 0, 8, 0, 8, 0, 8, 0, 8, 0, 8, 0, 8);
    v128.store_lane<u16>(out, bytes, 0);
  }
}

/** The opposite: a vector's worth of condition bytes as a mask. */
function loadMask<T>(condition: usize): v128 {
  const zero = i8x16.splat(0);
  if (sizeof<T>() === 1) return i8x16.ne(v128.load(condition), zero);
  if (sizeof<T>() === 4) {
    const bytes = i8x16.ne(v128.load32_zero(condition), zero);
    return v128.shuffle<u8>(bytes, bytes, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
  }
  const bytes = i8x16.ne(v128.load_lane<u16>(condition, zero, 0), zero);
  return v128.shuffle<u8>(bytes, bytes, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
}

/** out[i] = op(a[i], b[i]) up to `end`; an input goes on by its step of 16 or 0 bytes */
function map<Op, T>(out: usize, end: usize, a: usize, aStep: usize, b: usize, bStep: usize): void {
  const op = changetype<Op>(0);
  for (; out < end; out += 16, a += aStep, b += bStep) v128.store(out, op.apply<T>(v128.load(a), v128.load(b)));
}

function mapMask<Op, T>(out: usize, end: usize, a: usize, aStep: usize, b: usize, bStep: usize): void {
  const op = changetype<Op>(0);
  for (; out < end; out += lanes<T>(), a += aStep, b += bStep) {
    storeMask<T>(out, op.apply<T>(v128.load(a), v128.load(b)));
  }
}

/** Operations from 10 on are comparisons. Integers have the first three and the comparisons. */
function vectors<T>(op: i32, out: usize, end: usize, a: usize, aStep: usize, b: usize, bStep: usize): void {
  if (sizeof<T>() > 1) {
    if (op === 0) map<Add, T>(out, end, a, aStep, b, bStep);
    if (op === 1) map<Sub, T>(out, end, a, aStep, b, bStep);
    if (op === 2) map<Mul, T>(out, end, a, aStep, b, bStep);
  }
  if (isFloat<T>()) {
    if (op === 3) map<Div, T>(out, end, a, aStep, b, bStep);
    if (op === 4) map<Maximum, T>(out, end, a, aStep, b, bStep);
    if (op === 5) map<Minimum, T>(out, end, a, aStep, b, bStep);
  }
  if (op === 10) mapMask<Eq, T>(out, end, a, aStep, b, bStep);
  if (op === 11) mapMask<Ne, T>(out, end, a, aStep, b, bStep);
  if (op === 12) mapMask<Lt, T>(out, end, a, aStep, b, bStep);
  if (op === 13) mapMask<Le, T>(out, end, a, aStep, b, bStep);
  if (op === 14) mapMask<Gt, T>(out, end, a, aStep, b, bStep);
  if (op === 15) mapMask<Ge, T>(out, end, a, aStep, b, bStep);
}

/** out[i] = condition[i] ? a[i] : b[i] */
function choose<T>(
  out: usize,
  end: usize,
  condition: usize,
  conditionStep: usize,
  a: usize,
  aStep: usize,
  b: usize,
  bStep: usize,
): void {
  for (; out < end; out += 16, condition += conditionStep, a += aStep, b += bStep) {
    v128.store(out, v128.bitselect(v128.load(a), v128.load(b), loadMask<T>(condition)));
  }
}

/** Where `which` operand can be read as vectors: itself when contiguous, else a vector of its one value, or a packed block. */
function readable<T>(scratch: usize, which: usize, from: usize, step: usize, n: usize): usize {
  if (step === sizeof<T>()) return from;
  if (step === 0) {
    const vector = scratch + REST + 16 + (which << 4);
    v128.store(vector, v128.splat<T>(load<T>(from)));
    return vector;
  }
  const block = scratch + BLOCKS + which * BLOCK_BYTES;
  pack<T>(block, from, step, n);
  return block;
}

/** Where the last elements of `which` operand, less than a vector, can be read as one. */
function readableRest<T>(scratch: usize, which: usize, from: usize, step: usize, bytes: usize): usize {
  if (step === 0) return from;
  const vector = scratch + REST + 16 + (which << 4);
  copyRest(vector, from, bytes);
  return vector;
}

/** A contiguous row of at most BLOCK elements, or any length where no stride needs packing. */
function binaryRow<T>(
  op: i32,
  out: usize,
  a: usize,
  aStep: usize,
  b: usize,
  bStep: usize,
  n: usize,
  scratch: usize,
): void {
  const x = readable<T>(scratch, 0, a, aStep, n);
  const y = readable<T>(scratch, 1, b, bStep, n);
  const xStep: usize = aStep ? 16 : 0;
  const yStep: usize = bStep ? 16 : 0;
  const outBytes: usize = op < 10 ? sizeof<T>() : 1;
  const whole = n & ~(lanes<T>() - 1);
  const rest = n - whole;
  const end = out + whole * outBytes;
  vectors<T>(op, out, end, x, xStep, y, yStep);
  if (rest === 0) return;
  const done = whole * sizeof<T>();
  const last = scratch + REST;
  const restX = readableRest<T>(scratch, 0, aStep ? x + done : x, aStep, rest * sizeof<T>());
  const restY = readableRest<T>(scratch, 1, bStep ? y + done : y, bStep, rest * sizeof<T>());
  vectors<T>(op, last, last + 1, restX, 16, restY, 16);
  copyRest(end, last, rest * outBytes);
}

/** Operands a and b; out is contiguous. Steps are in bytes. */
function binaryOf<T>(
  op: i32,
  out: usize,
  axes: usize,
  rows: usize,
  n: usize,
  aStep: usize,
  bStep: usize,
  scratch: usize,
): void {
  const outBytes: usize = op < 10 ? sizeof<T>() : 1;
  const packed = (aStep !== 0 && aStep !== sizeof<T>()) || (bStep !== 0 && bStep !== sizeof<T>());
  const atOnce = packed ? BLOCK : n;
  do {
    const a = operand(scratch, 0);
    const b = operand(scratch, 1);
    for (let i: usize = 0; i < n; i += atOnce) {
      const count = min<usize>(atOnce, n - i);
      binaryRow<T>(op, out, a + i * aStep, aStep, b + i * bStep, bStep, count, scratch);
      out += count * outBytes;
    }
  } while (--rows && advance(scratch, axes));
}

/**
 * Binary operations and comparisons over `rows` rows of n elements, from row number `first` of the odometer at `source` on; their numbers and the dtypes'
 * are in src/kernels/wasm/elementwise.ts
 */
export function binary(
  op: i32,
  dtype: i32,
  out: usize,
  axes: usize,
  rows: usize,
  n: usize,
  aStep: usize,
  bStep: usize,
  first: usize,
  source: usize,
  scratch: usize,
): void {
  seek(scratch, source, axes, first, aStep, bStep, 0);
  if (dtype === 0) binaryOf<f32>(op, out, axes, rows, n, aStep, bStep, scratch);
  if (dtype === 1) binaryOf<f64>(op, out, axes, rows, n, aStep, bStep, scratch);
  if (dtype === 2) binaryOf<i32>(op, out, axes, rows, n, aStep, bStep, scratch);
  if (dtype === 3) binaryOf<i64>(op, out, axes, rows, n, aStep, bStep, scratch);
  if (dtype === 4) binaryOf<u8>(op, out, axes, rows, n, aStep, bStep, scratch);
}

/** Operands condition, a and b. */
function whereRow<T>(
  out: usize,
  condition: usize,
  conditionStep: usize,
  a: usize,
  aStep: usize,
  b: usize,
  bStep: usize,
  n: usize,
  scratch: usize,
): void {
  const c = readable<u8>(scratch, 0, condition, conditionStep, n);
  const x = readable<T>(scratch, 1, a, aStep, n);
  const y = readable<T>(scratch, 2, b, bStep, n);
  const whole = n & ~(lanes<T>() - 1);
  const rest = n - whole;
  const done = whole * sizeof<T>();
  const end = out + done;
  choose<T>(out, end, c, conditionStep ? lanes<T>() : 0, x, aStep ? 16 : 0, y, bStep ? 16 : 0);
  if (rest === 0) return;
  const last = scratch + REST;
  const restC = readableRest<u8>(scratch, 0, conditionStep ? c + whole : c, conditionStep, rest);
  const restX = readableRest<T>(scratch, 1, aStep ? x + done : x, aStep, rest * sizeof<T>());
  const restY = readableRest<T>(scratch, 2, bStep ? y + done : y, bStep, rest * sizeof<T>());
  choose<T>(last, last + 1, restC, 0, restX, 0, restY, 0);
  copyRest(end, last, rest * sizeof<T>());
}

function whereOf<T>(
  out: usize,
  axes: usize,
  rows: usize,
  n: usize,
  conditionStep: usize,
  aStep: usize,
  bStep: usize,
  scratch: usize,
): void {
  do {
    const condition = operand(scratch, 0);
    const a = operand(scratch, 1);
    const b = operand(scratch, 2);
    for (let i: usize = 0; i < n; i += BLOCK) {
      const count = min<usize>(BLOCK, n - i);
      const ci = condition + i * conditionStep;
      whereRow<T>(out, ci, conditionStep, a + i * aStep, aStep, b + i * bStep, bStep, count, scratch);
      out += count * sizeof<T>();
    }
  } while (--rows && advance(scratch, axes));
}

/** out = condition ? a : b over items of 1, 4 or 8 bytes. Operands condition, a and b. */
export function where(
  itemBytes: i32,
  out: usize,
  axes: usize,
  rows: usize,
  n: usize,
  conditionStep: usize,
  aStep: usize,
  bStep: usize,
  first: usize,
  source: usize,
  scratch: usize,
): void {
  seek(scratch, source, axes, first, conditionStep, aStep, bStep);
  if (itemBytes === 4) whereOf<u32>(out, axes, rows, n, conditionStep, aStep, bStep, scratch);
  else if (itemBytes === 8) whereOf<u64>(out, axes, rows, n, conditionStep, aStep, bStep, scratch);
  else whereOf<u8>(out, axes, rows, n, conditionStep, aStep, bStep, scratch);
}

/** y[i] += alpha·x[i] */
export function axpy<T>(y: usize, x: usize, n: usize, alpha: T, scratch: usize): void {
  const a = v128.splat<T>(alpha);
  const whole = (n * sizeof<T>()) & ~15;
  const rest = (n * sizeof<T>()) & 15;
  for (const end = y + whole; y < end; y += 16, x += 16) {
    v128.store(y, v128.add<T>(v128.load(y), v128.mul<T>(a, v128.load(x))));
  }
  if (rest === 0) return;
  const lastY = scratch + REST;
  const lastX = lastY + 16;
  copyRest(lastY, y, rest);
  copyRest(lastX, x, rest);
  v128.store(lastY, v128.add<T>(v128.load(lastY), v128.mul<T>(a, v128.load(lastX))));
  copyRest(y, lastY, rest);
}
