import { ODOMETER } from "./scratch";

/*
 * The odometer of a strided walk, written by src/kernels/wasm/strides.ts: the addresses of up to three operands, then for each
 * outer axis its size, a counter, and each operand's stride in bytes, all as u32.
 */
const AXES: usize = 16;
const AXIS_BYTES: usize = 20;

/** The address of an operand's row. */
export function operand(scratch: usize, which: usize): usize {
  return load<u32>(scratch + ODOMETER + (which << 2));
}

/** Steps to the next row; false after the last. */
export function advance(scratch: usize, axes: usize): bool {
  const odometer = scratch + ODOMETER;
  for (let axis = odometer + AXES + axes * AXIS_BYTES; axis > odometer + AXES; ) {
    axis -= AXIS_BYTES;
    const size = load<u32>(axis);
    const count = load<u32>(axis, 4) + 1;
    const steps = count < size ? 1 : 1 - size;
    store<u32>(axis, count < size ? count : 0, 4);
    store<u32>(odometer, load<u32>(odometer) + steps * load<u32>(axis, 8));
    store<u32>(odometer, load<u32>(odometer, 4) + steps * load<u32>(axis, 12), 4);
    store<u32>(odometer, load<u32>(odometer, 8) + steps * load<u32>(axis, 16), 8);
    if (count < size) return true;
  }
  return false;
}
