import { record } from "../autograd/record.ts";
import type { UnaryOp } from "../kernels/backend.ts";
import { getDefaultDtype, isFloatingPoint } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { ArgumentError, DTypeError } from "../util/errors.ts";
import { add, div, mul, neg } from "./arithmetic.ts";
import { ge, le, logicalAnd, where } from "./compare.ts";
import { filled, scratch, unaryKernel } from "./compute.ts";
import { convert } from "./convert.ts";

/** x itself if it is floating point, else as the default dtype. */
export function toFloat(x: Tensor): Tensor {
  return isFloatingPoint(x.dtype) ? x : convert(x, getDefaultDtype());
}

/** A function of floats whose gradient is computed from its input. */
function fromInput(name: string, op: UnaryOp, input: Tensor, grad: (g: Tensor, x: Tensor) => Tensor): Tensor {
  const x = toFloat(input);
  return record(name, unaryKernel(op, x), [x], (g) => scratch(() => [grad(g, x)]), [x]);
}

/** A function of floats whose gradient is computed from its output. */
function fromOutput(name: string, op: UnaryOp, input: Tensor, grad: (g: Tensor, y: Tensor) => Tensor): Tensor {
  const x = toFloat(input);
  const y = unaryKernel(op, x);
  return record(name, y, [x], (g) => scratch(() => [grad(g, y)]), [y]);
}

/** A step function of floats; whole numbers are themselves. */
function step(name: string, op: UnaryOp, x: Tensor): Tensor {
  if (x.dtype === "bool") throw new DTypeError(`"${op}" not implemented for 'Bool'`, "convert the tensor first");
  if (!isFloatingPoint(x.dtype)) return unaryKernel("addScalar", x, 0);
  return record(name, unaryKernel(op, x), [x], (g) => [filled(g.shape, g.dtype, 0)]);
}

/**
 * eˣ, as torch.exp. Integers give floats, as in all functions of this kind.
 * @example
 * ```ts
 * import { exp, tensor } from "evenkeel";
 * exp(tensor([0])).toArray(); // => [1]
 * ```
 */
export function exp(x: Tensor): Tensor {
  return fromOutput("ExpBackward0", "exp", x, (g, y) => mul(g, y));
}

/**
 * eˣ − 1, exact near 0, as torch.expm1.
 * @example
 * ```ts
 * import { expm1, tensor } from "evenkeel";
 * expm1(tensor([0])).toArray(); // => [0]
 * ```
 */
export function expm1(x: Tensor): Tensor {
  return fromOutput("Expm1Backward0", "expm1", x, (g, y) => mul(g, add(y, 1)));
}

/**
 * Natural logarithm, as torch.log.
 * @example
 * ```ts
 * import { log, tensor } from "evenkeel";
 * log(tensor([1])).toArray(); // => [0]
 * ```
 */
export function log(x: Tensor): Tensor {
  return fromInput("LogBackward0", "log", x, (g, a) => div(g, a));
}

/**
 * ln(1 + x), exact near 0, as torch.log1p.
 * @example
 * ```ts
 * import { log1p, tensor } from "evenkeel";
 * log1p(tensor([0])).toArray(); // => [0]
 * ```
 */
export function log1p(x: Tensor): Tensor {
  return fromInput("Log1PBackward0", "log1p", x, (g, a) => div(g, add(a, 1)));
}

/**
 * Logarithm to base 2, as torch.log2.
 * @example
 * ```ts
 * import { log2, tensor } from "evenkeel";
 * log2(tensor([8])).toArray(); // => [3]
 * ```
 */
export function log2(x: Tensor): Tensor {
  return fromInput("Log2Backward0", "log2", x, (g, a) => div(g, mul(a, Math.LN2)));
}

/**
 * Logarithm to base 10, as torch.log10.
 * @example
 * ```ts
 * import { log10, tensor } from "evenkeel";
 * log10(tensor([1])).toArray(); // => [0]
 * ```
 */
export function log10(x: Tensor): Tensor {
  return fromInput("Log10Backward0", "log10", x, (g, a) => div(g, mul(a, Math.LN10)));
}

/**
 * Square root, as torch.sqrt; NaN below 0.
 * @example
 * ```ts
 * import { sqrt, tensor } from "evenkeel";
 * sqrt(tensor([9])).toArray(); // => [3]
 * ```
 */
export function sqrt(x: Tensor): Tensor {
  return fromOutput("SqrtBackward0", "sqrt", x, (g, y) => div(g, mul(y, 2)));
}

/**
 * 1 / √x, as torch.rsqrt.
 * @example
 * ```ts
 * import { rsqrt, tensor } from "evenkeel";
 * rsqrt(tensor([4])).toArray(); // => [0.5]
 * ```
 */
export function rsqrt(x: Tensor): Tensor {
  return fromOutput("RsqrtBackward0", "rsqrt", x, (g, y) => mul(g, mul(mul(mul(y, y), y), -0.5)));
}

/**
 * x², as torch.square.
 * @example
 * ```ts
 * import { square, tensor } from "evenkeel";
 * square(tensor([-3])).toArray(); // => [9]
 * ```
 */
export function square(x: Tensor): Tensor {
  const source = x.dtype === "bool" ? convert(x, "int64") : x;
  return record(
    "PowBackward0",
    unaryKernel("square", source),
    [source],
    (g) => scratch(() => [mul(mul(g, source), 2)]),
    [source],
    [],
    { exponent: 2 },
  );
}

/**
 * 1 / x, as torch.reciprocal.
 * @example
 * ```ts
 * import { reciprocal, tensor } from "evenkeel";
 * reciprocal(tensor([4])).toArray(); // => [0.25]
 * ```
 */
