import { ones, zeros } from "../../tensor/creation.ts";
import type { FloatDType } from "../../tensor/dtype.ts";
import type { Shape } from "../../tensor/shape.ts";
import { Parameter } from "../parameter.ts";

/** What every normalization with parameters takes. */
export interface AffineParameters {
  /** γ, ones at first, or null without affine */
  weight: Parameter | null;
  /** β, zeros at first, or null without affine or bias */
  bias: Parameter | null;
}

/** γ and β of a shape. */
export function affineParameters(shape: Shape, affine: boolean, bias: boolean, dtype: FloatDType): AffineParameters {
  return {
    weight: affine ? new Parameter(ones(shape, { dtype })) : null,
    bias: affine && bias ? new Parameter(zeros(shape, { dtype })) : null,
  };
}

/** Sets γ to 1 and β to 0. */
export function resetAffine({ weight, bias }: AffineParameters): void {
  weight?.detach().fill_(1);
  bias?.detach().fill_(0);
}

/**
 * How a missing β is printed. PyTorch 1 has no such option; the latest 2.x print it always ("bias=True"). It is printed where it is not the
 * default, so that what both can make reads as in PyTorch 1 and most of 2.
 */
export function biasRepr({ weight, bias }: AffineParameters): string {
  return weight && !bias ? ", bias=False" : "";
}
