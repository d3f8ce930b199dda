import { expect } from "vitest";
import type { Backend, Pointer } from "../../src/kernels/backend.ts";
import { type DType, ITEM_BYTES } from "../../src/kernels/dtype.ts";
import { heap } from "../../src/kernels/heap.ts";
import { createReferenceBackend } from "../../src/kernels/reference/index.ts";
import { backend } from "../../src/kernels/registry.ts";
import "../../src/runtime.ts";

/** The backend under test, and the one it is compared with. */
export const tested: Backend = backend();
export const reference: Backend = createReferenceBackend();
export const isReference = tested.name === "reference";

const GUARD = 0xa5;
const GUARD_BYTES = 64;

const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

/** Puts values on the heap for as long as the test file runs. */
export function put(dtype: DType, values: ArrayLike<number>): Pointer {
  const pointer = heap.alloc(values.length * ITEM_BYTES[dtype]);
  const view = new ARRAYS[dtype](heap.memory.buffer, pointer, values.length);
  for (let i = 0; i < values.length; i++) view[i] = dtype === "int64" ? BigInt(values[i]) : values[i];
  return pointer;
}

/** Values of the heap, as numbers. */
export function read(dtype: DType, pointer: Pointer, n: number): number[] {
  return Array.from(new ARRAYS[dtype](heap.memory.buffer, pointer, n), Number);
}

/**
 * Runs a kernel on both backends, each on an output of its own that starts as `initial` or as rubbish, and checks that nothing behind it
 * was written. Returns [tested, reference].
 */
export function runBoth(
  dtype: DType,
  n: number,
  run: (kernels: Backend, out: Pointer) => void,
  initial?: ArrayLike<number>,
): [number[], number[]] {
  const results = [tested, reference].map((kernels) => {
    const bytes = n * ITEM_BYTES[dtype];
    const out = heap.alloc(bytes + GUARD_BYTES);
    heap.u8.fill(GUARD, out, out + bytes + GUARD_BYTES);
    if (initial) {
      const from = put(dtype, initial);
      heap.u8.copyWithin(out, from, from + bytes);
    }
    run(kernels, out);
    const values = read(dtype, out, n);
    const guard = heap.u8.subarray(out + bytes, out + bytes + GUARD_BYTES);
    expect(
      guard.every((byte) => byte === GUARD),
      "wrote beyond the output",
    ).toBe(true);
    heap.free(out);
    return values;
  });
  return results as [number[], number[]];
}

const f32 = new Float32Array(1);
const bits = new Int32Array(f32.buffer);

/** float32 in the order of its bits: neighbours differ by 1. */
function ordered(x: number): number {
  f32[0] = x;
  return bits[0] < 0 ? -(bits[0] & 0x7fffffff) : bits[0];
}

/** How many float32 lie between two, 0 for two NaN. */
export function ulps(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) === Number.isNaN(b) ? 0 : Number.POSITIVE_INFINITY;
  return Math.abs(ordered(a) - ordered(b));
}

/** Expects float32 values within `most` units in the last place of the others; `of` are the arguments, for the message. */
export function expectUlps(
  actual: readonly number[],
  expected: readonly number[],
  most: number,
  message = "",
  of?: readonly number[],
): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < actual.length; i++) {
    if (ulps(actual[i], expected[i]) > most) {
      const where = `${message} [${i}]${of ? ` of ${of[i]}` : ""}`;
      expect.fail(`${where}: ${actual[i]}, expected ${expected[i]}, ${ulps(actual[i], expected[i])} ulps away`);
    }
  }
}

/** n numbers in [−scale, scale), the same each time. */
export function noise(n: number, scale = 1, seed = 1): number[] {
  let state = seed;
  return Array.from({ length: n }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state / 2 ** 31) * scale;
  });
}
