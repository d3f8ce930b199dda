import type { Conv2dShape, GemmShape, LinearKernels, Pointer } from "../backend.ts";
import type { FloatDType } from "../dtype.ts";
import { type Floats, floats, position } from "./views.ts";

/**
 * One row of a product into `row` (float64): k in order, over columns in the inner loop unless k is what lies
 * contiguous in b.
 */
function gemmRow(
  row: Float64Array,
  v: Floats,
  a: number,
  aStep: number,
  b: number,
  bRow: number,
  bColumn: number,
  k: number,
): void {
  const n = row.length;
  if (bRow === 1 && bColumn !== 1) {
    for (let j = 0; j < n; j++) {
      let sum = row[j];
      for (let l = 0, at = b + j * bColumn; l < k; l++) sum += v[a + l * aStep] * v[at + l];
      row[j] = sum;
    }
    return;
  }
  for (let l = 0; l < k; l++) {
    const factor = v[a + l * aStep];
    for (let j = 0, at = b + l * bRow; j < n; j++, at += bColumn) row[j] += factor * v[at];
  }
}

function gemm(dtype: FloatDType, shape: GemmShape, out: Pointer, a: Pointer, b: Pointer): void {
  const { batch, m, n, k, aStrides, bStrides, outStrides, accumulate } = shape;
  const v = floats(dtype);
  const [o, ai, bi] = [position(dtype, out), position(dtype, a), position(dtype, b)];
  const row = new Float64Array(n);
  for (let z = 0; z < batch; z++) {
    for (let i = 0; i < m; i++) {
      const to = o + z * outStrides[0] + i * outStrides[1];
      if (accumulate) row.set(v.subarray(to, to + n));
      else row.fill(0);
      const aRow = ai + z * aStrides[0] + i * aStrides[1];
      gemmRow(row, v, aRow, aStrides[2], bi + z * bStrides[0], bStrides[1], bStrides[2], k);
      v.set(row, to);
    }
  }
}

/** The outputs [from, to) whose input o·stride + offset lies inside [0, size). */
function reach(outSize: number, stride: number, offset: number, size: number): [number, number] {
  const from = Math.max(0, Math.ceil(-offset / stride));
  const to = Math.min(outSize, Math.floor((size - 1 - offset) / stride) + 1);
  return [from, Math.max(from, to)];
}

/**
 * One tap of the kernel meeting one row: input position, output position (both within their planes), and how many
 * outputs.
 */
type TapRow = (inputAt: number, outputAt: number, count: number) => void;

/** Calls `row` for every output row that the tap (y, x) of the kernel reads from inside the image. */
function eachTapRow(s: Conv2dShape, y: number, x: number, row: TapRow): void {
  const down = y * s.dilationHeight - s.paddingHeight;
  const right = x * s.dilationWidth - s.paddingWidth;
  const [top, bottom] = reach(s.outHeight, s.strideHeight, down, s.inHeight);
  const [left, end] = reach(s.outWidth, s.strideWidth, right, s.inWidth);
  for (let oh = top; oh < bottom; oh++) {
    const inputAt = (oh * s.strideHeight + down) * s.inWidth + left * s.strideWidth + right;
    row(inputAt, oh * s.outWidth + left, end - left);
  }
}

/**
 * Calls `visit` for every input channel of the output channel's group and every tap, with the channel and the tap's
 * position in w.
 */
function eachTap(
  s: Conv2dShape,
  outChannel: number,
  visit: (inChannel: number, y: number, x: number, weightAt: number) => void,
): void {
  const width = s.inChannels / s.groups;
  const group = Math.floor(outChannel / (s.outChannels / s.groups));
  let at = outChannel * width * s.kernelHeight * s.kernelWidth;
  for (let c = 0; c < width; c++) {
    for (let y = 0; y < s.kernelHeight; y++) {
      for (let x = 0; x < s.kernelWidth; x++, at++) visit(group * width + c, y, x, at);
    }
  }
}

/** sums[to + i·toStep] += factor · v[from + i·fromStep] */
function addScaled(
  sums: Float64Array,
  to: number,
  toStep: number,
  v: Floats,
  from: number,
  fromStep: number,
  factor: number,
  n: number,
): void {
  for (let i = 0; i < n; i++) sums[to + i * toStep] += factor * v[from + i * fromStep];
}

