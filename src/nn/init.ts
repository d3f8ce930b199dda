import { noGrad } from "../autograd/mode.ts";
import { eye, tensor } from "../tensor/creation.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { ArgumentError, ShapeError } from "../util/errors.ts";
import { isSkippingInit } from "./skip-init.ts";

/** Nonlinearities that calculateGain knows. */
export type Nonlinearity =
  | "linear"
  | "conv1d"
  | "conv2d"
  | "conv3d"
  | "sigmoid"
  | "tanh"
  | "relu"
  | "leaky_relu"
  | "selu";

/**
 * Number of inputs and outputs of a unit, from a weight [out, in, …]: in and out times the kernel's positions. As torch.nn.init._calculate_fan_in_and_fan_out.
 * @throws ShapeError below two dimensions
 * @example
 * ```ts
 * import { nn, zeros } from "evenkeel";
 * nn.init.calculateFanInAndFanOut(zeros([8, 4, 3, 3])); // => [36, 72]
 * ```
 */
export function calculateFanInAndFanOut(weight: Tensor): [fanIn: number, fanOut: number] {
  if (weight.ndim < 2) {
    throw new ShapeError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions");
  }
  const [out, inputs, ...kernel] = weight.shape;
  const positions = kernel.reduce((a, b) => a * b, 1);
  return [inputs * positions, out * positions];
}

/**
 * The factor by which weights should be larger for a nonlinearity to keep the variance, as torch.nn.init.calculate_gain. `param` is leaky_relu's negative slope, 0.01.
 * @example
 * ```ts
 * import { nn } from "evenkeel";
 * nn.init.calculateGain("relu"); // => 1.4142
 * ```
 */
export function calculateGain(nonlinearity: Nonlinearity, param = 0.01): number {
  switch (nonlinearity) {
    case "linear":
    case "conv1d":
    case "conv2d":
    case "conv3d":
    case "sigmoid":
      return 1;
    case "tanh":
      return 5 / 3;
    case "relu":
      return Math.sqrt(2);
    case "leaky_relu":
      return Math.sqrt(2 / (1 + param ** 2));
    case "selu":
      return 3 / 4;
    default:
      throw new ArgumentError(`Unsupported nonlinearity ${nonlinearity}`);
  }
}

/**
 * Fills with uniform values from a to b, in place. As torch.nn.init.uniform_.
 * @example
 * ```ts
 * import { nn, zeros } from "evenkeel";
 * nn.init.uniform_(zeros([3]), -0.1, 0.1).abs().max().item() < 0.1; // => true
 * ```
 */
export function uniform_(x: Tensor, a = 0, b = 1): Tensor {
  return isSkippingInit() ? x : noGrad(() => x.uniform_({ from: a, to: b }));
}

/**
 * Fills with normal values, in place. As torch.nn.init.normal_.
 * @example
 * ```ts
 * import { nn, zeros } from "evenkeel";
 * nn.init.normal_(zeros([100]), 5, 0.1).mean().item() > 4; // => true
 * ```
 */
export function normal_(x: Tensor, mean = 0, std = 1): Tensor {
  return isSkippingInit() ? x : noGrad(() => x.normal_({ mean, std }));
}

/**
 * Fills with normal values that are drawn within [a, b], in place: the inverse distribution function of uniform values. As torch.nn.init.trunc_normal_.
 * @example
 * ```ts
 * import { nn, zeros } from "evenkeel";
 * nn.init.truncNormal_(zeros([100]), { std: 3, a: -1, b: 1 }).abs().max().item() <= 1; // => true
 * ```
 */
export function truncNormal_(x: Tensor, options: { mean?: number; std?: number; a?: number; b?: number } = {}): Tensor {
  const { mean = 0, std = 1, a = -2, b = 2 } = options;
  if (isSkippingInit()) return x;
  return noGrad(() => {
    const lower = normalDistribution((a - mean) / std);
    const upper = normalDistribution((b - mean) / std);
    x.uniform_({ from: 2 * lower - 1, to: 2 * upper - 1 });
    const values = Float64Array.from(x.toTypedArray() as Float32Array, (u) => inverseErf(u) * std * Math.SQRT2 + mean);
    using drawn = tensor(values, { shape: [...x.shape] });
    return x.copy_(drawn).clamp_({ min: a, max: b });
  });
}

/**
 * Fills with one value, in place. As torch.nn.init.constant_.
 * @example
 * ```ts
 * import { nn, zeros } from "evenkeel";
 * nn.init.constant_(zeros([2]), 0.3).toArray(); // => [0.3, 0.3]
 * ```
 */
export function constant_(x: Tensor, value: number): Tensor {
  return noGrad(() => x.fill_(value));
}

/**
 * Fills with ones, in place. As torch.nn.init.ones_.
 * @example
 * ```ts
 * import { nn, zeros } from "evenkeel";
 * nn.init.ones_(zeros([2])).toArray(); // => [1, 1]
 * ```
 */
export function ones_(x: Tensor): Tensor {
  return constant_(x, 1);
}

/**
 * Fills with zeros, in place. As torch.nn.init.zeros_.
 * @example
 * ```ts
 * import { nn, ones } from "evenkeel";
 * nn.init.zeros_(ones([2])).toArray(); // => [0, 0]
 * ```
 */
