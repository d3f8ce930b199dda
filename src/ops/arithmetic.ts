import { record } from "../autograd/record.ts";
import type { BinaryOp } from "../kernels/backend.ts";
import { backend } from "../kernels/registry.ts";
import { type DType, getDefaultDtype, isFloat, promoteTypes } from "../tensor/dtype.ts";
import { broadcastShapes, broadcastStrides } from "../tensor/shape.ts";
import { emptyTensor, packed, Tensor } from "../tensor/tensor.ts";
import { convert } from "./convert.ts";
import { reduceToShape } from "./reduce-to-shape.ts";

/** The dtype two operands are computed in, as torch.result_type: a 0-dimensional tensor or a number only decides by its kind. */
export function resultType(a: Tensor, b: Tensor | number): DType {
  if (typeof b === "number") {
    if (isFloat(a.dtype)) return a.dtype;
    if (!Number.isInteger(b)) return getDefaultDtype();
    return a.dtype === "bool" ? "int64" : a.dtype;
  }
  if (a.ndim > 0 === b.ndim > 0) return promoteTypes(a.dtype, b.dtype);
  const [array, single] = a.ndim > 0 ? [a, b] : [b, a];
  const sameKind = isFloat(array.dtype) === isFloat(single.dtype) && array.dtype !== "bool";
  return sameKind || isFloat(array.dtype) ? array.dtype : promoteTypes(array.dtype, single.dtype);
}

/** Elementwise on two tensors of one dtype, broadcast; no history. */
function compute(op: BinaryOp, a: Tensor, b: Tensor): Tensor {
  const shape = broadcastShapes(a.shape, b.shape);
  const out = emptyTensor(shape, a.dtype);
  backend().binary(
    op,
    a.dtype,
    shape,
    out.pointer,
    a.pointer,
    broadcastStrides(a.shape, a.strides, shape),
    b.pointer,
    broadcastStrides(b.shape, b.strides, shape),
  );
  return out;
}

function scalarOp(op: "addScalar" | "mulScalar" | "rsubScalar" | "rdivScalar" | "powScalar", x: Tensor, p: number): Tensor {
  const source = packed(x);
  const out = emptyTensor(x.shape, x.dtype);
  backend().unary(op, x.dtype, out.pointer, source.pointer, x.numel, p);
  return out;
}

/**
 * a + alpha·b, broadcast, as torch.add.
 * @throws ShapeError if the shapes do not broadcast
 * @example
 * ```ts
 * import { add, tensor } from "evenkeel";
 * add(tensor([1, 2]), 10).toArray(); // => [11, 12]
 * ```
 */
export function add(a: Tensor, b: Tensor | number, options: { alpha?: number } = {}): Tensor {
  const { alpha = 1 } = options;
  const x = convert(a, resultType(a, b));
  if (typeof b === "number") {
    return record("AddBackward0", scalarOp("addScalar", x, alpha * b), [x], (g) => [g]);
  }
  let y = convert(b, x.dtype);
  if (alpha !== 1) y = mul(y, alpha);
  return record("AddBackward0", compute("add", x, y), [x, y], (g, needs) => [
    needs[0] ? reduceToShape(g, x.shape) : null,
    needs[1] ? reduceToShape(g, y.shape) : null,
  ]);
}

/**
 * a · b, elementwise and broadcast, as torch.mul.
 * @throws ShapeError if the shapes do not broadcast
 * @example
 * ```ts
 * import { mul, tensor } from "evenkeel";
 * mul(tensor([[1], [2]]), tensor([3, 4])).toArray(); // => [[3, 4], [6, 8]]
 * ```
 */
export function mul(a: Tensor, b: Tensor | number): Tensor {
  const x = convert(a, resultType(a, b));
  if (typeof b === "number") {
    return record("MulBackward0", scalarOp("mulScalar", x, b), [x], (g) => [mul(g, b)]);
  }
  const y = convert(b, x.dtype);
  return record(
    "MulBackward0",
    compute("mul", x, y),
    [x, y],
    (g, needs) => [
      needs[0] ? reduceToShape(mul(g, y), x.shape) : null,
      needs[1] ? reduceToShape(mul(g, x), y.shape) : null,
    ],
    [x, y],
  );
}
