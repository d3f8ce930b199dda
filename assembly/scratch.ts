/*
 * Kernels that need room take the address of a scratch block of 32 KiB, laid out here. src/kernels/wasm/module.ts says where
 * it is; nothing in it outlives a call.
 */

/** First the odometer of strided kernels (see strided.ts). */
export const ODOMETER: usize = 0;
/** Then vectors for what is left of rows, and for broadcast scalars: 16 bytes for the output and each operand. */
export const REST: usize = 1024;
/** Then one block of each operand. */
export const BLOCKS: usize = 2048;
/** Elements of a block. */
export const BLOCK: usize = 1024;
/** Bytes of a block of the widest elements. */
export const BLOCK_BYTES: usize = BLOCK * 8;

/** Copies less than 16 bytes. */
export function copyRest(to: usize, from: usize, bytes: usize): void {
  if (bytes & 8) {
    store<u64>(to, load<u64>(from));
    to += 8;
    from += 8;
  }
  if (bytes & 4) {
    store<u32>(to, load<u32>(from));
    to += 4;
    from += 4;
  }
  for (const end = from + (bytes & 3); from < end; from++, to++) store<u8>(to, load<u8>(from));
}

/** Writes a block of n elements that lie `step` bytes apart one after the other. */
export function pack<T>(to: usize, from: usize, step: usize, n: usize): void {
  for (const end = to + n * sizeof<T>(); to < end; to += sizeof<T>(), from += step) store<T>(to, load<T>(from));
}

/** A vector, or where less than 16 bytes are left, those and zeros; bytes is a multiple of 4. */
export function loadPart(from: usize, bytes: usize): v128 {
  if (bytes >= 16) return v128.load(from);
  if (bytes === 12) return v128.load_lane<u32>(from + 8, v128.load64_zero(from), 2);
  return bytes === 8 ? v128.load64_zero(from) : v128.load32_zero(from);
}

export function storePart(to: usize, v: v128, bytes: usize): void {
  if (bytes >= 16) {
    v128.store(to, v);
    return;
  }
  if (bytes & 8) v128.store_lane<u64>(to, v, 0);
  if (bytes === 12) v128.store_lane<u32>(to + 8, v, 2);
  else if (bytes === 4) v128.store_lane<u32>(to, v, 0);
}
