/*
 * Floats of 16 bits to float32 and back, eight at a time; see src/util/reduced-precision.ts. NaNs of either width become quiet ones.
 */

/** Four float16, each in the low half of 32 bits. */
function fromHalves(h: v128): v128 {
  const size = v128.shl<i32>(v128.and(h, i32x4.splat(0x7fff)), 13);
  // exponents differ by 112, which a product also gets right where they are 0
  const finite = f32x4.mul(size, i32x4.splat(0x77800000));
  const special = v128.or(size, i32x4.splat(0x7f800000));
  const value = v128.bitselect(special, finite, i32x4.ge_s(size, i32x4.splat(0x0f800000)));
  return v128.or(value, v128.shl<i32>(v128.and(h, i32x4.splat(0x8000)), 16));
}

function toHalves(x: v128): v128 {
  const sign = v128.and(v128.shr<u32>(x, 16), i32x4.splat(0x8000));
  const size = v128.and(x, i32x4.splat(0x7fffffff));
  const odd = v128.and(v128.shr<u32>(size, 13), i32x4.splat(1));
  const normal = v128.shr<u32>(i32x4.add(i32x4.add(size, odd), i32x4.splat(0xfff - 0x38000000)), 13);
  const subnormal = i32x4.sub(f32x4.add(size, f32x4.splat(0.5)), i32x4.splat(0x3f000000));
  let half = v128.bitselect(subnormal, normal, i32x4.lt_s(size, i32x4.splat(0x38800000)));
  half = v128.bitselect(i32x4.splat(0x7c00), half, i32x4.ge_s(size, i32x4.splat(0x477ff000)));
  half = v128.bitselect(i32x4.splat(0x7e00), half, i32x4.gt_s(size, i32x4.splat(0x7f800000)));
  return v128.or(sign, half);
}

function toUpperHalves(x: v128): v128 {
  const sign = v128.and(v128.shr<u32>(x, 16), i32x4.splat(0x8000));
  const odd = v128.and(v128.shr<u32>(x, 16), i32x4.splat(1));
  const rounded = v128.shr<u32>(i32x4.add(i32x4.add(x, odd), i32x4.splat(0x7fff)), 16);
  return v128.bitselect(rounded, v128.or(sign, i32x4.splat(0x7fc0)), f32x4.eq(x, x));
}

function widenFour(bfloat: bool, h: v128): v128 {
  return bfloat ? v128.shl<i32>(h, 16) : fromHalves(h);
}

function narrowFour(bfloat: bool, x: v128): v128 {
  return bfloat ? toUpperHalves(x) : toHalves(x);
}

/** out[i], a float32, = x[i], a float16 or bfloat16 */
export function widen(bfloat: bool, out: usize, x: usize, n: usize): void {
  for (const end = out + 4 * (n & ~7); out < end; out += 32, x += 16) {
    const h = v128.load(x);
    v128.store(out, widenFour(bfloat, i32x4.extend_low_i16x8_u(h)));
    v128.store(out + 16, widenFour(bfloat, i32x4.extend_high_i16x8_u(h)));
  }
  for (let i: usize = 0; i < (n & 7); i++) {
    v128.store_lane<f32>(out + 4 * i, widenFour(bfloat, i32x4.splat(load<u16>(x + 2 * i))), 0);
  }
}

/** out[i], a float16 or bfloat16, = x[i], a float32, rounded to nearest, ties to even */
export function narrow(bfloat: bool, out: usize, x: usize, n: usize): void {
  for (const end = out + 2 * (n & ~7); out < end; out += 16, x += 32) {
    const low = narrowFour(bfloat, v128.load(x));
    const high = narrowFour(bfloat, v128.load(x + 16));
    v128.store(out, i16x8.narrow_i32x4_u(low, high));
  }
  for (let i: usize = 0; i < (n & 7); i++) {
    v128.store_lane<i16>(out + 2 * i, narrowFour(bfloat, v128.load32_splat(x + 4 * i)), 0);
  }
}
