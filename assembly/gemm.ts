import { pack, packTall } from "./pack";
import { gemmSparseLeft, gemmSparseRight, hasSparseLeft, hasSparseRight, sparseScratch } from "./sparse";
import { lanes, madd, storeCorner, TALL_ROWS, TILE_BYTES, tallTile } from "./tile";

/** Steps of k between two visits of the output: a sliver of b is then 16 KiB and stays in the first cache. */
const BLOCK_K: usize = 512;
/** Rows of a packed at a time: 200 KiB in the second cache. */
const BLOCK_M: usize = 100;
/** Bytes of b's row packed at a time: 512 float32, a panel of 1 MiB. */
const BLOCK_N_BYTES: usize = 2048;
/** Up to this many columns, rows of a that lie side by side are read where they are: packing would cost more than it saves. */
const DIRECT_COLUMNS: usize = 128;

/**
 * One matrix product; strides in elements. `scratch` holds a tile, a block of a and a panel of b: see gemmScratch.
 */
function gemm<T>(
  m: usize,
  n: usize,
  k: usize,
  out: usize,
  outRow: usize,
  a: usize,
  aRow: usize,
  aColumn: usize,
  b: usize,
  bRow: usize,
  bColumn: usize,
  accumulate: bool,
  scratch: usize,
): void {
  const size: usize = sizeof<T>();
  outRow *= size;
  aRow *= size;
  aColumn *= size;
  bRow *= size;
  bColumn *= size;
  if (k === 0) {
    if (!accumulate) for (let i: usize = 0; i < m; i++) memory.fill(out + i * outRow, 0, n * size);
    return;
  }
  const width = TILE_BYTES / size;
  const corner = scratch;
  const aPanel = scratch + TALL_ROWS * TILE_BYTES;
  const bPanel = aPanel + BLOCK_M * BLOCK_K * size;
  const blockN = BLOCK_N_BYTES / size;
  const sliverRow = TALL_ROWS * size;
  if (size === 4 && hasSparseRight(m, n, k, aRow, aColumn, b, bRow, bColumn)) {
    const done = gemmSparseRight(m, n, k, out, outRow, a, aRow, aColumn, b, bRow, accumulate, scratch);
    if (done === m) return;
    m -= done;
    out += done * outRow;
    a += done * aRow;
  }
  const sparse = size === 4 && hasSparseLeft(m, n, k, a, aRow, aColumn, bRow, bColumn);
  const direct = ASC_FEATURE_RELAXED_SIMD && aRow === size && n <= DIRECT_COLUMNS;
  for (let j0: usize = 0; j0 < n; j0 += blockN) {
    const nb = min(blockN, n - j0);
    for (let k0: usize = 0; k0 < k; k0 += BLOCK_K) {
      const kb = min(BLOCK_K, k - k0);
      const add = accumulate || k0 > 0;
      if (sparse) {
        const from = b + k0 * bRow + j0 * bColumn;
        const to = out + j0 * size;
        if (gemmSparseLeft(m, nb, kb, to, outRow, a + k0 * size, aRow, from, bRow, bColumn, add, scratch)) continue;
      }
      pack<T>(bPanel, b + k0 * bRow + j0 * bColumn, bColumn, bRow, nb, kb, width);
      for (let i0: usize = 0; i0 < m; i0 += BLOCK_M) {
        const mb = min(BLOCK_M, m - i0);
        const aBlock = a + i0 * aRow + k0 * aColumn;
        if (!direct) packTall<T>(aPanel, aBlock, aRow, aColumn, mb, kb);
        for (let j: usize = 0; j < nb; j += width) {
          const columns = min(width, nb - j);
          const sliver = bPanel + j * kb * size;
          for (let i: usize = 0; i < mb; i += TALL_ROWS) {
            const rows = min(TALL_ROWS, mb - i);
            const place = out + (i0 + i) * outRow + (j0 + j) * size;
            const whole = rows === TALL_ROWS && columns === width;
            const to = whole ? place : corner;
            const toRow = whole ? outRow : TILE_BYTES;
            const toAdd = add && whole;
            if (!direct) tallTile<T>(kb, aPanel + i * kb * size, sliverRow, sliver, to, toRow, toAdd);
            else if (rows < TALL_ROWS) edgeTile<T>(kb, aBlock + i * aRow, aRow, aColumn, rows, aPanel, sliver, to);
            else tallTile<T>(kb, aBlock + i * size, aColumn, sliver, to, toRow, toAdd);
            if (!whole) storeCorner<T>(corner, place, outRow, rows, columns, add);
          }
        }
      }
    }
  }
}

