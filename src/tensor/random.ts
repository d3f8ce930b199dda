import { ArgumentError } from "../util/errors.ts";
import { allocate, drawable, type TensorOptions } from "./creation.ts";
import { getDefaultDtype, kernelDType, viewHeap } from "./dtype.ts";
import { defaultGenerator, type Generator } from "./generator.ts";
import type { Shape } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

/** What every function that draws random values takes. */
export interface RandomOptions extends TensorOptions {
  /** Where the random numbers come from. Default: the generator that `manualSeed` seeds. */
  generator?: Generator;
}

/**
 * Seeds the default generator, as torch.manual_seed: the same seed gives PyTorch's own numbers.
 * @example
 * ```ts
 * import { manualSeed, randperm } from "evenkeel";
 * manualSeed(42);
 * randperm(10).toArray(); // => [2, 6, 1, 8, 4, 5, 0, 9, 3, 7]
 * ```
 */
export function manualSeed(seed: number | bigint): Generator {
  return defaultGenerator.manualSeed(seed);
}

/** A contiguous float tensor's elements, to be filled at once. */
function floats(x: Tensor): Float32Array | Float64Array {
  return viewHeap(x.dtype, x.pointer, x.numel) as Float32Array | Float64Array;
}

/**
 * Uniform values from [0, 1), as torch.rand.
 * @throws DTypeError if dtype is no float
 * @example
 * ```ts
 * import { rand } from "evenkeel";
 * rand([2, 3]).shape; // => [2, 3]
 * ```
 */
export function rand(shape: Shape, options: RandomOptions = {}): Tensor {
  const { dtype = getDefaultDtype(), generator = defaultGenerator } = options;
  const out = allocate(shape, drawable(dtype, "check_uniform_bounds"), options.requiresGrad);
  generator.fillUniform(floats(out));
  return out;
}

/**
 * Values of the standard normal distribution, as torch.randn.
 * @throws DTypeError if dtype is no float
 * @example
 * ```ts
 * import { randn } from "evenkeel";
 * randn([100, 16]).shape; // => [100, 16]
 * ```
 */
export function randn(shape: Shape, options: RandomOptions = {}): Tensor {
  const { dtype = getDefaultDtype(), generator = defaultGenerator } = options;
  const out = allocate(shape, drawable(dtype, "normal_kernel_cpu"), options.requiresGrad);
  generator.fillNormal(floats(out));
  return out;
}

/**
 * Uniform values from [0, 1) in x's shape and dtype, as torch.rand_like.
 * @example
 * ```ts
 * import { randLike, zeros } from "evenkeel";
 * randLike(zeros([2, 3])).shape; // => [2, 3]
 * ```
 */
export function randLike(x: Tensor, options: RandomOptions = {}): Tensor {
  return rand(x.shape, { dtype: x.dtype, ...options });
}

/**
 * Values of the standard normal distribution in x's shape and dtype, as torch.randn_like.
 * @example
 * ```ts
 * import { randnLike, zeros } from "evenkeel";
 * randnLike(zeros([2, 3])).shape; // => [2, 3]
 * ```
 */
export function randnLike(x: Tensor, options: RandomOptions = {}): Tensor {
  return randn(x.shape, { dtype: x.dtype, ...options });
}

/**
 * Whole numbers from `low` up to but without `high`, as torch.randint; int64 by default.
 * @throws ArgumentError if the range is empty or does not fit the dtype
 * @example
 * ```ts
 * import { randint } from "evenkeel";
 * randint(0, 10, [5]).dtype; // => "int64"
 * ```
 */
export function randint(low: number, high: number, shape: Shape, options: RandomOptions = {}): Tensor {
  const { dtype = "int64", generator = defaultGenerator } = options;
  const out = allocate(shape, dtype, options.requiresGrad);
  generator.fillRandint(viewHeap(kernelDType(dtype, "random_"), out.pointer, out.numel), low, high);
  return out;
}

/**
 * A random order of 0 … n − 1, as torch.randperm; int64 by default.
 * @throws ArgumentError if n is no whole number from 0
 * @example
 * ```ts
 * import { randperm } from "evenkeel";
 * randperm(4).shape; // => [4]
 * ```
 */
export function randperm(n: number, options: RandomOptions = {}): Tensor {
  const { dtype = "int64", generator = defaultGenerator } = options;
  if (!Number.isInteger(n) || n < 0) throw new ArgumentError(`n must be greater or equal to 0, got ${n}`);
  const order = generator.permutation(n);
  const out = allocate([n], dtype, options.requiresGrad);
  const view = viewHeap(kernelDType(dtype, "randperm"), out.pointer, n);
  if (view instanceof BigInt64Array) for (let i = 0; i < n; i++) view[i] = BigInt(order[i]);
  else for (let i = 0; i < n; i++) view[i] = order[i];
  return out;
}
