import { isGradEnabled } from "../autograd/mode.ts";
import { record } from "../autograd/record.ts";
import type { UnaryGradOp } from "../kernels/backend.ts";
import { backend } from "../kernels/registry.ts";
import { type FloatDType, isFloat, scalarTypeName } from "../tensor/dtype.ts";
import { dense, emptyAs, packedAs, type Tensor } from "../tensor/tensor.ts";
import { ArgumentError, DTypeError } from "../util/errors.ts";
import { add, mul, sub } from "./arithmetic.ts";
import { ge, gt, le, logicalOr, where } from "./compare.ts";
import { unaryKernel } from "./compute.ts";
import { erf, exp, square, toFloat } from "./pointwise.ts";

/** g · f'(saved) in one pass, lying as what was saved; no history. */
function fusedGrad(op: UnaryGradOp, g: Tensor, saved: Tensor, p?: number, q?: number): Tensor {
  const source = dense(saved);
  const gradient = packedAs(g, source.strides);
  const out = gradient === g ? emptyAs(source) : gradient;
  backend().unaryGrad(op, g.dtype as FloatDType, out.pointer, gradient.pointer, source.pointer, g.numel, p, q);
  if (source !== saved) source.storage.release();
  return out;
}

/** The gradient in one kernel; where it is to be differentiated again, as a formula of differentiable operations. */
function gradient(op: UnaryGradOp, saved: Tensor, formula: (g: Tensor) => Tensor, p?: number, q?: number) {
  return (g: Tensor) => [isGradEnabled() ? formula(g) : fusedGrad(op, g, saved, p, q)];
}

function checkFloat(name: string, x: Tensor): void {
  if (isFloat(x.dtype)) return;
  throw new DTypeError(
    `"${name}" not implemented for '${scalarTypeName(x.dtype)}'`,
    "convert the input first, for example with .float()",
  );
}

/**
 * max(x, 0), as torch.relu; its gradient at 0 is 0.
 * @example
 * ```ts
 * import { relu, tensor } from "evenkeel";
 * relu(tensor([-1, 2])).toArray(); // => [0, 2]
 * ```
 */
export function relu(x: Tensor): Tensor {
  if (!isFloat(x.dtype)) return unaryKernel("clamp", x, 0, Infinity);
  const back = gradient("relu", x, (g) => where(le(x, 0), 0, g));
  return record("ReluBackward0", unaryKernel("relu", x), [x], back, [x]);
}

/**
 * min(max(x, 0), 6), as torch.nn.functional.relu6.
 * @throws DTypeError for integers
 * @example
 * ```ts
 * import { F, tensor } from "evenkeel";
 * F.relu6(tensor([-1, 2, 8])).toArray(); // => [0, 2, 6]
 * ```
 */
export function relu6(x: Tensor): Tensor {
  checkFloat("hardtanh_cpu", x);
  const back = gradient("relu6", x, (g) => where(logicalOr(le(x, 0), ge(x, 6)), 0, g));
  return record("HardtanhBackward0", unaryKernel("relu6", x), [x], back, [x]);
}

/**
 * x where x > 0, else negativeSlope·x, as torch.nn.functional.leaky_relu.
 * @throws DTypeError for integers
 * @example
 * ```ts
 * import { F, tensor } from "evenkeel";
 * F.leakyRelu(tensor([-1, 2]), { negativeSlope: 0.5 }).toArray(); // => [-0.5, 2]
 * ```
 */
export function leakyRelu(x: Tensor, options: { negativeSlope?: number } = {}): Tensor {
  const { negativeSlope = 0.01 } = options;
  checkFloat("leaky_relu_cpu", x);
  const back = gradient("leakyRelu", x, (g) => where(gt(x, 0), g, mul(g, negativeSlope)), negativeSlope);
  return record("LeakyReluBackward0", unaryKernel("leakyRelu", x, negativeSlope), [x], back, [x], [], {
    negativeSlope,
  });
}

/**
 * 1 / (1 + e⁻ˣ), as torch.sigmoid. Integers give floats.
 * @example
 * ```ts
 * import { sigmoid, tensor } from "evenkeel";
 * sigmoid(tensor([0])).toArray(); // => [0.5]
 * ```
 */
