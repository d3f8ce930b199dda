import type { GivenNormKernels } from "../given-norm.ts";
import { floats, position } from "./views.ts";

export const givenNormKernels: GivenNormKernels = {
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
