import { record } from "../autograd/record.ts";
import { backend } from "../kernels/registry.ts";
import { scalarTypeName } from "../tensor/dtype.ts";
import { numelOf } from "../tensor/shape.ts";
import { aliasOf, detachedCopy, type Tensor } from "../tensor/tensor.ts";
import { DTypeError, ShapeError } from "../util/errors.ts";
import { mul } from "./arithmetic.ts";
import { checkDTypes, product, sizesDiffer } from "./product.ts";
import { reduceToShape } from "./reduce-to-shape.ts";
import { reshape, squeeze, unsqueeze } from "./views.ts";

/**
 * The matrix product as torch.matmul: vectors as rows or columns, matrices, and stacks of matrices whose leading dimensions broadcast.
 * @throws ShapeError if the sizes do not go together
 * @throws DTypeError unless both are floats of one dtype
 * @example
 * ```ts
 * import { matmul, tensor } from "evenkeel";
 * matmul(tensor([[1, 2], [3, 4]]), tensor([1, 1])).toArray(); // => [3, 7]
 * ```
 */
export function matmul(a: Tensor, b: Tensor): Tensor {
  if (a.ndim === 0 || b.ndim === 0) {
    throw new ShapeError(
      `both arguments to matmul need to be at least 1D, but they are ${a.ndim}D and ${b.ndim}D`,
      "use mul() for numbers",
    );
  }
  if (a.ndim === 2 && b.ndim === 2) return product(a, b, false, false);
  if (a.ndim === 1 && b.ndim === 1) return dot(a, b);
  const [k, k2] = [a.shape[a.ndim - 1], b.shape[Math.max(b.ndim - 2, 0)]];
  if (b.ndim === 1) {
    const rows = a.numel / Math.max(k, 1);
    if (k !== k2)
      throw new ShapeError(`size mismatch, got ${rows}, ${rows}x${k},${k2}`, "the last dimensions must be equal");
    return squeeze(matmul(a, unsqueeze(b, 1)), -1);
  }
  if (a.ndim === 1) return squeeze(matmul(unsqueeze(a, 0), b), -2);
  if (b.ndim === 2) {
    // one tall matrix instead of a stack
    const tall = reshape(a, [numelOf(a.shape.slice(0, -1)), k]);
    return reshape(product(tall, b, false, false), [...a.shape.slice(0, -1), b.shape[1]]);
  }
  if (k !== k2) throw sizesDiffer(a.shape.slice(-2), b.shape.slice(-2));
  return product(a, b, false, false);
}

/**
 * The product of two matrices, as torch.mm.
 * @throws ShapeError unless both are matrices that go together
 * @example
 * ```ts
 * import { mm, tensor } from "evenkeel";
 * mm(tensor([[1, 2]]), tensor([[3], [4]])).toArray(); // => [[11]]
 * ```
 */
export function mm(a: Tensor, b: Tensor): Tensor {
  if (a.ndim !== 2) throw new ShapeError("self must be a matrix", `it has the shape [${a.shape.join(", ")}]`);
  if (b.ndim !== 2) throw new ShapeError("mat2 must be a matrix", `it has the shape [${b.shape.join(", ")}]`);
  return product(a, b, false, false);
}

/**
 * The products of two stacks of matrices, [B, m, k]·[B, k, n], as torch.bmm: nothing broadcasts.
 * @throws ShapeError unless the stacks go together
 * @example
 * ```ts
 * import { bmm, ones } from "evenkeel";
 * bmm(ones([2, 1, 3]), ones([2, 3, 1])).toArray(); // => [[[3]], [[3]]]
 * ```
 */
export function bmm(a: Tensor, b: Tensor): Tensor {
  if (a.ndim !== 3) throw new ShapeError("batch1 must be a 3D tensor", `it has the shape [${a.shape.join(", ")}]`);
  if (b.ndim !== 3) throw new ShapeError("batch2 must be a 3D tensor", `it has the shape [${b.shape.join(", ")}]`);
  if (a.shape[0] !== b.shape[0] || a.shape[2] !== b.shape[1]) {
    throw new ShapeError(
      `Expected size for first two dimensions of batch2 tensor to be: [${a.shape[0]}, ${a.shape[2]}] but got: [${b.shape[0]}, ${b.shape[1]}].`,
    );
  }
  return product(a, b, false, false);
}

/**
 * Σ aᵢ·bᵢ of two vectors, as torch.dot.
 * @throws ShapeError unless both are vectors of one length
 * @example
 * ```ts
 * import { dot, tensor } from "evenkeel";
 * dot(tensor([1, 2]), tensor([3, 4])).item(); // => 11
 * ```
 */