export function sigmoid(input: Tensor): Tensor {
  const x = toFloat(input);
  const y = unaryKernel("sigmoid", x);
  const back = gradient("sigmoid", y, (g) => mul(g, mul(y, sub(1, y))));
  return record("SigmoidBackward0", y, [x], back, [y]);
}

/**
 * Hyperbolic tangent, as torch.tanh. Integers give floats.
 * @example
 * ```ts
 * import { tanh, tensor } from "evenkeel";
 * tanh(tensor([0])).toArray(); // => [0]
 * ```
 */
export function tanh(input: Tensor): Tensor {
  const x = toFloat(input);
  const y = unaryKernel("tanh", x);
  const back = gradient("tanh", y, (g) => mul(g, sub(1, square(y))));
  return record("TanhBackward0", y, [x], back, [y]);
}

/**
 * x · sigmoid(x), also called swish, as torch.nn.functional.silu.
 * @throws DTypeError for integers
 * @example
 * ```ts
 * import { F, tensor } from "evenkeel";
 * F.silu(tensor([1])).toArray(); // => [0.7311]
 * ```
 */
export function silu(x: Tensor): Tensor {
  checkFloat("silu_cpu", x);
  const formula = (g: Tensor) => {
    const s = sigmoid(x);
    return mul(g, mul(s, add(mul(x, sub(1, s)), 1)));
  };
  return record("SiluBackward0", unaryKernel("silu", x), [x], gradient("silu", x, formula), [x]);
}

/**
 * x · Φ(x) with the normal distribution function Φ, or its approximation by tanh, as torch.nn.functional.gelu (Hendrycks & Gimpel 2016).
 * @throws DTypeError for integers
 * @throws ArgumentError unless approximate is "none" or "tanh"
 * @example
 * ```ts
 * import { F, tensor } from "evenkeel";
 * F.gelu(tensor([1])).toArray(); // => [0.8413]
 * F.gelu(tensor([1]), { approximate: "tanh" }).toArray(); // => [0.8412]
 * ```
 */
export function gelu(x: Tensor, options: { approximate?: "none" | "tanh" } = {}): Tensor {
  const { approximate = "none" } = options;
  checkFloat("GeluKernelImpl", x);
  if (approximate !== "none" && approximate !== "tanh") {
    throw new ArgumentError("approximate argument must be either none or tanh.", `got "${approximate}"`);
  }
  const op = approximate === "tanh" ? "geluTanh" : "gelu";
  const slope = approximate === "tanh" ? geluTanhSlope : geluSlope;
  return record(
    "GeluBackward0",
    unaryKernel(op, x),
    [x],
    gradient(op, x, (g) => mul(g, slope(x))),
    [x],
    [],
    { approximate },
  );
}

/** Φ(x) + x·φ(x) */
function geluSlope(x: Tensor): Tensor {
  const cumulative = mul(add(erf(mul(x, Math.SQRT1_2)), 1), 0.5);
  const density = mul(exp(mul(square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
  return add(cumulative, mul(x, density));
}

/** Of x·(1 + t) / 2 with t = tanh(√(2/π)·(x + 0.044715·x³)). */
function geluTanhSlope(x: Tensor): Tensor {
  const k = Math.sqrt(2 / Math.PI);
  const squared = square(x);
  const t = tanh(mul(mul(x, add(mul(squared, 0.044715), 1)), k));
  const inner = mul(add(mul(squared, 3 * 0.044715), 1), k);
  return mul(add(add(t, 1), mul(mul(x, sub(1, square(t))), inner)), 0.5);
}

/**
 * log(1 + exp(beta·x)) / beta, a smooth relu, as torch.nn.functional.softplus; x itself where beta·x > threshold.
 * @throws DTypeError for integers
 * @example
 * ```ts
 * import { F, tensor } from "evenkeel";
 * F.softplus(tensor([0, 100])).toArray(); // => [0.6931, 100]
 * ```
 */
export function softplus(x: Tensor, options: { beta?: number; threshold?: number } = {}): Tensor {
  const { beta = 1, threshold = 20 } = options;
  checkFloat("softplus_cpu", x);
  const formula = (g: Tensor) => {
    const scaled = mul(x, beta);
    return where(gt(scaled, threshold), g, mul(g, sigmoid(scaled)));
  };
  const out = unaryKernel("softplus", x, beta, threshold);
  return record("SoftplusBackward0", out, [x], gradient("softplus", x, formula, beta, threshold), [x], [], { beta });
}
