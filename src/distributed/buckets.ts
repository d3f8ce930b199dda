import { noGrad } from "../autograd/mode.ts";
import type { Parameter } from "../nn/parameter.ts";
import { copy_, mul_, zero_ } from "../ops/inplace.ts";
import { zeros } from "../tensor/creation.ts";
import { type DType, ITEM_BYTES } from "../tensor/dtype.ts";
import { isDense } from "../tensor/memory-format.ts";
import { contiguousStrides } from "../tensor/shape.ts";
import { aliasOf, type Tensor } from "../tensor/tensor.ts";
import type { Communicator, PendingReduction } from "./communicator.ts";

/** Gradients begin at multiples of so many elements: a cache line of float32. */
const ALIGNMENT = 16;

/** A parameter's place in a bucket. */
export interface Slot {
  readonly bucket: Bucket;
  readonly name: string;
  readonly parameter: Parameter;
  /** the gradient, where it is reduced and where it stays: it lies as the parameter does */
  readonly gradient: Tensor;
  /** whether this backward has given it */
  ready: boolean;
}

/** Gradients that are reduced in one call. */
export class Bucket {
  readonly slots: Slot[] = [];
  private readonly all: Tensor;
  private waiting = 0;
  private pending: PendingReduction | null = null;

  constructor(dtype: DType, parameters: readonly (readonly [string, Parameter])[]) {
    const room = ({ numel }: Tensor) => Math.ceil(numel / ALIGNMENT) * ALIGNMENT;
    this.all = zeros([parameters.reduce((sum, [, parameter]) => sum + room(parameter), 0)], { dtype }).keep();
    let at = 0;
    for (const [name, parameter] of parameters) {
      const { shape, strides } = parameter;
      const dense = isDense(shape, strides) ? strides : contiguousStrides(shape);
      this.slots.push({ bucket: this, name, parameter, gradient: aliasOf(this.all, shape, dense, at), ready: false });
      at += room(parameter);
    }
  }

  /** Begins a backward. */
  open(): void {
    this.waiting = this.slots.length;
    this.pending = null;
    for (const slot of this.slots) slot.ready = false;
  }

  get complete(): boolean {
    return this.waiting === 0;
  }

  /** Takes over the parameter's gradient, or where `used` is false what is to be added in its place. */
  fill(slot: Slot, used: boolean): void {
    const { parameter, gradient } = slot;
    const own = parameter.grad;
    if (own && own !== gradient) noGrad(() => copy_(gradient, own));
    else if (!own) zero_(gradient);
    if (used) {
      if (own !== gradient) parameter.releaseGrad();
      parameter.grad = gradient;
      slot.ready = true;
    }
    this.waiting--;
  }

  start(ranks: Communicator): void {
    this.pending = ranks.startSum_(this.all);
  }

  /** Moves a reduction that has begun on. */
  poke(): void {
    this.pending?.test();
  }

  /** Waits for the sum, and makes it the mean. */
  finish(worldSize: number): void {
    this.pending?.wait();
    this.pending = null;
    noGrad(() => mul_(this.all, 1 / worldSize));
  }
}

/** Parameters in reverse order, which is about that of their gradients, in buckets of one dtype and about so many bytes. */
export function makeBuckets(parameters: readonly (readonly [string, Parameter])[], bytes: number): Bucket[] {
  const filling = new Map<DType, [string, Parameter][]>();
  const buckets: Bucket[] = [];
  for (const [name, parameter] of [...parameters].reverse()) {
    const { dtype } = parameter;
    const now = filling.get(dtype) ?? [];
    now.push([name, parameter]);
    filling.set(dtype, now);
    if (now.reduce((sum, [, { numel }]) => sum + numel * ITEM_BYTES[dtype], 0) < bytes) continue;
    buckets.push(new Bucket(dtype, now));
    filling.delete(dtype);
  }
  for (const [dtype, rest] of filling) buckets.push(new Bucket(dtype, rest));
  return buckets;
}
