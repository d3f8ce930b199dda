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
  /** The second parts of gradients whose functions take parts; those functions have no entry here before they have one in toFunctions. */
  private readonly parts = new Map<GradFn, Tensor>();
  addend: Tensor | null = null;
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
    if (!before) this.hold(gradient);
    else if (fn?.takesParts && !this.parts.has(fn) && this.fits(before, gradient)) {
      this.hold(gradient);
      this.parts.set(fn, gradient);
      return;
    }
    const now = before ? this.join(before, gradient) : gradient;
    if (fn) this.toFunctions.set(fn, now);
    else this.toLeaves.set(target, now);
  }

  /** What has arrived for a function; unless it is told of a second part by `addend`, all of it. */
  arrived(fn: GradFn, whole: boolean): Tensor | undefined {
    const before = this.toFunctions.get(fn);
    const part = this.parts.get(fn);
    this.addend = null;
    if (!before || !part) return before;
    if (!whole && this.isSpare(before)) {
      this.addend = part;
      return before;
    }
    this.parts.delete(fn);
    const now = this.join(before, part);
    this.drop(part);
    this.toFunctions.set(fn, now);
    return now;
  }

  /** The function's gradient has been used. */
  used(fn: GradFn, gradient: Tensor): void {
    this.toFunctions.delete(fn);
    this.drop(gradient);
    const part = this.parts.get(fn);
    if (!part) return;
    this.parts.delete(fn);
    this.drop(part);
  }

  /** The sum, which is held in place of `before`. */
  private join(before: Tensor, gradient: Tensor): Tensor {
    let now = before;
    const { dtype } = before;
    if (!isReduced(dtype) && this.fits(before, gradient) && !this.isShared(before)) {
      backend().axpy(dtype, before.pointer, gradient.pointer, before.numel, 1);
    } else {
      now = addGradients(before, gradient);
      this.drop(before);
      this.hold(now);
    }
    if (now !== gradient) this.discardUnheld(gradient);
    return now;
  }

  /** Whether a gradient may be added to the one before it where that lies, as soon as nobody shares it. */
  private fits(before: Tensor, gradient: Tensor): boolean {
    return (
      !this.createGraph &&
      isDense(before.shape, before.strides) &&
      sameOrder(before.shape, before.strides, gradient.strides) &&
      this.isOwn(before) &&
      before.storage !== gradient.storage
    );
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
    for (const gradient of this.parts.values()) this.drop(gradient);
    for (const gradient of this.toLeaves.values()) this.drop(gradient);
  }
}
