import { DTypeError } from "../../util/errors.ts";
import type { Pointer, ReduceOp, ReductionKernels } from "../backend.ts";
import type { DType, FloatDType } from "../dtype.ts";
import { heap } from "../heap.ts";
import { type Elements, type Floats, floats, isFloat, numbers, position, writeIndex } from "./views.ts";

/**
 * Calls `cell` for every output cell, with its number and the position of the first of its elements, which lie `inner`
 * apart.
 */
function eachCell(outer: number, size: number, inner: number, cell: (k: number, start: number) => void): void {
  for (let o = 0, k = 0; o < outer; o++) for (let i = 0; i < inner; i++, k++) cell(k, o * size * inner + i);
}

function sum(v: Floats, start: number, size: number, step: number): number {
  let total = 0;
  for (let j = 0, at = start; j < size; j++, at += step) total += v[at];
  return total;
}

function fold<T>(v: Elements<T>, start: number, size: number, step: number, first: T, f: (a: T, x: T) => T): T {
  let total = first;
  for (let j = 0, at = start; j < size; j++, at += step) total = f(total, v[at]);
  return total;
}

function sumFloats(
  op: "sum" | "mean",
  v: Floats,
  o: number,
  first: number,
  outer: number,
  size: number,
  inner: number,
): void {
  const divisor = op === "mean" ? size : 1;
  eachCell(outer, size, inner, (k, start) => {
    v[o + k] = sum(v, first + start, size, inner) / divisor;
  });
}

/** The accumulator of a sum or product of numbers: its start, and the step. Floats in float64, integers modulo 2³². */
function accumulator(
  op: "sum" | "mean" | "prod",
  dtype: Exclude<DType, "int64">,
): [number, (a: number, x: number) => number] {
  if (isFloat(dtype)) return op === "prod" ? [1, (a, x) => a * x] : [0, (a, x) => a + x];
  if (op === "mean") throw meanOfIntegers(dtype);
  if (dtype === "bool") return op === "sum" ? [0, (a, x) => a | x] : [1, (a, x) => a & x];
  return op === "sum" ? [0, (a, x) => (a + x) | 0] : [1, Math.imul];
}

function meanOfIntegers(dtype: DType): DTypeError {
  return new DTypeError(
    `mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. Got: ${dtype}`,
    "convert to float32 first",
  );
}

function reduceInt64(
  op: "sum" | "mean" | "prod",
  o: number,
  x: number,
  outer: number,
  size: number,
  inner: number,
): void {
  if (op === "mean") throw meanOfIntegers("int64");
  const { i64 } = heap;
  const isSum = op === "sum";
  const f = isSum ? (a: bigint, b: bigint) => a + b : (a: bigint, b: bigint) => BigInt.asIntN(64, a * b);
  eachCell(outer, size, inner, (k, start) => {
    i64[o + k] = fold(i64, x + start, size, inner, isSum ? 0n : 1n, f);
  });
}

/** any, or all when `all`: whether a value different from 0 (or equal to 0) occurs. */
function logical(
  all: boolean,
  dtype: DType,
  out: Pointer,
  x: Pointer,
  outer: number,
  size: number,
  inner: number,
): void {
  const v: Elements<number | bigint> = dtype === "int64" ? heap.i64 : numbers(dtype);
  const zero = dtype === "int64" ? 0n : 0;
  const first = position(dtype, x);
  eachCell(outer, size, inner, (k, start) => {
    let j = 0;
    while (j < size && (v[first + start + j * inner] !== zero) === all) j++;
    const stopped = j < size;
    heap.u8[out + k] = stopped !== all ? 1 : 0;
  });
}

function reduce(
  op: ReduceOp,
  dtype: DType,
  out: Pointer,
  x: Pointer,
  outer: number,
  size: number,
  inner: number,
): void {
  const o = position(dtype, out);
  const first = position(dtype, x);
  if (op === "max" || op === "min") extremum(op, dtype, out, 0, x, outer, size, inner);
  else if (op === "any" || op === "all") logical(op === "all", dtype, out, x, outer, size, inner);
  else if (dtype === "int64") reduceInt64(op, o, first, outer, size, inner);
  else if (isFloat(dtype) && op !== "prod") sumFloats(op, floats(dtype), o, first, outer, size, inner);
  else {
    const v: Elements<number> = numbers(dtype);
    const [initial, f] = accumulator(op, dtype);
    eachCell(outer, size, inner, (k, start) => {
      v[o + k] = fold(v, first + start, size, inner, initial, f);
    });
  }
}

