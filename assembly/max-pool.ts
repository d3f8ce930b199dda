import { END, get, START, STEP, WINDOW_BYTES } from "./pool-windows";

/** Max pooling, which needs no PADDED, notes there how far apart a window and the next three lie, see spacing. */
const APART: usize = 12;

/** One output of max pooling: the largest, or the last NaN. */
function maxOf<T>(out: usize, index: usize, x: usize, inWidth: i32, row: usize, column: usize): void {
  let best = <T>-Infinity;
  let bestAt = get(row, START) * inWidth + get(column, START);
  const end = get(column, END);
  for (let h = get(row, START); h < get(row, END); h += get(row, STEP)) {
    for (let w = get(column, START); w < end; w += get(column, STEP)) {
      const at = h * inWidth + w;
      const value = load<T>(x + <usize>at * sizeof<T>());
      if (value > best || value !== value) {
        best = value;
        bestAt = at;
      }
    }
  }
  store<T>(out, best);
  if (index) store<i64>(index, bestAt);
}

/** How far apart four neighbouring windows lie if they are the same but for that, else 0. */
function spacing(column: usize): i32 {
  const apart = get(column + WINDOW_BYTES, START) - get(column, START);
  for (let i = 1; i < 4; i++) {
    const next = column + <usize>i * WINDOW_BYTES;
    if (get(next, START) - get(column, START) !== i * apart) return 0;
    if (get(next, END) - get(column, END) !== i * apart) return 0;
  }
  return apart;
}

/** Four float32 that lie `apart` elements from each other; nothing beyond them is read. */
function every(x: usize, apart: usize): v128 {
  if (apart === 1) return v128.load(x);
  if (apart === 2) return v128.shuffle<f32>(v128.load(x), v128.load(x, 12), 0, 2, 5, 7);
  let v = v128.load32_zero(x);
  v = v128.load32_lane(x + apart * 4, v, 1);
  v = v128.load32_lane(x + apart * 8, v, 2);
  return v128.load32_lane(x + apart * 12, v, 3);
}

/** Four outputs of max pooling whose windows lie `apart`. Selecting needs no branches, of which none could be predicted. */
function maxOfFour(out: usize, index: usize, x: usize, inWidth: i32, row: usize, column: usize, apart: i32): void {
  const first = get(column, START);
  const end = get(column, END);
  const step = get(column, STEP);
  const places = i32x4.mul(i32x4(0, 1, 2, 3), i32x4.splat(apart));
  let best = f32x4.splat(-Infinity);
  let bestAt = i32x4.splat(get(row, START) * inWidth + first);
  for (let h = get(row, START); h < get(row, END); h += get(row, STEP)) {
    for (let w = first; w < end; w += step) {
      const at = h * inWidth + w;
      const v = every(x + <usize>at * 4, <usize>apart);
      const wins = v128.or(f32x4.gt(v, best), f32x4.ne(v, v));
      best = v128.bitselect(v, best, wins);
      bestAt = v128.bitselect(i32x4.splat(at), bestAt, wins);
    }
  }
  v128.store(out, best);
  if (!index) return;
  bestAt = i32x4.add(bestAt, places);
  v128.store(index, i64x2.extend_low_i32x4_u(bestAt));
  v128.store(index, i64x2.extend_high_i32x4_u(bestAt), 16);
}

/** Whether a window is two neighbours. */
function isPair(window: usize): bool {
  return get(window, STEP) === 1 && get(window, END) - get(window, START) === 2;
}

