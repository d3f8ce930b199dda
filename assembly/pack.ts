/* Packing for the tiles of tile.ts: both operands go into slivers that a tile reads front to back. */
import { TALL_ROWS, TILE_BYTES } from "./tile";

/**
 * Packs `count` lanes (rows of a or columns of b) over k steps into slivers of `width` lanes, zeros behind the last. Strides are in bytes.
 */
export function pack<T>(out: usize, x: usize, lane: usize, step: usize, count: usize, k: usize, width: usize): void {
  const perVector: usize = 16 / sizeof<T>();
  const rowBytes: usize = width * sizeof<T>();
  for (let first: usize = 0; first < count; first += width) {
    if (rowBytes === TILE_BYTES && lane === sizeof<T>() && first + width <= count) {
      packRows(out, x + first * lane, step, k);
      out += rowBytes * k;
      continue;
    }
    for (let half: usize = 0; half < width; half += perVector) {
      const from = first + half;
      const valid = from < count ? min(perVector, count - from) : 0;
      packVector<T>(out + half * sizeof<T>(), rowBytes, x + from * lane, lane, step, valid, k);
    }
    out += rowBytes * k;
  }
}

/** A sliver of b whose columns lie side by side: both vectors of a row together, so that each line of memory is fetched once or twice, not four times. */
function packRows(out: usize, x: usize, step: usize, k: usize): void {
  for (const end = out + k * TILE_BYTES; out < end; out += TILE_BYTES) {
    v128.store(out, v128.load(x));
    v128.store(out, v128.load(x, 16), 16);
    x += step;
  }
}

/** One vector's lanes of a sliver, of which the first `valid` exist. */
function packVector<T>(out: usize, outStep: usize, x: usize, lane: usize, step: usize, valid: usize, k: usize): void {
  const perVector: usize = 16 / sizeof<T>();
  if (valid === perVector && lane === sizeof<T>()) {
    for (let i: usize = 0; i < k; i++) {
      v128.store(out, v128.load(x));
      x += step;
      out += outStep;
    }
    return;
  }
  if (sizeof<T>() === 4 && valid === perVector && step === 4) {
    const whole = k & ~3;
    for (let i: usize = 0; i < whole; i += 4) {
      transpose4(out, outStep, x, lane);
      x += 16;
      out += outStep << 2;
    }
    k -= whole;
  }
  for (let i: usize = 0; i < k; i++) {
    for (let j: usize = 0; j < perVector; j++) {
      store<T>(out + j * sizeof<T>(), j < valid ? load<T>(x + j * lane) : <T>0);
    }
    x += step;
    out += outStep;
  }
}

/** Transposes 4 × 4 float32. */
function transpose4(out: usize, outStep: usize, x: usize, lane: usize): void {
  const x0 = v128.load(x);
  const x1 = v128.load(x + lane);
  const x2 = v128.load(x + 2 * lane);
  const x3 = v128.load(x + 3 * lane);
  const low01 = v128.shuffle<f32>(x0, x1, 0, 4, 1, 5);
  const high01 = v128.shuffle<f32>(x0, x1, 2, 6, 3, 7);
  const low23 = v128.shuffle<f32>(x2, x3, 0, 4, 1, 5);
  const high23 = v128.shuffle<f32>(x2, x3, 2, 6, 3, 7);
  v128.store(out, v128.shuffle<f64>(low01, low23, 0, 2));
  v128.store(out + outStep, v128.shuffle<f64>(low01, low23, 1, 3));
  v128.store(out + 2 * outStep, v128.shuffle<f64>(high01, high23, 0, 2));
  v128.store(out + 3 * outStep, v128.shuffle<f64>(high01, high23, 1, 3));
}

/** Packs `rows` rows over k steps into slivers of TALL_ROWS, zeros behind the last. Strides are in bytes. */
export function packTall<T>(out: usize, x: usize, row: usize, step: usize, rows: usize, k: usize): void {
  if (!ASC_FEATURE_RELAXED_SIMD) {
    pack<T>(out, x, row, step, rows, k, TALL_ROWS);
    return;
  }
  const size: usize = sizeof<T>();
  const sliver = TALL_ROWS * size;
  for (let first: usize = 0; first < rows; first += TALL_ROWS) {
    const from = x + first * row;
    const valid = min(TALL_ROWS, rows - first);
    let done: usize = 0;
    if (size === 4 && step === 4 && valid === TALL_ROWS) {
      done = k & ~3;
      packFour(out, from, row, done);
    }
    for (let i = done; i < k; i++) {
      for (let r: usize = 0; r < TALL_ROWS; r++) {
        store<T>(out + i * sliver + r * size, r < valid ? load<T>(from + r * row + i * step) : <T>0);
      }
    }
    out += sliver * k;
  }
}

/** Five rows of float32 whose elements lie side by side; k is a multiple of four. */
function packFour(out: usize, x: usize, row: usize, k: usize): void {
  for (const end = x + (k << 2); x < end; x += 16) {
    const x0 = v128.load(x);
    const x1 = v128.load(x + row);
    const x2 = v128.load(x + 2 * row);
    const x3 = v128.load(x + 3 * row);
    const x4 = v128.load(x + 4 * row);
    const low01 = v128.shuffle<f32>(x0, x1, 0, 4, 1, 5);
    const high01 = v128.shuffle<f32>(x0, x1, 2, 6, 3, 7);
    const low23 = v128.shuffle<f32>(x2, x3, 0, 4, 1, 5);
    const high23 = v128.shuffle<f32>(x2, x3, 2, 6, 3, 7);
    v128.store(out, v128.shuffle<f64>(low01, low23, 0, 2));
    v128.store32_lane(out, x4, 0, 16);
    v128.store(out, v128.shuffle<f64>(low01, low23, 1, 3), 20);
    v128.store32_lane(out, x4, 1, 36);
    v128.store(out, v128.shuffle<f64>(high01, high23, 0, 2), 40);
    v128.store32_lane(out, x4, 2, 56);
    v128.store(out, v128.shuffle<f64>(high01, high23, 1, 3), 60);
    v128.store32_lane(out, x4, 3, 76);
    out += 80;
  }
}
