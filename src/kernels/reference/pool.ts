import type { Pointer, Pool2dShape, PoolKernels } from "../backend.ts";
import type { FloatDType } from "../dtype.ts";
import { heap } from "../heap.ts";
import { floats, position, readIndex, writeIndex } from "./views.ts";

/** What one output position pools along one axis: from `start` below `end` in steps of `step`, inside the input. */
interface Window {
  readonly start: number;
  readonly end: number;
  readonly step: number;
  /** elements counted in the divisor of an average when padding counts too */
  readonly padded: number;
}

/** The windows of one axis of max and average pooling. */
function windows(
  inSize: number,
  outSize: number,
  kernel: number,
  stride: number,
  padding: number,
  dilation: number,
): Window[] {
  return Array.from({ length: outSize }, (_, o) => {
    const first = o * stride - padding;
    // Steps over the padding in whole dilations, so that dilated windows keep their phase.
    const start = first < 0 ? first + Math.ceil(-first / dilation) * dilation : first;
    const end = Math.min(first + (kernel - 1) * dilation + 1, inSize);
    return { start, end, step: dilation, padded: Math.min(first + kernel, inSize + padding) - first };
  });
}

/** The windows of one axis of adaptive pooling. */
function adaptiveWindows(inSize: number, outSize: number): Window[] {
  return Array.from({ length: outSize }, (_, o) => {
    const start = Math.floor((o * inSize) / outSize);
    const end = Math.ceil(((o + 1) * inSize) / outSize);
    return { start, end, step: 1, padded: end - start };
  });
}

interface Windows {
  readonly rows: readonly Window[];
  readonly columns: readonly Window[];
}

function maxWindows(s: Pool2dShape): Windows {
  return {
    rows: windows(s.inHeight, s.outHeight, s.kernelHeight, s.strideHeight, s.paddingHeight, s.dilationHeight),
    columns: windows(s.inWidth, s.outWidth, s.kernelWidth, s.strideWidth, s.paddingWidth, s.dilationWidth),
  };
}

/** Average pooling has no dilation. */
function averageWindows(s: Pool2dShape): Windows {
  return {
    rows: windows(s.inHeight, s.outHeight, s.kernelHeight, s.strideHeight, s.paddingHeight, 1),
    columns: windows(s.inWidth, s.outWidth, s.kernelWidth, s.strideWidth, s.paddingWidth, 1),
  };
}

function bothAdaptive(s: Pool2dShape): Windows {
  return { rows: adaptiveWindows(s.inHeight, s.outHeight), columns: adaptiveWindows(s.inWidth, s.outWidth) };
}

/** Calls `cell` for every output, with its number, its input plane's position, and its windows. */
function eachOutput(
  s: Pool2dShape,
  w: Windows,
  cell: (k: number, plane: number, row: Window, column: Window) => void,
): void {
  const size = s.inHeight * s.inWidth;
  for (let p = 0, k = 0; p < s.planes; p++) {
    for (const row of w.rows) for (const column of w.columns) cell(k++, p * size, row, column);
  }
}

function maxPool(dtype: FloatDType, s: Pool2dShape, w: Windows, out: Pointer, indices: Pointer, x: Pointer): void {
  const v = floats(dtype);
  const [o, at, xi] = [position(dtype, out), position("int64", indices), position(dtype, x)];
  eachOutput(s, w, (k, plane, row, column) => {
    let best = -Infinity;
    let bestAt = row.start * s.inWidth + column.start;
    for (let h = row.start; h < row.end; h += row.step) {
      for (let c = column.start; c < column.end; c += column.step) {
        const value = v[xi + plane + h * s.inWidth + c];
        // As in PyTorch the last NaN of a window is the one that is pointed at.
        if (value > best || Number.isNaN(value)) {
          best = value;
          bestAt = h * s.inWidth + c;
        }
      }
    }
    v[o + k] = best;
    if (indices !== 0) writeIndex(heap.i32, at + k, bestAt);
  });
}

function maxPool2dGrad(dtype: FloatDType, s: Pool2dShape, gx: Pointer, g: Pointer, indices: Pointer): void {
  const v = floats(dtype);
  const [o, gi, at] = [position(dtype, gx), position(dtype, g), position("int64", indices)];
  const inSize = s.inHeight * s.inWidth;
  const outSize = s.outHeight * s.outWidth;
  const sums = new Float64Array(inSize);
  for (let p = 0; p < s.planes; p++) {
    sums.fill(0);
    for (let k = p * outSize; k < (p + 1) * outSize; k++) sums[readIndex(heap.i32, at + k)] += v[gi + k];
    v.set(sums, o + p * inSize);
  }
}

function divisor(s: Pool2dShape, row: Window, column: Window): number {
  if (s.divisorOverride !== 0) return s.divisorOverride;
  if (s.countIncludePad) return row.padded * column.padded;
  return (row.end - row.start) * (column.end - column.start);
}

function average(
  dtype: FloatDType,
  s: Pool2dShape,
  w: Windows,
  divide: typeof divisor,
  out: Pointer,
  x: Pointer,
): void {
  const v = floats(dtype);
  const [o, xi] = [position(dtype, out), position(dtype, x)];
  eachOutput(s, w, (k, plane, row, column) => {
    let sum = 0;
    for (let h = row.start; h < row.end; h++) {
      const from = xi + plane + h * s.inWidth;
      for (let c = column.start; c < column.end; c++) sum += v[from + c];
    }
    // A window that lies in the padding alone gives 0, whatever the divisor.
    const empty = row.end <= row.start || column.end <= column.start;
    v[o + k] = empty ? 0 : sum / divide(s, row, column);
  });
}

function averageGrad(
  dtype: FloatDType,
  s: Pool2dShape,
  w: Windows,
  divide: typeof divisor,
  gx: Pointer,
  g: Pointer,
): void {
  const v = floats(dtype);
  const [o, gi] = [position(dtype, gx), position(dtype, g)];
  const sums = new Float64Array(s.planes * s.inHeight * s.inWidth);
  eachOutput(s, w, (k, plane, row, column) => {
    const share = v[gi + k] / divide(s, row, column);
    for (let h = row.start; h < row.end; h++) {
      const to = plane + h * s.inWidth;
      for (let c = column.start; c < column.end; c++) sums[to + c] += share;
    }
  });
  v.set(sums, o);
}

function area(_: Pool2dShape, row: Window, column: Window): number {
  return (row.end - row.start) * (column.end - column.start);
}

export const poolKernels: PoolKernels = {
  maxPool2d: (dtype, s, out, indices, x) => maxPool(dtype, s, maxWindows(s), out, indices, x),
  maxPool2dGrad,
  avgPool2d: (dtype, s, out, x) => average(dtype, s, averageWindows(s), divisor, out, x),
  avgPool2dGrad: (dtype, s, gx, g) => averageGrad(dtype, s, averageWindows(s), divisor, gx, g),
  adaptiveAvgPool2d: (dtype, s, out, x) => average(dtype, s, bothAdaptive(s), area, out, x),
  adaptiveAvgPool2dGrad: (dtype, s, gx, g) => averageGrad(dtype, s, bothAdaptive(s), area, gx, g),
  adaptiveMaxPool2d: (dtype, s, out, indices, x) => maxPool(dtype, s, bothAdaptive(s), out, indices, x),
};
