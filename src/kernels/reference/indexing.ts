import type { IndexKernels, Pointer } from "../backend.ts";
import type { DType, FloatDType } from "../dtype.ts";
import { heap } from "../heap.ts";
import { type Elements, floats, numbers, position, readIndex } from "./views.ts";

type Item = number | bigint;

/** The position of the first of n indices outside [0, size) that is not `except`, or −1. */
function firstOutOfRange(index: number, n: number, size: number, except?: number): number {
  for (let k = 0; k < n; k++) {
    const value = readIndex(heap.i32, index + k);
    if ((value < 0 || value >= size) && value !== except) return k;
  }
  return -1;
}

function items(dtype: DType): Elements<Item> {
  return dtype === "int64" ? heap.i64 : numbers(dtype);
}

/** Adds in place in the dtype itself, in order; bools take the logical or. */
function adder(dtype: DType): (v: Elements<Item>, at: number, value: Item) => void {
  if (dtype === "bool") {
    return (v, at, value) => {
      if (value !== 0) v[at] = value;
    };
  }
  return (v, at, value) => {
    v[at] = (v[at] as number) + (value as number);
  };
}

/**
 * Calls `visit` with the position in the indexed array [outer, size, inner] and in the other one [outer, count, inner].
 */
function eachIndexed(
  index: number,
  perElement: boolean,
  outer: number,
  size: number,
  count: number,
  inner: number,
  visit: (indexed: number, other: number) => void,
): void {
  const { i32 } = heap;
  for (let o = 0, k = 0; o < outer; o++) {
    for (let j = 0; j < count; j++) {
      for (let i = 0; i < inner; i++, k++) {
        const chosen = readIndex(i32, index + (perElement ? k : j));
        visit((o * size + chosen) * inner + i, k);
      }
    }
  }
}

/** gather and indexSelect: the one has an index for every element, the other one for a whole slice. */
function take(perElement: boolean): IndexKernels["gather"] {
  return (dtype, out, x, index, outer, size, count, inner) => {
    const at = position("int64", index);
    const wrong = firstOutOfRange(at, perElement ? outer * count * inner : count, size);
    if (wrong >= 0) return wrong;
    const v = items(dtype);
    const [o, first] = [position(dtype, out), position(dtype, x)];
    eachIndexed(at, perElement, outer, size, count, inner, (indexed, other) => {
      v[o + other] = v[first + indexed];
    });
    return -1;
  };
}

/** scatterAdd and indexAdd. */
function give(perElement: boolean): IndexKernels["scatterAdd"] {
  return (dtype, out, x, index, outer, size, count, inner) => {
    const at = position("int64", index);
    const wrong = firstOutOfRange(at, perElement ? outer * count * inner : count, size);
    if (wrong >= 0) return wrong;
    const v = items(dtype);
    const add = adder(dtype);
    const [o, first] = [position(dtype, out), position(dtype, x)];
    eachIndexed(at, perElement, outer, size, count, inner, (indexed, other) => add(v, o + indexed, v[first + other]));
    return -1;
  };
}

function nll(
  dtype: FloatDType,
  out: Pointer,
  total: Pointer,
  logp: Pointer,
  target: Pointer,
  weight: Pointer,
  n: number,
  classes: number,
  inner: number,
  ignoreIndex: number,
): number {
  const targets = position("int64", target);
  const wrong = firstOutOfRange(targets, n * inner, classes, ignoreIndex);
  if (wrong >= 0) return wrong;
  const v = floats(dtype);
  const [o, first, weights] = [position(dtype, out), position(dtype, logp), position(dtype, weight)];
  let sum = 0;
  for (let b = 0, k = 0; b < n; b++) {
    for (let i = 0; i < inner; i++, k++) {
      const t = readIndex(heap.i32, targets + k);
      const factor = t === ignoreIndex ? 0 : weight === 0 ? 1 : v[weights + t];
      v[o + k] = t === ignoreIndex ? 0 : -v[first + (b * classes + t) * inner + i] * factor;
      sum += factor;
    }
  }
  if (total !== 0) v[position(dtype, total)] = sum;
  return -1;
}

function nllGrad(
  dtype: FloatDType,
  glogp: Pointer,
  g: Pointer,
  target: Pointer,
  weight: Pointer,
  n: number,
  classes: number,
  inner: number,
  ignoreIndex: number,
): number {
  const targets = position("int64", target);
  const wrong = firstOutOfRange(targets, n * inner, classes, ignoreIndex);
  if (wrong >= 0) return wrong;
  const v = floats(dtype);
  const [o, gi, weights] = [position(dtype, glogp), position(dtype, g), position(dtype, weight)];
  v.fill(0, o, o + n * classes * inner);
  for (let b = 0, k = 0; b < n; b++) {
    for (let i = 0; i < inner; i++, k++) {
      const t = readIndex(heap.i32, targets + k);
      if (t !== ignoreIndex) v[o + (b * classes + t) * inner + i] = -v[gi + k] * (weight === 0 ? 1 : v[weights + t]);
    }
  }
  return -1;
}

export const indexKernels: IndexKernels = {
  gather: take(true),
  scatterAdd: give(true),
  indexSelect: take(false),
  selectPixels(out, x, index, size, count, inner) {
    const at = position("int64", index);
    const wrong = firstOutOfRange(at, count, size);
    if (wrong >= 0) return wrong;
    const [pixels, bytes, to] = [heap.f32, heap.u8, position("float32", out)];
    eachIndexed(at, false, 1, size, count, inner, (indexed, other) => {
      pixels[to + other] = bytes[x + indexed] / 255;
    });
    return -1;
  },
  indexAdd: give(false),
  nll,
  nllGrad,
};
