import type { GivenNormKernels } from "../given-norm.ts";
import { heap } from "../heap.ts";
import { normalizeByChannelGrad } from "./channel-grad.ts";
import { correction } from "./rows.ts";
import { floats, position } from "./views.ts";

export const givenNormKernels: GivenNormKernels = {
  partMoments(dtype, row, x, outer, channels, inner) {
    const [v, out] = [floats(dtype), floats("float64")];
    const [r, first] = [position("float64", row), position(dtype, x)];
    const count = outer * inner;
    out[r] = count;
    for (let c = 0; c < channels; c++) {
      let sum = 0;
      for (let n = 0; n < outer; n++) {
        const at = first + (n * channels + c) * inner;
        for (let i = at; i < at + inner; i++) sum += v[i];
      }
      const mean = sum / Math.max(count, 1);
      let squares = 0;
      let rest = 0;
      for (let n = 0; n < outer; n++) {
        const at = first + (n * channels + c) * inner;
        for (let i = at; i < at + inner; i++) {
          squares += (v[i] - mean) ** 2;
          rest += v[i] - mean;
        }
      }
      // the sum's own rounding
      const off = correction(rest, count);
      out[r + 1 + c] = mean + off;
      out[r + 1 + channels + c] = squares - off * rest;
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

  gradSumsByChannel(dtype, gWeight, gBias, g, x, outer, channels, inner, mean, rest, invstd, tail) {
    const own = tail?.before === 0 ? heap.alloc(outer * channels * inner * (dtype === "float32" ? 4 : 8)) : 0;
    const behind = tail && own !== 0 ? { ...tail, before: own } : tail;
    normalizeByChannelGrad(dtype, 0, gWeight, gBias, g, x, outer, channels, inner, mean, rest, invstd, 0, true, behind);
    if (own !== 0) heap.free(own);
  },

  givenGradByChannel(dtype, gx, g, x, outer, channels, inner, mean, invstd, weight, gMean, k, relu) {
    const v = floats(dtype);
    const [o, gi, xi] = [position(dtype, gx), position(dtype, g), position(dtype, x)];
    const [m, s, w] = [position(dtype, mean), position(dtype, invstd), position(dtype, weight)];
    const [a, b] = [position(dtype, gMean), position(dtype, k)];
    const si = position(dtype, relu);
    for (let row = 0; row < outer * channels; row++) {
      const c = row % channels;
      for (let i = row * inner; i < (row + 1) * inner; i++) {
        const upstream = relu !== 0 && v[si + i] <= 0 ? 0 : v[gi + i];
        v[o + i] = (upstream - v[a + c] - (v[xi + i] - v[m + c]) * v[b + c]) * v[s + c] * v[w + c];
      }
    }
  },
};
