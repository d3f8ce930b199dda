import { rmsNorm } from "../../functional/norm-rows.ts";
import type { FloatDType } from "../../tensor/dtype.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { pythonFloat, pythonRepr } from "../../util/python-format.ts";
import { Module } from "../module.ts";
import type { Parameter } from "../parameter.ts";
import { affineParameters } from "./affine.ts";

/**
 * Root mean square normalization over the last dimensions, those of normalizedShape: y = x / √(E[x²] + eps) · γ. No mean is subtracted and no bias added.
 * eps null is the input's machine epsilon (1.2e-7 for float32). As torch.nn.RMSNorm; Zhang & Sennrich 2019.
 * @throws ShapeError if the input does not end in normalizedShape
 * @example
 * ```ts
 * import { nn, tensor } from "evenkeel";
 * const layer = new nn.RMSNorm(2);
 * layer.forward(tensor([[1, 7]])).toArray(); // => [[0.2, 1.4]]
 * String(layer); // => RMSNorm((2,), eps=None, elementwise_affine=True)
 * ```
 */
export class RMSNorm extends Module {
  readonly normalizedShape: readonly number[];
  eps: number | null;
  readonly elementwiseAffine: boolean;
  /** γ, of normalizedShape, or null without elementwiseAffine */
  weight: Parameter | null;

  constructor(
    normalizedShape: number | readonly number[],
    options: { eps?: number | null; elementwiseAffine?: boolean; dtype?: FloatDType } = {},
  ) {
    super();
    const { eps = null, elementwiseAffine = true, dtype = "float32" } = options;
    this.normalizedShape = typeof normalizedShape === "number" ? [normalizedShape] : [...normalizedShape];
    this.eps = eps;
    this.elementwiseAffine = elementwiseAffine;
    this.weight = affineParameters(this.normalizedShape, elementwiseAffine, false, dtype).weight;
  }

  /** Sets γ to 1. */
  resetParameters(): void {
    this.weight?.detach().fill_(1);
  }

  /** The normalized input, of the same shape. */
  forward(input: Tensor): Tensor {
    return rmsNorm(input, this.normalizedShape, { weight: this.weight, eps: this.eps });
  }

  override extraRepr(): string {
    const { normalizedShape, eps, elementwiseAffine } = this;
    return `${pythonRepr(normalizedShape)}, eps=${pythonFloat(eps)}, elementwise_affine=${pythonRepr(elementwiseAffine)}`;
  }
}
