import { record } from "../autograd/record.ts";
import { backend } from "../kernels/registry.ts";
import { type FloatDType, isFloat, scalarTypeName } from "../tensor/dtype.ts";
import { broadcastShapes, broadcastStrides, numelOf, type Shape } from "../tensor/shape.ts";
import { aliasOf, detachedCopy, emptyTensor, type Tensor } from "../tensor/tensor.ts";
import { DTypeError, ShapeError } from "../util/errors.ts";
import { reduceToShape } from "./reduce-to-shape.ts";

/** A matrix product needs floats of one dtype. */
export function checkDTypes(a: Tensor, b: Tensor): FloatDType {
  if (a.dtype !== b.dtype) {
    throw new DTypeError(
      `expected scalar type ${scalarTypeName(a.dtype)} but found ${scalarTypeName(b.dtype)}`,
      "convert one of them, for example with .float() or .double()",
    );
  }
  if (!isFloat(a.dtype)) {
    throw new DTypeError(
      `matrix products of ${a.dtype} are not implemented`,
      "convert first, for example with .float()",
    );
  }
  return a.dtype;
}

/** The leading dimensions as one with one stride; broadcast or scattered ones that cannot be so seen are copied out. */
function foldBatch(x: Tensor, batch: Shape): { data: Tensor; stride: number } {
  const shape = [...batch, ...x.shape.slice(-2)];
  const strides = broadcastStrides(x.shape, x.strides, shape);
  let step = 0;
  let size = 1;
  let folds = true;
  for (let d = batch.length - 1; d >= 0 && folds; d--) {
    if (batch[d] === 1) continue;
    if (size === 1) step = strides[d];
    else folds = strides[d] === step * size;
    size *= batch[d];
  }
  if (folds) return { data: x, stride: step };
  const data = detachedCopy(aliasOf(x, shape, strides));
  return { data, stride: data.shape[data.ndim - 2] * data.shape[data.ndim - 1] };
}

/**
 * op(a)·op(b) over the last two dimensions, where op transposes if asked to; leading dimensions broadcast. Transposing costs nothing, and
 * the gradients are products of the same kind.
 */
export function product(a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean): Tensor {
  const dtype = checkDTypes(a, b);
  const isPlain = a.ndim === 2 && b.ndim === 2;
  const batch = isPlain ? [] : broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const { rows: m, columns: k } = matrixOf(a, transposeA);
  const { rows, columns: n } = matrixOf(b, transposeB);
  if (k !== rows) throw sizesDiffer([m, k], [rows, n]);
  const left = isPlain ? { data: a, stride: 0 } : foldBatch(a, batch);
  const right = isPlain ? { data: b, stride: 0 } : foldBatch(b, batch);
  const out = emptyTensor(isPlain ? [m, n] : [...batch, m, n], dtype);
  const one = matrixOf(left.data, transposeA);
  const other = matrixOf(right.data, transposeB);
  backend().gemm(
    dtype,
    {
      batch: numelOf(batch),
      m,
      n,
      k,
      aStrides: [left.stride, one.row, one.column],
      bStrides: [right.stride, other.row, other.column],
      outStrides: [m * n, n],
      accumulate: false,
    },
    out.pointer,
    left.data.pointer,
    right.data.pointer,
  );
  if (left.data !== a) left.data.storage.release();
  if (right.data !== b) right.data.storage.release();
  return record(
    isPlain ? "MmBackward0" : "BmmBackward0",
    out,
    [a, b],
    (g, needs) => [
      needs[0]
        ? reduceToShape(transposeA ? product(b, g, transposeB, true) : product(g, b, false, !transposeB), a.shape)
        : null,
      needs[1]
        ? reduceToShape(transposeB ? product(g, a, true, transposeA) : product(a, g, !transposeA, false), b.shape)
        : null,
    ],
    [a, b],
    [],
    { transposeA, transposeB },
  );
}

/** Sizes of the last two dimensions, and the strides along them; transposing swaps both. */
function matrixOf({ shape, strides }: Tensor, transposed: boolean) {
  const c = shape.length - (transposed ? 2 : 1);
  const r = shape.length - (transposed ? 1 : 2);
  return { rows: shape[r], columns: shape[c], row: strides[r], column: strides[c] };
}

/** PyTorch's error for matrices that do not go together. */
export function sizesDiffer(a: readonly number[], b: readonly number[]): ShapeError {
  return new ShapeError(
    `mat1 and mat2 shapes cannot be multiplied (${a[0]}x${a[1]} and ${b[0]}x${b[1]})`,
    `the ${a[1]} columns of the first must be as many as the ${b[0]} rows of the second`,
  );
}