/** A tile of fewer rows, which are packed first so that nothing is read behind the last. */
function edgeTile<T>(
  k: usize,
  a: usize,
  aRow: usize,
  aColumn: usize,
  rows: usize,
  panel: usize,
  b: usize,
  out: usize,
): void {
  packTall<T>(panel, a, aRow, aColumn, rows, k);
  tallTile<T>(k, panel, TALL_ROWS * sizeof<T>(), b, out, TILE_BYTES, false);
}

/** Bytes of scratch that gemmF32 and gemmF64 need for a product of these sizes. */
export function gemmScratch(n: usize, k: usize, size: usize): usize {
  const kb = min(k, BLOCK_K);
  const columns = min(n * size + TILE_BYTES - 1, BLOCK_N_BYTES) & ~(TILE_BYTES - 1);
  const dense = TALL_ROWS * TILE_BYTES + BLOCK_M * BLOCK_K * size + columns * kb;
  return size === 4 ? max(dense, sparseScratch(min(n, BLOCK_N_BYTES / 4), kb)) : dense;
}

/**
 * out[r] (+)= Σ matrix[r, i]·vector[i]: the products with one row or one column. Strides in elements.
 */
function matrixVector<T>(
  rows: usize,
  k: usize,
  out: usize,
  outStep: usize,
  matrix: usize,
  row: usize,
  column: usize,
  vector: usize,
  step: usize,
  accumulate: bool,
): void {
  const size: usize = sizeof<T>();
  const perVector: usize = 16 / size;
  outStep *= size;
  row *= size;
  column *= size;
  step *= size;
  let r: usize = 0;
  if (row === size) {
    // Neighbouring rows lie side by side: four vectors of them at a time walk along k.
    const chunk: usize = 4 * perVector;
    for (; r + chunk <= rows; r += chunk) {
      let s0 = v128.splat<T>(0);
      let s1 = s0;
      let s2 = s0;
      let s3 = s0;
      let p = matrix + r * size;
      let v = vector;
      for (let i: usize = 0; i < k; i++) {
        const x = v128.load_splat<T>(v);
        s0 = madd<T>(x, v128.load(p), s0);
        s1 = madd<T>(x, v128.load(p, 16), s1);
        s2 = madd<T>(x, v128.load(p, 32), s2);
        s3 = madd<T>(x, v128.load(p, 48), s3);
        p += column;
        v += step;
      }
      const to = out + r * outStep;
      storeLanes<T>(to, outStep, s0, accumulate);
      storeLanes<T>(to + perVector * outStep, outStep, s1, accumulate);
      storeLanes<T>(to + 2 * perVector * outStep, outStep, s2, accumulate);
      storeLanes<T>(to + 3 * perVector * outStep, outStep, s3, accumulate);
    }
  }
  const contiguous = column === size && step === size;
  for (; r < rows; r++) {
    const p = matrix + r * row;
    const to = out + r * outStep;
    const sum = contiguous ? dot<T>(k, p, vector) : stridedDot<T>(k, p, column, vector, step);
    store<T>(to, accumulate ? <T>(load<T>(to) + sum) : sum);
  }
}

function storeLanes<T>(out: usize, step: usize, v: v128, accumulate: bool): void {
  storeLane<T>(out, v128.extract_lane<T>(v, 0), accumulate);
  storeLane<T>(out + step, v128.extract_lane<T>(v, 1), accumulate);
  if (sizeof<T>() === 4) {
    storeLane<T>(out + 2 * step, v128.extract_lane<T>(v, 2), accumulate);
    storeLane<T>(out + 3 * step, v128.extract_lane<T>(v, 3), accumulate);
  }
}

