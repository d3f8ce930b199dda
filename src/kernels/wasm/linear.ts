import type { LinearKernels, Pointer } from "../backend.ts";
import type { Heap } from "../heap.ts";
import { type ConvExports, convKernels } from "./conv.ts";

type Gemm = (
  m: number,
  n: number,
  k: number,
  out: Pointer,
  outRow: number,
  a: Pointer,
  aRow: number,
  aColumn: number,
  b: Pointer,
  bRow: number,
  bColumn: number,
  accumulate: boolean,
  scratch: Pointer,
) => void;

type MatrixVector = (
  rows: number,
  k: number,
  out: Pointer,
  outStep: number,
  matrix: Pointer,
  row: number,
  column: number,
  vector: Pointer,
  step: number,
  accumulate: boolean,
) => void;

type SumByChannel = (
  out: Pointer,
  x: Pointer,
  outer: number,
  channels: number,
  inner: number,
  all: number,
  scratch: Pointer,
) => void;

/** What assembly/gemm.ts and assembly/sum.ts export, and the convolutions. */
export interface LinearExports extends ConvExports {
  gemmScratch(n: number, k: number, itemBytes: number): number;
  gemmF32: Gemm;
  gemmF64: Gemm;
  matrixVectorF32: MatrixVector;
  matrixVectorF64: MatrixVector;
  sumByChannelF32: SumByChannel;
  sumByChannelF64: SumByChannel;
}

/** Matrix products and convolutions. */
export function linearKernels(wasm: LinearExports, heap: Heap, reference: LinearKernels): LinearKernels {
  return {
    gemm(dtype, shape, out, a, b) {
      const { batch, m, n, k, accumulate, aStrides, bStrides, outStrides } = shape;
      if (m === 0 || n === 0) return;
      const outRow = outStrides[1];
      const aRow = aStrides[1];
      const aColumn = aStrides[2];
      const bRow = bStrides[1];
      const bColumn = bStrides[2];
      const itemBytes = dtype === "float32" ? 4 : 8;
      const kernel = dtype === "float32" ? wasm.gemmF32 : wasm.gemmF64;
      const byVector = dtype === "float32" ? wasm.matrixVectorF32 : wasm.matrixVectorF64;
      const scratch = heap.alloc(wasm.gemmScratch(n, k, itemBytes));
      for (let z = 0; z < batch; z++) {
        const to = out + z * outStrides[0] * itemBytes;
        const left = a + z * aStrides[0] * itemBytes;
        const right = b + z * bStrides[0] * itemBytes;
        if (n === 1) byVector(m, k, to, outRow, left, aRow, aColumn, right, bRow, accumulate);
        else if (m === 1) byVector(n, k, to, 1, right, bColumn, bRow, left, aColumn, accumulate);
        else kernel(m, n, k, to, outRow, left, aRow, aColumn, right, bRow, bColumn, accumulate, scratch);
      }
      heap.free(scratch);
    },
    ...convKernels(wasm, heap, reference),
    sumByChannel(dtype, out, x, outer, channels, inner) {
      const kernel = dtype === "float32" ? wasm.sumByChannelF32 : wasm.sumByChannelF64;
      const scratch = heap.alloc(8 * channels);
      kernel(out, x, outer, channels, inner, channels, scratch);
      heap.free(scratch);
    },
  };
}
