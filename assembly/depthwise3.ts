/*
 * Convolutions of float32 in which every channel has a 3×3 kernel of its own, with stride 1 or 2: plane by plane, on a copy with a border of zeros that stays in the first cache.
 * With stride 2 a row of the copy is its even columns and behind them its odd ones, so that every tap reads neighbours.
 */
import {
  BATCH,
  CHANNELS,
  get,
  IN_HEIGHT,
  IN_WIDTH,
  OUT_HEIGHT,
  OUT_WIDTH,
  PADDING_HEIGHT,
  PADDING_WIDTH,
  padded,
  STRIDE_HEIGHT,
} from "./geometry";
import { copyRest, loadPart } from "./scratch";
import { lanes, madd } from "./tile";

/** Bytes of a copied row of one parity: whole vectors of outputs, and zeros behind them. */
function partBytes(p: usize): usize {
  return padded(get(p, OUT_WIDTH), 4) * 4 + 16;
}

function rowBytes(p: usize): usize {
  return partBytes(p) * get(p, STRIDE_HEIGHT);
}

function copyHeight(p: usize): usize {
  return (get(p, OUT_HEIGHT) - 1) * get(p, STRIDE_HEIGHT) + 3;
}

/** Nine sums in float64. */
const SUMS_BYTES: usize = 128;

export function depthwise3Scratch(p: usize, _size: usize): usize {
  return SUMS_BYTES + copyHeight(p) * rowBytes(p);
}

/** bytes, a multiple of 4, that need not be aligned */
function copyRow(to: usize, from: usize, bytes: usize): void {
  const end = from + bytes;
  for (; from + 16 <= end; from += 16) {
    v128.store(to, v128.load(from));
    to += 16;
  }
  copyRest(to, from, end - from);
}

/** Columns with an even number to one place, the others to another. */
function splitRow(even: usize, odd: usize, from: usize, bytes: usize): void {
  const end = from + bytes;
  for (; from + 32 <= end; from += 32) {
    const low = v128.load(from);
    const high = v128.load(from, 16);
    v128.store(even, v128.shuffle<f32>(low, high, 0, 2, 4, 6));
    v128.store(odd, v128.shuffle<f32>(low, high, 1, 3, 5, 7));
    even += 16;
    odd += 16;
  }
  for (; from < end; from += 8) {
    store<f32>(even, load<f32>(from));
    if (from + 4 < end) store<f32>(odd, load<f32>(from, 4));
    even += 4;
    odd += 4;
  }
}

/** Copies a plane into `copy`, whose border is 0 already. */
function copyPlane(p: usize, copy: usize, x: usize): void {
  const bytes = get(p, IN_WIDTH) * 4;
  const row = rowBytes(p);
  const top = get(p, PADDING_HEIGHT);
  const left = get(p, PADDING_WIDTH);
  const height = copyHeight(p);
  const rows = height > top ? min(get(p, IN_HEIGHT), height - top) : 0;
  let to = copy + top * row;
  const part = partBytes(p);
  for (let h: usize = 0; h < rows; h++) {
    if (get(p, STRIDE_HEIGHT) === 1) copyRow(to + left * 4, x, bytes);
    else if (left & 1) splitRow(to + part + (left / 2) * 4, to + (left / 2 + 1) * 4, x, bytes);
    else splitRow(to + (left / 2) * 4, to + part + (left / 2) * 4, x, bytes);
    to += row;
    x += bytes;
  }
}

