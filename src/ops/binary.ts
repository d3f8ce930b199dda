import { record } from "../autograd/record.ts";
import { getDefaultDtype, isFloatingPoint } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { ArgumentError } from "../util/errors.ts";
import { add, div, mul, neg, sub } from "./arithmetic.ts";
import { eq, ge, logicalAnd, lt, where } from "./compare.ts";
import { binaryKernel, filled, resultType, scalarTensor, scratch, unaryKernel } from "./compute.ts";
import { convert } from "./convert.ts";
import { floor, log } from "./pointwise.ts";
import { reduceToShape } from "./reduce-to-shape.ts";

/**
 * base ** exponent, broadcast, as torch.pow; either side may be a number.
 * @throws ArgumentError for an integer tensor to a negative whole number
 * @example
 * ```ts
 * import { pow, tensor } from "evenkeel";
 * pow(tensor([1, 2, 3]), 2).toArray(); // => [1, 4, 9]
 * pow(2, tensor([1, 2, 3])).toArray(); // => [2, 4, 8]
 * ```
 */
export function pow(base: Tensor, exponent: Tensor | number): Tensor;
export function pow(base: number, exponent: Tensor): Tensor;
export function pow(base: Tensor | number, exponent: Tensor | number): Tensor {
  if (typeof base !== "number" && typeof exponent === "number") return powScalar(base, exponent);
  if (typeof base === "number") {
    const dtype = resultType(exponent as Tensor, base);
    return powTensor(scalarTensor(base, dtype), convert(exponent as Tensor, dtype));
  }
  const x = convert(base, resultType(base, exponent));
  return powTensor(x, convert(exponent as Tensor, x.dtype));
}

function powScalar(base: Tensor, p: number): Tensor {
  const x = convert(base, resultType(base, p));
  if (!isFloatingPoint(x.dtype)) {
    if (p < 0)
      throw new ArgumentError(
        "Integers to negative integer powers are not allowed.",
        "convert the tensor to float first",
      );
    const exponent = scalarTensor(p, x.dtype);
    const out = binaryKernel("pow", x, exponent);
    exponent.storage.release();
    return out;
  }
  // x ** 0 is flat, and 0 · 0 ** −1 would be NaN
  const slope = () => (p === 0 ? filled(x.shape, x.dtype, 0) : mul(pow(x, p - 1), p));
  return record("PowBackward0", unaryKernel("powScalar", x, p), [x], (g) => scratch(() => [mul(g, slope())]), [x], [], {
    exponent: p,
  });
}

function powTensor(x: Tensor, y: Tensor): Tensor {
  const out = binaryKernel("pow", x, y);
  return record(
    "PowBackward1",
    out,
    [x, y],
    (g, needs) =>
      scratch(() => {
        const slope = () => where(eq(y, 0), 0, mul(y, pow(x, sub(y, 1))));
        // 0 ** y is flat in y for y >= 0, where log 0 would give NaN
        const growth = () => where(logicalAnd(eq(x, 0), ge(y, 0)), 0, mul(out, log(x)));
        return [
          needs[0] ? reduceToShape(mul(g, slope()), x.shape) : null,
          needs[1] ? reduceToShape(mul(g, growth()), y.shape) : null,
        ];
      }),
    [x, y, out],
  );
}

/**
 * a modulo b with the sign of b, broadcast, as torch.remainder.
 * @throws ArgumentError for an integer tensor modulo the number 0
 * @example
 * ```ts
 * import { remainder, tensor } from "evenkeel";
 * remainder(tensor([-3, 3]), 2).toArray(); // => [1, 1]
 * ```
 */
export function remainder(a: Tensor, b: Tensor | number): Tensor {
  const x = convert(a, resultType(a, b));
  if (b === 0 && !isFloatingPoint(x.dtype))
    throw new ArgumentError("ZeroDivisionError", "integers have no remainder modulo zero");
  const y = typeof b === "number" ? scalarTensor(b, x.dtype) : convert(b, x.dtype);
  return record(
    "RemainderBackward0",
    binaryKernel("remainder", x, y),
    [x, y],
    (g, needs) => [
      needs[0] ? reduceToShape(g, x.shape) : null,
      needs[1] ? reduceToShape(mul(g, neg(floor(div(x, y)))), y.shape) : null,
    ],
    [x, y],
  );
}

function extreme(op: "maximum" | "minimum", a: Tensor, b: Tensor): Tensor {
  const x = convert(a, resultType(a, b));
  const y = convert(b, x.dtype);
  const [low, high] = op === "maximum" ? [x, y] : [y, x];
  return record(
    op === "maximum" ? "MaximumBackward0" : "MinimumBackward0",
    binaryKernel(op, x, y),
    [x, y],
    (g, needs) =>
      scratch(() => {
        // half to each side of a tie
        const shared = where(eq(x, y), mul(g, 0.5), g);
        return [
          needs[0] ? reduceToShape(where(lt(low, high), 0, shared), x.shape) : null,
          needs[1] ? reduceToShape(where(lt(high, low), 0, shared), y.shape) : null,
        ];
      }),
    [x, y],
  );
}

/**
 * The larger of a and b, elementwise and broadcast, as torch.maximum; NaN wins. The gradient is halved between equal ones.
 * @example
 * ```ts
 * import { maximum, tensor } from "evenkeel";
 * maximum(tensor([1, 5]), tensor([4, 2])).toArray(); // => [4, 5]
 * ```
 */
export function maximum(a: Tensor, b: Tensor): Tensor {
  return extreme("maximum", a, b);
}

/**
 * The smaller of a and b, elementwise and broadcast, as torch.minimum; NaN wins. The gradient is halved between equal ones.
 * @example
 * ```ts
 * import { minimum, tensor } from "evenkeel";
 * minimum(tensor([1, 5]), tensor([4, 2])).toArray(); // => [1, 2]
 * ```
 */
export function minimum(a: Tensor, b: Tensor): Tensor {
  return extreme("minimum", a, b);
}

/**
 * The angle of the point (x, y) from the x axis, from −π to π, broadcast, as torch.atan2.
 * @example
 * ```ts
 * import { atan2, tensor } from "evenkeel";
 * atan2(tensor([0]), tensor([1])).toArray(); // => [0]
 * ```
 */
export function atan2(y: Tensor, x: Tensor): Tensor {
  const type = resultType(y, x);
  const dtype = isFloatingPoint(type) ? type : getDefaultDtype();
  const a = convert(y, dtype);
  const b = convert(x, dtype);
  return record(
    "Atan2Backward0",
    binaryKernel("atan2", a, b),
    [a, b],
    (g, needs) =>
      scratch(() => {
        const scaled = div(g, add(mul(a, a), mul(b, b)));
        return [
          needs[0] ? reduceToShape(mul(scaled, b), a.shape) : null,
          needs[1] ? reduceToShape(mul(scaled, neg(a)), b.shape) : null,
        ];
      }),
    [a, b],
  );
}
