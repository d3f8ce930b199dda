import { copyBytes } from "./memory";
import { madd } from "./tile";

/*
 * Indexing along the middle axis with int64 indices. Every kernel returns the position of the first index out of range, or −1.
 */

/** The position of the first of n indices outside [0, size), or −1. */
function firstOutOfRange(index: usize, n: usize, size: usize): i32 {
  for (let k: usize = 0; k < n; k++) if (load<u64>(index + (k << 3)) >= <u64>size) return <i32>k;
  return -1;
}

function gatherOf<T>(out: usize, x: usize, index: usize, outer: usize, size: usize, count: usize, inner: usize): i32 {
  const start = index;
  for (let o: usize = 0; o < outer; o++, x += size * inner * sizeof<T>()) {
    for (let j: usize = 0; j < count; j++) {
      for (let i: usize = 0; i < inner; i++, index += 8, out += sizeof<T>()) {
        const at = load<u64>(index);
        if (at >= <u64>size) return <i32>((index - start) >> 3);
        store<T>(out, load<T>(x + (<usize>at * inner + i) * sizeof<T>()));
      }
    }
  }
  return -1;
}

/** out[o, j, i] = x[o, index[o, j, i], i] over items of 1, 4 or 8 bytes */
export function gather(
  itemBytes: i32,
  out: usize,
  x: usize,
  index: usize,
  outer: usize,
  size: usize,
  count: usize,
  inner: usize,
): i32 {
  if (itemBytes === 4) return gatherOf<u32>(out, x, index, outer, size, count, inner);
  if (itemBytes === 8) return gatherOf<u64>(out, x, index, outer, size, count, inner);
  return gatherOf<u8>(out, x, index, outer, size, count, inner);
}

/** out[o, index[o, j, i], i] += x[o, j, i] */
export function scatterAdd<T>(
  out: usize,
  x: usize,
  index: usize,
  outer: usize,
  size: usize,
  count: usize,
  inner: usize,
): i32 {
  const start = index;
  for (let o: usize = 0; o < outer; o++, out += size * inner * sizeof<T>()) {
    for (let j: usize = 0; j < count; j++) {
      for (let i: usize = 0; i < inner; i++, index += 8, x += sizeof<T>()) {
        const at = load<u64>(index);
        if (at >= <u64>size) return <i32>((index - start) >> 3);
        const to = out + (<usize>at * inner + i) * sizeof<T>();
        store<T>(to, <T>(load<T>(to) + load<T>(x)));
      }
    }
  }
  return -1;
}

/** out[o, j, i] = x[o, index[j], i], a slice of inner items at a time */
export function indexSelect(
  itemBytes: usize,
  out: usize,
  x: usize,
  index: usize,
  outer: usize,
  size: usize,
  count: usize,
  inner: usize,
): i32 {
  const wrong = firstOutOfRange(index, count, size);
  if (wrong >= 0) return wrong;
  const slice = inner * itemBytes;
  for (let o: usize = 0; o < outer; o++, x += size * slice) {
    for (let j: usize = 0; j < count; j++, out += slice) {
      const from = x + <usize>load<u64>(index + (j << 3)) * slice;
      if (slice === 4) store<u32>(out, load<u32>(from));
      else if (slice === 8) store<u64>(out, load<u64>(from));
      else copyBytes(out, from, slice);
    }
  }
  return -1;
}

/** Images whose lines are fetched before the first of them is worked on, so that the processor waits for many lines at once: 60 images of 28 × 28, not in cache, take 10.5 µs instead of 17. */
const AT_ONCE: usize = 64;

/** out[j, i] = x[index[j], i] / 255 of bytes, in float32: a batch of images */
export function selectPixels(out: usize, x: usize, index: usize, size: usize, count: usize, inner: usize): i32 {
  const wrong = firstOutOfRange(index, count, size);
  if (wrong >= 0) return wrong;
  let seen: u32 = 0;
  for (let first: usize = 0; first < count; first += AT_ONCE) {
    const end = min(first + AT_ONCE, count);
    for (let j = first; j < end; j++) seen += touch(x + <usize>load<u64>(index + (j << 3)) * inner, inner);
    for (let j = first; j < end; j++, out += inner * 4) {
      scalePixels(out, x + <usize>load<u64>(index + (j << 3)) * inner, inner);
    }
  }
  // Never, but it keeps what touch reads.
  return seen === 0xffffffff ? 0 : -1;
}

