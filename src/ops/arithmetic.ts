import { noGrad } from "../autograd/mode.ts";
import { record } from "../autograd/record.ts";
import { type DType, getDefaultDtype, isFloatingPoint } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { tidy } from "../tensor/tidy.ts";
import { ArgumentError, DTypeError } from "../util/errors.ts";
import { eq, where } from "./compare.ts";
import { binaryKernel, discard, filled, resultType, scalarTensor, scratch, unaryKernel } from "./compute.ts";
import { convert } from "./convert.ts";
import { reduceToShape } from "./reduce-to-shape.ts";

export { resultType };

/** reduceToShape of a temporary, which goes if it was not the result itself. */
function reduceTemporary(g: Tensor, x: Tensor): Tensor {
  const out = reduceToShape(g, x.shape);
  if (out.storage !== g.storage) discard(g);
  return out;
}

/**
 * a + alpha·b, broadcast, as torch.add.
 * @throws ShapeError if the shapes do not broadcast
 * @example
 * ```ts
 * import { add, tensor } from "evenkeel";
 * add(tensor([1, 2]), 10).toArray(); // => [11, 12]
 * ```
 */
export function add(a: Tensor, b: Tensor | number, options: { alpha?: number } = {}): Tensor {
  const { alpha = 1 } = options;
  const x = convert(a, resultType(a, b));
  if (typeof b === "number") {
    return record("AddBackward0", unaryKernel("addScalar", x, alpha * b), [x], (g) => [g], [], [], {
      other: alpha * b,
    });
  }
  let y = convert(b, x.dtype);
  if (alpha !== 1) y = mul(y, alpha);
  return record("AddBackward0", binaryKernel("add", x, y), [x, y], (g, needs) => [
    needs[0] ? reduceToShape(g, x.shape) : null,
    needs[1] ? reduceToShape(g, y.shape) : null,
  ]);
}

function refuseBoolSub(a: Tensor | number, b: Tensor | number): void {
  if ([a, b].some((side) => typeof side !== "number" && side.dtype !== "bool")) return;
  throw new DTypeError(
    "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` operator instead.",
    "use ne() to see where they differ, or convert them first",
  );
}

/**
 * a − alpha·b, broadcast, as torch.sub; either side may be a number.
 * @throws ShapeError if the shapes do not broadcast
 * @throws DTypeError for bool
 * @example
 * ```ts
 * import { sub, tensor } from "evenkeel";
 * sub(tensor([1, 2]), tensor([[1], [2]])).toArray(); // => [[0, 1], [-1, 0]]
 * sub(1, tensor([3])).toArray(); // => [-2]
 * ```
 */
export function sub(a: Tensor, b: Tensor | number, options?: { alpha?: number }): Tensor;
export function sub(a: number, b: Tensor, options?: { alpha?: number }): Tensor;
export function sub(a: Tensor | number, b: Tensor | number, options: { alpha?: number } = {}): Tensor {
  const { alpha = 1 } = options;
  refuseBoolSub(a, b);
  if (typeof b === "number") return add(a as Tensor, -alpha * b);
  if (typeof a === "number") {
    let y = convert(b, resultType(b, a));
    if (alpha !== 1) y = mul(y, alpha);
    return record("RsubBackward1", unaryKernel("rsubScalar", y, a), [y], (g) => [neg(g)], [], [], { other: a });
  }
  const x = convert(a, resultType(a, b));
  let y = convert(b, x.dtype);
  if (alpha !== 1) y = mul(y, alpha);
  return record("SubBackward0", binaryKernel("sub", x, y), [x, y], (g, needs) => {
    const gx = needs[0] ? reduceToShape(g, x.shape) : null;
    // reduced first: the smaller one is negated
    return [gx, needs[1] ? neg(reduceToShape(g, y.shape)) : null];
  });
}

/**
 * a · b, elementwise and broadcast, as torch.mul.
 * @throws ShapeError if the shapes do not broadcast
 * @example
 * ```ts
 * import { mul, tensor } from "evenkeel";
 * mul(tensor([[1], [2]]), tensor([3, 4])).toArray(); // => [[3, 4], [6, 8]]
 * ```
 */
export function mul(a: Tensor, b: Tensor | number): Tensor {
  const x = convert(a, resultType(a, b));
  if (typeof b === "number") {
    return record("MulBackward0", unaryKernel("mulScalar", x, b), [x], (g) => [mul(g, b)], [], [], { other: b });
  }
  const y = convert(b, x.dtype);
  return record(
    "MulBackward0",
    binaryKernel("mul", x, y),
    [x, y],
    (g, needs) => [needs[0] ? reduceTemporary(mul(g, y), x) : null, needs[1] ? reduceTemporary(mul(g, x), y) : null],
    [x, y],
  );
}

