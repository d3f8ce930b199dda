import type { IndexKernels, Pointer } from "../backend.ts";
import { ITEM_BYTES } from "../dtype.ts";

type Move = (
  itemBytes: number,
  out: Pointer,
  x: Pointer,
  index: Pointer,
  outer: number,
  size: number,
  count: number,
  inner: number,
) => number;
type Add = (
  out: Pointer,
  x: Pointer,
  index: Pointer,
  outer: number,
  size: number,
  count: number,
  inner: number,
) => number;
type Nll = (
  out: Pointer,
  total: Pointer,
  logp: Pointer,
  target: Pointer,
  weight: Pointer,
  n: number,
  classes: number,
  inner: number,
  ignoreIndex: number,
) => number;
type NllGrad = (
  glogp: Pointer,
  g: Pointer,
  target: Pointer,
  weight: Pointer,
  n: number,
  classes: number,
  inner: number,
  ignoreIndex: number,
) => number;

/** What assembly/indexing.ts exports. */
export interface IndexExports {
  gather: Move;
  indexSelect: Move;
  selectPixels: IndexKernels["selectPixels"];
  scatterAddF32: Add;
  scatterAddF64: Add;
  indexAddF32: Add;
  indexAddF64: Add;
  nllF32: Nll;
  nllF64: Nll;
  nllGradF32: NllGrad;
  nllGradF64: NllGrad;
}

/** Indexing along the middle axis: copies of every dtype, sums of floats. */
export function indexKernels(wasm: IndexExports, reference: IndexKernels): IndexKernels {
  return {
    gather(dtype, out, x, index, outer, size, count, inner) {
      return wasm.gather(ITEM_BYTES[dtype], out, x, index, outer, size, count, inner);
    },

    indexSelect(dtype, out, x, index, outer, size, count, inner) {
      return wasm.indexSelect(ITEM_BYTES[dtype], out, x, index, outer, size, count, inner);
    },

    selectPixels(out, x, index, size, count, inner) {
      return wasm.selectPixels(out, x, index, size, count, inner);
    },

    scatterAdd(dtype, out, x, index, outer, size, count, inner) {
      if (dtype === "float32") return wasm.scatterAddF32(out, x, index, outer, size, count, inner);
      if (dtype === "float64") return wasm.scatterAddF64(out, x, index, outer, size, count, inner);
      return reference.scatterAdd(dtype, out, x, index, outer, size, count, inner);
    },

    indexAdd(dtype, out, x, index, outer, size, count, inner) {
      if (dtype === "float32") return wasm.indexAddF32(out, x, index, outer, size, count, inner);
      if (dtype === "float64") return wasm.indexAddF64(out, x, index, outer, size, count, inner);
      return reference.indexAdd(dtype, out, x, index, outer, size, count, inner);
    },

    nll(dtype, out, total, logp, target, weight, n, classes, inner, ignoreIndex) {
      const kernel = dtype === "float32" ? wasm.nllF32 : wasm.nllF64;
      return kernel(out, total, logp, target, weight, n, classes, inner, ignoreIndex);
    },

    nllGrad(dtype, glogp, g, target, weight, n, classes, inner, ignoreIndex) {
      const kernel = dtype === "float32" ? wasm.nllGradF32 : wasm.nllGradF64;
      return kernel(glogp, g, target, weight, n, classes, inner, ignoreIndex);
    },
  };
}
