import type { GivenNormKernels } from "../given-norm.ts";
import { floats, position } from "./views.ts";

export const givenNormKernels: GivenNormKernels = {
  packMoments(dtype, row, mean, rest, m2, channels, count) {
    const [v, out] = [floats(dtype), floats("float64")];
    const [m, l, q] = [position(dtype, mean), position(dtype, rest), position(dtype, m2)];
    const r = position("float64", row);
    out[r] = count;
    for (let c = 0; c < channels; c++) {
      out[r + 1 + c] = v[m + c] + v[l + c];
      out[r + 1 + channels + c] = v[q + c];
    }
  },

  mergeMoments(out, rows, parts, channels) {
    const v = floats("float64");
    const [o, first] = [position("float64", out), position("float64", rows)];
    const length = 1 + 2 * channels;
    const end = first + parts * length;
    let total = 0;
    for (let r = first; r < end; r += length) total += v[r];
    const count = Math.max(total, 1);
    for (let c = 1; c <= channels; c++) {
      let sum = 0;
      for (let r = first; r < end; r += length) sum += v[r] * v[r + c];
      const mean = sum / count;
      let m2 = 0;
      for (let r = first; r < end; r += length) m2 += v[r + channels + c] + v[r] * (v[r + c] - mean) ** 2;
      v[o + c] = mean;
      v[o + channels + c] = m2;
    }
    v[o] = total;
  },

  finishMergedMoments(dtype, mean, rest, invstd, runningMean, runningVar, row, channels, eps, momentum) {
    const [v, w] = [floats(dtype), floats("float64")];
    const [m, l, s] = [position(dtype, mean), position(dtype, rest), position(dtype, invstd)];
    const [rm, rv, r] = [position(dtype, runningMean), position(dtype, runningVar), position("float64", row)];
    const count = w[r];
    for (let c = 0; c < channels; c++) {
      const [average, m2] = [w[r + 1 + c], w[r + 1 + channels + c]];
      v[m + c] = average;
      v[l + c] = average - v[m + c];
      v[s + c] = m2 / Math.max(count, 1);
      const variance = v[s + c];
      v[s + c] = variance !== 0 || eps !== 0 ? 1 / Math.sqrt(variance + eps) : 0;
      if (count < 2) continue;
      if (runningMean !== 0) v[rm + c] += (average - v[rm + c]) * momentum;
      if (runningVar !== 0) v[rv + c] += (m2 / (count - 1) - v[rv + c]) * momentum;
    }
  },

  shareGradSums(dtype, gMean, k, sums, row, rest, invstd, channels) {
    const v = floats(dtype);
    const [a, b, t] = [position(dtype, gMean), position(dtype, k), position(dtype, sums)];
    const [l, s] = [position(dtype, rest), position(dtype, invstd)];
    const count = Math.max(floats("float64")[position("float64", row)], 1);
    for (let c = 0; c < channels; c++) {
      v[b + c] = (v[s + c] * v[t + channels + c]) / count;
      v[a + c] = v[t + c] / count - v[l + c] * v[b + c];
    }
  },

  givenGradByChannel(dtype, gx, g, x, outer, channels, inner, mean, invstd, weight, gMean, k) {
    const v = floats(dtype);
    const [o, gi, xi] = [position(dtype, gx), position(dtype, g), position(dtype, x)];
    const [m, s, w] = [position(dtype, mean), position(dtype, invstd), position(dtype, weight)];
    const [a, b] = [position(dtype, gMean), position(dtype, k)];
    for (let row = 0; row < outer * channels; row++) {
      const c = row % channels;
      for (let i = row * inner; i < (row + 1) * inner; i++) {
        v[o + i] = (v[gi + i] - v[a + c] - (v[xi + i] - v[m + c]) * v[b + c]) * v[s + c] * v[w + c];
      }
    }
  },
};
