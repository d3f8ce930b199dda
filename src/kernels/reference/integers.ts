import { ArgumentError, DTypeError } from "../../util/errors.ts";
import type { BinaryOp, IntUnaryOp, UnaryOp } from "../backend.ts";
import type { DType } from "../dtype.ts";
import { toInt64 } from "./memory.ts";

type Binary<T> = (a: T, b: T) => T;

function zeroDivision(): never {
  throw new ArgumentError(
    "ZeroDivisionError",
    "an integer was divided by 0; convert to float32 first to get inf or nan",
  );
}

function powInt32(a: number, b: number): number {
  if (b < 0) return a === 1 ? 1 : a === -1 ? (b % 2 === 0 ? 1 : -1) : 0;
  let result = 1;
  for (let base = a, left = b; left > 0; left >>>= 1, base = Math.imul(base, base)) {
    if (left & 1) result = Math.imul(result, base);
  }
  return result;
}

function powInt64(a: bigint, b: bigint): bigint {
  if (b < 0n) return a === 1n ? 1n : a === -1n ? (b % 2n === 0n ? 1n : -1n) : 0n;
  let result = 1n;
  for (let base = a, left = b; left > 0n; left >>= 1n, base = BigInt.asIntN(64, base * base)) {
    if (left & 1n) result = BigInt.asIntN(64, result * base);
  }
  return result;
}

/** int32 and uint8; storing wraps to the dtype's width. */
const int32Binary: Partial<Record<BinaryOp, Binary<number>>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: Math.imul,
  div: (a, b) => (b === 0 ? zeroDivision() : Math.trunc(a / b)),
  pow: powInt32,
  maximum: Math.max,
  minimum: Math.min,
  remainder: (a, b) => {
    if (b === 0) zeroDivision();
    const rest = a % b;
    return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
  },
};

const int64Binary: Partial<Record<BinaryOp, Binary<bigint>>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => (b === 0n ? zeroDivision() : a / b),
  pow: powInt64,
  maximum: (a, b) => (a > b ? a : b),
  minimum: (a, b) => (a < b ? a : b),
  remainder: (a, b) => {
    if (b === 0n) zeroDivision();
    const rest = a % b;
    return rest !== 0n && rest < 0n !== b < 0n ? rest + b : rest;
  },
};

/** Logical or and and, as PyTorch defines + and · of bools. */
const boolBinary: Partial<Record<BinaryOp, Binary<number>>> = {
  add: Math.max,
  mul: Math.min,
  maximum: Math.max,
  minimum: Math.min,
};

function found<T>(value: T | undefined, op: string, dtype: DType): T {
  if (value === undefined) {
    throw new DTypeError(`"${op}" not implemented for '${dtype}'`, "convert to float32 first");
  }
  return value;
}

/** The function of two elements of int32, uint8 or bool. */
export function binaryOfNumbers(op: BinaryOp, dtype: "int32" | "uint8" | "bool"): Binary<number> {
  return found((dtype === "bool" ? boolBinary : int32Binary)[op], op, dtype);
}

/** The function of two elements of int64. */
export function binaryOfBigints(op: BinaryOp): Binary<bigint> {
  return found(int64Binary[op], op, "int64");
}

/** The function of one element of int32, uint8 or bool, its scalars bound; storing wraps to the dtype's width. */
export function unaryOfNumbers(
  op: UnaryOp,
  dtype: "int32" | "uint8" | "bool",
  p: number,
  q: number,
): (x: number) => number {
  const functions: Record<IntUnaryOp, (x: number) => number> = {
    neg: (x) => -x,
    abs: Math.abs,
    sign: Math.sign,
    square: (x) => Math.imul(x, x),
    addScalar: (x) => x + p,
    mulScalar: (x) => Math.imul(x, p),
    rsubScalar: (x) => p - x,
    clamp: (x) => Math.min(Math.max(x, p), q),
  };
  const onBool = op === "abs" || op === "sign" || op === "square";
  return found(dtype === "bool" && !onBool ? undefined : functions[op as IntUnaryOp], op, dtype);
}

/** The function of one element of int64, its scalars bound. */
export function unaryOfBigints(op: UnaryOp, p: number, q: number): (x: bigint) => bigint {
  const a = toInt64(Math.ceil(p));
  // The least int64 above all is 2⁶³ − 1, which no float64 is: an upper bound at or over 2⁶³ is no bound.
  const most = q >= 2 ** 63 ? 2n ** 63n - 1n : toInt64(Math.floor(q));
  const functions: Record<IntUnaryOp, (x: bigint) => bigint> = {
    neg: (x) => -x,
    abs: (x) => (x < 0n ? -x : x),
    sign: (x) => (x > 0n ? 1n : x < 0n ? -1n : 0n),
    square: (x) => x * x,
    addScalar: (x) => x + a,
    mulScalar: (x) => x * a,
    rsubScalar: (x) => a - x,
    clamp: (x) => (x < a ? (a < most ? a : most) : x > most ? most : x),
  };
  return found(functions[op as IntUnaryOp], op, "int64");
}