/** Rows of outputs of at least 16 bytes; taps of a row lie o1 and o2 bytes behind the first, and `turned` takes them from the last to the first. */
function convolvePlane(
  out: usize,
  rows: usize,
  bytes: usize,
  x: usize,
  step: usize,
  row: usize,
  o1: usize,
  o2: usize,
  w: usize,
  tap: isize,
  bias: f32,
): void {
  const w0 = v128.load32_splat(w);
  const w1 = v128.load32_splat(w + tap);
  const w2 = v128.load32_splat(w + 2 * tap);
  const w3 = v128.load32_splat(w + 3 * tap);
  const w4 = v128.load32_splat(w + 4 * tap);
  const w5 = v128.load32_splat(w + 5 * tap);
  const w6 = v128.load32_splat(w + 6 * tap);
  const w7 = v128.load32_splat(w + 7 * tap);
  const w8 = v128.load32_splat(w + 8 * tap);
  const offset = f32x4.splat(bias);
  const last = bytes - 16;
  if (step === row) {
    // With stride 1 two rows of outputs share the two rows of inputs between them.
    for (; rows > 1; rows -= 2) {
      for (let at: usize = 0; ; at = min(at + 16, last)) {
        let from = x + at;
        let v = v128.load(from);
        let sum = madd<f32>(w0, v, offset);
        v = v128.load(from + o1);
        sum = madd<f32>(w1, v, sum);
        v = v128.load(from + o2);
        sum = madd<f32>(w2, v, sum);
        from += row;
        v = v128.load(from);
        sum = madd<f32>(w3, v, sum);
        let below = madd<f32>(w0, v, offset);
        v = v128.load(from + o1);
        sum = madd<f32>(w4, v, sum);
        below = madd<f32>(w1, v, below);
        v = v128.load(from + o2);
        sum = madd<f32>(w5, v, sum);
        below = madd<f32>(w2, v, below);
        from += row;
        v = v128.load(from);
        sum = madd<f32>(w6, v, sum);
        below = madd<f32>(w3, v, below);
        v = v128.load(from + o1);
        sum = madd<f32>(w7, v, sum);
        below = madd<f32>(w4, v, below);
        v = v128.load(from + o2);
        v128.store(out + at, madd<f32>(w8, v, sum));
        below = madd<f32>(w5, v, below);
        from += row;
        below = madd<f32>(w6, v128.load(from), below);
        below = madd<f32>(w7, v128.load(from + o1), below);
        v128.store(out + bytes + at, madd<f32>(w8, v128.load(from + o2), below));
        if (at === last) break;
      }
      x += 2 * step;
      out += 2 * bytes;
    }
  }
  for (; rows > 0; rows--) {
    for (let at: usize = 0; ; at = min(at + 16, last)) {
      let from = x + at;
      let sum = madd<f32>(w0, v128.load(from), offset);
      sum = madd<f32>(w1, v128.load(from + o1), sum);
      sum = madd<f32>(w2, v128.load(from + o2), sum);
      from += row;
      sum = madd<f32>(w3, v128.load(from), sum);
      sum = madd<f32>(w4, v128.load(from + o1), sum);
      sum = madd<f32>(w5, v128.load(from + o2), sum);
      from += row;
      sum = madd<f32>(w6, v128.load(from), sum);
      sum = madd<f32>(w7, v128.load(from + o1), sum);
      v128.store(out + at, madd<f32>(w8, v128.load(from + o2), sum));
      if (at === last) break;
    }
    x += step;
    out += bytes;
  }
}

/**
 * Convolution of the planes of `count` channels from number `first` on. `turned` takes the taps from the last to the first: then it is the gradient of the input of one with
 * stride 1.
 */
export function depthwise3F32(
  p: usize,
  out: usize,
  x: usize,
  w: usize,
  bias: usize,
  first: usize,
  count: usize,
  scratch: usize,
  turned: bool,
): void {
  const copy = scratch + SUMS_BYTES;
  const channels = get(p, CHANNELS);
  const inPlane = get(p, IN_HEIGHT) * get(p, IN_WIDTH) * 4;
  const height = get(p, OUT_HEIGHT);
  const bytes = get(p, OUT_WIDTH) * 4;
  const row = rowBytes(p);
  const stride = get(p, STRIDE_HEIGHT);
  const o1: usize = stride === 1 ? 4 : partBytes(p);
  const o2: usize = stride === 1 ? 8 : 4;
  memory.fill(copy, 0, copyHeight(p) * row);
  for (let n: usize = 0; n < get(p, BATCH); n++) {
    for (let c = first; c < first + count; c++) {
      const plane = n * channels + c;
      copyPlane(p, copy, x + plane * inPlane);
      const taps = w + c * 36 + (turned ? 32 : 0);
      const offset: f32 = bias ? load<f32>(bias + c * 4) : 0;
      const to = out + plane * height * bytes;
      convolvePlane(to, height, bytes, copy, stride * row, row, o1, o2, taps, turned ? -4 : 4, offset);
    }
  }
}

