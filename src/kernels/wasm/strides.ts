import type { Pointer } from "../backend.ts";
import { heap } from "../heap.ts";
import { ARGUMENTS } from "./module.ts";

type Strides = readonly number[];

/** 16 bytes of addresses, then 20 for each axis, must stay below 1 KiB; see assembly/scratch.ts and assembly/strided.ts. */
const MAX_AXES = 50;
const NONE: Strides = Array.from(new Int32Array(MAX_AXES));

/**
 * Sizes and strides of a strided kernel with up to three operands, axes merged wherever all operands allow it, so that most calls
 * end as one row. One object serves all calls.
 */
export class Axes {
  rank = 0;
  readonly sizes = new Int32Array(MAX_AXES);
  readonly strides = [new Int32Array(MAX_AXES), new Int32Array(MAX_AXES), new Int32Array(MAX_AXES)] as const;

  /** Takes the axes from outer to inner, merging neighbours; false when an axis is empty. */
  set(sizes: readonly number[], s0: Strides, s1: Strides, s2: Strides = NONE): boolean {
    this.rank = 0;
    for (let axis = 0; axis < sizes.length; axis++) {
      if (sizes[axis] === 0) return false;
      this.push(sizes[axis], s0[axis], s1[axis], s2[axis]);
    }
    if (this.rank === 0) this.push(1, 0, 0, 0, true);
    return true;
  }

  /** As `set`, but with the axes in the order of the first operand's strides, the largest outermost. */
  setSorted(sizes: readonly number[], s0: Strides, s1: Strides): boolean {
    let sorted = true;
    for (let axis = 1; axis < sizes.length; axis++) if (s0[axis] > s0[axis - 1]) sorted = false;
    if (sorted) return this.set(sizes, s0, s1);
    const order = sizes.map((_, axis) => axis).sort((i, j) => s0[j] - s0[i]);
    const by = (values: readonly number[]) => order.map((axis) => values[axis]);
    return this.set(by(sizes), by(s0), by(s1));
  }

  private push(size: number, a: number, b: number, c: number, force = false): void {
    if (size === 1 && !force) return;
    const { sizes, strides } = this;
    const outer = this.rank - 1;
    if (
      outer >= 0 &&
      strides[0][outer] === a * size &&
      strides[1][outer] === b * size &&
      strides[2][outer] === c * size
    ) {
      sizes[outer] *= size;
    } else {
      sizes[++this.rank - 1] = size;
    }
    const at = this.rank - 1;
    strides[0][at] = a;
    strides[1][at] = b;
    strides[2][at] = c;
  }

  /** Rows that the odometer walks: the product of the axes that are left. */
  rows(): number {
    let rows = 1;
    for (let axis = 0; axis < this.rank; axis++) rows *= this.sizes[axis];
    return rows;
  }

  /** Removes an axis, for a kernel that walks it itself. */
  remove(axis: number): void {
    if (axis === --this.rank) return;
    this.sizes.copyWithin(axis, axis + 1);
    for (const strides of this.strides) strides.copyWithin(axis, axis + 1);
  }

  /** Writes the odometer over the axes that are left, and the operands' addresses; strides in items of b0, b1 and b2 bytes. */
  write(p0: Pointer, b0: number, p1: Pointer, b1: number, p2: Pointer = 0, b2 = 0): void {
    const { i32 } = heap;
    const start = ARGUMENTS >> 2;
    i32[start] = p0;
    i32[start + 1] = p1;
    i32[start + 2] = p2;
    for (let axis = 0; axis < this.rank; axis++) {
      const at = start + 4 + 5 * axis;
      i32[at] = this.sizes[axis];
      i32[at + 1] = 0;
      i32[at + 2] = this.strides[0][axis] * b0;
      i32[at + 3] = this.strides[1][axis] * b1;
      i32[at + 4] = this.strides[2][axis] * b2;
    }
  }
}

/** The axes of the call at hand. */
export const axes = new Axes();
