import type { NormTailGrad, Pointer } from "../backend.ts";
import type { FloatDType } from "../dtype.ts";
import { elementwiseKernels } from "./elementwise.ts";
import { fma, fma32, round } from "./math.ts";
import { type Floats, floats, position } from "./views.ts";

/** Σ g and Σ g·(x − mean) over one plane of a channel are added to the two elements of `sums`. */
type PlaneSums = (sums: Float64Array, v: Floats, g: number, x: number, length: number, mean: number) => void;

const addPlane: PlaneSums = (sums, v, g, x, length, mean) => {
  for (let i = 0; i < length; i++) {
    sums[0] += v[g + i];
    sums[1] += v[g + i] * (v[x + i] - mean);
  }
};

const sumLanes = new Float32Array(8);
const dotLanes = new Float32Array(8);

/**
 * PyTorch's AVX2 kernel to the bit: within a plane eight float32 lanes, element i in lane i mod 8, joined as a tree at
 * its end.
 */
const addPlaneOfLanes: PlaneSums = (sums, v, g, x, length, mean) => {
  sumLanes.fill(0);
  dotLanes.fill(0);
  for (let i = 0; i < length; i++) {
    const lane = i & 7;
    sumLanes[lane] += v[g + i];
    dotLanes[lane] = fma32(Math.fround(v[x + i] - mean), v[g + i], dotLanes[lane]);
  }
  const join = length < 8 ? inOrder : asTree;
  sums[0] += join(sumLanes);
  sums[1] += join(dotLanes);
};

function inOrder(lanes: Float32Array): number {
  let sum = lanes[0];
  for (let i = 1; i < 8; i++) sum = Math.fround(sum + lanes[i]);
  return sum;
}

function asTree(lanes: Float32Array): number {
  for (let half = 4; half > 0; half >>= 1) for (let i = 0; i < half; i++) lanes[i] += lanes[i + half];
  return lanes[0];
}

/**
 * Backward by channels. float32 with inner > 1 has the order of operations, and so the bits, of PyTorch's contiguous
 * kernel; everything else
 * is float64, rounded once.
 */
export function normalizeByChannelGrad(
  dtype: FloatDType,
  gx: Pointer,
  gWeight: Pointer,
  gBias: Pointer,
  g: Pointer,
  x: Pointer,
  outer: number,
  channels: number,
  inner: number,
  mean: Pointer,
  rest: Pointer,
  invstd: Pointer,
  weight: Pointer,
  batchStatistics: boolean,
  tail?: NormTailGrad,
): void {
  if (tail) {
    const n = outer * channels * inner;
    if (tail.adds) elementwiseKernels.axpy(dtype, tail.before, g, n, 1);
    const from = tail.adds ? tail.before : g;
    elementwiseKernels.unaryGrad(tail.activation, dtype, tail.before, from, tail.source, n, tail.p);
  }
  const v = floats(dtype);
  const single = dtype === "float32" && inner > 1;
  const add = single ? addPlaneOfLanes : addPlane;
  const [o, gi, xi] = [position(dtype, gx), position(dtype, tail?.before ?? g), position(dtype, x)];
  const [m, s, w] = [position(dtype, mean), position(dtype, invstd), position(dtype, weight)];
  const l = position(dtype, rest);
  const [gw, gb] = [position(dtype, gWeight), position(dtype, gBias)];
  const count = round(single, outer * inner);
  const sums = new Float64Array(2);
  for (let c = 0; c < channels; c++) {
    const average = v[m + c] + (inner > 1 || rest === 0 ? 0 : v[l + c]);
    const scale = v[s + c];
    sums.fill(0);
    for (let n = 0; n < outer; n++) {
      const plane = (n * channels + c) * inner;
      add(sums, v, gi + plane, xi + plane, inner, average);
    }
    const [sum, dot] = sums;
    if (gWeight !== 0) v[gw + c] = dot * scale;
    if (gBias !== 0) v[gb + c] = sum;
    if (gx === 0) continue;
    const gamma = weight === 0 ? 1 : v[w + c];
    const gMean = round(single, sum / (outer * inner));
    const slope = round(single, round(single, round(single, round(single, dot) * scale) * scale) / count);
    for (let n = 0; n < outer; n++) {
      const plane = (n * channels + c) * inner;
      for (let i = plane; i < plane + inner; i++) {
        let grad = v[gi + i];
        if (batchStatistics)
          grad = fma(single, -round(single, v[xi + i] - average), slope, round(single, grad - gMean));
        v[o + i] = round(single, grad * scale) * gamma;
      }
    }
  }
}
