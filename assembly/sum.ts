/* Sums of channels of [outer, all, inner], in float64; `channels` of them from the given addresses on. */
import { columnSums } from "./columns";
import { sumRow } from "./rows";

/** `scratch` holds a float64 of every channel. */
export function sumByChannel<T>(
  out: usize,
  x: usize,
  outer: usize,
  channels: usize,
  inner: usize,
  all: usize,
  scratch: usize,
): void {
  const size: usize = sizeof<T>();
  memory.fill(scratch, 0, channels * 8);
  if (inner === 1) columnSums<T>(scratch, x, outer, channels, all);
  else {
    for (let o: usize = 0; o < outer; o++) {
      for (let at = scratch; at < scratch + channels * 8; at += 8) {
        store<f64>(at, load<f64>(at) + sumRow<T>(x, inner));
        x += inner * size;
      }
      x += (all - channels) * inner * size;
    }
  }
  for (let c: usize = 0; c < channels; c++) store<T>(out + c * size, <T>load<f64>(scratch + c * 8));
}