export function reciprocal(x: Tensor): Tensor {
  return fromOutput("ReciprocalBackward0", "reciprocal", x, (g, y) => neg(mul(g, mul(y, y))));
}

/**
 * |x|, as torch.abs; its gradient at 0 is 0.
 * @throws DTypeError for bool
 * @example
 * ```ts
 * import { abs, tensor } from "evenkeel";
 * abs(tensor([-3, 2])).toArray(); // => [3, 2]
 * ```
 */
export function abs(x: Tensor): Tensor {
  if (x.dtype === "bool") throw new DTypeError("\"abs_cpu\" not implemented for 'Bool'", "convert the tensor first");
  return record("AbsBackward0", unaryKernel("abs", x), [x], (g) => scratch(() => [mul(g, sign(x))]), [x]);
}

/**
 * −1, 0 or 1, as torch.sign.
 * @example
 * ```ts
 * import { sign, tensor } from "evenkeel";
 * sign(tensor([-3, 0, 2])).toArray(); // => [-1, 0, 1]
 * ```
 */
export function sign(x: Tensor): Tensor {
  return record("SignBackward0", unaryKernel("sign", x), [x], (g) => [filled(g.shape, g.dtype, 0)]);
}

/**
 * Sine of radians, as torch.sin.
 * @example
 * ```ts
 * import { sin, tensor } from "evenkeel";
 * sin(tensor([0])).toArray(); // => [0]
 * ```
 */
export function sin(x: Tensor): Tensor {
  return fromInput("SinBackward0", "sin", x, (g, a) => mul(g, cos(a)));
}

/**
 * Cosine of radians, as torch.cos.
 * @example
 * ```ts
 * import { cos, tensor } from "evenkeel";
 * cos(tensor([0])).toArray(); // => [1]
 * ```
 */
export function cos(x: Tensor): Tensor {
  return fromInput("CosBackward0", "cos", x, (g, a) => neg(mul(g, sin(a))));
}

/**
 * Tangent of radians, as torch.tan.
 * @example
 * ```ts
 * import { tan, tensor } from "evenkeel";
 * tan(tensor([0])).toArray(); // => [0]
 * ```
 */
export function tan(x: Tensor): Tensor {
  return fromOutput("TanBackward0", "tan", x, (g, y) => mul(g, add(mul(y, y), 1)));
}

/**
 * The error function, 2/√π ∫₀ˣ exp(−t²) dt, as torch.erf.
 * @example
 * ```ts
 * import { erf, tensor } from "evenkeel";
 * erf(tensor([0])).toArray(); // => [0]
 * ```
 */
export function erf(x: Tensor): Tensor {
  return fromInput("ErfBackward0", "erf", x, (g, a) => mul(g, mul(exp(neg(mul(a, a))), 2 / Math.sqrt(Math.PI))));
}

/**
 * Rounded down, as torch.floor.
 * @example
 * ```ts
 * import { floor, tensor } from "evenkeel";
 * floor(tensor([-1.5, 1.5])).toArray(); // => [-2, 1]
 * ```
 */
export function floor(x: Tensor): Tensor {
  return step("FloorBackward0", "floor", x);
}

/**
 * Rounded up, as torch.ceil.
 * @example
 * ```ts
 * import { ceil, tensor } from "evenkeel";
 * ceil(tensor([-1.5, 1.5])).toArray(); // => [-1, 2]
 * ```
 */
export function ceil(x: Tensor): Tensor {
  return step("CeilBackward0", "ceil", x);
}

/**
 * Rounded to the nearest whole number, halves to the even one, as torch.round.
 * @example
 * ```ts
 * import { round, tensor } from "evenkeel";
 * round(tensor([0.5, 1.5, 2.5])).toArray(); // => [0, 2, 2]
 * ```
 */
export function round(x: Tensor): Tensor {
  return step("RoundBackward0", "round", x);
}

/**
 * Rounded towards zero, as torch.trunc.
 * @example
 * ```ts
 * import { tensor, trunc } from "evenkeel";
 * trunc(tensor([-1.5, 1.5])).toArray(); // => [-1, 1]
 * ```
 */
export function trunc(x: Tensor): Tensor {
  return step("TruncBackward0", "trunc", x);
}

/**
 * min(max(x, min), max), as torch.clamp: values outside the limits become the limit. The gradient passes where min ≤ x ≤ max.
 * @throws ArgumentError if neither limit is given
 * @example
 * ```ts
 * import { clamp, tensor } from "evenkeel";
 * clamp(tensor([-1, 0.5, 2]), { min: 0, max: 1 }).toArray(); // => [0, 0.5, 1]
 * ```
 */
export function clamp(input: Tensor, limits: { min?: number | null; max?: number | null }): Tensor {
  if (limits.min == null && limits.max == null) {
    throw new ArgumentError(
      "torch.clamp: At least one of 'min' or 'max' must not be None",
      "pass { min }, { max } or both",
    );
  }
  const low = limits.min ?? -Infinity;
  const high = limits.max ?? Infinity;
  const whole = [limits.min, limits.max].every((limit) => limit == null || Number.isInteger(limit));
  const x = whole ? input : toFloat(input);
  return record(
    "ClampBackward1",
    unaryKernel("clamp", x, low, high),
    [x],
    (g) => scratch(() => [where(logicalAnd(ge(x, low), le(x, high)), g, 0)]),
    [x],
    [],
    { min: limits.min ?? null, max: limits.max ?? null },
  );
}
