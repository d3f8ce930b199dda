/** Where the bins of a strip lie. */
export interface Bins {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/** What an activation function is given. Values outside count in the outermost bins. */
export const ACTIVATION_BINS: Bins = { from: -8, to: 8, count: 64 };
/** log₁₀ of the absolute gradients of a layer's weights. */
export const GRADIENT_BINS: Bins = { from: -9, to: 1, count: 60 };

/** More values than this change a histogram of 60 bins by less than the eye sees. */
const MOST_VALUES = 8192;

/** The share of the values in each bin; of more than 8192 values, evenly chosen ones. */
export function histogram(values: ArrayLike<number>, bins: Bins, of: (x: number) => number): Float32Array {
  const { from, to, count } = bins;
  const shares = new Float32Array(count);
  const stride = Math.max(1, Math.ceil(values.length / MOST_VALUES));
  const perUnit = count / (to - from);
  let counted = 0;
  for (let i = 0; i < values.length; i += stride) {
    const x = of(values[i]);
    if (Number.isNaN(x)) continue;
    shares[Math.min(count - 1, Math.max(0, Math.floor((x - from) * perUnit)))]++;
    counted++;
  }
  if (counted > 0) for (let b = 0; b < count; b++) shares[b] /= counted;
  return shares;
}