export function zeros_(x: Tensor): Tensor {
  return constant_(x, 0);
}

/**
 * Makes a matrix the identity, in place. As torch.nn.init.eye_.
 * @throws ShapeError unless it has two dimensions
 * @example
 * ```ts
 * import { nn, zeros } from "evenkeel";
 * nn.init.eye_(zeros([2, 3])).toArray(); // => [[1, 0, 0], [0, 1, 0]]
 * ```
 */
export function eye_(x: Tensor): Tensor {
  if (x.ndim !== 2) throw new ShapeError("Only tensors with 2 dimensions are supported");
  return noGrad(() => x.copy_(eye(x.shape[0], { m: x.shape[1], dtype: x.dtype })));
}

/**
 * Glorot & Bengio 2010: uniform in ± gain·√(6 / (fanIn + fanOut)), in place. As torch.nn.init.xavier_uniform_.
 * @example
 * ```ts
 * import { nn, zeros } from "evenkeel";
 * nn.init.xavierUniform_(zeros([3, 3])).abs().max().item() <= 1; // => true
 * ```
 */
export function xavierUniform_(x: Tensor, gain = 1): Tensor {
  const [fanIn, fanOut] = calculateFanInAndFanOut(x);
  const std = gain * Math.sqrt(2 / (fanIn + fanOut));
  const bound = Math.sqrt(3) * std;
  return uniform_(x, -bound, bound);
}

/**
 * Glorot & Bengio 2010: normal with std gain·√(2 / (fanIn + fanOut)), in place. As torch.nn.init.xavier_normal_.
 * @example
 * ```ts
 * import { nn, zeros } from "evenkeel";
 * nn.init.xavierNormal_(zeros([4, 4])).shape; // => [4, 4]
 * ```
 */
export function xavierNormal_(x: Tensor, gain = 1): Tensor {
  const [fanIn, fanOut] = calculateFanInAndFanOut(x);
  return normal_(x, 0, gain * Math.sqrt(2 / (fanIn + fanOut)));
}

/** Options of the kaiming initialisations. */
export interface KaimingOptions {
  /** negative slope of leaky_relu, 0 */
  a?: number;
  /** keep the variance of the forward ("fan_in") or of the backward pass ("fan_out") */
  mode?: "fan_in" | "fan_out";
  nonlinearity?: Nonlinearity;
}

function kaimingStd(x: Tensor, options: KaimingOptions): number {
  const { a = 0, mode = "fan_in", nonlinearity = "leaky_relu" } = options;
  if (mode !== "fan_in" && mode !== "fan_out") {
    throw new ArgumentError(`Mode ${mode} not supported, please use one of ['fan_in', 'fan_out']`);
  }
  const [fanIn, fanOut] = calculateFanInAndFanOut(x);
  return calculateGain(nonlinearity, a) / Math.sqrt(mode === "fan_in" ? fanIn : fanOut);
}

/**
 * He et al. 2015: uniform in ± gain·√(3 / fan), in place. As torch.nn.init.kaiming_uniform_.
 * @example
 * ```ts
 * import { nn, zeros } from "evenkeel";
 * nn.init.kaimingUniform_(zeros([3, 3]), { nonlinearity: "relu" }).abs().max().item() <= Math.SQRT2; // => true
 * ```
 */
export function kaimingUniform_(x: Tensor, options: KaimingOptions = {}): Tensor {
  if (x.shape.includes(0)) return x;
  const bound = Math.sqrt(3) * kaimingStd(x, options);
  return uniform_(x, -bound, bound);
}

/**
 * He et al. 2015: normal with std gain / √fan, in place. As torch.nn.init.kaiming_normal_.
 * @example
 * ```ts
 * import { nn, zeros } from "evenkeel";
 * nn.init.kaimingNormal_(zeros([4, 4]), { mode: "fan_out" }).shape; // => [4, 4]
 * ```
 */
export function kaimingNormal_(x: Tensor, options: KaimingOptions = {}): Tensor {
  if (x.shape.includes(0)) return x;
  return normal_(x, 0, kaimingStd(x, options));
}

/** Φ(x) of the standard normal distribution: ½·(1 + erf(x/√2)). */
function normalDistribution(x: number): number {
  // erf by its series; |x| is small here (a few standard deviations), where it converges in some dozen terms.
  const z = Math.max(-6, Math.min(6, x)) / Math.SQRT2;
  let term = z;
  let sum = z;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum) && n < 200; n++) {
    term *= (-z * z) / n;
    sum += term / (2 * n + 1);
  }
  return (1 + (2 / Math.sqrt(Math.PI)) * sum) / 2;
}

/** Inverse of erf: Winitzki's closed form, then Newton steps on Φ until they no longer move it. */
function inverseErf(y: number): number {
  if (Math.abs(y) >= 1) return y > 0 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  const ln = Math.log(1 - y * y);
  const half = 2 / (Math.PI * 0.147) + ln / 2;
  let x = Math.sign(y) * Math.sqrt(Math.sqrt(half * half - ln / 0.147) - half);
  for (let step = 0; step < 4; step++) {
    const error = 2 * normalDistribution(x * Math.SQRT2) - 1 - y;
    x -= (error * Math.sqrt(Math.PI)) / 2 / Math.exp(-x * x);
  }
  return x;
}
