/** Mean and variance of all values seen, channel by channel, joined batch by batch in double precision (Chan et al. 1983). */
export class Pool {
  count = 0;
  readonly mean: Float64Array;
  readonly #squares: Float64Array;

  constructor(channels: number) {
    this.mean = new Float64Array(channels);
    this.#squares = new Float64Array(channels);
  }

  /** @param correction variances are sums of squares over n − correction */
  add(n: number, means: ArrayLike<number>, variances: ArrayLike<number>, correction: number): void {
    const total = this.count + n;
    for (let c = 0; c < this.mean.length; c++) {
      const delta = means[c] - this.mean[c];
      this.mean[c] += (delta * n) / total;
      this.#squares[c] += variances[c] * (n - correction) + (delta * delta * this.count * n) / total;
    }
    this.count = total;
  }

  /** The unbiased variance. */
  variance(): Float64Array {
    return this.#squares.map((sum) => sum / (this.count - 1));
  }
}
