import { noGrad } from "../autograd/mode.ts";
import { markChanged, needsGrad } from "../autograd/record.ts";
import type { BinaryOp } from "../kernels/backend.ts";
import { backend } from "../kernels/registry.ts";
import { fillTensor } from "../tensor/convert.ts";
import { drawable } from "../tensor/creation.ts";
import { type DType, ITEM_BYTES, isFloatingPoint, kernelDType, viewHeap } from "../tensor/dtype.ts";
import { defaultGenerator, type Generator } from "../tensor/generator.ts";
import { broadcastShapes, broadcastStrides, type Shape, sameShape } from "../tensor/shape.ts";
import { detachedCopy, emptyTensor, packInto, type Tensor } from "../tensor/tensor.ts";
import { tidy } from "../tensor/tidy.ts";
import { ArgumentError, AutogradError, DTypeError, ShapeError } from "../util/errors.ts";
import { add, div, mul, sub } from "./arithmetic.ts";
import { resultType, scalarTensor } from "./compute.ts";
import { convert } from "./convert.ts";

/*
 * Operations that change a tensor and return it. They are not recorded: what needs a gradient is refused, here or in markChanged.
 */

function refuseHistory(source: Tensor): void {
  if (!needsGrad(source)) return;
  throw new AutogradError(
    "a tensor is being changed in place by one that requires grad, which is not recorded",
    "use the operation that returns a new tensor, or detach() the argument",
  );
}

/** Checks and counts the change. @throws ArgumentError, AutogradError */
function touch(x: Tensor): void {
  if (x.strides.some((step, d) => step === 0 && x.shape[d] > 1)) {
    throw new ArgumentError(
      "unsupported operation: more than one element of the written-to tensor refers to a single memory location. Please clone() the tensor before performing the operation.",
    );
  }
  markChanged(x);
}

/** Lets `write` change the elements of x where they lie, or of a contiguous copy that is then put back. */
function change(x: Tensor, write: (contiguous: Tensor) => void, reads = true): void {
  touch(x);
  if (x.isContiguous) {
    write(x);
    return;
  }
  const copy = reads ? detachedCopy(x) : emptyTensor(x.shape, x.dtype);
  write(copy);
  packInto(x, copy);
  copy.storage.release();
}

function checkTarget(x: Tensor, shape: Shape): void {
  const to = broadcastShapes(x.shape, shape);
  if (!sameShape(to, x.shape)) {
    throw new ShapeError(
      `output with shape [${x.shape.join(", ")}] doesn't match the broadcast shape [${to.join(", ")}]`,
      "the tensor that is changed cannot grow",
    );
  }
}

function checkCast(from: DType, to: DType): void {
  if ((isFloatingPoint(from) && !isFloatingPoint(to)) || (from !== "bool" && to === "bool")) {
    throw new DTypeError(
      `result type ${from} can't be cast to the desired output type ${to}`,
      "use the operation that returns a new tensor",
    );
  }
}

/**
 * Replaces the values by those of `source`, broadcast and converted to the tensor's dtype, as torch.Tensor.copy_.
 * @throws ShapeError if the shapes do not broadcast
 * @example
 * ```ts
 * import { copy_, tensor, zeros } from "evenkeel";
 * copy_(zeros([2, 2]), tensor([1, 2])).toArray(); // => [[1, 2], [1, 2]]
 * ```
 */
export function copy_(x: Tensor, source: Tensor): Tensor {
  refuseHistory(source);
  checkTarget(x, source.shape);
  let from = noGrad(() => convert(source, x.dtype));
  if (from.storage === x.storage) from = detachedCopy(from);
  touch(x);
  const strides = broadcastStrides(from.shape, from.strides, x.shape);
  backend().copyStrided(ITEM_BYTES[x.dtype], x.shape, x.pointer, x.strides, from.pointer, strides);
  if (from !== source) from.storage.release();
  return x;
}

