/** The value below which a share of the sorted values lies, interpolated. */
function quantile(sorted, share) {
  const at = (sorted.length - 1) * share;
  const low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (sorted[high] - sorted[low]) * (at - low);
}

/** Median and quartiles. */
export function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return { low: quantile(sorted, 0.25), median: quantile(sorted, 0.5), high: quantile(sorted, 0.75) };
}

/**
 * theirs / ours: round by round, so that what slows the whole machine for a while cancels. Lanes that take long have fewer rounds than others; those
 * that both have are compared.
 */
export function ratio(theirs, ours) {
  const rounds = Math.min(theirs.length, ours.length);
  return spread(Array.from({ length: rounds }, (_, r) => theirs[r] / ours[r]));
}

/** The geometric mean, the right one for ratios. */
export function geometricMean(values) {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}
