import type { DType } from "../../src/kernels/dtype.ts";
import { ITEM_BYTES, ITEM_SHIFT } from "../../src/kernels/dtype.ts";
import { heap } from "../../src/kernels/heap.ts";

type Numeric = Float32Array | Float64Array | Int32Array | Uint8Array;
export type Items = Numeric | BigInt64Array;

function view(dtype: DType): Items {
  const views = {
    float32: heap.f32,
    float64: heap.f64,
    int32: heap.i32,
    int64: heap.i64,
    uint8: heap.u8,
    bool: heap.u8,
  };
  return views[dtype];
}

/** Blocks of the heap for one test. Each is followed by a guard of 64 bytes; `release` fails when a kernel has written into one. */
export class Arena {
  private readonly blocks: { pointer: number; guard: number }[] = [];

  /** A block for n elements, filled with bytes 0xaa so that a result that was never written shows. */
  empty(dtype: DType, n: number): number {
    const bytes = n * ITEM_BYTES[dtype];
    const pointer = heap.alloc(bytes + 64);
    heap.u8.fill(0xaa, pointer, pointer + bytes + 64);
    this.blocks.push({ pointer, guard: pointer + bytes });
    return pointer;
  }

  /** A block with these elements. */
  put(dtype: DType, values: Items | readonly number[]): number {
    const pointer = this.empty(dtype, values.length);
    const target = view(dtype);
    const start = pointer >>> ITEM_SHIFT[dtype];
    for (let i = 0; i < values.length; i++) {
      if (target instanceof BigInt64Array) target[start + i] = BigInt(values[i]);
      else target[start + i] = Number(values[i]);
    }
    return pointer;
  }

  /** A copy of n elements. */
  read(dtype: DType, pointer: number, n: number): Items {
    const start = pointer >>> ITEM_SHIFT[dtype];
    return view(dtype).slice(start, start + n);
  }

  release(): void {
    const broken = this.blocks.filter(({ guard }) => heap.u8.subarray(guard, guard + 64).some((byte) => byte !== 0xaa));
    for (const { pointer } of this.blocks.splice(0)) heap.free(pointer);
    if (broken.length > 0) throw new Error(`${broken.length} kernel outputs were written past their end`);
  }
}

/** The first element that is further from the expected one than `tolerance` relative to max(|expected|, floor); NaN equals NaN. The default floor is where float32 still has full precision. */
export function mismatch(actual: Items, expected: Items, tolerance: number, floor = 1e-30): string | undefined {
  if (actual.length !== expected.length) return `${actual.length} elements, expected ${expected.length}`;
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [Number(actual[i]), Number(expected[i])];
    if (actual[i] === expected[i] || Object.is(a, e)) continue;
    if (!(Math.abs(a - e) <= tolerance * Math.max(Math.abs(e), floor))) return `[${i}] is ${a}, expected ${e}`;
  }
  return undefined;
}