/**
 * Sets every element to a value, as torch.Tensor.fill_.
 * @example
 * ```ts
 * import { empty } from "evenkeel";
 * empty([2]).fill_(3).toArray(); // => [3, 3]
 * ```
 */
export function fill_(x: Tensor, value: number | boolean): Tensor {
  change(x, (out) => fillTensor(out, Number(value)), false);
  return x;
}

/**
 * Sets every element to 0, as torch.Tensor.zero_.
 * @example
 * ```ts
 * import { ones, zero_ } from "evenkeel";
 * zero_(ones([2])).toArray(); // => [0, 0]
 * ```
 */
export function zero_(x: Tensor): Tensor {
  return fill_(x, 0);
}

/** x = x op other, in x's own memory where the kernel can, else through `compute`, the operation that returns a new tensor. */
function update(op: BinaryOp, x: Tensor, other: Tensor | number, alpha: number, compute: () => Tensor): Tensor {
  const single = typeof other === "number";
  if (!single) {
    refuseHistory(other);
    checkTarget(x, other.shape);
  }
  const divides = op === "div" && !isFloatingPoint(x.dtype);
  checkCast(divides ? "float32" : resultType(x, other), x.dtype);
  const direct = x.dtype !== "bool" && (single || (other.dtype === x.dtype && other.storage !== x.storage));
  if (!direct) {
    const result = noGrad(() => tidy(compute));
    copy_(x, result);
    result.storage.release();
    return x;
  }
  const dtype = kernelDType(x.dtype, op);
  change(x, (out) => {
    if (single && op === "add") {
      backend().unary("addScalar", dtype, out.pointer, out.pointer, x.numel, alpha * other);
      return;
    }
    if (!single && (op === "add" || op === "sub") && sameShape(x.shape, other.shape) && other.isContiguous) {
      backend().axpy(dtype, out.pointer, other.pointer, x.numel, op === "add" ? alpha : -alpha);
      return;
    }
    const term = single ? scalarTensor(alpha * other, x.dtype) : alpha === 1 ? other : noGrad(() => mul(other, alpha));
    const strides = broadcastStrides(term.shape, term.strides, x.shape);
    backend().binary(op, dtype, x.shape, out.pointer, out.pointer, out.strides, term.pointer, strides);
    if (term !== other) term.storage.release();
  });
  return x;
}

/**
 * x += alpha·other, broadcast, as torch.Tensor.add_.
 * @throws ShapeError if x would have to grow, DTypeError if the sum has no place in x's dtype, AutogradError where gradients would be wrong
 * @example
 * ```ts
 * import { add_, tensor } from "evenkeel";
 * add_(tensor([1, 2]), tensor([10, 20]), { alpha: 0.5 }).toArray(); // => [6, 12]
 * ```
 */
export function add_(x: Tensor, other: Tensor | number, options: { alpha?: number } = {}): Tensor {
  return update("add", x, other, options.alpha ?? 1, () => add(x, other, options));
}

/**
 * x −= alpha·other, broadcast, as torch.Tensor.sub_.
 * @throws as add_
 * @example
 * ```ts
 * import { sub_, tensor } from "evenkeel";
 * sub_(tensor([3, 4]), 1).toArray(); // => [2, 3]
 * ```
 */
export function sub_(x: Tensor, other: Tensor | number, options: { alpha?: number } = {}): Tensor {
  return update("sub", x, other, options.alpha ?? 1, () => sub(x, other, options));
}

/**
 * x ·= other, broadcast, as torch.Tensor.mul_.
 * @throws as add_
 * @example
 * ```ts
 * import { mul_, tensor } from "evenkeel";
 * mul_(tensor([3, 4]), tensor([2, 0.5])).toArray(); // => [6, 2]
 * ```
 */
export function mul_(x: Tensor, other: Tensor | number): Tensor {
  return update("mul", x, other, 1, () => mul(x, other));
}

