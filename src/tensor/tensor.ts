import type { Pointer } from "../kernels/backend.ts";
import { backend } from "../kernels/registry.ts";
import { ArgumentError, AutogradError, DTypeError } from "../util/errors.ts";
import {
  type DType,
  ITEM_BYTES,
  isFloatingPoint,
  isReduced,
  type NumberArray,
  type TypedArray,
  valuesOf,
  viewHeap,
} from "./dtype.ts";
import { Storage } from "./memory.ts";
import { liesIn, type MemoryFormat, preservedStrides, sameOrder } from "./memory-format.ts";
import { contiguousStrides, isContiguous, numelOf, type Shape } from "./shape.ts";

/** Nested arrays of numbers or booleans, as deep as the tensor has dimensions. */
export type Nested = number | boolean | readonly Nested[];

/** What a function's way back may do with the memory of the backward pass it is part of. */
export interface GradientMemory {
  /** Whether nobody else reads the gradient that the function was given: then it may be overwritten, and returned. */
  isSpare(gradient: Tensor): boolean;
  /** What is still to be added to the gradient, which then is spare and lies in the same order: given only to functions that take parts. */
  readonly addend: Tensor | null;
}

/** A function that made a tensor and can carry a gradient back to its inputs. The engine in autograd/ walks these. */
export interface GradFn {
  /** PyTorch's name, such as "MulBackward0" */
  readonly name: string;
  /** grows with every function recorded: an output's is larger than its inputs' */
  readonly sequence: number;
  /** null where an input needs no gradient */
  readonly inputs: readonly (Tensor | null)[];
  /** where retainGrad() and hooks of the output are kept */
  readonly output: { retained: Tensor | null; hooks: GradHook[] | null };
  /** Whether its way back adds up a gradient that comes in two parts, in the same pass over memory. */
  takesParts: boolean;
  /** Gradients of the inputs, null where none flows. Without `memory` nothing is overwritten. */
  backward(gradient: Tensor, memory?: GradientMemory): (Tensor | null)[];
  /** Forgets what was saved for backward. */
  release(): void;
}

/** Sees a gradient when it has been computed, and may replace it. */
export type GradHook = (gradient: Tensor) => Tensor | undefined;

/**
 * A multi-dimensional array of one dtype in the tensor heap, as torch.Tensor. Make one with `tensor`, `zeros`, `randn` and their kin.
 *
 * Views (reshape, transpose, narrow, …) share memory. Memory is released when the training step that made the tensor ends; `keep()` holds it.
 * @example
 * ```ts
 * import { tensor } from "evenkeel";
 * const x = tensor([[1, 2], [3, 4]]);
 * x.shape; // => [2, 2]
 * x.mul(2).toArray(); // => [[2, 4], [6, 8]]
 * ```
 */
export class Tensor {
  /** Sizes, outermost first. */
  readonly shape: Shape;
  /** Distance in elements between neighbours along each dimension. */
  readonly strides: readonly number[];
  readonly dtype: DType;
  /** The gradient that `backward` accumulated, or null. */
  private gradient: Tensor | null = null;
  /** The function that made this tensor while gradients were recorded, or null. */
  gradFn: GradFn | null = null;
  /** @internal gradient hooks of a leaf */
  leafHooks: GradHook[] | null = null;
  /** @internal hooks of a leaf, called when its gradient has been accumulated */
  accumulatedHooks: (() => void)[] | null = null;
  private wantsGrad = false;

  /** @internal Use `tensor`, `zeros`, `randn` … */
  constructor(
    readonly storage: Storage,
    shape: Shape,
    strides: readonly number[],
    dtype: DType,
    /** Position of the first element in the storage, in elements. */
    readonly storageOffset = 0,
  ) {
    this.shape = shape;
    this.strides = strides;
    this.dtype = dtype;
  }

  /** Number of dimensions. */
  get ndim(): number {
    return this.shape.length;
  }

  /** Number of elements. */
  get numel(): number {
    return numelOf(this.shape);
  }

  /** Bytes that the elements take. */
  get nbytes(): number {
    return this.numel * ITEM_BYTES[this.dtype];
  }

  /** Where the tensor lives. */
  get device(): "cpu" {
    return "cpu";
  }

  /** @internal Byte address of the first element. */
  get pointer(): Pointer {
    return this.storage.pointer + this.storageOffset * ITEM_BYTES[this.dtype];
  }

