import type { BinaryOp, CompareOp, ElementwiseKernels, Pointer, UnaryGradOp, UnaryOp } from "../backend.ts";
import type { DType, FloatDType } from "../dtype.ts";
import { heap } from "../heap.ts";
import { gradFunctions, unaryFunctions } from "./functions.ts";
import { binaryOfBigints, binaryOfNumbers, unaryOfBigints, unaryOfNumbers } from "./integers.ts";
import { pow } from "./math.ts";
import { contiguousStrides, eachRow } from "./strided.ts";
import { type Elements, type Floats, floats, isFloat, numbers, position } from "./views.ts";

/** A scalar as the dtype holds it: PyTorch rounds scalars to the tensor's dtype before computing. */
function scalar(dtype: FloatDType, value: number): number {
  return dtype === "float32" ? Math.fround(value) : value;
}

function mapFloats(
  v: Floats,
  out: number,
  x: number,
  n: number,
  f: (x: number, p: number, q: number) => number,
  p: number,
  q: number,
): void {
  for (let i = 0; i < n; i++) v[out + i] = f(v[x + i], p, q);
}

function map<T>(v: Elements<T>, out: number, x: number, n: number, f: (x: T) => T): void {
  for (let i = 0; i < n; i++) v[out + i] = f(v[x + i]);
}

function unary(op: UnaryOp, dtype: DType, out: Pointer, x: Pointer, n: number, p = 0, q = 0): void {
  const o = position(dtype, out);
  const a = position(dtype, x);
  if (isFloat(dtype)) mapFloats(floats(dtype), o, a, n, unaryFunctions[op], scalar(dtype, p), scalar(dtype, q));
  else if (dtype === "int64") map(heap.i64, o, a, n, unaryOfBigints(op, p, q));
  else map<number>(numbers(dtype), o, a, n, unaryOfNumbers(op, dtype, p, q));
}

function unaryGrad(
  op: UnaryGradOp,
  dtype: FloatDType,
  gx: Pointer,
  g: Pointer,
  s: Pointer,
  n: number,
  p = 0,
  q = 0,
): void {
  const v = floats(dtype);
  const f = gradFunctions[op];
  const [o, gi, si] = [position(dtype, gx), position(dtype, g), position(dtype, s)];
  const [a, b] = [scalar(dtype, p), scalar(dtype, q)];
  for (let i = 0; i < n; i++) v[o + i] = f(v[gi + i], v[si + i], a, b);
}

function axpy(dtype: DType, y: Pointer, x: Pointer, n: number, alpha: number): void {
  const o = position(dtype, y);
  const a = position(dtype, x);
  if (isFloat(dtype)) {
    const v = floats(dtype);
    const scale = scalar(dtype, alpha);
    for (let i = 0; i < n; i++) v[o + i] += scale * v[a + i];
  } else if (dtype === "int64") {
    const scaled = unaryOfBigints("mulScalar", alpha, 0);
    for (let i = 0; i < n; i++) heap.i64[o + i] += scaled(heap.i64[a + i]);
  } else {
    const v = numbers(dtype);
    const scaled = unaryOfNumbers("mulScalar", dtype, alpha, 0);
    for (let i = 0; i < n; i++) v[o + i] += scaled(v[a + i]);
  }
}

function remainder(a: number, b: number): number {
  const rest = a % b;
  return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
}

const floatBinary: Readonly<Record<BinaryOp, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  pow,
  maximum: Math.max,
  minimum: Math.min,
  remainder,
  atan2: Math.atan2,
};

/** The four commonest operations have loops of their own: a call an element costs more than the arithmetic. */
function floatRow(op: BinaryOp, v: Floats, o: number, a: number, as: number, b: number, bs: number, n: number): void {
  switch (op) {
    case "add":
      for (let i = 0; i < n; i++) v[o + i] = v[a + i * as] + v[b + i * bs];
      break;
    case "sub":
      for (let i = 0; i < n; i++) v[o + i] = v[a + i * as] - v[b + i * bs];
      break;
    case "mul":
      for (let i = 0; i < n; i++) v[o + i] = v[a + i * as] * v[b + i * bs];
      break;
    case "div":
      for (let i = 0; i < n; i++) v[o + i] = v[a + i * as] / v[b + i * bs];
      break;
    default:
      zip<number, number>(v, o, v, a, as, b, bs, n, floatBinary[op]);
  }
}