/**
 * x /= other, broadcast, as torch.Tensor.div_.
 * @throws as add_; integers have no true division in place
 * @example
 * ```ts
 * import { div_, tensor } from "evenkeel";
 * div_(tensor([3, 4]), 2).toArray(); // => [1.5, 2]
 * ```
 */
export function div_(x: Tensor, other: Tensor | number): Tensor {
  return update("div", x, other, 1, () => div(x, other));
}

/**
 * Replaces what is below `min` by it and what is above `max` by that, as torch.Tensor.clamp_.
 * @throws ArgumentError if neither is given
 * @example
 * ```ts
 * import { clamp_, tensor } from "evenkeel";
 * clamp_(tensor([-1, 0.5, 3]), { min: 0, max: 1 }).toArray(); // => [0, 0.5, 1]
 * ```
 */
export function clamp_(x: Tensor, options: { min?: number; max?: number }): Tensor {
  const { min, max } = options;
  if (min === undefined && max === undefined) {
    throw new ArgumentError("torch.clamp: At least one of 'min' or 'max' must not be None");
  }
  for (const bound of [min, max]) if (bound !== undefined) checkCast(resultType(x, bound), x.dtype);
  const [low, high] = [min ?? Number.NEGATIVE_INFINITY, max ?? Number.POSITIVE_INFINITY];
  const dtype = kernelDType(x.dtype, "clamp");
  change(x, (out) => backend().unary("clamp", dtype, out.pointer, out.pointer, x.numel, low, high));
  return x;
}

/** Where a random fill draws from. */
export interface Drawing {
  /** Default: the generator that `manualSeed` seeds. */
  generator?: Generator;
}

type Floats = Float32Array | Float64Array;

/**
 * Uniform values from [from, to), as torch.Tensor.uniform_; from 0 to 1 by default.
 * @throws DTypeError if x is no float tensor
 * @example
 * ```ts
 * import { empty, uniform_ } from "evenkeel";
 * uniform_(empty([2]), { from: -1, to: 1 }).shape; // => [2]
 * ```
 */
export function uniform_(x: Tensor, options: Drawing & { from?: number; to?: number } = {}): Tensor {
  const { from = 0, to = 1, generator = defaultGenerator } = options;
  drawable(x.dtype, "check_uniform_bounds");
  change(x, (out) => generator.fillUniform(viewHeap(x.dtype, out.pointer, x.numel) as Floats, from, to), false);
  return x;
}

/**
 * Normal values, as torch.Tensor.normal_; mean 0 and standard deviation 1 by default.
 * @throws DTypeError if x is no float tensor, ArgumentError for a negative std
 * @example
 * ```ts
 * import { empty, normal_ } from "evenkeel";
 * normal_(empty([2]), { mean: 1, std: 0.1 }).shape; // => [2]
 * ```
 */
export function normal_(x: Tensor, options: Drawing & { mean?: number; std?: number } = {}): Tensor {
  const { mean = 0, std = 1, generator = defaultGenerator } = options;
  drawable(x.dtype, "normal_kernel_cpu");
  change(x, (out) => generator.fillNormal(viewHeap(x.dtype, out.pointer, x.numel) as Floats, mean, std), false);
  return x;
}

/**
 * Ones with probability p (default 0.5) and zeros, as torch.Tensor.bernoulli_.
 * @throws ArgumentError if p is outside [0, 1]
 * @example
 * ```ts
 * import { bernoulli_, empty } from "evenkeel";
 * bernoulli_(empty([2]), { p: 1 }).toArray(); // => [1, 1]
 * ```
 */
export function bernoulli_(x: Tensor, options: Drawing & { p?: number } = {}): Tensor {
  const { p = 0.5, generator = defaultGenerator } = options;
  const dtype = kernelDType(x.dtype, "bernoulli_");
  change(x, (out) => generator.fillBernoulli(viewHeap(dtype, out.pointer, x.numel), p), false);
  return x;
}
