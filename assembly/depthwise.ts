/*
 * Convolutions in which every group has one input channel: plane by plane, on a copy of the plane with a border of zeros, one tap after another along whole rows.
 * The planes stay in the first cache.
 */
import {
  BATCH,
  CHANNELS,
  COPY_HEIGHT,
  COPY_WIDTH,
  copyBand,
  DILATION_HEIGHT,
  DILATION_WIDTH,
  get,
  IN_HEIGHT,
  IN_WIDTH,
  KERNEL_HEIGHT,
  KERNEL_WIDTH,
  OUT_CHANNELS,
  OUT_HEIGHT,
  OUT_WIDTH,
  PADDING_HEIGHT,
  PADDING_WIDTH,
  STRIDE_HEIGHT,
  STRIDE_WIDTH,
  set,
  span,
} from "./geometry";
import { lanes, madd } from "./tile";

/** Sets the size of the copied plane, and returns the bytes of scratch that it needs. */
export function depthwiseScratch(p: usize, size: usize): usize {
  set(p, COPY_HEIGHT, span(get(p, OUT_HEIGHT), get(p, STRIDE_HEIGHT), get(p, KERNEL_HEIGHT), get(p, DILATION_HEIGHT)));
  set(p, COPY_WIDTH, span(get(p, OUT_WIDTH), get(p, STRIDE_WIDTH), get(p, KERNEL_WIDTH), get(p, DILATION_WIDTH)));
  return get(p, COPY_HEIGHT) * get(p, COPY_WIDTH) * size;
}

/** out[i·outStep] += factor·x[i·step], steps in bytes */
function addRow<T>(out: usize, outStep: usize, x: usize, step: usize, n: usize, factor: T): void {
  const size: usize = sizeof<T>();
  const end = out + n * outStep;
  if (outStep === size && step === size) {
    const f = v128.splat<T>(factor);
    for (; out + 16 <= end; out += 16) {
      v128.store(out, madd<T>(f, v128.load(x), v128.load(out)));
      x += 16;
    }
  }
  for (; out < end; out += outStep) {
    store<T>(out, <T>(load<T>(out) + <T>(factor * load<T>(x))));
    x += step;
  }
}

/** Σ g[i]·x[i·step], the step in bytes */
function dotRow<T>(g: usize, x: usize, step: usize, n: usize): T {
  const size: usize = sizeof<T>();
  const end = g + n * size;
  let sums = v128.splat<T>(0);
  if (step === size) {
    for (; g + 16 <= end; g += 16) {
      sums = madd<T>(v128.load(g), v128.load(x), sums);
      x += 16;
    }
  }
  let sum = lanes<T>(sums);
  for (; g < end; g += size) {
    sum = <T>(sum + <T>(load<T>(g) * load<T>(x)));
    x += step;
  }
  return sum;
}

/** Where a tap meets the copy. */
function tapStart(p: usize, tap: usize, size: usize): usize {
  const h = tap / get(p, KERNEL_WIDTH);
  const w = tap - h * get(p, KERNEL_WIDTH);
  return (h * get(p, DILATION_HEIGHT) * get(p, COPY_WIDTH) + w * get(p, DILATION_WIDTH)) * size;
}

function fillRow<T>(out: usize, n: usize, value: T): void {
  const end = out + n * sizeof<T>();
  for (; out < end; out += sizeof<T>()) store<T>(out, value);
}

function depthwise<T>(
  p: usize,
  out: usize,
  x: usize,
  w: usize,
  bias: usize,
  first: usize,
  count: usize,
  copy: usize,
): void {
  const size: usize = sizeof<T>();
  const channels = get(p, CHANNELS);
  const each = get(p, OUT_CHANNELS) / channels;
  const taps = get(p, KERNEL_HEIGHT) * get(p, KERNEL_WIDTH);
  const height = get(p, OUT_HEIGHT);
  const width = get(p, OUT_WIDTH);
  const rowStep = get(p, STRIDE_HEIGHT) * get(p, COPY_WIDTH) * size;
  const step = get(p, STRIDE_WIDTH) * size;
  const inPlane = get(p, IN_HEIGHT) * get(p, IN_WIDTH) * size;
  const plane = height * width * size;
  const last = (first + count) * each;
  x += first * inPlane;
  out += first * each * plane;
  for (let n: usize = 0; n < get(p, BATCH); n++) {
    for (let o = first * each; o < last; o++) {
      if (o % each === 0) {
        copyBand<T>(copy, p, x, -load<i32>(p + PADDING_HEIGHT));
        x += inPlane;
      }
      fillRow<T>(out, height * width, bias ? load<T>(bias + o * size) : <T>0);
      for (let t: usize = 0; t < taps; t++) {
        const factor = load<T>(w + (o * taps + t) * size);
        const from = copy + tapStart(p, t, size);
        for (let h: usize = 0; h < height; h++) {
          addRow<T>(out + h * width * size, size, from + h * rowStep, step, width, factor);
        }
      }
      out += plane;
    }
    x += (channels - count) * inPlane;
    out += (channels - count) * each * plane;
  }
}

