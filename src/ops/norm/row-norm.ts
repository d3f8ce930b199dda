import { isGradEnabled } from "../../autograd/mode.ts";
import { record } from "../../autograd/record.ts";
import type { RowShape } from "../../kernels/arguments.ts";
import { backend } from "../../kernels/registry.ts";
import { floatDType } from "../../tensor/dtype.ts";
import { numelOf } from "../../tensor/shape.ts";
import { emptyTensor, packed, type Tensor } from "../../tensor/tensor.ts";
import { contiguous } from "../views.ts";
import { differentiableGradients, type Positions } from "./differentiable.ts";

/** Normalization of every row by its own moments; `shape` says what a row is and how weight and bias lie over it. */
function rowNorm(
  name: string,
  x: Tensor,
  weight: Tensor | null,
  bias: Tensor | null,
  shape: RowShape,
  eps: number,
  positions: () => Positions,
): Tensor {
  const dtype = floatDType(x.dtype, name);
  const input = contiguous(x);
  const { rows } = shape;
  const scale = weight && packed(weight);
  const shift = bias && packed(bias);
  const mean = emptyTensor([rows], dtype);
  const invstd = emptyTensor([rows], dtype);
  const y = emptyTensor(x.shape, dtype);
  const kernels = backend();
  kernels.momentsByRow(dtype, mean.pointer, invstd.pointer, input.pointer, rows, shape.channels * shape.inner, eps);
  kernels.normalizeByRow(
    dtype,
    y.pointer,
    input.pointer,
    shape,
    mean.pointer,
    invstd.pointer,
    scale?.pointer ?? 0,
    shift?.pointer ?? 0,
  );
  return record(
    name,
    y,
    [input, weight, bias],
    (g, needs) => {
      if (isGradEnabled()) {
        return differentiableGradients(g, [input, weight, bias], needs, positions(), eps);
      }
      const upstream = packed(g);
      const gx = needs[0] ? emptyTensor(x.shape, dtype) : null;
      const gWeight = weight && needs[1] ? emptyTensor(weight.shape, dtype) : null;
      const gBias = bias && needs[2] ? emptyTensor(bias.shape, dtype) : null;
      backend().normalizeByRowGrad(
        dtype,
        gx?.pointer ?? 0,
        gWeight?.pointer ?? 0,
        gBias?.pointer ?? 0,
        upstream.pointer,
        input.pointer,
        shape,
        mean.pointer,
        invstd.pointer,
        scale?.pointer ?? 0,
      );
      if (upstream !== g) upstream.storage.release();
      return [gx, gWeight, gBias];
    },
    weight ? [input, weight] : [input],
    [mean, invstd],
  );
}

/** Layer normalization over the last dimensions, those of `normalizedShape`; weight and bias have that shape. */
export function layerNorm(
  x: Tensor,
  normalizedShape: readonly number[],
  weight: Tensor | null,
  bias: Tensor | null,
  eps: number,
): Tensor {
  const length = numelOf(normalizedShape);
  const lead = x.ndim - normalizedShape.length;
  const rows = numelOf(x.shape.slice(0, lead));
  return rowNorm(
    "NativeLayerNormBackward0",
    x,
    weight,
    bias,
    { rows, groups: 1, channels: length, inner: 1 },
    eps,
    () => ({
      view: [rows, length],
      dims: [1],
      affine: normalizedShape,
    }),
  );
}

/** Group normalization of [N, C, …] over groups of C / groups channels with all their positions; weight and bias are [C]. */
export function groupNorm(x: Tensor, groups: number, weight: Tensor | null, bias: Tensor | null, eps: number): Tensor {
  const [n, c] = x.shape;
  const inner = numelOf(x.shape.slice(2));
  const channels = c / groups;
  return rowNorm(
    "NativeGroupNormBackward0",
    x,
    weight,
    bias,
    { rows: n * groups, groups, channels, inner },
    eps,
    () => ({
      view: [n * groups, channels * inner],
      dims: [1],
      affine: x.shape.map((size, d) => (d === 1 ? size : 1)),
    }),
  );
}
