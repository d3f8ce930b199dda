import type { ElementwiseKernels, Pointer, UnaryGradOp, UnaryOp } from "../backend.ts";
import type { DType, FloatDType } from "../dtype.ts";
import { ARGUMENTS } from "./module.ts";

type Unary = (op: number, out: Pointer, x: Pointer, n: number, p: number, q: number, scratch: Pointer) => void;
type UnaryGrad = (
  op: number,
  gx: Pointer,
  g: Pointer,
  s: Pointer,
  n: number,
  p: number,
  q: number,
  scratch: Pointer,
) => void;

/** What assembly/unary.ts and assembly/gradient.ts export. */
export interface UnaryExports {
  unaryF32: Unary;
  unaryF64: Unary;
  unaryGradF32: UnaryGrad;
  unaryGradF64: UnaryGrad;
}

/** The numbers of operations in assembly/unary.ts; float64 has those up to 16. sin, cos and tan are the reference's. */
const UNARY: Readonly<Partial<Record<UnaryOp | "cube", number>>> = {
  neg: 0,
  abs: 1,
  sign: 2,
  square: 3,
  cube: 4,
  sqrt: 5,
  rsqrt: 6,
  floor: 7,
  ceil: 8,
  round: 9,
  trunc: 10,
  leakyRelu: 11,
  clamp: 12,
  addScalar: 13,
  mulScalar: 14,
  rdivScalar: 15,
  rsubScalar: 16,
  exp: 17,
  sigmoid: 18,
  silu: 19,
  expm1: 20,
  log: 21,
  log1p: 22,
  log2: 23,
  log10: 24,
  tanh: 25,
  erf: 26,
  gelu: 27,
  geluTanh: 28,
  softplus: 29,
};
const LAST_F64_UNARY = 16;

/** The numbers of operations in assembly/gradient.ts; float64 has those up to 5. */
const UNARY_GRAD: Readonly<Record<UnaryGradOp, number>> = {
  relu: 0,
  relu6: 1,
  leakyRelu: 2,
  clamp: 3,
  sigmoid: 4,
  tanh: 5,
  silu: 6,
  gelu: 7,
  geluTanh: 8,
  softplus: 9,
};
const LAST_F64_GRAD = 5;

/** The powers that are another operation, as in PyTorch. */
const POWERS: ReadonlyMap<number, "sqrt" | "square" | "cube"> = new Map([
  [0.5, "sqrt"],
  [2, "square"],
  [3, "cube"],
]);

type UnaryKernels = Pick<ElementwiseKernels, "unary" | "unaryGrad">;

/** How assembly/unary.ts is told of an operation. */
interface UnaryNumber {
  readonly number: number;
  readonly p: number;
  readonly q: number;
}

/** An operation's number and scalars; undefined where it is the reference's. */
export function unaryNumber(op: UnaryOp, dtype: DType, p = 0, q = 0): UnaryNumber | undefined {
  let name: UnaryOp | "cube" = op;
  let low = p;
  let high = q;
  if (op === "powScalar") {
    name = POWERS.get(p) ?? op;
  } else if (op === "relu" || op === "relu6") {
    name = "clamp";
    low = 0;
    high = op === "relu" ? Number.POSITIVE_INFINITY : 6;
  } else if (op === "reciprocal") {
    name = "rdivScalar";
    low = 1;
  }
  const number = UNARY[name];
  const known = number !== undefined && (dtype === "float32" || (dtype === "float64" && number <= LAST_F64_UNARY));
  return known ? { number, p: low, q: high } : undefined;
}

/** The number of an activation's gradient; undefined where it is the reference's. */
export function unaryGradNumber(op: UnaryGradOp, dtype: FloatDType): number | undefined {
  const number = UNARY_GRAD[op];
  return dtype === "float32" || number <= LAST_F64_GRAD ? number : undefined;
}

/** Functions of one input, and the gradients of activations. */
export function unaryKernels(wasm: UnaryExports, reference: UnaryKernels): UnaryKernels {
  return {
    unary(op, dtype, out, x, n, p, q) {
      const known = unaryNumber(op, dtype, p, q);
      if (!known) return reference.unary(op, dtype, out, x, n, p, q);
      const kernel = dtype === "float32" ? wasm.unaryF32 : wasm.unaryF64;
      kernel(known.number, out, x, n, known.p, known.q, ARGUMENTS);
    },

    unaryGrad(op, dtype, gx, g, s, n, p = 0, q = 0) {
      const number = unaryGradNumber(op, dtype);
      if (number === undefined) return reference.unaryGrad(op, dtype, gx, g, s, n, p, q);
      const kernel = dtype === "float32" ? wasm.unaryGradF32 : wasm.unaryGradF64;
      kernel(number, gx, g, s, n, p, q, ARGUMENTS);
    },
  };
}
