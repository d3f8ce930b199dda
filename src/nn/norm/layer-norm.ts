import { layerNorm } from "../../functional/norm-rows.ts";
import type { FloatDType } from "../../tensor/dtype.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { pythonFloat, pythonRepr } from "../../util/python-format.ts";
import { Module } from "../module.ts";
import type { Parameter } from "../parameter.ts";
import { affineParameters, biasRepr, resetAffine } from "./affine.ts";

/**
 * Layer normalization over the last dimensions, those of normalizedShape: each sample by the mean and biased variance of its own values, then γ and β for
 * every element. The same in training and evaluation. As torch.nn.LayerNorm; Ba et al. 2016.
 * @throws ShapeError if the input does not end in normalizedShape
 * @example
 * ```ts
 * import { nn, rand } from "evenkeel";
 * const layer = new nn.LayerNorm([4, 5]);
 * layer.forward(rand([2, 3, 4, 5])).shape; // => [2, 3, 4, 5]
 * String(layer); // => LayerNorm((4, 5), eps=1e-05, elementwise_affine=True)
 * ```
 */
export class LayerNorm extends Module {
  readonly normalizedShape: readonly number[];
  eps: number;
  readonly elementwiseAffine: boolean;
  /** γ, of normalizedShape, or null without elementwiseAffine */
  weight: Parameter | null;
  /** β, of normalizedShape, or null without elementwiseAffine or bias */
  bias: Parameter | null;

  constructor(
    normalizedShape: number | readonly number[],
    options: { eps?: number; elementwiseAffine?: boolean; bias?: boolean; dtype?: FloatDType } = {},
  ) {
    super();
    const { eps = 1e-5, elementwiseAffine = true, bias = true, dtype = "float32" } = options;
    const shape = typeof normalizedShape === "number" ? [normalizedShape] : [...normalizedShape];
    this.normalizedShape = shape;
    this.eps = eps;
    this.elementwiseAffine = elementwiseAffine;
    const parameters = affineParameters(shape, elementwiseAffine, bias, dtype);
    this.weight = parameters.weight;
    this.bias = parameters.bias;
  }

  /** Sets γ to 1 and β to 0. */
  resetParameters(): void {
    resetAffine(this);
  }

  /** The normalized input, of the same shape. */
  forward(input: Tensor): Tensor {
    return layerNorm(input, this.normalizedShape, { weight: this.weight, bias: this.bias, eps: this.eps });
  }

  override extraRepr(): string {
    const { normalizedShape, eps, elementwiseAffine } = this;
    const affine = `elementwise_affine=${pythonRepr(elementwiseAffine)}${biasRepr(this)}`;
    return `${pythonRepr(normalizedShape)}, eps=${pythonFloat(eps)}, ${affine}`;
  }
}
