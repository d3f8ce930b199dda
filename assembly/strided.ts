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

/**
 * Copies an odometer, which another thread may be copying too, and turns it to its row number `first`; one without axes goes to element number `first`
 * of its only row, by the operands' steps.
 */
export function seek(
  scratch: usize,
  source: usize,
  axes: usize,
  first: usize,
  step0: usize,
  step1: usize,
  step2: usize,
): void {
  const odometer = scratch + ODOMETER;
  if (source !== scratch) memory.copy(odometer, source + ODOMETER, AXES + axes * AXIS_BYTES);
  if (first === 0) return;
  let offset0: usize = axes ? 0 : first * step0;
  let offset1: usize = axes ? 0 : first * step1;
  let offset2: usize = axes ? 0 : first * step2;
  for (let axis = odometer + AXES + axes * AXIS_BYTES; axis > odometer + AXES; ) {
    axis -= AXIS_BYTES;
    const size = load<u32>(axis);
    const count = first % size;
    first /= size;
    store<u32>(axis, count, 4);
    offset0 += count * load<u32>(axis, 8);
    offset1 += count * load<u32>(axis, 12);
    offset2 += count * load<u32>(axis, 16);
  }
  store<u32>(odometer, load<u32>(odometer) + offset0);
  store<u32>(odometer, load<u32>(odometer, 4) + offset1, 4);
  store<u32>(odometer, load<u32>(odometer, 8) + offset2, 8);
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
