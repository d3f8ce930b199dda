import type { MemoryKernels, Pointer } from "../backend.ts";
import type { DType } from "../dtype.ts";
import { ARGUMENTS } from "./module.ts";
import { axes } from "./strides.ts";

/** What assembly/memory.ts and assembly/reduced.ts export. */
export interface MemoryExports {
  fillF32(out: Pointer, n: number, value: number): void;
  fillF64(out: Pointer, n: number, value: number): void;
  fillI32(out: Pointer, n: number, value: number): void;
  fillI64(out: Pointer, n: number, value: number): void;
  fillU8(out: Pointer, n: number, value: number): void;
  convertDtype(from: number, to: number, out: Pointer, x: Pointer, n: number): void;
  widen(bfloat: boolean, out: Pointer, x: Pointer, n: number): void;
  narrow(bfloat: boolean, out: Pointer, x: Pointer, n: number): void;
  copyBytes(out: Pointer, x: Pointer, bytes: number): void;
  copyRows(axes: number, rows: number, bytes: number, first: number, source: Pointer, scratch: Pointer): void;
  copyStepped(
    itemBytes: number,
    axes: number,
    rows: number,
    n: number,
    outStep: number,
    xStep: number,
    first: number,
    source: Pointer,
    scratch: Pointer,
  ): void;
  transpose(
    itemBytes: number,
    axes: number,
    planes: number,
    rows: number,
    columns: number,
    outStride: number,
    xStride: number,
    first: number,
    source: Pointer,
    scratch: Pointer,
  ): void;
}

/** The numbers of the dtypes in assembly/. */
const DTYPE_NUMBER: Readonly<Record<DType, number>> = {
  float32: 0,
  float64: 1,
  int32: 2,
  int64: 3,
  uint8: 4,
  bool: 5,
};

/** Moving, filling and converting memory. */
export function memoryKernels(wasm: MemoryExports): MemoryKernels {
  const fills: Record<DType, MemoryExports["fillF32"]> = {
    float32: wasm.fillF32,
    float64: wasm.fillF64,
    int32: wasm.fillI32,
    int64: wasm.fillI64,
    uint8: wasm.fillU8,
    bool: (out, n, value) => wasm.fillU8(out, n, value === 0 ? 0 : 1),
  };
  return {
    fill(dtype, out, n, value) {
      fills[dtype](out, n, value);
    },

    convert(from, to, out, x, n) {
      wasm.convertDtype(DTYPE_NUMBER[from], DTYPE_NUMBER[to], out, x, n);
    },

    widen(from, out, x, n) {
      wasm.widen(from === "bfloat16", out, x, n);
    },

    narrow(to, out, x, n) {
      wasm.narrow(to === "bfloat16", out, x, n);
    },

    copyStrided(itemBytes, sizes, out, outStrides, x, xStrides) {
      if (!axes.setSorted(sizes, outStrides, xStrides)) return;
      const inner = axes.rank - 1;
      const n = axes.sizes[inner];
      const outStep = axes.strides[0][inner];
      const xStep = axes.strides[1][inner];
      axes.remove(inner);
      if ((outStep === 1 && xStep === 1) || n === 1) {
        if (axes.rank === 0) return wasm.copyBytes(out, x, n * itemBytes);
        axes.write(out, itemBytes, x, itemBytes);
        return wasm.copyRows(axes.rank, axes.rows(), n * itemBytes, 0, ARGUMENTS, ARGUMENTS);
      }
      const along = outStep === 1 ? axes.strides[1].subarray(0, axes.rank).indexOf(1) : -1;
      if (along >= 0) {
        const rows = axes.sizes[along];
        const outStride = axes.strides[0][along] * itemBytes;
        axes.remove(along);
        axes.write(out, itemBytes, x, itemBytes);
        const xStride = xStep * itemBytes;
        const planes = axes.rows();
        return wasm.transpose(itemBytes, axes.rank, planes, rows, n, outStride, xStride, 0, ARGUMENTS, ARGUMENTS);
      }
      axes.write(out, itemBytes, x, itemBytes);
      const [outBytes, xBytes] = [outStep * itemBytes, xStep * itemBytes];
      wasm.copyStepped(itemBytes, axes.rank, axes.rows(), n, outBytes, xBytes, 0, ARGUMENTS, ARGUMENTS);
    },
  };
}