function addLanes(sums: usize, v: v128): void {
  store<f64>(sums, load<f64>(sums) + <f64>lanes<f32>(v));
}

/** sums (nine float64) += Σ g·x at each tap */
function sumPlane(
  sums: usize,
  g: usize,
  rows: usize,
  bytes: usize,
  x: usize,
  step: usize,
  row: usize,
  o1: usize,
  o2: usize,
): void {
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  let s4 = s0;
  let s5 = s0;
  let s6 = s0;
  let s7 = s0;
  let s8 = s0;
  const whole = bytes & ~15;
  for (; rows > 0; rows--) {
    for (let at: usize = 0; at < bytes; at += 16) {
      // Behind the last column the copy is 0, and so is what is loaded of g.
      const v = at < whole ? v128.load(g + at) : loadPart(g + at, bytes - at);
      let from = x + at;
      s0 = madd<f32>(v, v128.load(from), s0);
      s1 = madd<f32>(v, v128.load(from + o1), s1);
      s2 = madd<f32>(v, v128.load(from + o2), s2);
      from += row;
      s3 = madd<f32>(v, v128.load(from), s3);
      s4 = madd<f32>(v, v128.load(from + o1), s4);
      s5 = madd<f32>(v, v128.load(from + o2), s5);
      from += row;
      s6 = madd<f32>(v, v128.load(from), s6);
      s7 = madd<f32>(v, v128.load(from + o1), s7);
      s8 = madd<f32>(v, v128.load(from + o2), s8);
    }
    g += bytes;
    x += step;
  }
  addLanes(sums, s0);
  addLanes(sums + 8, s1);
  addLanes(sums + 16, s2);
  addLanes(sums + 24, s3);
  addLanes(sums + 32, s4);
  addLanes(sums + 40, s5);
  addLanes(sums + 48, s6);
  addLanes(sums + 56, s7);
  addLanes(sums + 64, s8);
}

/** The gradient of the weights: float32 sums within a plane, float64 from plane to plane. */
export function depthwise3WeightGradF32(
  p: usize,
  gw: usize,
  g: usize,
  x: usize,
  first: usize,
  count: usize,
  scratch: usize,
): void {
  const copy = scratch + SUMS_BYTES;
  const channels = get(p, CHANNELS);
  const inPlane = get(p, IN_HEIGHT) * get(p, IN_WIDTH) * 4;
  const height = get(p, OUT_HEIGHT);
  const bytes = get(p, OUT_WIDTH) * 4;
  const row = rowBytes(p);
  const stride = get(p, STRIDE_HEIGHT);
  const o1: usize = stride === 1 ? 4 : partBytes(p);
  const o2: usize = stride === 1 ? 8 : 4;
  memory.fill(copy, 0, copyHeight(p) * row);
  for (let c = first; c < first + count; c++) {
    memory.fill(scratch, 0, 72);
    for (let n: usize = 0; n < get(p, BATCH); n++) {
      const plane = n * channels + c;
      copyPlane(p, copy, x + plane * inPlane);
      sumPlane(scratch, g + plane * height * bytes, height, bytes, copy, stride * row, row, o1, o2);
    }
    for (let t: usize = 0; t < 9; t++) store<f32>(gw + (c * 9 + t) * 4, <f32>load<f64>(scratch + t * 8));
  }
}

/** Pairs of columns and of rows of the input, padding included, that stride 2 makes. */
function pairs(size: usize, padding: usize): usize {
  return (size + padding + 1) / 2;
}

