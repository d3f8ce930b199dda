import { record } from "../autograd/record.ts";
import { backend } from "../kernels/registry.ts";
import { broadcastStrides, contiguousStrides, type Shape, sameShape } from "../tensor/shape.ts";
import { aliasOf, emptyTensor, packed, type Tensor } from "../tensor/tensor.ts";

/** Sums what was broadcast: one kernel call for each run of neighbouring broadcast dimensions, the last run first. */
function sumBroadcast(g: Tensor, shape: Shape): Tensor {
  const lead = g.ndim - shape.length;
  const kept = (d: number) => d >= lead && shape[d - lead] !== 1;
  let current = packed(g);
  let inner = 1;
  for (let end = g.ndim; end > 0; ) {
    if (kept(end - 1)) {
      inner *= g.shape[--end];
      continue;
    }
    let size = 1;
    while (end > 0 && !kept(end - 1)) size *= g.shape[--end];
    if (size === 1) continue;
    let outer = 1;
    for (let d = 0; d < end; d++) outer *= g.shape[d];
    const next = emptyTensor([outer, inner], g.dtype);
    backend().reduce("sum", g.dtype, next.pointer, current.pointer, outer, size, inner);
    if (current !== g) current.storage.release();
    current = next;
  }
  return aliasOf(current, shape, contiguousStrides(shape));
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
