import { linear } from "../../functional/linear.ts";
import { empty } from "../../tensor/creation.ts";
import type { FloatDType } from "../../tensor/dtype.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { ArgumentError } from "../../util/errors.ts";
import { pythonRepr } from "../../util/python-format.ts";
import { Module } from "../module.ts";
import { Parameter } from "../parameter.ts";
import { resetLinear } from "./reset.ts";

/**
 * y = x·Wᵀ + b over the last dimension: [*, inFeatures] to [*, outFeatures]; the weight is [outFeatures, inFeatures]. As torch.nn.Linear, with the same initial
 * values for the same seed.
 * @throws ShapeError if the input's last size is not inFeatures
 * @example
 * ```ts
 * import { manualSeed, nn, randn } from "evenkeel";
 * manualSeed(0);
 * const layer = new nn.Linear(2, 2);
 * layer.weight.toArray(); // => [[-0.0053, 0.3793], [-0.5820, -0.5204]]
 * layer.forward(randn([3, 2])).shape; // => [3, 2]
 * ```
 */
export class Linear extends Module {
  /** [outFeatures, inFeatures] */
  weight: Parameter;
  /** [outFeatures], or null */
  bias: Parameter | null;

  constructor(
    readonly inFeatures: number,
    readonly outFeatures: number,
    options: { bias?: boolean; dtype?: FloatDType } = {},
  ) {
    super();
    const { bias = true, dtype = "float32" } = options;
    for (const [name, size] of Object.entries({ inFeatures, outFeatures })) {
      if (!Number.isInteger(size) || size < 0)
        throw new ArgumentError(`${name} is ${size}`, "give a whole number from 0");
    }
    this.weight = new Parameter(empty([outFeatures, inFeatures], { dtype }));
    this.bias = bias ? new Parameter(empty([outFeatures], { dtype })) : null;
    this.resetParameters();
  }

  /** Draws new initial values. */
  resetParameters(): void {
    resetLinear(this.weight, this.bias);
  }

  forward(input: Tensor): Tensor {
    return linear(input, this.weight, { bias: this.bias });
  }

  override extraRepr(): string {
    return `in_features=${this.inFeatures}, out_features=${this.outFeatures}, bias=${pythonRepr(this.bias !== null)}`;
  }
}
