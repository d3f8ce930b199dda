/** out[i] = value over n float32 */
export function fillF32(out: usize, n: usize, value: f32): void {
  const end = out + (n << 2);
  const vectors = out + ((n & ~3) << 2);
  const v = f32x4.splat(value);
  for (; out < vectors; out += 16) v128.store(out, v);
  for (; out < end; out += 4) store<f32>(out, value);
}
