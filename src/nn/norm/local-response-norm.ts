import { localResponseNorm, type ResponseOptions } from "../../functional/norm-response.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { pythonFloat } from "../../util/python-format.ts";
import { Module } from "../module.ts";

/**
 * Local response normalization of [N, C, …]: y = x / (k + alpha · mean of x² over `size` neighbouring channels)^beta. As torch.nn.LocalResponseNorm;
 * Krizhevsky et al. 2012.
 * @throws ShapeError for fewer than three dimensions
 * @example
 * ```ts
 * import { nn, rand } from "evenkeel";
 * const layer = new nn.LocalResponseNorm(5);
 * layer.forward(rand([2, 8, 4, 4])).shape; // => [2, 8, 4, 4]
 * String(layer); // => LocalResponseNorm(5, alpha=0.0001, beta=0.75, k=1.0)
 * ```
 */
export class LocalResponseNorm extends Module {
  alpha: number;
  beta: number;
  k: number;

  constructor(
    readonly size: number,
    options: ResponseOptions = {},
  ) {
    super();
    const { alpha = 1e-4, beta = 0.75, k = 1 } = options;
    this.alpha = alpha;
    this.beta = beta;
    this.k = k;
  }

  /** The normalized input, of the same shape. */
  forward(input: Tensor): Tensor {
    return localResponseNorm(input, this.size, this);
  }

  override extraRepr(): string {
    const { size, alpha, beta, k } = this;
    return `${size}, alpha=${pythonFloat(alpha)}, beta=${pythonFloat(beta)}, k=${pythonFloat(k)}`;
  }
}
