import type { Collective } from "../../functional/collective.ts";
import { activate, type NormActivation } from "../../functional/norm-batch.ts";
import { add } from "../../ops/arithmetic.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { pythonRepr } from "../../util/python-format.ts";
import type { NormOptions } from "./base.ts";
import { BatchNorm, checkImages } from "./batch-norm.ts";

/** Options of batch normalization with an activation. */
export interface BatchNormActOptions extends NormOptions {
  /** what follows the normalization (and the residual): "relu" if not given, null for nothing */
  activation?: NormActivation | null;
}

/**
 * Batch normalization of [N, C, H, W], a residual added if there is one, and an activation, in one: activation(bn(x) + residual). It keeps the input and
 * (for relu, relu6, leakyRelu, sigmoid and tanh) the output for backward, but neither the normalized values nor the sum. Its state dict is BatchNorm2d's.
 * After timm's BatchNormAct2d; recomputing as in In-Place Activated BatchNorm (Rota Bulò et al. 2018).
 * @throws ShapeError as BatchNorm2d, or if the residual has another shape
 * @example
 * ```ts
 * import { nn, randn } from "evenkeel";
 * const layer = new nn.BatchNormAct2d(3);
 * const x = randn([2, 3, 4, 4]);
 * layer.forward(x, { residual: x }).min().item(); // => 0
 * [...layer.stateDict().keys()]; // => ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
 * ```
 */
export class BatchNormAct2d extends BatchNorm {
  activation: NormActivation | null;

  constructor(numFeatures: number, options: BatchNormActOptions = {}) {
    const { activation = "relu", ...rest } = options;
    super(numFeatures, rest);
    this.activation = activation;
  }

  protected checkInput(input: Tensor): void {
    checkImages(input);
  }

  /**
   * activation(bn(input) + residual), of the input's shape. In training it also updates the running statistics.
   * @param options.residual of the input's shape
   * @param options.mask as BatchNorm2d's; the normalized values are kept then
   */
  override forward(input: Tensor, options: { residual?: Tensor | null; mask?: Tensor | null } = {}): Tensor {
    return this.forwardThen(input, this.activation, options.residual, options.mask);
  }

  override forwardMany(inputs: readonly Tensor[], residuals: readonly (Tensor | null)[] = []): Tensor[] {
    return super.forwardMany(inputs).map((normalized, i) => {
      const residual = residuals[i];
      const sum = residual ? add(normalized, residual) : normalized;
      return this.activation ? activate(sum, this.activation) : sum;
    });
  }

  /** Takes the moments over all processes of a group (null: all that train together) from now on. Returns the layer. */
  synchronize(processGroup: Collective | null = null): this {
    this.synchronization = { group: processGroup };
    return this;
  }

  override extraRepr(): string {
    return `${super.extraRepr()}, activation=${pythonRepr(this.activation)}`;
  }
}