function depthwiseInputGrad<T>(p: usize, gx: usize, g: usize, w: usize, first: usize, count: usize, copy: usize): void {
  const size: usize = sizeof<T>();
  const channels = get(p, CHANNELS);
  const each = get(p, OUT_CHANNELS) / channels;
  const taps = get(p, KERNEL_HEIGHT) * get(p, KERNEL_WIDTH);
  const height = get(p, OUT_HEIGHT);
  const width = get(p, OUT_WIDTH);
  const copyRow = get(p, COPY_WIDTH) * size;
  const rowStep = get(p, STRIDE_HEIGHT) * copyRow;
  const step = get(p, STRIDE_WIDTH) * size;
  const inHeight = get(p, IN_HEIGHT);
  const inRow = get(p, IN_WIDTH) * size;
  const top = get(p, PADDING_HEIGHT);
  const left = get(p, PADDING_WIDTH) * size;
  const covered: usize = copyRow > left ? min<usize>(inRow, copyRow - left) : 0;
  const plane = height * width * size;
  const last = (first + count) * each;
  gx += first * inHeight * inRow;
  g += first * each * plane;
  for (let n: usize = 0; n < get(p, BATCH); n++) {
    for (let o = first * each; o < last; o++) {
      if (o % each === 0) memory.fill(copy, 0, get(p, COPY_HEIGHT) * copyRow);
      for (let t: usize = 0; t < taps; t++) {
        const factor = load<T>(w + (o * taps + t) * size);
        const to = copy + tapStart(p, t, size);
        for (let h: usize = 0; h < height; h++) {
          addRow<T>(to + h * rowStep, step, g + h * width * size, size, width, factor);
        }
      }
      g += height * width * size;
      if ((o + 1) % each !== 0) continue;
      for (let h: usize = 0; h < inHeight; h++) {
        const within = top + h < get(p, COPY_HEIGHT) ? covered : 0;
        if (within) memory.copy(gx, copy + (top + h) * copyRow + left, within);
        if (within < inRow) memory.fill(gx + within, 0, inRow - within);
        gx += inRow;
      }
    }
    gx += (channels - count) * inHeight * inRow;
    g += (channels - count) * each * plane;
  }
}

function depthwiseWeightGrad<T>(
  p: usize,
  gw: usize,
  g: usize,
  x: usize,
  first: usize,
  count: usize,
  copy: usize,
): void {
  const size: usize = sizeof<T>();
  const channels = get(p, CHANNELS);
  const each = get(p, OUT_CHANNELS) / channels;
  const taps = get(p, KERNEL_HEIGHT) * get(p, KERNEL_WIDTH);
  const height = get(p, OUT_HEIGHT);
  const width = get(p, OUT_WIDTH);
  const rowStep = get(p, STRIDE_HEIGHT) * get(p, COPY_WIDTH) * size;
  const step = get(p, STRIDE_WIDTH) * size;
  const inPlane = get(p, IN_HEIGHT) * get(p, IN_WIDTH) * size;
  const plane = height * width * size;
  const last = (first + count) * each;
  memory.fill(gw + first * each * taps * size, 0, count * each * taps * size);
  x += first * inPlane;
  g += first * each * plane;
  for (let n: usize = 0; n < get(p, BATCH); n++) {
    for (let o = first * each; o < last; o++) {
      if (o % each === 0) {
        copyBand<T>(copy, p, x, -load<i32>(p + PADDING_HEIGHT));
        x += inPlane;
      }
      for (let t: usize = 0; t < taps; t++) {
        const from = copy + tapStart(p, t, size);
        let sum: f64 = 0;
        for (let h: usize = 0; h < height; h++) {
          sum += <f64>dotRow<T>(g + h * width * size, from + h * rowStep, step, width);
        }
        const to = gw + (o * taps + t) * size;
        store<T>(to, <T>(load<T>(to) + <T>sum));
      }
      g += plane;
    }
    x += (channels - count) * inPlane;
    g += (channels - count) * each * plane;
  }
}

/** Convolution whose groups have one input channel each, `count` of them from number `first` on; the argument block p has been through depthwiseScratch. */
export function depthwiseF32(
  p: usize,
  out: usize,
  x: usize,
  w: usize,
  bias: usize,
  first: usize,
  count: usize,
  scratch: usize,
): void {
  depthwise<f32>(p, out, x, w, bias, first, count, scratch);
}

export function depthwiseF64(
  p: usize,
  out: usize,
  x: usize,
  w: usize,
  bias: usize,
  first: usize,
  count: usize,
  scratch: usize,
): void {
  depthwise<f64>(p, out, x, w, bias, first, count, scratch);
}

/** The gradient of its input. */
export function depthwiseInputGradF32(
  p: usize,
  gx: usize,
  g: usize,
  w: usize,
  first: usize,
  count: usize,
  scratch: usize,
): void {
  depthwiseInputGrad<f32>(p, gx, g, w, first, count, scratch);
}

export function depthwiseInputGradF64(
  p: usize,
  gx: usize,
  g: usize,
  w: usize,
  first: usize,
  count: usize,
  scratch: usize,
): void {
  depthwiseInputGrad<f64>(p, gx, g, w, first, count, scratch);
}

/** The gradient of its weights. */
export function depthwiseWeightGradF32(
  p: usize,
  gw: usize,
  g: usize,
  x: usize,
  first: usize,
  count: usize,
  scratch: usize,
): void {
  depthwiseWeightGrad<f32>(p, gw, g, x, first, count, scratch);
}

export function depthwiseWeightGradF64(
  p: usize,
  gw: usize,
  g: usize,
  x: usize,
  first: usize,
  count: usize,
  scratch: usize,
): void {
  depthwiseWeightGrad<f64>(p, gw, g, x, first, count, scratch);
}
