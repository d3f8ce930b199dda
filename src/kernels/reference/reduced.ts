import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from "../../util/reduced-precision.ts";
import type { Pointer } from "../backend.ts";
import type { ReducedDType } from "../dtype.ts";
import { heap } from "../heap.ts";

/** out[i] = x[i] as float32 */
export function widen(from: ReducedDType, out: Pointer, x: Pointer, n: number): void {
  const read = from === "float16" ? fromFloat16 : fromBfloat16;
  const { f32, u16 } = heap;
  for (let i = 0; i < n; i++) f32[(out >>> 2) + i] = read(u16[(x >>> 1) + i]);
}

/** out[i] = x[i], a float32, rounded */
export function narrow(to: ReducedDType, out: Pointer, x: Pointer, n: number): void {
  const write = to === "float16" ? toFloat16 : toBfloat16;
  const { f32, u16 } = heap;
  for (let i = 0; i < n; i++) u16[(out >>> 1) + i] = write(f32[(x >>> 2) + i]);
}