/** How far along its row the first largest (or smallest) element lies; the first NaN, if there is one. */
function findExtremum(v: Elements<number | bigint>, start: number, size: number, step: number, max: boolean): number {
  let best = v[start];
  let bestAt = 0;
  for (let j = 1; j < size && !Number.isNaN(best); j++) {
    const value = v[start + j * step];
    if (Number.isNaN(value) || (max ? value > best : value < best)) {
      best = value;
      bestAt = j;
    }
  }
  return bestAt;
}

function extremum(
  op: "max" | "min",
  dtype: DType,
  values: Pointer,
  indices: Pointer,
  x: Pointer,
  outer: number,
  size: number,
  inner: number,
): void {
  const v: Elements<number | bigint> = dtype === "int64" ? heap.i64 : numbers(dtype);
  const first = position(dtype, x);
  const valuesAt = position(dtype, values);
  const indicesAt = position("int64", indices);
  eachCell(outer, size, inner, (k, start) => {
    const j = findExtremum(v, first + start, size, inner, op === "max");
    if (values !== 0) v[valuesAt + k] = v[first + start + j * inner];
    if (indices !== 0) writeIndex(heap.i32, indicesAt + k, j);
  });
}

function variance(
  dtype: FloatDType,
  out: Pointer,
  mean: Pointer,
  x: Pointer,
  outer: number,
  size: number,
  inner: number,
  correction: number,
): void {
  const v = floats(dtype);
  const [o, m, first] = [position(dtype, out), position(dtype, mean), position(dtype, x)];
  eachCell(outer, size, inner, (k, start) => {
    const average = sum(v, first + start, size, inner) / size;
    let squares = 0;
    for (let j = 0, at = first + start; j < size; j++, at += inner) squares += (v[at] - average) ** 2;
    v[o + k] = size > correction ? squares / (size - correction) : Number.NaN;
    if (mean !== 0) v[m + k] = average;
  });
}

function softmax(
  dtype: FloatDType,
  log: boolean,
  out: Pointer,
  x: Pointer,
  outer: number,
  size: number,
  inner: number,
): void {
  const v = floats(dtype);
  const [o, first] = [position(dtype, out), position(dtype, x)];
  eachCell(outer, size, inner, (_, start) => {
    const from = first + start;
    const to = o + start;
    let top = -Infinity;
    for (let j = 0; j < size; j++) top = Math.max(top, v[from + j * inner]);
    let total = 0;
    for (let j = 0; j < size; j++) total += Math.exp(v[from + j * inner] - top);
    if (log) {
      const logTotal = Math.log(total);
      for (let j = 0; j < size; j++) v[to + j * inner] = v[from + j * inner] - top - logTotal;
    } else {
      for (let j = 0; j < size; j++) v[to + j * inner] = Math.exp(v[from + j * inner] - top) / total;
    }
  });
}

function softmaxGrad(
  dtype: FloatDType,
  log: boolean,
  gx: Pointer,
  g: Pointer,
  y: Pointer,
  outer: number,
  size: number,
  inner: number,
): void {
  const v = floats(dtype);
  const [o, gi, yi] = [position(dtype, gx), position(dtype, g), position(dtype, y)];
  eachCell(outer, size, inner, (_, start) => {
    const from = gi + start;
    const saved = yi + start;
    const to = o + start;
    let total = 0;
    if (log) {
      for (let j = 0; j < size; j++) total += v[from + j * inner];
      for (let j = 0; j < size; j++) v[to + j * inner] = v[from + j * inner] - Math.exp(v[saved + j * inner]) * total;
    } else {
      for (let j = 0; j < size; j++) total += v[from + j * inner] * v[saved + j * inner];
      for (let j = 0; j < size; j++) v[to + j * inner] = v[saved + j * inner] * (v[from + j * inner] - total);
    }
  });
}

export const reductionKernels: ReductionKernels = { reduce, extremum, variance, softmax, softmaxGrad };
