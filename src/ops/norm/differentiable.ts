import { grad } from "../../autograd/engine.ts";
import type { Shape } from "../../tensor/shape.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { add, mul, sub } from "../arithmetic.ts";
import { rsqrt, square } from "../pointwise.ts";
import { mean } from "../reduction.ts";
import { reshape } from "../views.ts";

/** Which positions share a mean, for the formula written in elementary operations. */
export interface Positions {
  /** x is seen in this shape, in which … */
  readonly view: Shape;
  /** … these dimensions are averaged over */
  readonly dims: readonly number[];
  /** the shape in which weight and bias meet x's own shape */
  readonly affine: Shape;
}

/** Statistics that are given rather than taken from x. */
interface Fixed {
  readonly mean: Tensor;
  readonly invstd: Tensor;
}

/** y = (x − mean) / √(var + eps) · weight + bias in elementary operations, so that all its derivatives exist. */
function formula(
  x: Tensor,
  weight: Tensor | null,
  bias: Tensor | null,
  positions: Positions,
  eps: number,
  fixed: Fixed | null,
): Tensor {
  const { view, dims, affine } = positions;
  let y: Tensor;
  if (fixed) {
    y = mul(sub(x, reshape(fixed.mean, affine)), reshape(fixed.invstd, affine));
  } else {
    const seen = reshape(x, view);
    const centred = sub(seen, mean(seen, dims, { keepdim: true }));
    const variance = mean(square(centred), dims, { keepdim: true });
    y = reshape(mul(centred, rsqrt(add(variance, eps))), x.shape);
  }
  if (weight) y = mul(y, reshape(weight, affine));
  return bias ? add(y, reshape(bias, affine)) : y;
}

/** Gradients of a normalization that can themselves be differentiated: what backward computes while gradients are recorded. */
export function differentiableGradients(
  g: Tensor,
  inputs: readonly [Tensor, Tensor | null, Tensor | null],
  needs: readonly boolean[],
  positions: Positions,
  eps: number,
  fixed: Fixed | null = null,
): (Tensor | null)[] {
  const y = formula(...inputs, positions, eps, fixed);
  const wanted = inputs.filter((input, i): input is Tensor => input !== null && needs[i]);
  const found = grad([y], wanted, { gradOutputs: [g], createGraph: true });
  return inputs.map((input, i) => (input && needs[i] ? found[wanted.indexOf(input)] : null));
}
