import { columnGradRow } from "./columns";
import { gradRow } from "./rows";

/** gx = (g − gMean − (x − mean)·k)·invstd·weight for `rows` rows of one channel each, from number `first` on; with inner = 1 rows are all channels side by side. */
function givenGradByChannel<T>(
  gx: usize,
  g: usize,
  x: usize,
  first: usize,
  rows: usize,
  channels: usize,
  inner: usize,
  mean: usize,
  invstd: usize,
  weight: usize,
  gMean: usize,
  k: usize,
): void {
  const size: usize = sizeof<T>();
  const bytes = (inner === 1 ? channels : inner) * size;
  for (let r = first; r < first + rows; r++) {
    const p = r * bytes;
    if (inner === 1) {
      columnGradRow<T>(gx + p, g + p, x + p, channels, gMean, mean, k, invstd, weight);
      continue;
    }
    const at = (r % channels) * size;
    const m = load<T>(mean + at);
    const scale = load<T>(invstd + at);
    gradRow<T>(gx + p, g + p, x + p, inner, load<T>(gMean + at), m, load<T>(k + at), scale, load<T>(weight + at));
  }
}

export function givenGradByChannelF32(
  gx: usize,
  g: usize,
  x: usize,
  first: usize,
  rows: usize,
  channels: usize,
  inner: usize,
  mean: usize,
  invstd: usize,
  weight: usize,
  gMean: usize,
  k: usize,
): void {
  givenGradByChannel<f32>(gx, g, x, first, rows, channels, inner, mean, invstd, weight, gMean, k);
}

export function givenGradByChannelF64(
  gx: usize,
  g: usize,
  x: usize,
  first: usize,
  rows: usize,
  channels: usize,
  inner: usize,
  mean: usize,
  invstd: usize,
  weight: usize,
  gMean: usize,
  k: usize,
): void {
  givenGradByChannel<f64>(gx, g, x, first, rows, channels, inner, mean, invstd, weight, gMean, k);
}
