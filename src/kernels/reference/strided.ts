type Strides = readonly number[];

/**
 * Walks over strided operands row by row: calls `row(length, offsets, steps)` for every innermost row, with each
 * operand's
 * offset and step in elements. Axes that lie in one line for all operands are merged first, so a contiguous array is
 * one row.
 */
export function eachRow(
  sizes: readonly number[],
  strides: readonly Strides[],
  row: (length: number, offsets: readonly number[], steps: readonly number[]) => void,
): void {
  if (sizes.includes(0)) return;
  const axes = merge(sizes, strides);
  const [length, steps] = axes.pop() ?? [1, strides.map(() => 0)];
  const offsets = strides.map(() => 0);
  const counter = axes.map(() => 0);
  for (;;) {
    row(length, offsets, steps);
    let axis = axes.length - 1;
    for (; axis >= 0; axis--) {
      const [size, step] = axes[axis];
      if (++counter[axis] < size) {
        for (let k = 0; k < offsets.length; k++) offsets[k] += step[k];
        break;
      }
      counter[axis] = 0;
      for (let k = 0; k < offsets.length; k++) offsets[k] -= step[k] * (size - 1);
    }
    if (axis < 0) return;
  }
}

/** The axes from outer to inner, each a size and every operand's step, without those of size 1. */
function merge(sizes: readonly number[], strides: readonly Strides[]): [number, number[]][] {
  const axes: [number, number[]][] = [];
  for (let axis = 0; axis < sizes.length; axis++) {
    if (sizes[axis] === 1) continue;
    const steps = strides.map((stride) => stride[axis]);
    const outer = axes.at(-1);
    if (outer?.[1].every((step, k) => step === steps[k] * sizes[axis])) {
      outer[0] *= sizes[axis];
      outer[1] = steps;
    } else {
      axes.push([sizes[axis], steps]);
    }
  }
  return axes;
}

/** Row-major strides. */
export function contiguousStrides(sizes: readonly number[]): number[] {
  const strides = new Array<number>(sizes.length);
  let step = 1;
  for (let axis = sizes.length - 1; axis >= 0; axis--) {
    strides[axis] = step;
    step *= sizes[axis];
  }
  return strides;
}