/** sum + Σ v[a + i] · v[b + i·bStep] */
function addProducts(sum: number, v: Floats, a: number, b: number, bStep: number, n: number): number {
  let total = sum;
  for (let i = 0; i < n; i++) total += v[a + i] * v[b + i * bStep];
  return total;
}

function conv2d(dtype: FloatDType, s: Conv2dShape, out: Pointer, x: Pointer, w: Pointer, bias: Pointer): void {
  const v = floats(dtype);
  const [o, xi, wi, bi] = [position(dtype, out), position(dtype, x), position(dtype, w), position(dtype, bias)];
  const inPlane = s.inHeight * s.inWidth;
  const sums = new Float64Array(s.outHeight * s.outWidth);
  const stride = s.strideWidth;
  for (let n = 0; n < s.batch; n++) {
    for (let oc = 0; oc < s.outChannels; oc++) {
      sums.fill(bias === 0 ? 0 : v[bi + oc]);
      eachTap(s, oc, (ic, ky, kx, weightAt) => {
        const weight = v[wi + weightAt];
        const plane = xi + (n * s.inChannels + ic) * inPlane;
        eachTapRow(s, ky, kx, (inputAt, outputAt, count) => {
          addScaled(sums, outputAt, 1, v, plane + inputAt, stride, weight, count);
        });
      });
      v.set(sums, o + (n * s.outChannels + oc) * sums.length);
    }
  }
}

function conv2dInputGrad(dtype: FloatDType, s: Conv2dShape, gx: Pointer, g: Pointer, w: Pointer): void {
  const v = floats(dtype);
  const [o, gi, wi] = [position(dtype, gx), position(dtype, g), position(dtype, w)];
  const inPlane = s.inHeight * s.inWidth;
  const outPlane = s.outHeight * s.outWidth;
  const sums = new Float64Array(s.inChannels * inPlane);
  const stride = s.strideWidth;
  for (let n = 0; n < s.batch; n++) {
    sums.fill(0);
    for (let oc = 0; oc < s.outChannels; oc++) {
      const plane = gi + (n * s.outChannels + oc) * outPlane;
      eachTap(s, oc, (ic, ky, kx, weightAt) => {
        const weight = v[wi + weightAt];
        eachTapRow(s, ky, kx, (inputAt, outputAt, count) => {
          addScaled(sums, ic * inPlane + inputAt, stride, v, plane + outputAt, 1, weight, count);
        });
      });
    }
    v.set(sums, o + n * sums.length);
  }
}

function conv2dWeightGrad(dtype: FloatDType, s: Conv2dShape, gw: Pointer, g: Pointer, x: Pointer): void {
  const v = floats(dtype);
  const [o, gi, xi] = [position(dtype, gw), position(dtype, g), position(dtype, x)];
  const inPlane = s.inHeight * s.inWidth;
  const outPlane = s.outHeight * s.outWidth;
  const stride = s.strideWidth;
  for (let oc = 0; oc < s.outChannels; oc++) {
    eachTap(s, oc, (ic, ky, kx, weightAt) => {
      let sum = 0;
      for (let n = 0; n < s.batch; n++) {
        const gPlane = gi + (n * s.outChannels + oc) * outPlane;
        const xPlane = xi + (n * s.inChannels + ic) * inPlane;
        eachTapRow(s, ky, kx, (inputAt, outputAt, count) => {
          sum = addProducts(sum, v, gPlane + outputAt, xPlane + inputAt, stride, count);
        });
      }
      v[o + weightAt] = sum;
    });
  }
}

function sumByChannel(
  dtype: FloatDType,
  out: Pointer,
  x: Pointer,
  outer: number,
  channels: number,
  inner: number,
): void {
  const v = floats(dtype);
  const [o, first] = [position(dtype, out), position(dtype, x)];
  for (let c = 0; c < channels; c++) {
    let sum = 0;
    for (let n = 0; n < outer; n++) {
      const row = first + (n * channels + c) * inner;
      for (let i = 0; i < inner; i++) sum += v[row + i];
    }
    v[o + c] = sum;
  }
}

export const linearKernels: LinearKernels = { gemm, conv2d, conv2dInputGrad, conv2dWeightGrad, sumByChannel };
