/* What the gradient of normalization by channels makes of its sums. */

/** From their sums, gWeight and gBias of some channels and what gx is made of: gMean, k and invstd·weight. */
export function finishSums<T>(
  gWeight: usize,
  gBias: usize,
  gMeans: usize,
  ks: usize,
  scales: usize,
  sums: usize,
  products: usize,
  channels: usize,
  count: f64,
  rest: usize,
  invstd: usize,
  weight: usize,
): void {
  for (let c: usize = 0; c < channels; c++) {
    const at = c * sizeof<T>();
    const scale = load<T>(invstd + at);
    const sum = load<f64>(sums + c * 8);
    const lost: f64 = rest ? <f64>load<T>(rest + at) : 0;
    const product = load<f64>(products + c * 8) - lost * sum;
    const k = <T>(<T>(<T>(<T>product * scale) * scale) / <T>count);
    if (gWeight) store<T>(gWeight + at, <T>(product * <f64>scale));
    if (gBias) store<T>(gBias + at, <T>sum);
    // (x − mean − rest)·k is (x − mean)·k and a constant
    store<T>(gMeans + at, <T>(lost === 0 ? sum / count : sum / count - lost * <f64>k));
    store<T>(ks + at, k);
    store<T>(scales + at, weight ? <T>(scale * load<T>(weight + at)) : scale);
  }
}
