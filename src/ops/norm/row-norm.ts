import { isGradEnabled } from "../../autograd/mode.ts";
import { record } from "../../autograd/record.ts";
import type { RowShape } from "../../kernels/arguments.ts";
import { backend } from "../../kernels/registry.ts";
import { floatDType } from "../../tensor/dtype.ts";
import { numelOf, type Shape } from "../../tensor/shape.ts";
import { emptyTensor, packed, type Tensor } from "../../tensor/tensor.ts";
import { differentiableGradients } from "./differentiable.ts";
import type { Affine } from "./layout.ts";

/** A normalization of every row by its own moments. */
interface RowNorm {
  /** PyTorch's name of the backward function */
  readonly name: string;
  /** what a row is, and how weight and bias lie over it */
  readonly shape: RowShape;
  /** the shape in which weight and bias meet x's own shape */
  readonly affine: Shape;
  /** false: no mean is subtracted (RMS norm) */
  readonly centred: boolean;
}

export function rowNorm(x: Tensor, { weight, bias }: Affine, eps: number, norm: RowNorm): Tensor {
  const { name, shape, affine, centred } = norm;
  const dtype = floatDType(x.dtype, name);
  const input = packed(x);
  const { rows } = shape;
  const length = shape.channels * shape.inner;
  const scale = weight && packed(weight);
  const shift = bias && packed(bias);
  const mean = centred ? emptyTensor([rows], dtype) : null;
  const rest = centred ? emptyTensor([rows], dtype) : null;
  const invstd = emptyTensor([rows], dtype);
  const y = emptyTensor(x.shape, dtype);
  backend().rowNorm(
    dtype,
    y.pointer,
    mean?.pointer ?? 0,
    rest?.pointer ?? 0,
    invstd.pointer,
    input.pointer,
    shape,
    scale?.pointer ?? 0,
    shift?.pointer ?? 0,
    eps,
  );
  return record(
    name,
    y,
    [x, weight, bias],
    (g, needs) => {
      if (isGradEnabled()) {
        const part = { x, g, positions: { view: [rows, length], dims: [1], affine } };
        const moments = { count: length, eps, centred, flatIsZero: false };
        const found = differentiableGradients([part], { weight, bias }, moments);
        return [found.x[0], found.weight, found.bias];
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
        mean?.pointer ?? 0,
        rest?.pointer ?? 0,
        invstd.pointer,
        scale?.pointer ?? 0,
      );
      if (upstream !== g) upstream.storage.release();
      return [gx, gWeight, gBias];
    },
    weight ? [x, weight] : [x],
    [mean, rest, invstd, input === x ? null : input].filter((tensor) => tensor !== null),
    { eps, groups: shape.groups, normalized: affine.length },
  );
}

/** Rows of the last dimensions, those of `normalizedShape`; weight and bias have that shape. */
function byLastDimensions(name: string, x: Tensor, normalizedShape: Shape, centred: boolean): RowNorm {
  const rows = numelOf(x.shape.slice(0, x.ndim - normalizedShape.length));
  const shape = { rows, groups: 1, channels: numelOf(normalizedShape), inner: 1 };
  return { name, shape, affine: normalizedShape, centred };
}

/** Layer normalization over the last dimensions: y = (x − mean) / √(var + eps) · weight + bias. */
export function layerNorm(x: Tensor, normalizedShape: Shape, affine: Affine, eps: number): Tensor {
  return rowNorm(x, affine, eps, byLastDimensions("NativeLayerNormBackward0", x, normalizedShape, true));
}

/** Root mean square normalization over the last dimensions: y = x / √(E[x²] + eps) · weight. */
export function rmsNorm(x: Tensor, normalizedShape: Shape, weight: Tensor | null, eps: number): Tensor {
  const rows = byLastDimensions("FusedRmsNormBackward0", x, normalizedShape, false);
  return rowNorm(x, { weight, bias: null }, eps, rows);
}
