import { isGradEnabled } from "../autograd/mode.ts";
import { record } from "../autograd/record.ts";
import { backend } from "../kernels/registry.ts";
import { type FloatDType, isFloat, scalarTypeName } from "../tensor/dtype.ts";
import { wrapDim } from "../tensor/shape.ts";
import { emptyTensor, packed, type Tensor } from "../tensor/tensor.ts";
import { DTypeError } from "../util/errors.ts";
import { mul, sub } from "./arithmetic.ts";
import { exp } from "./pointwise.ts";
import { sum } from "./reduction.ts";

function normalized(log: boolean, x: Tensor, dim: number): Tensor {
  if (!isFloat(x.dtype)) {
    throw new DTypeError(
      `"${log ? "log_softmax" : "softmax"}_lastdim_kernel_impl" not implemented for '${scalarTypeName(x.dtype)}'`,
      "convert the input first, for example with .float()",
    );
  }
  const dtype: FloatDType = x.dtype;
  const d = wrapDim(dim, x.ndim);
  let [outer, inner] = [1, 1];
  for (let i = 0; i < d; i++) outer *= x.shape[i];
  for (let i = d + 1; i < x.ndim; i++) inner *= x.shape[i];
  const size = x.shape[d] ?? 1;
  const source = packed(x);
  const y = source === x ? emptyTensor(x.shape, dtype) : source;
  backend().softmax(dtype, log, y.pointer, source.pointer, outer, size, inner);

  const fused = (g: Tensor) => {
    const gradient = packed(g);
    const gx = emptyTensor(x.shape, dtype);
    backend().softmaxGrad(dtype, log, gx.pointer, gradient.pointer, y.pointer, outer, size, inner);
    if (gradient !== g) gradient.storage.release();
    return gx;
  };
  const formula = (g: Tensor) => {
    if (log) return sub(g, mul(exp(y), sum(g, d, { keepdim: true })));
    const product = mul(g, y);
    return sub(product, mul(y, sum(product, d, { keepdim: true })));
  };
  const name = log ? "LogSoftmaxBackward0" : "SoftmaxBackward0";
  return record(name, y, [x], (g) => [isGradEnabled() ? formula(g) : fused(g)], [y], [], { dim: d });
}

/**
 * exp(x) / Σ exp(x) along a dimension, without overflow, as torch.softmax.
 * @throws DTypeError for integers
 * @throws IndexRangeError for a dimension that x does not have
 * @example
 * ```ts
 * import { softmax, tensor } from "evenkeel";
 * softmax(tensor([1000, 1000]), 0).toArray(); // => [0.5, 0.5]
 * ```
 */
export function softmax(x: Tensor, dim: number): Tensor {
  return normalized(false, x, dim);
}

/**
 * x − ln Σ exp(x) along a dimension, without overflow, as torch.log_softmax.
 * @throws DTypeError for integers
 * @throws IndexRangeError for a dimension that x does not have
 * @example
 * ```ts
 * import { logSoftmax, tensor } from "evenkeel";
 * logSoftmax(tensor([0]), 0).toArray(); // => [0]
 * ```
 */
export function logSoftmax(x: Tensor, dim: number): Tensor {
  return normalized(true, x, dim);
}