export function dot(a: Tensor, b: Tensor): Tensor {
  if (a.ndim !== 1 || b.ndim !== 1) {
    throw new ShapeError(`1D tensors expected, but got ${a.ndim}D and ${b.ndim}D tensors`, "use matmul()");
  }
  if (a.dtype !== b.dtype) {
    throw new DTypeError(
      `dot : expected both vectors to have same dtype, but found ${scalarTypeName(a.dtype)} and ${scalarTypeName(b.dtype)}`,
    );
  }
  const [n, n2] = [a.shape[0], b.shape[0]];
  if (n !== n2) {
    throw new ShapeError(
      `inconsistent tensor size, expected tensor [${n}] and src [${n2}] to have the same number of elements, but got ${n} and ${n2} elements respectively`,
    );
  }
  return reshape(product(unsqueeze(a, 0), unsqueeze(b, 1), false, false), []);
}

/**
 * All products aᵢ·bⱼ of two vectors as a matrix, as torch.outer.
 * @throws ShapeError unless both are vectors
 * @example
 * ```ts
 * import { outer, tensor } from "evenkeel";
 * outer(tensor([1, 2]), tensor([3, 4])).toArray(); // => [[3, 4], [6, 8]]
 * ```
 */
export function outer(a: Tensor, b: Tensor): Tensor {
  if (a.ndim !== 1) throw new ShapeError(`outer: Expected 1-D argument self, but got ${a.ndim}-D`);
  if (b.ndim !== 1) throw new ShapeError(`outer: Expected 1-D argument vec2, but got ${b.ndim}-D`);
  return mul(unsqueeze(a, 1), b);
}

/** x·weightᵀ + bias of a matrix: the bias is laid out first, and the product added to it. */
function affine(x: Tensor, weight: Tensor, bias: Tensor): Tensor {
  const dtype = checkDTypes(x, weight);
  const m = x.shape[0];
  const k = x.shape[1];
  const n = weight.shape[0];
  const out = detachedCopy(aliasOf(bias, [m, n], [0, bias.strides[0]]));
  backend().gemm(
    dtype,
    {
      batch: 1,
      m,
      n,
      k,
      aStrides: [0, x.strides[0], x.strides[1]],
      bStrides: [0, weight.strides[1], weight.strides[0]],
      outStrides: [m * n, n],
      accumulate: true,
    },
    out.pointer,
    x.pointer,
    weight.pointer,
  );
  return record(
    "AddmmBackward0",
    out,
    [x, weight, bias],
    (g, needs) => [
      needs[0] ? product(g, weight, false, false) : null,
      needs[1] ? product(g, x, true, false) : null,
      needs[2] ? reduceToShape(g, bias.shape) : null,
    ],
    [x, weight],
  );
}

/**
 * x·weightᵀ + bias over the last dimension, as torch.nn.functional.linear.
 *
 * @param x [*, in]
 * @param weight [out, in]
 * @param bias [out], or none
 * @returns [*, out]
 * @throws ShapeError if the sizes do not go together
 * @throws DTypeError unless all are floats of one dtype
 */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor | null): Tensor {
  if (weight.ndim !== 2) {
    throw new ShapeError(
      `linear: expected a weight of shape [out, in] (got ${weight.ndim}D weight)`,
      "use matmul() for a vector",
    );
  }
  const n = weight.shape[0];
  const k = weight.shape[1];
  const lead = x.shape.slice(0, -1);
  const rows = numelOf(lead);
  if (x.ndim === 0) throw new ShapeError("both arguments to linear need to be at least 1D, but they are 0D and 2D");
  if (x.dtype !== weight.dtype || (bias && bias.dtype !== x.dtype)) {
    throw new DTypeError(
      "mat1 and mat2 must have the same dtype",
      `the input is ${x.dtype}, the weight ${weight.dtype}${bias ? `, the bias ${bias.dtype}` : ""}; convert one, for example with .float()`,
    );
  }
  if (x.shape[x.ndim - 1] !== k) throw sizesDiffer([rows, x.shape[x.ndim - 1]], [k, n]);
  if (bias && (bias.ndim !== 1 || bias.shape[0] !== n)) {
    throw new ShapeError(
      `The expanded size of the tensor (${n}) must match the existing size (${bias.shape.at(-1) ?? 1}) at non-singleton dimension 1.  Target sizes: [${rows}, ${n}].  Tensor sizes: [${bias.shape.join(", ")}]`,
      `the bias has one element for each of the ${n} outputs`,
    );
  }
  const matrix = x.ndim === 2 ? x : reshape(x, [rows, k]);
  const out = bias ? affine(matrix, weight, bias) : product(matrix, weight, false, true);
  return x.ndim === 2 ? out : reshape(out, [...lead, n]);
}
