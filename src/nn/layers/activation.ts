import { gelu, leakyRelu, relu, relu6, sigmoid, silu, softplus, tanh } from "../../ops/activation.ts";
import { logSoftmax, softmax } from "../../ops/softmax.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { ArgumentError } from "../../util/errors.ts";
import { pythonFloat, pythonRepr } from "../../util/python-format.ts";
import { Module } from "../module.ts";

/**
 * max(x, 0), as torch.nn.ReLU.
 * @example
 * ```ts
 * import { nn, tensor } from "evenkeel";
 * new nn.ReLU().forward(tensor([-1, 2])).toArray(); // => [0, 2]
 * ```
 */
export class ReLU extends Module {
  forward(input: Tensor): Tensor {
    return relu(input);
  }
}

/**
 * min(max(x, 0), 6), as torch.nn.ReLU6.
 * @example
 * ```ts
 * import { nn, tensor } from "evenkeel";
 * new nn.ReLU6().forward(tensor([-1, 2, 8])).toArray(); // => [0, 2, 6]
 * ```
 */
export class ReLU6 extends Module {
  forward(input: Tensor): Tensor {
    return relu6(input);
  }
}

/**
 * x where x > 0, else negativeSlope·x, 0.01 if not given. As torch.nn.LeakyReLU.
 * @example
 * ```ts
 * import { nn, tensor } from "evenkeel";
 * new nn.LeakyReLU({ negativeSlope: 0.5 }).forward(tensor([-1, 2])).toArray(); // => [-0.5, 2]
 * ```
 */
export class LeakyReLU extends Module {
  readonly negativeSlope: number;

  constructor(options: { negativeSlope?: number } = {}) {
    super();
    this.negativeSlope = options.negativeSlope ?? 0.01;
  }

  forward(input: Tensor): Tensor {
    return leakyRelu(input, { negativeSlope: this.negativeSlope });
  }

  override extraRepr(): string {
    return `negative_slope=${pythonFloat(this.negativeSlope)}`;
  }
}

/**
 * 1 / (1 + e⁻ˣ), as torch.nn.Sigmoid.
 * @example
 * ```ts
 * import { nn, tensor } from "evenkeel";
 * new nn.Sigmoid().forward(tensor([0])).toArray(); // => [0.5]
 * ```
 */
export class Sigmoid extends Module {
  forward(input: Tensor): Tensor {
    return sigmoid(input);
  }
}

/**
 * Hyperbolic tangent, as torch.nn.Tanh.
 * @example
 * ```ts
 * import { nn, tensor } from "evenkeel";
 * new nn.Tanh().forward(tensor([1])).toArray(); // => [0.7616]
 * ```
 */
export class Tanh extends Module {
  forward(input: Tensor): Tensor {
    return tanh(input);
  }
}

/**
 * x · Φ(x) with the normal distribution function Φ, or its approximation by tanh. As torch.nn.GELU; Hendrycks & Gimpel 2016.
 * @throws ArgumentError at forward unless approximate is "none" or "tanh"
 * @example
 * ```ts
 * import { nn, tensor } from "evenkeel";
 * new nn.GELU().forward(tensor([1])).toArray(); // => [0.8413]
 * new nn.GELU({ approximate: "tanh" }).forward(tensor([1])).toArray(); // => [0.8412]
 * ```
 */
export class GELU extends Module {
  readonly approximate: "none" | "tanh";

  constructor(options: { approximate?: "none" | "tanh" } = {}) {
    super();
    this.approximate = options.approximate ?? "none";
  }

  forward(input: Tensor): Tensor {
    return gelu(input, { approximate: this.approximate });
  }

  override extraRepr(): string {
    return `approximate=${pythonRepr(this.approximate)}`;
  }
}

/**
 * x / (1 + e⁻ˣ), also called swish. As torch.nn.SiLU.
 * @example
 * ```ts
 * import { nn, tensor } from "evenkeel";
 * new nn.SiLU().forward(tensor([1])).toArray(); // => [0.7311]
 * ```
 */
export class SiLU extends Module {
  forward(input: Tensor): Tensor {
    return silu(input);
  }
}

/**
 * log(1 + exp(beta·x)) / beta, a smooth ReLU; x itself where beta·x > threshold. As torch.nn.Softplus, with beta 1 and threshold 20.
 * @example
 * ```ts
 * import { nn, tensor } from "evenkeel";
 * new nn.Softplus().forward(tensor([0, 100])).toArray(); // => [0.6931, 100]
 * ```
 */
export class Softplus extends Module {
  readonly beta: number;
  readonly threshold: number;

  constructor(options: { beta?: number; threshold?: number } = {}) {
    super();
    this.beta = options.beta ?? 1;
    this.threshold = options.threshold ?? 20;
  }

  forward(input: Tensor): Tensor {
    return softplus(input, { beta: this.beta, threshold: this.threshold });
  }

  override extraRepr(): string {
    return `beta=${pythonFloat(this.beta)}, threshold=${pythonFloat(this.threshold)}`;
  }
}

/** PyTorch guesses a dimension where none is given, and warns: guessing is what goes wrong. */
function givenDim(name: string, options: { dim: number }): number {
  if (options === undefined || !Number.isInteger(options.dim)) {
    throw new ArgumentError(
      `Implicit dimension choice for ${name} has been deprecated. Change the call to include dim=X as an argument.`,
      "give { dim: 1 } for [N, classes]",
    );
  }
  return options.dim;
}

/**
 * exp(x) / Σ exp(x) along a dimension. As torch.nn.Softmax.
 * @throws ArgumentError without a dimension
 * @example
 * ```ts
 * import { nn, tensor } from "evenkeel";
 * new nn.Softmax({ dim: 1 }).forward(tensor([[0, 0]])).toArray(); // => [[0.5, 0.5]]
 * ```
 */
export class Softmax extends Module {
  readonly dim: number;

  constructor(options: { dim: number }) {
    super();
    this.dim = givenDim("softmax", options);
  }

  forward(input: Tensor): Tensor {
    return softmax(input, this.dim);
  }

  override extraRepr(): string {
    return `dim=${this.dim}`;
  }
}

/**
 * x − ln Σ exp(x) along a dimension. As torch.nn.LogSoftmax.
 * @throws ArgumentError without a dimension
 * @example
 * ```ts
 * import { nn, tensor } from "evenkeel";
 * new nn.LogSoftmax({ dim: 1 }).forward(tensor([[0, 0]])).toArray(); // => [[-0.6931, -0.6931]]
 * ```
 */
export class LogSoftmax extends Module {
  readonly dim: number;

  constructor(options: { dim: number }) {
    super();
    this.dim = givenDim("log_softmax", options);
  }

  forward(input: Tensor): Tensor {
    return logSoftmax(input, this.dim);
  }

  override extraRepr(): string {
    return `dim=${this.dim}`;
  }
}
