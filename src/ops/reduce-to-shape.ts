import { record } from "../autograd/record.ts";
import type { ReduceOp } from "../kernels/backend.ts";
import { backend } from "../kernels/registry.ts";
import { kernelDType } from "../tensor/dtype.ts";
import { broadcastStrides, contiguousStrides, type Shape, sameShape } from "../tensor/shape.ts";
import { aliasOf, emptyTensor, packed, type Tensor } from "../tensor/tensor.ts";

/**
 * Reduces some dimensions, with one kernel call for each run of neighbouring ones, the last run first. The result has the given
 * shape; it shares x's memory if nothing was reduced.
 */
export function reduceRuns(op: ReduceOp, x: Tensor, reduced: (dim: number) => boolean, shape: Shape): Tensor {
  let current = packed(x);
  let inner = 1;
  for (let end = x.ndim; end > 0; ) {
    if (!reduced(end - 1)) {
      inner *= x.shape[--end];
      continue;
    }
    let size = 1;
    while (end > 0 && (reduced(end - 1) || x.shape[end - 1] === 1)) size *= x.shape[--end];
    let outer = 1;
    for (let d = 0; d < end; d++) outer *= x.shape[d];
    const next = emptyTensor([outer * inner], op === "any" || op === "all" ? "bool" : x.dtype);
    backend().reduce(op, kernelDType(current.dtype, op), next.pointer, current.pointer, outer, size, inner);
    if (current !== x) current.storage.release();
    current = next;
  }
  return aliasOf(current, shape, contiguousStrides(shape));
}

/** Sums what was broadcast from `shape`. */
function sumBroadcast(g: Tensor, shape: Shape): Tensor {
  const lead = g.ndim - shape.length;
  return reduceRuns("sum", g, (d) => g.shape[d] !== 1 && (d < lead || shape[d - lead] === 1), shape);
}

/** x read as the larger shape `to` without copying: the gradient of a sum over what was broadcast. */
export function broadcastTo(x: Tensor, to: Shape): Tensor {
  if (sameShape(x.shape, to)) return x;
  const out = aliasOf(x, to, broadcastStrides(x.shape, x.strides, to));
  return record("ExpandBackward0", out, [x], (g) => [reduceToShape(g, x.shape)]);
}

/**
 * Sums a gradient over what was broadcast, down to the shape of the input it belongs to; g itself if the shapes are equal.
 * @internal
 */
export function reduceToShape(g: Tensor, shape: Shape): Tensor {
  if (sameShape(g.shape, shape)) return g;
  return record("SumBackward1", sumBroadcast(g, shape), [g], (gg) => [broadcastTo(gg, g.shape)]);
}