  /** Size of a dimension, or all of them, as torch.Tensor.size. */
  size(): Shape;
  size(dim: number): number;
  size(dim?: number): Shape | number {
    if (dim === undefined) return this.shape;
    const at = dim < 0 ? dim + this.ndim : dim;
    if (!(at in this.shape)) {
      throw new ArgumentError(
        `Dimension out of range (expected to be in range of [${-this.ndim}, ${this.ndim - 1}], but got ${dim})`,
      );
    }
    return this.shape[at];
  }

  /** Whether the elements lie row-major without gaps. */
  get isContiguous(): boolean {
    return isContiguous(this.shape, this.strides);
  }

  /** Whether the elements lie in a memory format without gaps, as torch.Tensor.is_contiguous(memory_format=…). Where sizes are 1 several fit. */
  isContiguousIn(format: MemoryFormat): boolean {
    return liesIn(format, this.shape, this.strides);
  }

  /** Whether the user made this tensor rather than a recorded function. */
  get isLeaf(): boolean {
    return this.gradFn === null;
  }

  /** Whether gradients flow to this tensor. Setting it makes a leaf collect them in `grad`. */
  get requiresGrad(): boolean {
    return this.wantsGrad || this.gradFn !== null;
  }

  set requiresGrad(value: boolean) {
    if (value && !isFloatingPoint(this.dtype)) {
      throw new DTypeError(
        "only Tensors of floating point and complex dtype can require gradients",
        `this one is ${this.dtype}`,
      );
    }
    if (!value && this.gradFn) {
      throw new AutogradError("you can only change requires_grad flags of leaf variables", "use detach()");
    }
    this.wantsGrad = value;
  }

  /** Sets requiresGrad and returns the tensor, as requires_grad_. */
  requiresGrad_(value = true): this {
    this.requiresGrad = value;
    return this;
  }

  /** The gradient accumulated by `backward`; null before. Assigning null drops it. */
  get grad(): Tensor | null {
    return this.gradient;
  }

  set grad(value: Tensor | null) {
    if (value === this.gradient) return;
    value?.storage.pin();
    this.gradient?.storage.unpin();
    this.gradient = value;
  }

  /** Drops the gradient and gives its memory back, unless somebody kept it. */
  releaseGrad(): void {
    const { gradient } = this;
    if (!gradient) return;
    this.grad = null;
    if (!gradient.storage.isPinned) gradient.storage.release();
  }

  /** Asks that the gradient of a tensor that is not a leaf be kept in its `grad` too. @throws AutogradError if it needs none */
  retainGrad(): void {
    if (!this.requiresGrad) throw new AutogradError("can't retain_grad on Tensor that has requires_grad=False");
    if (this.gradFn) this.gradFn.output.retained = this;
  }

  /** Calls `hook` with this tensor's gradient when it is computed; a returned tensor replaces it. Returns a function that removes the hook. */
  registerHook(hook: GradHook): () => void {
    if (!this.requiresGrad) {
      throw new AutogradError("cannot register a hook on a tensor that doesn't require gradient");
    }
    const holder = this.gradFn?.output;
    const hooks: GradHook[] = (holder ? holder.hooks : this.leafHooks) ?? [];
    hooks.push(hook);
    if (holder) holder.hooks = hooks;
    else this.leafHooks = hooks;
    return () => {
      const at = hooks.indexOf(hook);
      if (at >= 0) hooks.splice(at, 1);
    };
  }

  /**
   * Calls `hook` with this leaf when `backward` has added the last of its share to `grad`, while the walk through earlier layers goes on. Returns a function that
   * removes the hook. As torch.Tensor.register_post_accumulate_grad_hook.
   */
  registerPostAccumulateGradHook(hook: (leaf: this) => void): () => void {
    if (!this.requiresGrad) {
      throw new AutogradError("cannot register a hook on a tensor that doesn't require gradient");
    }
    if (this.gradFn) {
      throw new AutogradError(
        "post accumulate grad hooks cannot be registered on non-leaf tensors",
        "use registerHook",
      );
    }
    this.accumulatedHooks ??= [];
    const hooks = this.accumulatedHooks;
    const call = () => hook(this);
    hooks.push(call);
    return () => {
      const at = hooks.indexOf(call);
      if (at >= 0) hooks.splice(at, 1);
    };
  }

  /** The same values without history: shares memory, needs no gradient. */
  detach(): Tensor {
    // what is detached is wanted beyond its step
    this.storage.recorded = false;
    return new Tensor(this.storage, this.shape, this.strides, this.dtype, this.storageOffset);
  }

