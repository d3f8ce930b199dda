import { groupNorm } from "../../functional/norm-rows.ts";
import type { FloatDType } from "../../tensor/dtype.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { ShapeError } from "../../util/errors.ts";
import { pythonFloat, pythonRepr } from "../../util/python-format.ts";
import { Module } from "../module.ts";
import type { Parameter } from "../parameter.ts";
import { affineParameters, biasRepr, resetAffine } from "./affine.ts";

/**
 * Group normalization of [N, C, …]: the channels of every image in numGroups groups, each normalized by the mean and biased variance of all its values, then γ
 * and β for every channel. The same in training and evaluation. As torch.nn.GroupNorm; Wu & He 2018.
 * @throws ShapeError if C is no multiple of numGroups
 * @example
 * ```ts
 * import { nn, rand } from "evenkeel";
 * const layer = new nn.GroupNorm(3, 6);
 * layer.forward(rand([2, 6, 4, 4])).shape; // => [2, 6, 4, 4]
 * String(layer); // => GroupNorm(3, 6, eps=1e-05, affine=True)
 * ```
 */
export class GroupNorm extends Module {
  readonly affine: boolean;
  eps: number;
  /** γ, [numChannels], or null without affine */
  weight: Parameter | null;
  /** β, [numChannels], or null without affine or bias */
  bias: Parameter | null;

  constructor(
    readonly numGroups: number,
    readonly numChannels: number,
    options: { eps?: number; affine?: boolean; bias?: boolean; dtype?: FloatDType } = {},
  ) {
    super();
    const { eps = 1e-5, affine = true, bias = true, dtype = "float32" } = options;
    if (!Number.isInteger(numGroups) || numGroups < 1 || numChannels % numGroups !== 0) {
      throw new ShapeError("num_channels must be divisible by num_groups", `they are ${numChannels} and ${numGroups}`);
    }
    this.eps = eps;
    this.affine = affine;
    const parameters = affineParameters([numChannels], affine, bias, dtype);
    this.weight = parameters.weight;
    this.bias = parameters.bias;
  }

  /** Sets γ to 1 and β to 0. */
  resetParameters(): void {
    resetAffine(this);
  }

  /** The normalized input, of the same shape. */
  forward(input: Tensor): Tensor {
    return groupNorm(input, this.numGroups, { weight: this.weight, bias: this.bias, eps: this.eps });
  }

  override extraRepr(): string {
    const { numGroups, numChannels, eps, affine } = this;
    return `${numGroups}, ${numChannels}, eps=${pythonFloat(eps)}, affine=${pythonRepr(affine)}${biasRepr(this)}`;
  }
}
