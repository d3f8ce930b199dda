/*
 * 3×3 convolution with a stride of 2 of images of one channel, in float32: nine steps a sum are too few for tables and packed columns. An image is copied with zeros around it, even and odd columns apart,
 * and a tile is four channels of eight neighbouring outputs.
 */
import { splitRow } from "./conv-turn";
import {
  get,
  IN_HEIGHT,
  IN_IMAGE,
  IN_WIDTH,
  OUT_CHANNELS,
  OUT_HEIGHT,
  OUT_IMAGE,
  OUT_WIDTH,
  PADDING_HEIGHT,
  PADDING_WIDTH,
} from "./geometry";
import { madd } from "./tile";

/** Outputs of a tile, and channels. */
const WIDTH: usize = 8;
const HIGH: usize = 4;
/** Bytes of the bias and of the weights of four channels. */
const WEIGHTS: usize = 160;

/** Bytes of the even columns of a copied row. */
function halfBytes(p: usize): usize {
  return (get(p, OUT_WIDTH) * 4 + 19) & ~15;
}

function copiedRows(p: usize): usize {
  return 2 * get(p, OUT_HEIGHT) + 1;
}

export function convOneScratch(p: usize): usize {
  return (get(p, OUT_CHANNELS) / HIGH) * WEIGHTS + copiedRows(p) * halfBytes(p) * 2;
}

/** For each four channels their bias, and their weights tap by tap. */
function packFours(p: usize, to: usize, w: usize, bias: usize): void {
  for (let o: usize = 0; o < get(p, OUT_CHANNELS); o += HIGH) {
    for (let r: usize = 0; r < HIGH; r++) {
      store<f32>(to + r * 4, bias ? load<f32>(bias + (o + r) * 4) : 0);
      for (let t: usize = 0; t < 9; t++) store<f32>(to + 16 + t * 16 + r * 4, load<f32>(w + ((o + r) * 9 + t) * 4));
    }
    to += WEIGHTS;
  }
}

/** Copies an image between the zeros. */
function copyImage(p: usize, to: usize, x: usize): void {
  const width = get(p, IN_WIDTH);
  const half = halfBytes(p);
  const lead = get(p, PADDING_WIDTH);
  const top = get(p, PADDING_HEIGHT);
  const count = min(width, half / 2 - lead);
  const rows = min(get(p, IN_HEIGHT), copiedRows(p) - top);
  to += top * 2 * half;
  const first = to + (lead & 1) * half + (lead >> 1) * 4;
  const second = to + (~lead & 1) * half + ((lead + 1) >> 1) * 4;
  for (let r: usize = 0; r < rows; r++) splitRow(first + r * 2 * half, second + r * 2 * half, x + r * width * 4, count);
}

/** Four channels of an image; see tile.ts for the branches that are never taken. */
function convolve(p: usize, out: usize, copy: usize, w: usize): void {
  const width = get(p, OUT_WIDTH);
  const half = halfBytes(p);
  const plane = get(p, OUT_HEIGHT) * width * 4;
  const end = w + WEIGHTS;
  for (let h: usize = 0; h < get(p, OUT_HEIGHT); h++) {
    for (let j: usize = 0; j < width; j += WIDTH) {
      // The last tile repeats outputs of the one before it.
      const at = min(j, width - WIDTH) * 4;
      let even = copy + at;
      let odd = even + half;
      let a = w;
      let c00 = v128.load32_splat(a);
      let c10 = v128.load32_splat(a, 4);
      let c20 = v128.load32_splat(a, 8);
      let c30 = v128.load32_splat(a, 12);
      let c01 = c00;
      let c11 = c10;
      let c21 = c20;
      let c31 = c30;
      while (true) {
        let b0 = v128.load(even);
        let b1 = v128.load(even, 16);
        let v = v128.load32_splat(a, 16);
        c00 = madd<f32>(v, b0, c00);
        c01 = madd<f32>(v, b1, c01);
        v = v128.load32_splat(a, 20);
        c10 = madd<f32>(v, b0, c10);
        c11 = madd<f32>(v, b1, c11);
        v = v128.load32_splat(a, 24);
        c20 = madd<f32>(v, b0, c20);
        c21 = madd<f32>(v, b1, c21);
        v = v128.load32_splat(a, 28);
        c30 = madd<f32>(v, b0, c30);
        c31 = madd<f32>(v, b1, c31);
        if (out === 0) break; // never
        b0 = v128.load(odd);
        b1 = v128.load(odd, 16);
        v = v128.load32_splat(a, 32);
        c00 = madd<f32>(v, b0, c00);
        c01 = madd<f32>(v, b1, c01);
        v = v128.load32_splat(a, 36);
        c10 = madd<f32>(v, b0, c10);
        c11 = madd<f32>(v, b1, c11);
        v = v128.load32_splat(a, 40);
        c20 = madd<f32>(v, b0, c20);
        c21 = madd<f32>(v, b1, c21);
        v = v128.load32_splat(a, 44);
        c30 = madd<f32>(v, b0, c30);
        c31 = madd<f32>(v, b1, c31);
        if (copy === 0) break; // never
        b0 = v128.load(even, 4);
        b1 = v128.load(even, 20);
        v = v128.load32_splat(a, 48);
        c00 = madd<f32>(v, b0, c00);
        c01 = madd<f32>(v, b1, c01);
        v = v128.load32_splat(a, 52);
        c10 = madd<f32>(v, b0, c10);
        c11 = madd<f32>(v, b1, c11);
        v = v128.load32_splat(a, 56);
        c20 = madd<f32>(v, b0, c20);
        c21 = madd<f32>(v, b1, c21);
        v = v128.load32_splat(a, 60);
        c30 = madd<f32>(v, b0, c30);
        c31 = madd<f32>(v, b1, c31);
        a += 48;
        if (a + 16 === end) break;
        even += 2 * half;
        odd += 2 * half;
      }
      let to = out + at;
      v128.store(to, c00);
      v128.store(to, c01, 16);
      to += plane;
      v128.store(to, c10);
      v128.store(to, c11, 16);
      to += plane;
      v128.store(to, c20);
      v128.store(to, c21, 16);
      to += plane;
      v128.store(to, c30);
      v128.store(to, c31, 16);
    }
    copy += 4 * half;
    out += width * 4;
  }
}

/** Images number `first` to first + total; outputs are multiples of four channels, of eight columns at least, and `bias` may be 0. */
export function convOneF32(
  p: usize,
  out: usize,
  x: usize,
  w: usize,
  bias: usize,
  first: usize,
  total: usize,
  scratch: usize,
): void {
  const copy = scratch + (get(p, OUT_CHANNELS) / HIGH) * WEIGHTS;
  const four = get(p, OUT_HEIGHT) * get(p, OUT_WIDTH) * HIGH * 4;
  packFours(p, scratch, w, bias);
  memory.fill(copy, 0, copiedRows(p) * halfBytes(p) * 2);
  for (let n = first; n < first + total; n++) {
    copyImage(p, copy, x + n * get(p, IN_IMAGE) * 4);
    let to = out + n * get(p, OUT_IMAGE) * 4;
    for (let weights = scratch; weights < copy; weights += WEIGHTS) {
      convolve(p, to, copy, weights);
      to += four;
    }
  }
}
