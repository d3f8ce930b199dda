import type { BinaryOp, CompareOp, ElementwiseKernels, Pointer } from "../backend.ts";
import { type DType, ITEM_BYTES } from "../dtype.ts";
import { ARGUMENTS } from "./module.ts";
import { axes } from "./strides.ts";
import { type UnaryExports, unaryKernels } from "./unary.ts";

/** What assembly/elementwise.ts exports, and the functions of one input. */
export interface ElementwiseExports extends UnaryExports {
  axpyF32(y: Pointer, x: Pointer, n: number, alpha: number, scratch: Pointer): void;
  axpyF64(y: Pointer, x: Pointer, n: number, alpha: number, scratch: Pointer): void;
  binary(
    op: number,
    dtype: number,
    out: Pointer,
    axes: number,
    rows: number,
    n: number,
    aStep: number,
    bStep: number,
    first: number,
    source: Pointer,
    scratch: Pointer,
  ): void;
  where(
    itemBytes: number,
    out: Pointer,
    axes: number,
    rows: number,
    n: number,
    conditionStep: number,
    aStep: number,
    bStep: number,
    first: number,
    source: Pointer,
    scratch: Pointer,
  ): void;
}

/** The numbers of operations in assembly/elementwise.ts. Integers have the first three and the comparisons. */
const BINARY: Readonly<Partial<Record<BinaryOp, number>>> = {
  add: 0,
  sub: 1,
  mul: 2,
  div: 3,
  maximum: 4,
  minimum: 5,
};
const LAST_INTEGER = 2;
const COMPARE: Readonly<Record<CompareOp, number>> = { eq: 10, ne: 11, lt: 12, le: 13, gt: 14, ge: 15 };

/** The dtypes of assembly/elementwise.ts; bool is uint8 there. */
const NUMBER: Readonly<Record<DType, number>> = { float32: 0, float64: 1, int32: 2, int64: 3, uint8: 4, bool: 4 };

/** Elementwise kernels. */
export function elementwiseKernels(wasm: ElementwiseExports, reference: ElementwiseKernels): ElementwiseKernels {
  function strided(
    op: number,
    dtype: DType,
    sizes: readonly number[],
    out: Pointer,
    a: Pointer,
    aStrides: readonly number[],
    b: Pointer,
    bStrides: readonly number[],
  ): void {
    if (!axes.set(sizes, aStrides, bStrides)) return;
    const item = ITEM_BYTES[dtype];
    const inner = axes.rank - 1;
    const n = axes.sizes[inner];
    const aStep = axes.strides[0][inner] * item;
    const bStep = axes.strides[1][inner] * item;
    axes.remove(inner);
    axes.write(a, item, b, item);
    wasm.binary(op, NUMBER[dtype], out, axes.rank, axes.rows(), n, aStep, bStep, 0, ARGUMENTS, ARGUMENTS);
  }

  return {
    ...unaryKernels(wasm, reference),

    axpy(dtype, y, x, n, alpha) {
      if (dtype === "float32") wasm.axpyF32(y, x, n, alpha, ARGUMENTS);
      else if (dtype === "float64") wasm.axpyF64(y, x, n, alpha, ARGUMENTS);
      else reference.axpy(dtype, y, x, n, alpha);
    },

    binary(op, dtype, sizes, out, a, aStrides, b, bStrides) {
      const number = BINARY[op];
      const last = dtype === "int32" || dtype === "int64" ? LAST_INTEGER : 5;
      if (number === undefined || number > last || ITEM_BYTES[dtype] === 1) {
        reference.binary(op, dtype, sizes, out, a, aStrides, b, bStrides);
      } else strided(number, dtype, sizes, out, a, aStrides, b, bStrides);
    },

    compare(op, dtype, sizes, out, a, aStrides, b, bStrides) {
      strided(COMPARE[op], dtype, sizes, out, a, aStrides, b, bStrides);
    },

    where(dtype, sizes, out, condition, conditionStrides, a, aStrides, b, bStrides) {
      if (!axes.set(sizes, conditionStrides, aStrides, bStrides)) return;
      const item = ITEM_BYTES[dtype];
      const inner = axes.rank - 1;
      const n = axes.sizes[inner];
      const conditionStep = axes.strides[0][inner];
      const aStep = axes.strides[1][inner] * item;
      const bStep = axes.strides[2][inner] * item;
      axes.remove(inner);
      axes.write(condition, 1, a, item, b, item);
      wasm.where(item, out, axes.rank, axes.rows(), n, conditionStep, aStep, bStep, 0, ARGUMENTS, ARGUMENTS);
    },
  };
}
