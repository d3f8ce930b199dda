import { isGradEnabled } from "../autograd/mode.ts";
import type { BinaryOp, CompareOp, UnaryOp } from "../kernels/backend.ts";
import { backend } from "../kernels/registry.ts";
import { type DType, getDefaultDtype, isFloat, promoteTypes } from "../tensor/dtype.ts";
import { broadcastShapes, broadcastStrides, type Shape, sameShape } from "../tensor/shape.ts";
import { emptyTensor, packed, type Tensor } from "../tensor/tensor.ts";
import { tidy } from "../tensor/tidy.ts";
import { DTypeError } from "../util/errors.ts";

/*
 * Kernels on tensors, without history: what the differentiable operations are made of.
 */

const UNIT = [1];

/** The dtype two operands are computed in, as torch.result_type: a 0-dimensional tensor or a number only decides by its kind. */
export function resultType(a: Tensor, b: Tensor | number): DType {
  if (typeof b === "number") {
    if (isFloat(a.dtype)) return a.dtype;
    if (!Number.isInteger(b)) return getDefaultDtype();
    return a.dtype === "bool" ? "int64" : a.dtype;
  }
  if (a.dtype === b.dtype) return a.dtype;
  if (a.ndim > 0 === b.ndim > 0) return promoteTypes(a.dtype, b.dtype);
  const [array, single] = a.ndim > 0 ? [a, b] : [b, a];
  const sameKind = isFloat(array.dtype) === isFloat(single.dtype) && array.dtype !== "bool";
  return sameKind || isFloat(array.dtype) ? array.dtype : promoteTypes(array.dtype, single.dtype);
}

/** A 0-dimensional tensor. */
export function scalarTensor(value: number, dtype: DType): Tensor {
  return filled([], dtype, value);
}

/** A contiguous tensor of one value. */
export function filled(shape: Shape, dtype: DType, value: number): Tensor {
  const out = emptyTensor(shape, dtype);
  backend().fill(dtype, out.pointer, out.numel, value);
  return out;
}

/** Gives back a temporary of a backward function at once; while history is recorded, the graph may still need it. */
export function discard(temporary: Tensor): void {
  if (!isGradEnabled()) temporary.storage.release();
}

/** Runs part of a backward function and gives back all its temporaries, unless history is recorded. */
export function scratch<T>(body: () => T): T {
  return isGradEnabled() ? body() : tidy(body);
}

/** op(x), contiguous. A copy that had to be packed is written over. */
export function unaryKernel(op: UnaryOp, x: Tensor, p?: number, q?: number): Tensor {
  const source = packed(x);
  const out = source === x ? emptyTensor(x.shape, x.dtype) : source;
  backend().unary(op, x.dtype, out.pointer, source.pointer, x.numel, p, q);
  return out;
}

/** bool has addition and multiplication (or, and) as maximum and minimum of bytes. */
const BOOL_OPS: Partial<Record<BinaryOp, BinaryOp>> = {
  add: "maximum",
  mul: "minimum",
  maximum: "maximum",
  minimum: "minimum",
};

/** a op b of one dtype, broadcast. */
export function binaryKernel(op: BinaryOp, a: Tensor, b: Tensor): Tensor {
  let { dtype } = a;
  let kernelOp = op;
  if (dtype === "bool") {
    const byteOp = BOOL_OPS[op];
    if (!byteOp)
      throw new DTypeError(
        `"${op}" not implemented for 'Bool'`,
        'convert the tensors first, for example with .to("int64")',
      );
    kernelOp = byteOp;
    dtype = "uint8";
  }
  if (sameShape(a.shape, b.shape) && a.isContiguous && b.isContiguous) {
    const out = emptyTensor(a.shape, a.dtype);
    backend().binary(kernelOp, dtype, [a.numel], out.pointer, a.pointer, UNIT, b.pointer, UNIT);
    return out;
  }
  const shape = broadcastShapes(a.shape, b.shape);
  const out = emptyTensor(shape, a.dtype);
  const aStrides = broadcastStrides(a.shape, a.strides, shape);
  const bStrides = broadcastStrides(b.shape, b.strides, shape);
  backend().binary(kernelOp, dtype, shape, out.pointer, a.pointer, aStrides, b.pointer, bStrides);
  return out;
}

/** Whether a op b, as bool; one dtype, broadcast. */
export function compareKernel(op: CompareOp, a: Tensor, b: Tensor): Tensor {
  const shape = broadcastShapes(a.shape, b.shape);
  const out = emptyTensor(shape, "bool");
  const aStrides = broadcastStrides(a.shape, a.strides, shape);
  const bStrides = broadcastStrides(b.shape, b.strides, shape);
  backend().compare(op, a.dtype, shape, out.pointer, a.pointer, aStrides, b.pointer, bStrides);
  return out;
}