/** maxOfFour for windows of 2 × 2 that touch: the first begins at x, which is place number `at`. */
function maxOfSquares(out: usize, index: usize, x: usize, inWidth: i32, at: i32): void {
  const below = x + <usize>inWidth * 4;
  const v0 = v128.load(x);
  const v1 = v128.load(x, 16);
  const w0 = v128.load(below);
  const w1 = v128.load(below, 16);
  let best = v128.shuffle<f32>(v0, v1, 0, 2, 4, 6);
  let v = v128.shuffle<f32>(v0, v1, 1, 3, 5, 7);
  let wins = v128.or(f32x4.gt(v, best), f32x4.ne(v, v));
  best = v128.bitselect(v, best, wins);
  let place = v128.and(i32x4.splat(1), wins);
  v = v128.shuffle<f32>(w0, w1, 0, 2, 4, 6);
  wins = v128.or(f32x4.gt(v, best), f32x4.ne(v, v));
  best = v128.bitselect(v, best, wins);
  place = v128.bitselect(i32x4.splat(inWidth), place, wins);
  v = v128.shuffle<f32>(w0, w1, 1, 3, 5, 7);
  wins = v128.or(f32x4.gt(v, best), f32x4.ne(v, v));
  v128.store(out, v128.bitselect(v, best, wins));
  if (!index) return;
  place = v128.bitselect(i32x4.splat(inWidth + 1), place, wins);
  place = i32x4.add(i32x4.add(place, i32x4.splat(at)), i32x4(0, 2, 4, 6));
  v128.store(index, i64x2.extend_low_i32x4_u(place));
  v128.store(index, i64x2.extend_high_i32x4_u(place), 16);
}

/**
 * maxOfSquares along a row of at least four outputs. A larger number of a pair needs no mask, but only if there is no NaN: then sums of the four are NaN, too,
 * and the row is done again (so it is where infinities of both signs meet).
 */
function maxOfSquareRow(out: usize, index: usize, x: usize, inWidth: i32, outWidth: usize, first: i32): void {
  const below = <usize>inWidth * 4;
  const down = i32x4.splat(inWidth);
  let strange = i32x4.splat(0);
  for (let c: usize = 0; c < outWidth; c += 4) {
    // The last four may overlap those before them.
    const at = min(c, outWidth - 4);
    const from = x + at * 8;
    const v0 = v128.load(from);
    const v1 = v128.load(from, 16);
    const w0 = v128.load(from + below);
    const w1 = v128.load(from + below, 16);
    const a = v128.shuffle<f32>(v0, v1, 0, 2, 4, 6);
    const b = v128.shuffle<f32>(v0, v1, 1, 3, 5, 7);
    const d = v128.shuffle<f32>(w0, w1, 0, 2, 4, 6);
    const e = v128.shuffle<f32>(w0, w1, 1, 3, 5, 7);
    const top = f32x4.pmax(a, b);
    const bottom = f32x4.pmax(d, e);
    const sum = f32x4.add(f32x4.add(a, b), f32x4.add(d, e));
    strange = v128.or(strange, f32x4.ne(sum, sum));
    v128.store(out + at * 4, f32x4.pmax(top, bottom));
    if (index) {
      // Masks are -1 where the right one is larger.
      const lower = i32x4.sub(down, f32x4.gt(e, d));
      const upper = i32x4.neg(f32x4.gt(b, a));
      const place = v128.bitselect(lower, upper, f32x4.gt(bottom, top));
      const all = i32x4.add(place, i32x4.add(i32x4.splat(first + 2 * <i32>at), i32x4(0, 2, 4, 6)));
      v128.store(index + at * 8, i64x2.extend_low_i32x4_u(all));
      v128.store(index + at * 8, i64x2.extend_high_i32x4_u(all), 16);
    }
  }
  if (!v128.any_true(strange)) return;
  for (let c: usize = 0; c < outWidth; c += 4) {
    const at = min(c, outWidth - 4);
    maxOfSquares(out + at * 4, index ? index + at * 8 : 0, x + at * 8, inWidth, first + 2 * <i32>at);
  }
}

