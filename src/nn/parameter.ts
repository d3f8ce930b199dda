import { Tensor } from "../tensor/tensor.ts";

/**
 * A tensor that a module learns: it requires a gradient, is found by `parameters()`, and its memory stays until it is unreachable. As torch.nn.Parameter; shares
 * the data tensor's memory.
 * @example
 * ```ts
 * import { nn, ones, type Tensor } from "evenkeel";
 * class Scale extends nn.Module {
 *   weight = new nn.Parameter(ones([3]));
 *   forward(x: Tensor) {
 *     return x.mul(this.weight);
 *   }
 * }
 * new Scale().parameters().length; // => 1
 * ```
 */
export class Parameter extends Tensor {
  /**
   * @param data initial values
   * @param requiresGrad false for a parameter that is not to be trained
   */
  constructor(data: Tensor, requiresGrad = true) {
    super(data.storage, data.shape, data.strides, data.dtype, data.storageOffset);
    this.requiresGrad = requiresGrad;
    this.keep();
  }

  /** As PyTorch prints it. */
  override toString(): string {
    return `Parameter containing:\n${super.toString()}`;
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}