function trueDivision(x: Tensor, b: Tensor | number): Tensor {
  if (typeof b === "number") {
    const divisor = scalarTensor(b, x.dtype);
    const out = binaryKernel("div", x, divisor);
    divisor.storage.release();
    return record("DivBackward0", out, [x], (g) => [div(g, b)], [], [], { other: b });
  }
  return record(
    "DivBackward0",
    binaryKernel("div", x, b),
    [x, b],
    (g, needs) =>
      scratch(() => {
        const gx = div(g, b);
        return [
          needs[0] ? reduceToShape(gx, x.shape) : null,
          needs[1] ? neg(reduceToShape(mul(gx, div(x, b)), b.shape)) : null,
        ];
      }),
    [x, b],
  );
}

/**
 * a / b, broadcast, as torch.div. Integers give floats, unless `roundingMode` rounds the quotient: "trunc" towards zero, "floor" down.
 * @throws ShapeError if the shapes do not broadcast
 * @example
 * ```ts
 * import { div, tensor } from "evenkeel";
 * div(tensor([1, 4]), 2).toArray(); // => [0.5, 2]
 * div(tensor([-7]), 2, { roundingMode: "floor" }).toArray(); // => [-4]
 * div(1, tensor([4])).toArray(); // => [0.25]
 * ```
 */
export function div(a: Tensor, b: Tensor | number, options?: { roundingMode?: "trunc" | "floor" | null }): Tensor;
export function div(a: number, b: Tensor, options?: { roundingMode?: "trunc" | "floor" | null }): Tensor;
export function div(
  a: Tensor | number,
  b: Tensor | number,
  options: { roundingMode?: "trunc" | "floor" | null } = {},
): Tensor {
  const { roundingMode = null } = options;
  if (roundingMode !== null && roundingMode !== "trunc" && roundingMode !== "floor") {
    throw new ArgumentError(
      `div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '${roundingMode}'`,
    );
  }
  const [one, other] = typeof a === "number" ? [b as Tensor, a] : [a, b];
  const dtype = resultType(one, other);
  if (roundingMode !== null) return roundedDivision(a, b, dtype, roundingMode);
  const computed = isFloatingPoint(dtype) ? dtype : getDefaultDtype();
  if (typeof a !== "number") {
    return trueDivision(convert(a, computed), typeof b === "number" ? b : convert(b, computed));
  }
  const y = convert(b as Tensor, computed);
  const back = (g: Tensor) => scratch(() => [mul(g, div(-a, mul(y, y)))]);
  return record("DivBackward0", unaryKernel("rdivScalar", y, a), [y], back, [y], [], { numerator: a });
}

function roundedDivision(a: Tensor | number, b: Tensor | number, dtype: DType, mode: "trunc" | "floor"): Tensor {
  if (b === 0 && !isFloatingPoint(dtype))
    throw new ArgumentError("ZeroDivisionError", "integers cannot be divided by zero");
  const x = typeof a === "number" ? scalarTensor(a, dtype) : convert(a, dtype);
  const y = typeof b === "number" ? scalarTensor(b, dtype) : convert(b, dtype);
  const out = noGrad(() => tidy(() => (mode === "floor" ? floorQuotient(x, y) : truncatedQuotient(x, y))));
  // flat between its steps
  const zeros = (_: Tensor, needs: readonly boolean[]) =>
    [x, y].map((input, i) => (needs[i] ? filled(input.shape, dtype, 0) : null));
  return record("DivBackward1", out, [x, y], zeros);
}

/** Integer kernels truncate by themselves. */
function truncatedQuotient(x: Tensor, y: Tensor): Tensor {
  const quotient = binaryKernel("div", x, y);
  return isFloatingPoint(x.dtype) ? unaryKernel("trunc", quotient) : quotient;
}

/** (x − x mod y) / y: the quotient itself may have been rounded up to the next whole number, as 1 / 0.1 is. */
function floorQuotient(x: Tensor, y: Tensor): Tensor {
  const exact = binaryKernel("div", binaryKernel("sub", x, binaryKernel("remainder", x, y)), y);
  if (!isFloatingPoint(x.dtype)) return exact;
  return where(eq(y, 0), binaryKernel("div", x, y), unaryKernel("round", exact));
}

/**
 * −x, as torch.neg.
 * @throws DTypeError for bool
 * @example
 * ```ts
 * import { neg, tensor } from "evenkeel";
 * neg(tensor([1, -2])).toArray(); // => [-1, 2]
 * ```
 */
export function neg(x: Tensor): Tensor {
  if (x.dtype === "bool") {
    throw new DTypeError(
      "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, use the `~` or `logical_not()` operator instead.",
      "use logicalNot()",
    );
  }
  return record("NegBackward0", unaryKernel("neg", x), [x], (g) => [neg(g)]);
}
