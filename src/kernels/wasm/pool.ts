import type { Pointer, Pool2dShape, PoolKernels } from "../backend.ts";
import type { FloatDType } from "../dtype.ts";
import type { Heap } from "../heap.ts";

type MaxPool = (
  out: Pointer,
  indices: Pointer,
  x: Pointer,
  planes: number,
  inHeight: number,
  inWidth: number,
  outHeight: number,
  outWidth: number,
  windows: Pointer,
  squares: boolean,
) => void;
type MaxPoolGrad = (
  gx: Pointer,
  g: Pointer,
  indices: Pointer,
  planes: number,
  inSize: number,
  outSize: number,
  outWidth: number,
  squares: boolean,
) => void;
type AvgPool = (
  out: Pointer,
  x: Pointer,
  planes: number,
  inHeight: number,
  inWidth: number,
  outHeight: number,
  outWidth: number,
  windows: Pointer,
  countPadding: boolean,
  fixedDivisor: number,
) => void;

/** What assembly/max-pool.ts and avg-pool.ts export. */
export interface PoolExports {
  maxPoolF32: MaxPool;
  maxPoolF64: MaxPool;
  maxPoolGradF32: MaxPoolGrad;
  maxPoolGradF64: MaxPoolGrad;
  avgPoolF32: AvgPool;
  avgPoolF64: AvgPool;
  avgPoolGradF32: AvgPool;
  avgPoolGradF64: AvgPool;
}

/** What one output pools along an axis: start, end, step, and the elements that an average counts when padding counts. */
type Window = readonly [start: number, end: number, step: number, padded: number];

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
    const start = first < 0 ? first + Math.ceil(-first / dilation) * dilation : first;
    const end = Math.min(first + (kernel - 1) * dilation + 1, inSize);
    return [start, end, dilation, Math.min(first + kernel, inSize + padding) - first];
  });
}

function adaptiveWindows(inSize: number, outSize: number): Window[] {
  return Array.from({ length: outSize }, (_, o) => {
    const start = Math.floor((o * inSize) / outSize);
    const end = Math.ceil(((o + 1) * inSize) / outSize);
    return [start, end, 1, end - start];
  });
}

/** The windows of the output's rows, and behind them those of its columns. */
function table(s: Pool2dShape, dilated: boolean): Window[] {
  const [down, across] = dilated ? [s.dilationHeight, s.dilationWidth] : [1, 1];
  return [
    ...windows(s.inHeight, s.outHeight, s.kernelHeight, s.strideHeight, s.paddingHeight, down),
    ...windows(s.inWidth, s.outWidth, s.kernelWidth, s.strideWidth, s.paddingWidth, across),
  ];
}

function adaptiveTable(s: Pool2dShape): Window[] {
  return [...adaptiveWindows(s.inHeight, s.outHeight), ...adaptiveWindows(s.inWidth, s.outWidth)];
}

/** Whether windows of 2 × 2 cover the planes without gaps or overlap. */
function areSquares(s: Pool2dShape): boolean {
  return (
    s.inHeight === 2 * s.outHeight &&
    s.inWidth === 2 * s.outWidth &&
    s.kernelHeight === 2 &&
    s.kernelWidth === 2 &&
    s.strideHeight === 2 &&
    s.strideWidth === 2 &&
    s.dilationHeight === 1 &&
    s.dilationWidth === 1 &&
    s.paddingHeight === 0 &&
    s.paddingWidth === 0
  );
}

/** Pooling. */
export function poolKernels(wasm: PoolExports, heap: Heap): PoolKernels {
  /** Runs with the windows written to the heap. */
  function withTable(entries: readonly Window[], run: (at: Pointer) => void): void {
    const at = heap.alloc(16 * entries.length);
    heap.i32.set(entries.flat(), at / 4);
    run(at);
    heap.free(at);
  }

  function max(dtype: FloatDType, s: Pool2dShape, entries: Window[], out: Pointer, indices: Pointer, x: Pointer): void {
    const kernel = dtype === "float32" ? wasm.maxPoolF32 : wasm.maxPoolF64;
    const squares = areSquares(s);
    withTable(entries, (at) =>
      kernel(out, indices, x, s.planes, s.inHeight, s.inWidth, s.outHeight, s.outWidth, at, squares),
    );
  }

  function average(
    kernel: AvgPool,
    s: Pool2dShape,
    entries: Window[],
    out: Pointer,
    x: Pointer,
    countPadding: boolean,
    fixedDivisor: number,
  ): void {
    withTable(entries, (at) =>
      kernel(out, x, s.planes, s.inHeight, s.inWidth, s.outHeight, s.outWidth, at, countPadding, fixedDivisor),
    );
  }

  return {
    maxPool2d(dtype, shape, out, indices, x) {
      max(dtype, shape, table(shape, true), out, indices, x);
    },
    maxPool2dGrad(dtype, s, gx, g, indices) {
      const kernel = dtype === "float32" ? wasm.maxPoolGradF32 : wasm.maxPoolGradF64;
      const [inSize, outSize] = [s.inHeight * s.inWidth, s.outHeight * s.outWidth];
      kernel(gx, g, indices, s.planes, inSize, outSize, s.outWidth, areSquares(s));
    },
    avgPool2d(dtype, shape, out, x) {
      const kernel = dtype === "float32" ? wasm.avgPoolF32 : wasm.avgPoolF64;
      average(kernel, shape, table(shape, false), out, x, shape.countIncludePad, shape.divisorOverride);
    },
    avgPool2dGrad(dtype, shape, gx, g) {
      const kernel = dtype === "float32" ? wasm.avgPoolGradF32 : wasm.avgPoolGradF64;
      average(kernel, shape, table(shape, false), gx, g, shape.countIncludePad, shape.divisorOverride);
    },
    adaptiveAvgPool2d(dtype, shape, out, x) {
      const kernel = dtype === "float32" ? wasm.avgPoolF32 : wasm.avgPoolF64;
      average(kernel, shape, adaptiveTable(shape), out, x, false, 0);
    },
    adaptiveAvgPool2dGrad(dtype, shape, gx, g) {
      const kernel = dtype === "float32" ? wasm.avgPoolGradF32 : wasm.avgPoolGradF64;
      average(kernel, shape, adaptiveTable(shape), gx, g, false, 0);
    },
    adaptiveMaxPool2d(dtype, shape, out, indices, x) {
      max(dtype, shape, adaptiveTable(shape), out, indices, x);
    },
  };
}
