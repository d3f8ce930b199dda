import { noGrad } from "../autograd/mode.ts";
import { record } from "../autograd/record.ts";
import type { CompareOp } from "../kernels/backend.ts";
import { backend } from "../kernels/registry.ts";
import { getDefaultDtype, isFloat, isFloatingPoint, kernelDType, scalarTypeName, torchName } from "../tensor/dtype.ts";
import { broadcastShapes, sameShape } from "../tensor/shape.ts";
import { emptyTensor, type Tensor } from "../tensor/tensor.ts";
import { tidy } from "../tensor/tidy.ts";
import { DTypeError } from "../util/errors.ts";
import {
  binaryKernel,
  compareKernel,
  filled,
  planBroadcast,
  resultType,
  scalarTensor,
  scratch,
  unaryKernel,
} from "./compute.ts";
import { convert } from "./convert.ts";
import { reduceToShape } from "./reduce-to-shape.ts";

function compare(op: CompareOp, a: Tensor, b: Tensor | number): Tensor {
  return noGrad(() => {
    const dtype = resultType(a, b);
    const x = convert(a, dtype);
    const y = typeof b === "number" ? scalarTensor(b, dtype) : convert(b, dtype);
    const out = compareKernel(op, x, y);
    if (x !== a) x.storage.release();
    if (y !== b) y.storage.release();
    return out;
  });
}

/**
 * Where a = b, as bool, broadcast, as torch.eq.
 * @throws ShapeError if the shapes do not broadcast
 * @example
 * ```ts
 * import { eq, tensor } from "evenkeel";
 * eq(tensor([1, 2]), 2).toArray(); // => [false, true]
 * ```
 */
export function eq(a: Tensor, b: Tensor | number): Tensor {
  return compare("eq", a, b);
}

/**
 * Where a ≠ b, as bool, broadcast, as torch.ne.
 * @example
 * ```ts
 * import { ne, tensor } from "evenkeel";
 * ne(tensor([1, 2]), 2).toArray(); // => [true, false]
 * ```
 */
export function ne(a: Tensor, b: Tensor | number): Tensor {
  return compare("ne", a, b);
}

/**
 * Where a < b, as bool, broadcast, as torch.lt.
 * @example
 * ```ts
 * import { lt, tensor } from "evenkeel";
 * lt(tensor([1, 2]), 2).toArray(); // => [true, false]
 * ```
 */
export function lt(a: Tensor, b: Tensor | number): Tensor {
  return compare("lt", a, b);
}

/**
 * Where a ≤ b, as bool, broadcast, as torch.le.
 * @example
 * ```ts
 * import { le, tensor } from "evenkeel";
 * le(tensor([1, 2, 3]), 2).toArray(); // => [true, true, false]
 * ```
 */
export function le(a: Tensor, b: Tensor | number): Tensor {
  return compare("le", a, b);
}

/**
 * Where a > b, as bool, broadcast, as torch.gt.
 * @example
 * ```ts
 * import { gt, tensor } from "evenkeel";
 * gt(tensor([1, 2, 3]), 2).toArray(); // => [false, false, true]
 * ```
 */
export function gt(a: Tensor, b: Tensor | number): Tensor {
  return compare("gt", a, b);
}

/**
 * Where a ≥ b, as bool, broadcast, as torch.ge.
 * @example
 * ```ts
 * import { ge, tensor } from "evenkeel";
 * ge(tensor([1, 2, 3]), 2).toArray(); // => [false, true, true]
 * ```
 */
export function ge(a: Tensor, b: Tensor | number): Tensor {
  return compare("ge", a, b);
}

/**
 * Where x is 0 (or false), as bool, as torch.logical_not.
 * @example
 * ```ts
 * import { logicalNot, tensor } from "evenkeel";
 * logicalNot(tensor([0, 2])).toArray(); // => [true, false]
 * ```
 */
export function logicalNot(x: Tensor): Tensor {
  return eq(x, 0);
}

function bools(op: "minimum" | "maximum", a: Tensor, b: Tensor): Tensor {
  const x = convert(a, "bool");
  const y = convert(b, "bool");
  const out = binaryKernel(op, x, y);
  if (x !== a) x.storage.release();
  if (y !== b) y.storage.release();
  return out;
}

/**
 * Where both are not 0, as bool, broadcast, as torch.logical_and.
 * @example
 * ```ts
 * import { logicalAnd, tensor } from "evenkeel";
 * logicalAnd(tensor([0, 1, 2]), tensor([1, 1, 0])).toArray(); // => [false, true, false]
 * ```
 */
export function logicalAnd(a: Tensor, b: Tensor): Tensor {
  return bools("minimum", a, b);
}

/**
 * Where at least one is not 0, as bool, broadcast, as torch.logical_or.
 * @example
 * ```ts
 * import { logicalOr, tensor } from "evenkeel";
 * logicalOr(tensor([0, 1, 0]), tensor([1, 1, 0])).toArray(); // => [true, true, false]
 * ```
 */
export function logicalOr(a: Tensor, b: Tensor): Tensor {
  return bools("maximum", a, b);
}

/**
 * Where x is NaN, as bool, as torch.isnan.
 * @example
 * ```ts
 * import { isnan, tensor } from "evenkeel";
 * isnan(tensor([1, NaN])).toArray(); // => [false, true]
 * ```
 */
export function isnan(x: Tensor): Tensor {
  return compareKernel("ne", x, x);
}