  /** The elements in row-major order as a typed array: a copy. bool gives 0 and 1 in a Uint8Array, float16 and bfloat16 a Float32Array. */
  toTypedArray(): NumberArray {
    return valuesOf(this.dtype, this.elements());
  }

  /** The bits of a float16 or bfloat16 tensor's elements in row-major order: a copy, from which `tensor` makes the same again. @throws DTypeError for another dtype */
  toBits(): Uint16Array {
    if (!isReduced(this.dtype)) {
      throw new DTypeError(`toBits() is for float16 and bfloat16 tensors (got ${this.dtype})`, "use toTypedArray()");
    }
    return this.elements() as Uint16Array;
  }

  /** A copy of the elements as they are stored, in row-major order. */
  private elements(): TypedArray {
    const { numel, dtype } = this;
    const source = packed(this);
    const copy = viewHeap(dtype, source.pointer, numel).slice();
    if (source !== this) source.storage.release();
    return copy;
  }

  /** The elements as nested arrays of numbers (of booleans for bool): a copy. int64 beyond 2 ** 53 loses digits; see toTypedArray. */
  // biome-ignore lint/suspicious/noExplicitAny: the depth is known only at run time, and callers index it
  toArray(): any {
    const flat = this.toTypedArray();
    const { shape, dtype } = this;
    let at = 0;
    const build = (d: number): Nested => {
      if (d === shape.length) {
        const value = flat[at++];
        return dtype === "bool" ? value !== 0 : Number(value);
      }
      return Array.from({ length: shape[d] }, () => build(d + 1));
    };
    return build(0);
  }

  /** The one element as a number; 0 or 1 for bool. @throws ArgumentError if there is not exactly one */
  item(): number {
    if (this.numel !== 1) {
      throw new ArgumentError(
        `a Tensor with ${this.numel} elements cannot be converted to Scalar`,
        "use toArray(), or reduce it first with sum() or mean()",
      );
    }
    return Number(valuesOf(this.dtype, viewHeap(this.dtype, this.pointer, 1))[0]);
  }

  /** Holds the memory beyond the step that made it, until `dispose()`. Returns the tensor. */
  keep(): this {
    this.storage.pin();
    return this;
  }

  /** Gives the memory back now, of this tensor and all its views. */
  dispose(): void {
    this.storage.release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** A new tensor with undefined content: contiguous, or with the given strides, which leave no gaps. */
export function emptyTensor(shape: Shape, dtype: DType, strides: readonly number[] = contiguousStrides(shape)): Tensor {
  return new Tensor(new Storage(numelOf(shape) * ITEM_BYTES[dtype]), shape, strides, dtype);
}

/** A new tensor with undefined content in x's shape, its elements in the order of x's. */
export function emptyAs(x: Tensor, dtype: DType = x.dtype): Tensor {
  return emptyTensor(x.shape, dtype, preservedStrides(x.shape, x.strides));
}

/** A view of the same storage: no history is recorded. */
export function aliasOf(x: Tensor, shape: Shape, strides: readonly number[], storageOffset = x.storageOffset): Tensor {
  return new Tensor(x.storage, shape, strides, x.dtype, storageOffset);
}

/** Copies x's elements into a tensor of the same shape and dtype, whatever the strides of both. */
export function packInto(out: Tensor, x: Tensor): void {
  backend().copyStrided(ITEM_BYTES[x.dtype], x.shape, out.pointer, out.strides, x.pointer, x.strides);
}

/** A copy, contiguous or with the given strides. No history is recorded. */
export function detachedCopy(x: Tensor, strides?: readonly number[]): Tensor {
  const out = emptyTensor(x.shape, x.dtype, strides);
  packInto(out, x);
  return out;
}

/** x itself if contiguous, else a contiguous copy. No history is recorded. */
export function packed(x: Tensor): Tensor {
  return x.isContiguous ? x : detachedCopy(x);
}

/** x itself if its elements lie without gaps, in whatever order, else a copy in that order. No history is recorded. */
export function dense(x: Tensor): Tensor {
  if (x.isContiguous) return x;
  const strides = preservedStrides(x.shape, x.strides);
  return sameOrder(x.shape, strides, x.strides) ? x : detachedCopy(x, strides);
}

/** x itself if its elements lie in the order that the dense strides give, else such a copy. No history is recorded. */
export function packedAs(x: Tensor, strides: readonly number[]): Tensor {
  return sameOrder(x.shape, strides, x.strides) ? x : detachedCopy(x, strides);
}