function zip<T, R>(
  target: Elements<R>,
  o: number,
  v: Elements<T>,
  a: number,
  as: number,
  b: number,
  bs: number,
  n: number,
  f: (a: T, b: T) => R,
): void {
  for (let i = 0; i < n; i++) target[o + i] = f(v[a + i * as], v[b + i * bs]);
}

function binary(
  op: BinaryOp,
  dtype: DType,
  sizes: readonly number[],
  out: Pointer,
  a: Pointer,
  aStrides: readonly number[],
  b: Pointer,
  bStrides: readonly number[],
): void {
  const [o, x, y] = [position(dtype, out), position(dtype, a), position(dtype, b)];
  const strides = [contiguousStrides(sizes), aStrides, bStrides];
  if (isFloat(dtype)) {
    const v = floats(dtype);
    eachRow(sizes, strides, (n, at, step) => floatRow(op, v, o + at[0], x + at[1], step[1], y + at[2], step[2], n));
  } else if (dtype === "int64") {
    const f = binaryOfBigints(op);
    eachRow(sizes, strides, (n, at, step) =>
      zip(heap.i64, o + at[0], heap.i64, x + at[1], step[1], y + at[2], step[2], n, f),
    );
  } else {
    const v: Elements<number> = numbers(dtype);
    const f = binaryOfNumbers(op, dtype);
    eachRow(sizes, strides, (n, at, step) => zip(v, o + at[0], v, x + at[1], step[1], y + at[2], step[2], n, f));
  }
}

type Ordered = number | bigint;

const comparisons: Readonly<Record<CompareOp, (a: Ordered, b: Ordered) => number>> = {
  eq: (a, b) => (a === b ? 1 : 0),
  ne: (a, b) => (a === b ? 0 : 1),
  lt: (a, b) => (a < b ? 1 : 0),
  le: (a, b) => (a <= b ? 1 : 0),
  gt: (a, b) => (a > b ? 1 : 0),
  ge: (a, b) => (a >= b ? 1 : 0),
};

function compare(
  op: CompareOp,
  dtype: DType,
  sizes: readonly number[],
  out: Pointer,
  a: Pointer,
  aStrides: readonly number[],
  b: Pointer,
  bStrides: readonly number[],
): void {
  const [x, y] = [position(dtype, a), position(dtype, b)];
  const v: Elements<Ordered> = dtype === "int64" ? heap.i64 : numbers(dtype);
  const f = comparisons[op];
  eachRow(sizes, [contiguousStrides(sizes), aStrides, bStrides], (n, at, step) =>
    zip(heap.u8, out + at[0], v, x + at[1], step[1], y + at[2], step[2], n, f),
  );
}

function where(
  dtype: DType,
  sizes: readonly number[],
  out: Pointer,
  condition: Pointer,
  conditionStrides: readonly number[],
  a: Pointer,
  aStrides: readonly number[],
  b: Pointer,
  bStrides: readonly number[],
): void {
  const [o, x, y] = [position(dtype, out), position(dtype, a), position(dtype, b)];
  const v: Elements<Ordered> = dtype === "int64" ? heap.i64 : numbers(dtype);
  const { u8 } = heap;
  eachRow(sizes, [contiguousStrides(sizes), conditionStrides, aStrides, bStrides], (n, at, step) => {
    const [to, ci, ai, bi] = [o + at[0], condition + at[1], x + at[2], y + at[3]];
    const [, cs, as, bs] = step;
    for (let i = 0; i < n; i++) v[to + i] = u8[ci + i * cs] !== 0 ? v[ai + i * as] : v[bi + i * bs];
  });
}

export const elementwiseKernels: ElementwiseKernels = { unary, unaryGrad, axpy, binary, compare, where };