/** Reads a byte of each line of memory. */
function touch(x: usize, bytes: usize): u32 {
  let seen: u32 = 0;
  for (const end = x + bytes; x < end; x += 64) seen |= <u32>load<u8>(x);
  return seen & 1;
}

/**
 * Bytes over 255, sixteen at a time. A division takes four times as long as two products: 1/255 is the sum of a number of 9 bits, whose product with a byte is exact, and a small one, and so the
 * sum is the quotient's rounding for every byte.
 */
function scalePixels(out: usize, x: usize, n: usize): void {
  const whole = n & ~15;
  for (const end = x + whole; x < end; x += 16, out += 64) {
    const v = v128.load(x);
    const low = i16x8.extend_low_i8x16_u(v);
    const high = i16x8.extend_high_i8x16_u(v);
    v128.store(out, over255(i32x4.extend_low_i16x8_u(low)));
    v128.store(out, over255(i32x4.extend_high_i16x8_u(low)), 16);
    v128.store(out, over255(i32x4.extend_low_i16x8_u(high)), 32);
    v128.store(out, over255(i32x4.extend_high_i16x8_u(high)), 48);
  }
  for (let i = whole; i < n; i++, x++, out += 4) store<f32>(out, <f32>load<u8>(x) / 255);
}

// @inline
function over255(bytes: v128): v128 {
  const v = f32x4.convert_i32x4_s(bytes);
  return madd<f32>(v, f32x4.splat(5.983839e-8), f32x4.mul(v, f32x4.splat(0.0039215087890625)));
}

/** out[o, index[j], i] += x[o, j, i] */
export function indexAdd<T>(
  out: usize,
  x: usize,
  index: usize,
  outer: usize,
  size: usize,
  count: usize,
  inner: usize,
): i32 {
  const wrong = firstOutOfRange(index, count, size);
  if (wrong >= 0) return wrong;
  const slice = inner * sizeof<T>();
  for (let o: usize = 0; o < outer; o++, out += size * slice) {
    for (let j: usize = 0; j < count; j++) {
      let to = out + <usize>load<u64>(index + (j << 3)) * slice;
      const end = x + slice;
      for (const vectors = x + (slice & ~15); x < vectors; x += 16, to += 16) {
        v128.store(to, v128.add<T>(v128.load(to), v128.load(x)));
      }
      for (; x < end; x += sizeof<T>(), to += sizeof<T>()) store<T>(to, <T>(load<T>(to) + load<T>(x)));
    }
  }
  return -1;
}

/**
 * Both directions of the negative log-likelihood over [n, classes, inner]: forward writes −weight[t]·logp[n, t, i] to out,
 * [n, inner], and the sum of the weights to total, if that is not 0; backward writes −weight[t]·g[n, i] into glogp, which is already zero elsewhere.
 */
function nllBoth<T>(
  backward: bool,
  small: usize,
  total: usize,
  large: usize,
  target: usize,
  weight: usize,
  n: usize,
  classes: usize,
  inner: usize,
  ignoreIndex: i64,
): i32 {
  const start = target;
  let sum: f64 = 0;
  for (let s: usize = 0; s < n; s++, large += classes * inner * sizeof<T>()) {
    for (let i: usize = 0; i < inner; i++, target += 8, small += sizeof<T>()) {
      const t = load<i64>(target);
      if (t === ignoreIndex) {
        if (!backward) store<T>(small, <T>0);
        continue;
      }
      if (<u64>t >= <u64>classes) return <i32>((target - start) >> 3);
      const at = large + (<usize>t * inner + i) * sizeof<T>();
      const factor = weight === 0 ? <T>1 : load<T>(weight + <usize>t * sizeof<T>());
      sum += <f64>factor;
      if (backward) store<T>(at, -factor * load<T>(small));
      else store<T>(small, -factor * load<T>(at));
    }
  }
  if (total) store<T>(total, <T>sum);
  return -1;
}

export function nll<T>(
  out: usize,
  total: usize,
  logp: usize,
  target: usize,
  weight: usize,
  n: usize,
  classes: usize,
  inner: usize,
  ignoreIndex: f64,
): i32 {
  return nllBoth<T>(false, out, total, logp, target, weight, n, classes, inner, <i64>ignoreIndex);
}

export function nllGrad<T>(
  glogp: usize,
  g: usize,
  target: usize,
  weight: usize,
  n: usize,
  classes: usize,
  inner: usize,
  ignoreIndex: f64,
): i32 {
  memory.fill(glogp, 0, n * classes * inner * sizeof<T>());
  return nllBoth<T>(true, g, 0, glogp, target, weight, n, classes, inner, <i64>ignoreIndex);
}
