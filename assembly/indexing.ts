import { copyBytes } from "./memory";

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
