import { columnGradRow, columnScaleRow } from "./columns";
import { gradRow } from "./rows";

/** gx = (g − gMean − (x − mean)·k)·invstd·weight for `rows` rows of one channel each, from number `first` on; with inner = 1 rows are all channels side by side. */
export function givenGradByChannel<T>(
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
      columnGradRow<T>(gx + p, g + p, x + p, channels, gMean, mean, k, invstd);
      columnScaleRow<T>(gx + p, gx + p, channels, weight);
      continue;
    }
    const at = (r % channels) * size;
    const m = load<T>(mean + at);
    const scale = <T>(load<T>(invstd + at) * load<T>(weight + at));
    gradRow<T>(gx + p, g + p, x + p, inner, load<T>(gMean + at), m, load<T>(k + at), scale);
  }
}
