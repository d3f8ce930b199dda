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

/** int32 of a window, what one output pools along an axis: start, end, step, and the elements that an average counts when padding counts. */
const WINDOW = 4;

/** Writes the windows along an axis to the heap, from int32 number `to` on. Returns where they end. */
function windows(
  { i32 }: Heap,
  to: number,
  inSize: number,
  outSize: number,
  kernel: number,
  stride: number,
  padding: number,
  dilation: number,
): number {
  let at = to;
  for (let o = 0; o < outSize; o++) {
    const first = o * stride - padding;
    i32[at++] = first < 0 ? first + Math.ceil(-first / dilation) * dilation : first;
    i32[at++] = Math.min(first + (kernel - 1) * dilation + 1, inSize);
    i32[at++] = dilation;
    i32[at++] = Math.min(first + kernel, inSize + padding) - first;
  }
  return at;
}

function adaptiveWindows({ i32 }: Heap, to: number, inSize: number, outSize: number): number {
  let at = to;
  for (let o = 0; o < outSize; o++) {
    const start = Math.floor((o * inSize) / outSize);
    const end = Math.ceil(((o + 1) * inSize) / outSize);
    i32[at++] = start;
    i32[at++] = end;
    i32[at++] = 1;
    i32[at++] = end - start;
  }
  return at;
}

/** Writes the windows of the output's rows, and behind them those of its columns. */
type Table = (heap: Heap, to: number, s: Pool2dShape) => void;

const adaptive: Table = (heap, to, s) => {
  const columns = adaptiveWindows(heap, to, s.inHeight, s.outHeight);
  adaptiveWindows(heap, columns, s.inWidth, s.outWidth);
};

const dilated: Table = (heap, to, s) => {
  const { kernelHeight, kernelWidth, strideHeight, strideWidth, paddingHeight, paddingWidth } = s;
  const columns = windows(
    heap,
    to,
    s.inHeight,
    s.outHeight,
    kernelHeight,
    strideHeight,
    paddingHeight,
    s.dilationHeight,
  );
  windows(heap, columns, s.inWidth, s.outWidth, kernelWidth, strideWidth, paddingWidth, s.dilationWidth);
};

const undilated: Table = (heap, to, s) => dilated(heap, to, { ...s, dilationHeight: 1, dilationWidth: 1 });

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
  function withTable(table: Table, s: Pool2dShape, run: (at: Pointer) => void): void {
    const at = heap.alloc(4 * WINDOW * (s.outHeight + s.outWidth));
    table(heap, at / 4, s);
    run(at);
    heap.free(at);
  }

  function max(dtype: FloatDType, s: Pool2dShape, table: Table, out: Pointer, indices: Pointer, x: Pointer): void {
    const kernel = dtype === "float32" ? wasm.maxPoolF32 : wasm.maxPoolF64;
    const squares = areSquares(s);
    withTable(table, s, (at) =>
      kernel(out, indices, x, s.planes, s.inHeight, s.inWidth, s.outHeight, s.outWidth, at, squares),
    );
  }

  function average(
    kernel: AvgPool,
    s: Pool2dShape,
    table: Table,
    out: Pointer,
    x: Pointer,
    countPadding: boolean,
    fixedDivisor: number,
  ): void {
    withTable(table, s, (at) =>
      kernel(out, x, s.planes, s.inHeight, s.inWidth, s.outHeight, s.outWidth, at, countPadding, fixedDivisor),
    );
  }

  return {
    maxPool2d(dtype, shape, out, indices, x) {
      max(dtype, shape, dilated, out, indices, x);
    },
    maxPool2dGrad(dtype, s, gx, g, indices) {
      const kernel = dtype === "float32" ? wasm.maxPoolGradF32 : wasm.maxPoolGradF64;
      const [inSize, outSize] = [s.inHeight * s.inWidth, s.outHeight * s.outWidth];
      kernel(gx, g, indices, s.planes, inSize, outSize, s.outWidth, areSquares(s));
    },
    avgPool2d(dtype, shape, out, x) {
      const kernel = dtype === "float32" ? wasm.avgPoolF32 : wasm.avgPoolF64;
      average(kernel, shape, undilated, out, x, shape.countIncludePad, shape.divisorOverride);
    },
    avgPool2dGrad(dtype, shape, gx, g) {
      const kernel = dtype === "float32" ? wasm.avgPoolGradF32 : wasm.avgPoolGradF64;
      average(kernel, shape, undilated, gx, g, shape.countIncludePad, shape.divisorOverride);
    },
    adaptiveAvgPool2d(dtype, shape, out, x) {
      const kernel = dtype === "float32" ? wasm.avgPoolF32 : wasm.avgPoolF64;
      average(kernel, shape, adaptive, out, x, false, 0);
    },
    adaptiveAvgPool2dGrad(dtype, shape, gx, g) {
      const kernel = dtype === "float32" ? wasm.avgPoolGradF32 : wasm.avgPoolGradF64;
      average(kernel, shape, adaptive, gx, g, false, 0);
    },
    adaptiveMaxPool2d(dtype, shape, out, indices, x) {
      max(dtype, shape, adaptive, out, indices, x);
    },
  };
}