/** Bytes of a row of copied gradients: one 0 in front, whole vectors, and room behind. */
function gradientRow(p: usize): usize {
  return padded(max(pairs(get(p, IN_WIDTH), get(p, PADDING_WIDTH)), get(p, OUT_WIDTH)), 4) * 4 + 32;
}

function gradientHeight(p: usize): usize {
  return max(pairs(get(p, IN_HEIGHT), get(p, PADDING_HEIGHT)), get(p, OUT_HEIGHT)) + 1;
}

export function depthwise3Stride2Scratch(p: usize, _size: usize): usize {
  return (gradientHeight(p) + 4) * gradientRow(p);
}

/** Two rows of the input's gradient, of `columns` pairs of columns, from a row of g and the one above; columns of those that are read begin 4 bytes earlier. */
function spreadRows(even: usize, odd: usize, columns: usize, g: usize, above: usize, w: usize): void {
  const w0 = v128.load32_splat(w);
  const w1 = v128.load32_splat(w, 4);
  const w2 = v128.load32_splat(w, 8);
  const w3 = v128.load32_splat(w, 12);
  const w4 = v128.load32_splat(w, 16);
  const w5 = v128.load32_splat(w, 20);
  const w6 = v128.load32_splat(w, 24);
  const w7 = v128.load32_splat(w, 28);
  const w8 = v128.load32_splat(w, 32);
  for (let at: usize = 0; at < columns * 4; at += 16) {
    const here = v128.load(g + at);
    const left = v128.load(g + at - 4);
    const up = v128.load(above + at);
    let first = madd<f32>(w8, v128.load(above + at - 4), madd<f32>(w2, left, f32x4.mul(w0, here)));
    first = madd<f32>(w6, up, first);
    let second = madd<f32>(w7, up, f32x4.mul(w1, here));
    v128.store(even + 2 * at, v128.shuffle<f32>(first, second, 0, 4, 1, 5));
    v128.store(even + 2 * at, v128.shuffle<f32>(first, second, 2, 6, 3, 7), 16);
    first = madd<f32>(w5, left, f32x4.mul(w3, here));
    second = f32x4.mul(w4, here);
    v128.store(odd + 2 * at, v128.shuffle<f32>(first, second, 0, 4, 1, 5));
    v128.store(odd + 2 * at, v128.shuffle<f32>(first, second, 2, 6, 3, 7), 16);
  }
}

/** The gradient of the input of a convolution with stride 2. */
export function depthwise3Stride2InputGradF32(
  p: usize,
  gx: usize,
  g: usize,
  w: usize,
  first: usize,
  count: usize,
  scratch: usize,
): void {
  const channels = get(p, CHANNELS);
  const height = get(p, IN_HEIGHT);
  const bytes = get(p, IN_WIDTH) * 4;
  const gHeight = get(p, OUT_HEIGHT);
  const gBytes = get(p, OUT_WIDTH) * 4;
  const top = get(p, PADDING_HEIGHT);
  const left = get(p, PADDING_WIDTH);
  const columns = pairs(get(p, IN_WIDTH), left);
  const row = gradientRow(p);
  const even = scratch;
  const odd = scratch + 2 * row;
  const copy = scratch + 4 * row;
  memory.fill(copy, 0, gradientHeight(p) * row);
  for (let n: usize = 0; n < get(p, BATCH); n++) {
    for (let c = first; c < first + count; c++) {
      const plane = n * channels + c;
      const from = g + plane * gHeight * gBytes;
      const to = gx + plane * height * bytes;
      for (let h: usize = 0; h < gHeight; h++) copyRow(copy + (h + 1) * row + 16, from + h * gBytes, gBytes);
      for (let h = top / 2; h < pairs(height, top); h++) {
        const here = copy + (h + 1) * row + 16;
        spreadRows(even, odd, columns, here, here - row, w + c * 36);
        const y: usize = h * 2;
        if (y >= top) copyRow(to + (y - top) * bytes, even + left * 4, bytes);
        if (y + 1 - top < height) copyRow(to + (y + 1 - top) * bytes, odd + left * 4, bytes);
      }
    }
  }
}