/** Max pooling of planes; `indices` may be 0. `squares` as in maxPoolGrad. */
export function maxPool<T>(
  out: usize,
  indices: usize,
  x: usize,
  planes: usize,
  inHeight: usize,
  inWidth: usize,
  outHeight: usize,
  outWidth: usize,
  windows: usize,
  squares: bool,
): void {
  const size: usize = sizeof<T>();
  if (size === 4 && squares && outWidth >= 4) {
    const width = <i32>inWidth;
    for (let p: usize = 0; p < planes; p++) {
      for (let r: i32 = 0; r < <i32>outHeight; r++) {
        maxOfSquareRow(out, indices, x, width, outWidth, 2 * r * width);
        x += 2 * inWidth * size;
        out += outWidth * size;
        if (indices) indices += outWidth * 8;
      }
    }
    return;
  }
  const columns = windows + outHeight * WINDOW_BYTES;
  for (let c: usize = 0; c < outWidth; c++) {
    const column = columns + c * WINDOW_BYTES;
    store<i32>(column + APART, size === 4 && c + 4 <= outWidth ? spacing(column) : 0);
  }
  for (let p: usize = 0; p < planes; p++) {
    for (let r: usize = 0; r < outHeight; r++) {
      const row = windows + r * WINDOW_BYTES;
      let c: usize = 0;
      while (c < outWidth) {
        // The last four may overlap those before them.
        const at = outWidth >= 4 ? min(c, outWidth - 4) : c;
        const apart = get(columns + at * WINDOW_BYTES, APART);
        if (apart > 0) {
          const column = columns + at * WINDOW_BYTES;
          const to = out + at * size;
          const index = indices ? indices + at * 8 : 0;
          if (apart === 2 && isPair(row) && isPair(column)) {
            const first = get(row, START) * <i32>inWidth + get(column, START);
            maxOfSquares(to, index, x + <usize>first * 4, <i32>inWidth, first);
          } else maxOfFour(to, index, x, <i32>inWidth, row, column, apart);
          c = at + 4;
        } else {
          const column = columns + c * WINDOW_BYTES;
          maxOf<T>(out + c * size, indices ? indices + c * 8 : 0, x, <i32>inWidth, row, column);
          c++;
        }
      }
      out += outWidth * size;
      if (indices) indices += outWidth * 8;
    }
    x += inHeight * inWidth * size;
  }
}

/** The gradient of four windows of 2 × 2 that touch, of which the first begins at gx, which is place number `at`. */
function gradOfSquares(gx: usize, g: usize, indices: usize, inWidth: i32, at: i32): void {
  const v = v128.load(g);
  const places = v128.shuffle<i32>(v128.load(indices), v128.load(indices, 16), 0, 2, 4, 6);
  const place = i32x4.sub(places, i32x4.add(i32x4.splat(at), i32x4(0, 2, 4, 6)));
  const below = gx + <usize>inWidth * 4;
  let left = v128.and(v, i32x4.eq(place, i32x4.splat(0)));
  let right = v128.and(v, i32x4.eq(place, i32x4.splat(1)));
  v128.store(gx, v128.shuffle<i32>(left, right, 0, 4, 1, 5));
  v128.store(gx, v128.shuffle<i32>(left, right, 2, 6, 3, 7), 16);
  left = v128.and(v, i32x4.eq(place, i32x4.splat(inWidth)));
  right = v128.and(v, i32x4.eq(place, i32x4.splat(inWidth + 1)));
  v128.store(below, v128.shuffle<i32>(left, right, 0, 4, 1, 5));
  v128.store(below, v128.shuffle<i32>(left, right, 2, 6, 3, 7), 16);
}

/** Adds each gradient at the place of its maximum. `squares` says that windows of 2 × 2 cover the planes, in rows of `outWidth`: then all of gx is written once. */
export function maxPoolGrad<T>(
  gx: usize,
  g: usize,
  indices: usize,
  planes: usize,
  inSize: usize,
  outSize: usize,
  outWidth: usize,
  squares: bool,
): void {
  const size: usize = sizeof<T>();
  if (size === 4 && squares && outWidth >= 4) {
    const row = 2 * outWidth;
    let i: usize = 0;
    for (const end = gx + planes * inSize * 4; gx < end; gx += 2 * row * 4) {
      const first = i * 4;
      for (let c: usize = 0; c < outWidth; c += 4) {
        // The last four may overlap those before them.
        const at = min(c, outWidth - 4);
        gradOfSquares(gx + at * 8, g + at * 4, indices + at * 8, <i32>row, <i32>(first + 2 * at));
      }
      g += outWidth * 4;
      indices += outWidth * 8;
      i += outWidth;
      if (i === outSize) i = 0;
    }
    return;
  }
  memory.fill(gx, 0, planes * inSize * size);
  for (let p: usize = 0; p < planes; p++) {
    for (let i: usize = 0; i < outSize; i++) {
      const to = gx + load<u32>(indices) * size;
      store<T>(to, <T>(load<T>(to) + load<T>(g)));
      g += size;
      indices += 8;
    }
    gx += inSize * size;
  }
}