/** op between |x| and infinity */
function againstInfinity(op: CompareOp, x: Tensor): Tensor {
  const size = unaryKernel("abs", x);
  const infinity = scalarTensor(Infinity, x.dtype);
  const out = compareKernel(op, size, infinity);
  size.storage.release();
  infinity.storage.release();
  return out;
}

/**
 * Where x is neither infinite nor NaN, as bool, as torch.isfinite.
 * @example
 * ```ts
 * import { isfinite, tensor } from "evenkeel";
 * isfinite(tensor([1, Infinity, NaN])).toArray(); // => [true, false, false]
 * ```
 */
export function isfinite(x: Tensor): Tensor {
  return isFloatingPoint(x.dtype) ? againstInfinity("lt", x) : filled(x.shape, "bool", 1);
}

/**
 * Where x is infinite, as bool, as torch.isinf.
 * @example
 * ```ts
 * import { isinf, tensor } from "evenkeel";
 * isinf(tensor([1, -Infinity, NaN])).toArray(); // => [false, true, false]
 * ```
 */
export function isinf(x: Tensor): Tensor {
  return isFloatingPoint(x.dtype) ? againstInfinity("eq", x) : filled(x.shape, "bool", 0);
}

function holdsEverywhere(condition: Tensor): boolean {
  const out = emptyTensor([], "bool");
  backend().reduce("all", "bool", out.pointer, condition.pointer, 1, condition.numel, 1);
  return out.item() !== 0;
}

/**
 * Whether both have the same shape and the same values, as torch.equal. NaN differs from NaN.
 * @example
 * ```ts
 * import { equal, tensor } from "evenkeel";
 * equal(tensor([1, 2]), tensor([1, 2])); // => true
 * ```
 */
export function equal(a: Tensor, b: Tensor): boolean {
  return sameShape(a.shape, b.shape) && tidy(() => holdsEverywhere(eq(a, b)));
}

/**
 * Whether |a − b| ≤ atol + rtol·|b| everywhere, broadcast, as torch.allclose (rtol 1e-5, atol 1e-8).
 * @throws DTypeError if the dtypes differ
 * @example
 * ```ts
 * import { allclose, tensor } from "evenkeel";
 * allclose(tensor([1]), tensor([1.000001])); // => true
 * ```
 */
export function allclose(
  a: Tensor,
  b: Tensor,
  options: { rtol?: number; atol?: number; equalNan?: boolean } = {},
): boolean {
  const { rtol = 1e-5, atol = 1e-8, equalNan = false } = options;
  if (a.dtype !== b.dtype) {
    throw new DTypeError(
      `allclose: expected both tensors to have the same dtype, but found ${torchName(a.dtype)} and ${torchName(b.dtype)}`,
    );
  }
  return tidy(() =>
    noGrad(() => {
      const [x, y] = isFloat(a.dtype) ? [a, b] : [convert(a, "float64"), convert(b, "float64")];
      const difference = unaryKernel("abs", binaryKernel("sub", x, y));
      const allowed = unaryKernel("addScalar", unaryKernel("mulScalar", unaryKernel("abs", y), rtol), atol);
      const near = logicalAnd(isfinite(difference), compareKernel("le", difference, allowed));
      const close = logicalOr(near, compareKernel("eq", x, y));
      return holdsEverywhere(equalNan ? logicalOr(close, logicalAnd(isnan(x), isnan(y))) : close);
    }),
  );
}

/** The dtype of two values, either of which may be a number. */
function commonType(a: Tensor | number, b: Tensor | number) {
  if (typeof a !== "number") return resultType(a, b);
  if (typeof b !== "number") return resultType(b, a);
  return Number.isInteger(a) && Number.isInteger(b) ? "int64" : getDefaultDtype();
}

/**
 * a where the condition holds, else b; broadcast, as torch.where. Either value may be a number.
 * @throws DTypeError unless the condition is bool
 * @throws ShapeError if the shapes do not broadcast
 * @example
 * ```ts
 * import { gt, tensor, where } from "evenkeel";
 * const x = tensor([-1, 2]);
 * where(gt(x, 0), x, 0).toArray(); // => [0, 2]
 * ```
 */
export function where(condition: Tensor, a: Tensor | number, b: Tensor | number): Tensor {
  if (condition.dtype !== "bool") {
    throw new DTypeError(
      `where expected condition to be a boolean tensor, but got a tensor with dtype ${scalarTypeName(condition.dtype)}`,
      "compare first, for example with gt(x, 0)",
    );
  }
  const dtype = commonType(a, b);
  const x = typeof a === "number" ? scalarTensor(a, dtype) : convert(a, dtype);
  const y = typeof b === "number" ? scalarTensor(b, dtype) : convert(b, dtype);
  const shape = broadcastShapes(broadcastShapes(condition.shape, x.shape), y.shape);
  const { out, sizes, strides } = planBroadcast(shape, dtype, [condition, x, y]);
  const [ofCondition, ofX, ofY] = strides;
  backend().where(
    kernelDType(dtype, "where"),
    sizes,
    out.pointer,
    condition.pointer,
    ofCondition,
    x.pointer,
    ofX,
    y.pointer,
    ofY,
  );
  if (typeof a === "number") x.storage.release();
  if (typeof b === "number") y.storage.release();
  return record(
    "WhereBackward0",
    out,
    [typeof a === "number" ? null : x, typeof b === "number" ? null : y],
    (g, needs) =>
      scratch(() => [
        needs[0] ? reduceToShape(where(condition, g, 0), x.shape) : null,
        needs[1] ? reduceToShape(where(condition, 0, g), y.shape) : null,
      ]),
    [condition],
  );
}
