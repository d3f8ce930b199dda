import { isGradEnabled } from "../autograd/mode.ts";
import type { BinaryOp, CompareOp, UnaryOp } from "../kernels/backend.ts";
import { backend } from "../kernels/registry.ts";
import { fillTensor } from "../tensor/convert.ts";
import { type DType, getDefaultDtype, isFloatingPoint, kernelDType, promoteTypes } from "../tensor/dtype.ts";
import { memoryOrder, stridesIn, suggestedFormat } from "../tensor/memory-format.ts";
import { broadcastShapes, broadcastStrides, type Shape, sameShape } from "../tensor/shape.ts";
import { dense, detachedCopy, emptyAs, emptyTensor, type Tensor } from "../tensor/tensor.ts";
import { tidy } from "../tensor/tidy.ts";
import { DTypeError } from "../util/errors.ts";

/*
 * Kernels on tensors, without history: what the differentiable operations are made of.
 */

const UNIT = [1];

/** The dtype two operands are computed in, as torch.result_type: a 0-dimensional tensor or a number only decides by its kind. */
export function resultType(a: Tensor, b: Tensor | number): DType {
  if (typeof b === "number") {
    if (isFloatingPoint(a.dtype)) return a.dtype;
    if (!Number.isInteger(b)) return getDefaultDtype();
    return a.dtype === "bool" ? "int64" : a.dtype;
  }
  if (a.dtype === b.dtype) return a.dtype;
  if (a.ndim > 0 === b.ndim > 0) return promoteTypes(a.dtype, b.dtype);
  const [array, single] = a.ndim > 0 ? [a, b] : [b, a];
  const sameKind = isFloatingPoint(array.dtype) === isFloatingPoint(single.dtype) && array.dtype !== "bool";
  return sameKind || isFloatingPoint(array.dtype) ? array.dtype : promoteTypes(array.dtype, single.dtype);
}

/** A 0-dimensional tensor. */
export function scalarTensor(value: number, dtype: DType): Tensor {
  return filled([], dtype, value);
}

/** A contiguous tensor of one value. */
export function filled(shape: Shape, dtype: DType, value: number): Tensor {
  const out = emptyTensor(shape, dtype);
  fillTensor(out, value);
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

/** op(x), its elements in the order of x's. A copy that had to be packed is written over. */
export function unaryKernel(op: UnaryOp, x: Tensor, p?: number, q?: number): Tensor {
  const dtype = kernelDType(x.dtype, op);
  const source = dense(x);
  const out = source === x ? emptyAs(x) : source;
  backend().unary(op, dtype, out.pointer, source.pointer, x.numel, p, q);
  return out;
}

/** bool has addition and multiplication (or, and) as maximum and minimum of bytes. */
const BOOL_OPS: Partial<Record<BinaryOp, BinaryOp>> = {
  add: "maximum",
  mul: "minimum",
  maximum: "maximum",
  minimum: "minimum",
};

/** How a kernel writes the result of operands of several layouts, row-major over `sizes`: sizes and strides in the result's order. */
interface Plan {
  readonly out: Tensor;
  readonly sizes: Shape;
  readonly strides: readonly (readonly number[])[];
}

/** The result of operands broadcast to one shape: it lies as the first operand that has that shape, as in PyTorch. */
export function planBroadcast(shape: Shape, dtype: DType, operands: readonly Tensor[]): Plan {
  const leader = operands.find((operand) => sameShape(operand.shape, shape));
  const strides = operands.map((operand) => broadcastStrides(operand.shape, operand.strides, shape));
  if (!leader || leader.isContiguous) return { out: emptyTensor(shape, dtype), sizes: shape, strides };
  const out = emptyAs(leader, dtype);
  const order = memoryOrder(shape, out.strides);
  return { out, sizes: order.map((d) => shape[d]), strides: strides.map((of) => order.map((d) => of[d])) };
}

/** a op b of one dtype, broadcast. */
export function binaryKernel(op: BinaryOp, a: Tensor, b: Tensor): Tensor {
  let dtype = kernelDType(a.dtype, op);
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
  const { out, sizes, strides } = planBroadcast(broadcastShapes(a.shape, b.shape), a.dtype, [a, b]);
  backend().binary(kernelOp, dtype, sizes, out.pointer, a.pointer, strides[0], b.pointer, strides[1]);
  return out;
}

/** Whether a op b, as bool; one dtype, broadcast. */
export function compareKernel(op: CompareOp, a: Tensor, b: Tensor): Tensor {
  const dtype = kernelDType(a.dtype, op);
  const { out, sizes, strides } = planBroadcast(broadcastShapes(a.shape, b.shape), "bool", [a, b]);
  backend().compare(op, dtype, sizes, out.pointer, a.pointer, strides[0], b.pointer, strides[1]);
  return out;
}

/** A contiguous result of x, moved to x's memory format: convolutions and poolings compute on contiguous copies, and their results lie as PyTorch's. */
export function inFormatOf(x: Tensor, out: Tensor): Tensor {
  const format = suggestedFormat(x.shape, x.strides);
  if (format === "contiguous" || out.isContiguousIn(format)) return out;
  const moved = detachedCopy(out, stridesIn(format, out.shape));
  out.storage.release();
  return moved;
}
