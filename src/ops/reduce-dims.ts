import { record } from "../autograd/record.ts";
import type { ReduceOp } from "../kernels/backend.ts";
import type { Shape } from "../tensor/shape.ts";
import { aliasOf, detachedCopy, type Tensor } from "../tensor/tensor.ts";
import { reduceRuns } from "./reduce-to-shape.ts";

/*
 * What reductions are made of: sums over dimensions and their gradient, which reads a sum as if it had the input's shape.
 */

/** The shape after a reduction. */
export function reducedShape(shape: Shape, dims: readonly number[], keepdim: boolean): number[] {
  if (keepdim) return shape.map((size, d) => (dims.includes(d) ? 1 : size));
  return shape.filter((_, d) => !dims.includes(d));
}

/** A reduction's result read as if it had the input's shape, without copying; with history. */
export function spread(y: Tensor, shape: Shape, dims: readonly number[]): Tensor {
  const keepdim = y.ndim === shape.length;
  let d = 0;
  const strides = shape.map((_, i) => {
    const stride = dims.includes(i) ? 0 : y.strides[d];
    if (keepdim || !dims.includes(i)) d++;
    return stride;
  });
  return record("ExpandBackward0", aliasOf(y, shape, strides), [y], (g) => [sumOver(g, dims, keepdim)]);
}

/** op over the dimensions, in x's dtype (any and all: bool), always in memory of its own; no history. */
export function reduceDims(op: ReduceOp, x: Tensor, dims: readonly number[], keepdim: boolean): Tensor {
  const out = reduceRuns(op, x, (d) => dims.includes(d), reducedShape(x.shape, dims, keepdim));
  return out.storage === x.storage ? detachedCopy(out) : out;
}

/** The sum over the dimensions, with history. */
export function sumOver(x: Tensor, dims: readonly number[], keepdim: boolean): Tensor {
  const name = dims.length === x.ndim ? "SumBackward0" : "SumBackward1";
  return record(name, reduceDims("sum", x, dims, keepdim), [x], (g) => [spread(g, x.shape, dims)], [], [], { dims });
}
