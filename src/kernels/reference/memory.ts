import type { MemoryKernels } from "../backend.ts";
import type { DType } from "../dtype.ts";
import { heap } from "../heap.ts";
import { narrow, widen } from "./reduced.ts";
import { eachRow } from "./strided.ts";
import { isFloat, numbers, position } from "./views.ts";

const INT32_MIN = -(2 ** 31);
const INT64_MIN = -(2n ** 63n);

/** A float as int32, towards zero. NaN and what does not fit become −2³¹, as on x86 (C leaves it undefined). */
function toInt32(x: number): number {
  return x > INT32_MIN - 1 && x < 2 ** 31 ? Math.trunc(x) : INT32_MIN;
}

/** A float as int64, towards zero. NaN and what does not fit become −2⁶³, as on x86 (C leaves it undefined). */
export function toInt64(x: number): bigint {
  return x >= -(2 ** 63) && x < 2 ** 63 ? BigInt(Math.trunc(x)) : INT64_MIN;
}

/**
 * An int64 as a float64 that rounds to the right float32: the bits that float64 would drop are kept as one sticky bit.
 */
function toFloat32(x: bigint): number {
  const size = x < 0n ? -x : x;
  if (size < 2n ** 53n) return Number(x);
  const sticky = (size >> 11n) | ((size & 2047n) === 0n ? 0n : 1n);
  return Number(sticky) * (x < 0n ? -2048 : 2048);
}

function fill(dtype: DType, out: number, n: number, value: number): void {
  const start = position(dtype, out);
  const end = start + n;
  if (dtype === "int64") heap.i64.fill(toInt64(value), start, end);
  else if (dtype === "bool") heap.u8.fill(value === 0 ? 0 : 1, start, end);
  else if (dtype === "int32") heap.i32.fill(toInt32(value), start, end);
  else numbers(dtype).fill(value, start, end);
}

function convertFromInt64(to: Exclude<DType, "int64">, out: number, x: number, n: number): void {
  const { i64, i32 } = heap;
  if (to === "float32") {
    for (let i = 0; i < n; i++) heap.f32[out + i] = toFloat32(i64[x + i]);
  } else if (to === "float64") {
    for (let i = 0; i < n; i++) heap.f64[out + i] = Number(i64[x + i]);
  } else if (to === "bool") {
    for (let i = 0; i < n; i++) heap.u8[out + i] = i64[x + i] === 0n ? 0 : 1;
  } else {
    const y = numbers(to);
    for (let i = 0; i < n; i++) y[out + i] = i32[2 * (x + i)];
  }
}

function convert(from: DType, to: DType, out: number, x: number, n: number): void {
  const yi = position(to, out);
  const xi = position(from, x);
  if (from === to) {
    if (from === "int64") heap.i64.copyWithin(yi, xi, xi + n);
    else numbers(from).copyWithin(yi, xi, xi + n);
    return;
  }
  if (from === "int64") {
    convertFromInt64(to as Exclude<DType, "int64">, yi, xi, n);
    return;
  }
  const source = numbers(from);
  if (to === "int64") {
    const { i64 } = heap;
    for (let i = 0; i < n; i++) i64[yi + i] = toInt64(source[xi + i]);
    return;
  }
  const target = numbers(to);
  if (to === "bool") {
    for (let i = 0; i < n; i++) target[yi + i] = source[xi + i] === 0 ? 0 : 1;
  } else if (to === "int32" && isFloat(from)) {
    for (let i = 0; i < n; i++) target[yi + i] = toInt32(source[xi + i]);
  } else {
    // Storing rounds to float32 or wraps to 8 bits.
    for (let i = 0; i < n; i++) target[yi + i] = source[xi + i];
  }
}

function copyStrided(
  itemBytes: number,
  sizes: readonly number[],
  out: number,
  outStrides: readonly number[],
  x: number,
  xStrides: readonly number[],
): void {
  // Integer views keep every bit; a float view may change a NaN's.
  const items = itemBytes === 8 ? heap.i64 : itemBytes === 4 ? heap.i32 : itemBytes === 2 ? heap.u16 : heap.u8;
  const outStart = out / itemBytes;
  const xStart = x / itemBytes;
  eachRow(sizes, [outStrides, xStrides], (length, offsets, steps) => {
    const o = outStart + offsets[0];
    const a = xStart + offsets[1];
    const [os, as] = steps;
    if (os === 1 && as === 1) items.copyWithin(o, a, a + length);
    else for (let i = 0; i < length; i++) items[o + i * os] = items[a + i * as];
  });
}

export const memoryKernels: MemoryKernels = { fill, convert, widen, narrow, copyStrided };
