/*
 * Floats of 16 bits as numbers. float16 is IEEE 754's half precision: sign, 5 bits of exponent, 10 of mantissa. bfloat16 is the upper half of
 * a float32: sign, 8 bits of exponent, 7 of mantissa.
 */

const word = new Float32Array(1);
const bits = new Uint32Array(word.buffer);

/** The number that the bits of a float16 stand for; exact. */
export function fromFloat16(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const mantissa = half & 1023;
  if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (exponent ? (1024 + mantissa) * 2 ** (exponent - 25) : mantissa * 2 ** -24);
}

/** The bits of a number as float16, rounded to float32 first, as PyTorch does, then to nearest, ties to even. A NaN is quiet, without its payload. */
export function toFloat16(value: number): number {
  word[0] = value;
  const sign = (bits[0] >>> 16) & 0x8000;
  const size = bits[0] & 0x7fffffff;
  if (size > 0x7f800000) return sign | 0x7e00;
  // 65520 is halfway to what would be the next number
  if (size >= 0x477ff000) return sign | 0x7c00;
  if (size < 0x38800000) {
    // below 2⁻¹⁴ numbers are 2⁻²⁴ apart, as float32 are around 0.5
    word[0] = Math.abs(word[0]) + 0.5;
    return sign | (bits[0] - 0x3f000000);
  }
  return sign | ((size - 0x38000000 + 0xfff + ((size >>> 13) & 1)) >>> 13);
}

/** The number that the bits of a bfloat16 stand for; exact. */
export function fromBfloat16(half: number): number {
  bits[0] = half << 16;
  return word[0];
}

/** The bits of a number as bfloat16, rounded as toFloat16 does. */
export function toBfloat16(value: number): number {
  word[0] = value;
  if (Number.isNaN(value)) return ((bits[0] >>> 16) & 0x8000) | 0x7fc0;
  return (bits[0] + 0x7fff + ((bits[0] >>> 16) & 1)) >>> 16;
}
