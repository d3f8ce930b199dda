/*
 * What the direct convolution kernels share: the layout of their argument block, and copies of image bands with a border of zeros around.
 */

/* The geometry: int32 at these offsets of an argument block, of one group. Image distances are in elements. */
export const BATCH: usize = 0;
export const CHANNELS: usize = 4;
export const IN_HEIGHT: usize = 8;
export const IN_WIDTH: usize = 12;
export const IN_IMAGE: usize = 16;
export const OUT_CHANNELS: usize = 20;
export const OUT_HEIGHT: usize = 24;
export const OUT_WIDTH: usize = 28;
export const OUT_IMAGE: usize = 32;
export const KERNEL_HEIGHT: usize = 36;
export const KERNEL_WIDTH: usize = 40;
export const STRIDE_HEIGHT: usize = 44;
export const STRIDE_WIDTH: usize = 48;
export const PADDING_HEIGHT: usize = 52;
export const PADDING_WIDTH: usize = 56;
export const DILATION_HEIGHT: usize = 60;
export const DILATION_WIDTH: usize = 64;
/** Rows and columns of a copied band. */
export const COPY_HEIGHT: usize = 80;
export const COPY_WIDTH: usize = 84;

/** One int32 of the argument block. */
export function get(p: usize, field: usize): usize {
  return <usize>load<i32>(p + field);
}

export function set(p: usize, field: usize, value: usize): void {
  store<i32>(p + field, <i32>value);
}

/** Bytes of a copy of the geometry, whole cache lines. */
export const GEOMETRY_BYTES: usize = 128;

/** A copy of a block's geometry, to change something in it. */
export function copyGeometry(to: usize, p: usize): void {
  for (let at: usize = 0; at < COPY_HEIGHT; at += 16) v128.store(to + at, v128.load(p + at));
}

export function padded(n: usize, step: usize): usize {
  return ((n + step - 1) / step) * step;
}

/** Input rows (or columns) that `n` outputs see. */
export function span(n: usize, stride: usize, kernel: usize, dilation: usize): usize {
  return (n - 1) * stride + (kernel - 1) * dilation + 1;
}

/* Rows are short, and memory.copy and memory.fill are calls out of WebAssembly, some 20 ns each. Bytes are multiples of 4. */

/** Copies a row; the last vector may overlap the one before it. */
export function copyRow(to: usize, from: usize, bytes: usize): void {
  if (bytes < 16) {
    for (const end = from + bytes; from < end; from += 4, to += 4) store<u32>(to, load<u32>(from));
    return;
  }
  const last = bytes - 16;
  for (let at: usize = 0; at < last; at += 16) v128.store(to + at, v128.load(from + at));
  v128.store(to + last, v128.load(from + last));
}

export function zeroRow(to: usize, bytes: usize): void {
  const end = to + bytes;
  for (; to + 16 <= end; to += 16) v128.store(to, i64x2.splat(0));
  for (; to < end; to += 4) store<u32>(to, 0);
}

/** Copies every `stride`th element of rows, `columns` of each, one row behind the other; rows are rowBytes apart. */
export function takePixels<T>(to: usize, x: usize, rows: usize, rowBytes: usize, columns: usize, stride: usize): void {
  const size: usize = sizeof<T>();
  const whole: usize = size === 4 && stride === 2 ? columns & ~3 : 0;
  for (; rows > 0; rows--) {
    let from = x;
    for (const end = to + whole * size; to < end; to += 16) {
      // The second vector begins one element early, so that nothing behind the last is read.
      v128.store(to, v128.shuffle<f32>(v128.load(from), v128.load(from, 12), 0, 2, 5, 7));
      from += 32;
    }
    for (let i = whole; i < columns; i++) {
      store<T>(to, load<T>(from));
      to += size;
      from += stride * size;
    }
    x += rowBytes;
  }
}

/**
 * Reads rows `from` up to `to` of neighbouring planes line by line, so that they are in the second cache before they are needed in another order, which no prefetcher follows. What it returns
 * has to be kept somewhere, or nothing would be read.
 */
export function touchRows(image: usize, planes: usize, height: usize, rowBytes: usize, from: usize, to: usize): u32 {
  const plane = height * rowBytes;
  if (from === 0 && to === height) {
    to *= planes;
    planes = 1;
  }
  let all: u32 = 0;
  for (; planes > 0; planes--) {
    for (let at = image + from * rowBytes; at < image + to * rowBytes; at += 64) all |= load<u32>(at);
    image += plane;
  }
  return all;
}

/** Copies rows of one channel with zeros around; row 0 of the copy is row `top` of the image. */
export function copyBand<T>(out: usize, p: usize, x: usize, top: i32): void {
  const size: usize = sizeof<T>();
  const height = load<i32>(p + IN_HEIGHT);
  const width = load<i32>(p + IN_WIDTH);
  const copyWidth = load<i32>(p + COPY_WIDTH);
  const left = load<i32>(p + PADDING_WIDTH);
  const count = max<i32>(0, min<i32>(width, copyWidth - left));
  const bytes = <usize>copyWidth * size;
  const lead = <usize>min<i32>(left, copyWidth) * size;
  const middle = <usize>count * size;
  for (let r: usize = 0; r < get(p, COPY_HEIGHT); r++) {
    const h = top + <i32>r;
    if (<u32>h >= <u32>height) {
      zeroRow(out, bytes);
    } else {
      zeroRow(out, lead);
      copyRow(out + lead, x + <usize>(h * width) * size, middle);
      zeroRow(out + lead + middle, bytes - lead - middle);
    }
    out += bytes;
  }
}
