/* How Winograd's algorithm transforms the weights: G·w·Gᵀ, 3×3 taps into 36 places, each of slivers of eight output channels. */
import { CHANNELS, get, OUT_CHANNELS, padded } from "./geometry";
import { TILE_BYTES } from "./tile";
import { A, A2, B, B2, less, OVER_0, OVER_A, OVER_B, oddLines, PLACES, scale, times } from "./winograd-tiles";

/** Bytes of the transformed weights of one place: slivers of eight output channels. */
export function weightsPlace(p: usize): usize {
  return oddLines(get(p, CHANNELS) * padded(get(p, OUT_CHANNELS), 8) * 4);
}

export function winogradWeightsBytes(p: usize): usize {
  return PLACES * weightsPlace(p);
}

/** One tap of up to four output channels. */
export function loadTap(w: usize, lane: usize, count: usize): v128 {
  if (count === 0) return f32x4.splat(0);
  let v = v128.load32_zero(w);
  if (count > 1) v = v128.load32_lane(w + lane, v, 1);
  if (count > 2) v = v128.load32_lane(w + 2 * lane, v, 2);
  if (count > 3) v = v128.load32_lane(w + 3 * lane, v, 3);
  return v;
}

/** The nine taps of up to four output channels, `lane` bytes apart, as vectors `step` bytes apart. */
function loadTaps(to: usize, step: usize, w: usize, lane: usize, count: usize): void {
  if (count < 4) {
    for (let i: usize = 0; i < 9; i++, to += step) v128.store(to, loadTap(w + 4 * i, lane, count));
    return;
  }
  const w1 = w + lane;
  const w2 = w1 + lane;
  const w3 = w2 + lane;
  for (let at: usize = 0; at < 32; at += 16) {
    const x0 = v128.load(w + at);
    const x1 = v128.load(w1 + at);
    const x2 = v128.load(w2 + at);
    const x3 = v128.load(w3 + at);
    const low = v128.shuffle<f32>(x0, x1, 0, 4, 1, 5);
    const high = v128.shuffle<f32>(x0, x1, 2, 6, 3, 7);
    const low2 = v128.shuffle<f32>(x2, x3, 0, 4, 1, 5);
    const high2 = v128.shuffle<f32>(x2, x3, 2, 6, 3, 7);
    v128.store(to, v128.shuffle<f64>(low, low2, 0, 2));
    to += step;
    v128.store(to, v128.shuffle<f64>(low, low2, 1, 3));
    to += step;
    v128.store(to, v128.shuffle<f64>(high, high2, 0, 2));
    to += step;
    v128.store(to, v128.shuffle<f64>(high, high2, 1, 3));
    to += step;
  }
  v128.store(to, loadTap(w + 32, lane, 4));
}

/** G·w for `count` columns: each makes six vectors, `row` bytes apart, of three, `tap` bytes apart. Tests at its end, or V8 would splat constants anew. */
function combineWeights(
  to: usize,
  toStep: usize,
  row: usize,
  from: usize,
  fromStep: usize,
  tap: usize,
  count: usize,
): void {
  while (true) {
    const w0 = v128.load(from);
    const w1 = v128.load(from + tap);
    const w2 = v128.load(from + 2 * tap);
    let out = to;
    v128.store(out, scale(OVER_0, w0));
    const u = scale(OVER_A, times(A2, w2, w0));
    out += row;
    v128.store(out, times(A * OVER_A, w1, u));
    out += row;
    v128.store(out, less(A * OVER_A, w1, u));
    const v = scale(OVER_B, times(B2, w2, w0));
    out += row;
    v128.store(out, times(B * OVER_B, w1, v));
    out += row;
    v128.store(out, less(B * OVER_B, w1, v));
    v128.store(out + row, w2);
    if (--count === 0) return;
    to += toStep;
    from += fromStep;
  }
}

/** Bytes of the taps of four output channels, and of their combined columns. */
const TAPS: usize = 144;

/**
 * Transforms the weights of `total` slivers of eight output channels from number `first` on into `u`, of winogradWeightsBytes bytes. Output channels lie outStep and channels
 * inStep elements apart; `turned` takes the taps from the last to the first, and `scratch` has 432 bytes. Channel by channel, so that every line of `u` is written in one go.
 */
export function winogradPackF32(
  p: usize,
  u: usize,
  w: usize,
  outStep: usize,
  inStep: usize,
  turned: bool,
  first: usize,
  total: usize,
  scratch: usize,
): void {
  const channels = get(p, CHANNELS);
  const outChannels = get(p, OUT_CHANNELS);
  const sliver = channels * TILE_BYTES;
  const place = weightsPlace(p);
  outStep *= 4;
  inStep *= 4;
  const taps = scratch + (turned ? TAPS - 16 : 0);
  const step: usize = turned ? -16 : 16;
  const columns = scratch + TAPS;
  for (let i = first; i < first + total; i++) {
    for (let c: usize = 0; c < channels; c++) {
      for (let k = i * 8; k < i * 8 + 8; k += 4) {
        const count = k < outChannels ? min<usize>(4, outChannels - k) : 0;
        loadTaps(taps, step, w + k * outStep + c * inStep, outStep, count);
        combineWeights(columns, 16, 48, scratch, 16, 48, 3);
        combineWeights(u + i * sliver + c * TILE_BYTES + (k & 4) * 4, 6 * place, place, columns, 48, 16, 6);
      }
    }
  }
}
