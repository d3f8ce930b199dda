import { backend } from "../kernels/registry.ts";
import { convertedCopy } from "../tensor/convert.ts";
import { isReduced } from "../tensor/dtype.ts";
import type { Storage } from "../tensor/memory.ts";
import { isDense, memoryOrder, sameOrder } from "../tensor/memory-format.ts";
import { sameShape } from "../tensor/shape.ts";
import { emptyAs, type GradFn, type GradientMemory, type Tensor } from "../tensor/tensor.ts";
import { ShapeError } from "../util/errors.ts";
import { record } from "./record.ts";

/** Their sum, with a history if gradients are recorded. */
export function addGradients(a: Tensor, b: Tensor): Tensor {
  const { dtype } = a;
  if (isReduced(dtype)) {
    const [wide, term] = [convertedCopy(a, "float32"), convertedCopy(b, "float32")];
    const sum = convertedCopy(addGradients(wide, term), dtype);
    return record("AddBackward0", sum, [a, b], (gradient) => [gradient, gradient]);
  }
  const out = emptyAs(a);
  const order = memoryOrder(a.shape, out.strides);
  const by = (values: readonly number[]) => order.map((d) => values[d]);
  backend().binary("add", dtype, by(a.shape), out.pointer, a.pointer, by(a.strides), b.pointer, by(b.strides));
  return record("AddBackward0", out, [a, b], (gradient) => [gradient, gradient]);
}

/** The gradients on their way through one run of backward, and the memory they hold: those in its maps hold theirs until they are dropped. */
export class Flow implements GradientMemory {
  readonly toFunctions = new Map<GradFn, Tensor>();
  readonly toLeaves = new Map<Tensor, Tensor>();
  private readonly foreign = new Set<Storage>();

  constructor(
    private readonly createGraph: boolean,
    /** storages born from here on were made by this run */
    private readonly since: number,
  ) {}

  /** Marks what the caller owns: never changed in place, never released. */
  exempt(gradient: Tensor): void {
    this.foreign.add(gradient.storage);
  }

  add(target: Tensor, gradient: Tensor): void {
    if (!sameShape(target.shape, gradient.shape)) {
      throw new ShapeError(
        `a backward function returned a gradient of shape [${gradient.shape.join(", ")}] for an input of shape [${target.shape.join(", ")}]`,
      );
    }
    const fn = target.gradFn;
    const before = fn ? this.toFunctions.get(fn) : this.toLeaves.get(target);
    let now = gradient;
    if (before) {
      now = this.sum(before, gradient);
      if (now !== before) {
        this.drop(before);
        this.hold(now);
      }
      if (now !== gradient) this.discardUnheld(gradient);
    } else {
      this.hold(now);
    }
    if (fn) this.toFunctions.set(fn, now);
    else this.toLeaves.set(target, now);
  }

  private sum(before: Tensor, gradient: Tensor): Tensor {
    const inPlace =
      !this.createGraph &&
      !isReduced(before.dtype) &&
      isDense(before.shape, before.strides) &&
      sameOrder(before.shape, before.strides, gradient.strides) &&
      this.isOwn(before) &&
      !this.isShared(before) &&
      before.storage !== gradient.storage;
    if (inPlace) {
      backend().axpy(before.dtype, before.pointer, gradient.pointer, before.numel, 1);
      return before;
    }
    return addGradients(before, gradient);
  }

  /** Made during this run, by nobody who could still need it. */
  isOwn(gradient: Tensor): boolean {
    const { storage } = gradient;
    return storage.born >= this.since && !this.foreign.has(storage) && !storage.isPinned;
  }

  /** Only for the gradient that its function is working on: what holds it is that. */
  isSpare(gradient: Tensor): boolean {
    return !this.createGraph && this.isOwn(gradient) && gradient.storage.holds === 1;
  }

  private hold(gradient: Tensor): void {
    gradient.storage.holds++;
  }

  /** The gradient has been used: its memory goes back at once, still hot, unless another one shares it. */
  drop(gradient: Tensor): void {
    gradient.storage.holds--;
    this.discardUnheld(gradient);
  }

  private discardUnheld(gradient: Tensor): void {
    if (!this.createGraph && gradient.storage.holds === 0 && this.isOwn(gradient)) gradient.storage.release();
  }

  isShared(gradient: Tensor): boolean {
    return gradient.storage.holds > 1;
  }

  /** Drops all that are still on their way, where the run has failed. */
  abandon(): void {
    for (const gradient of this.toFunctions.values()) this.drop(gradient);
    for (const gradient of this.toLeaves.values()) this.drop(gradient);
  }
}