function storeLane<T>(out: usize, value: T, accumulate: bool): void {
  store<T>(out, accumulate ? <T>(load<T>(out) + value) : value);
}

function dot<T>(k: usize, x: usize, y: usize): T {
  const size: usize = sizeof<T>();
  let s0 = v128.splat<T>(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  const end = x + k * size;
  for (; x + 64 <= end; x += 64) {
    s0 = madd<T>(v128.load(x), v128.load(y), s0);
    s1 = madd<T>(v128.load(x, 16), v128.load(y, 16), s1);
    s2 = madd<T>(v128.load(x, 32), v128.load(y, 32), s2);
    s3 = madd<T>(v128.load(x, 48), v128.load(y, 48), s3);
    y += 64;
  }
  let sum = lanes<T>(v128.add<T>(v128.add<T>(s0, s1), v128.add<T>(s2, s3)));
  for (; x < end; x += size) {
    sum = <T>(sum + <T>(load<T>(x) * load<T>(y)));
    y += size;
  }
  return sum;
}

function stridedDot<T>(k: usize, x: usize, xStep: usize, y: usize, yStep: usize): T {
  // Four sums, so that their rounding errors stay as small as the vector paths'.
  let s0: T = 0;
  let s1: T = 0;
  let s2: T = 0;
  let s3: T = 0;
  for (; k >= 4; k -= 4) {
    s0 = <T>(s0 + load<T>(x) * load<T>(y));
    s1 = <T>(s1 + load<T>(x + xStep) * load<T>(y + yStep));
    s2 = <T>(s2 + load<T>(x + 2 * xStep) * load<T>(y + 2 * yStep));
    s3 = <T>(s3 + load<T>(x + 3 * xStep) * load<T>(y + 3 * yStep));
    x += 4 * xStep;
    y += 4 * yStep;
  }
  for (; k > 0; k--) {
    s0 = <T>(s0 + load<T>(x) * load<T>(y));
    x += xStep;
    y += yStep;
  }
  return <T>(<T>(s0 + s1) + <T>(s2 + s3));
}

/** One matrix product of float32; strides in elements, `scratch` of gemmScratch bytes. */
export function gemmF32(
  m: usize,
  n: usize,
  k: usize,
  out: usize,
  outRow: usize,
  a: usize,
  aRow: usize,
  aColumn: usize,
  b: usize,
  bRow: usize,
  bColumn: usize,
  accumulate: bool,
  scratch: usize,
): void {
  gemm<f32>(m, n, k, out, outRow, a, aRow, aColumn, b, bRow, bColumn, accumulate, scratch);
}

/** One matrix product of float64. */
export function gemmF64(
  m: usize,
  n: usize,
  k: usize,
  out: usize,
  outRow: usize,
  a: usize,
  aRow: usize,
  aColumn: usize,
  b: usize,
  bRow: usize,
  bColumn: usize,
  accumulate: bool,
  scratch: usize,
): void {
  gemm<f64>(m, n, k, out, outRow, a, aRow, aColumn, b, bRow, bColumn, accumulate, scratch);
}

/** A matrix times a vector: products with one row or one column. */
export function matrixVectorF32(
  rows: usize,
  k: usize,
  out: usize,
  outStep: usize,
  matrix: usize,
  row: usize,
  column: usize,
  vector: usize,
  step: usize,
  accumulate: bool,
): void {
  matrixVector<f32>(rows, k, out, outStep, matrix, row, column, vector, step, accumulate);
}

export function matrixVectorF64(
  rows: usize,
  k: usize,
  out: usize,
  outStep: usize,
  matrix: usize,
  row: usize,
  column: usize,
  vector: usize,
  step: usize,
  accumulate: bool,
): void {
  matrixVector<f64>(rows, k, out, outStep, matrix, row, column, vector, step, accumulate);
}
