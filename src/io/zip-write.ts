import { crc32 } from "./crc32.ts";

/** A file to be stored in a zip file. */
export interface ZipPart {
  readonly name: string;
  readonly size: number;
  /** Its bytes; called twice, the first time for the checksum. A piece is valid until the next one is asked for. */
  readonly chunks: () => Iterable<Uint8Array>;
}

const MAX32 = 0xffffffff;
const UTF8_NAME = 0x0800;
/** PyTorch maps its files into memory and wants data at multiples of this. */
const ALIGNMENT = 64;
/** PyTorch's own name of the field that pads up to the alignment. */
const PADDING = 0x4246;

/** A little-endian record being written. */
class Record {
  readonly bytes: Uint8Array<ArrayBuffer>;
  private readonly view: DataView;
  private at = 0;

  constructor(length: number) {
    this.bytes = new Uint8Array(length);
    this.view = new DataView(this.bytes.buffer);
  }

  u16(...values: number[]): this {
    for (const value of values) {
      this.view.setUint16(this.at, value, true);
      this.at += 2;
    }
    return this;
  }

  u32(...values: number[]): this {
    for (const value of values) {
      this.view.setUint32(this.at, value, true);
      this.at += 4;
    }
    return this;
  }

  u64(...values: number[]): this {
    for (const value of values) {
      this.view.setBigUint64(this.at, BigInt(value), true);
      this.at += 8;
    }
    return this;
  }

  put(bytes: Uint8Array): this {
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
    return this;
  }
}

const clip = (value: number) => Math.min(value, MAX32);
/** Method 0 (stored), and no time: two saves of the same values are the same file. 0x21 is 1 January 1980. */
const common = (record: Record, crc: number, size: number) =>
  record.u16(UTF8_NAME, 0, 0, 0x21).u32(crc, clip(size), clip(size));

function localHeader(name: Uint8Array, crc: number, size: number, start: number): Uint8Array {
  const wide = size >= MAX32 ? 20 : 0;
  const least = 30 + name.length + wide + 4;
  const padding = (ALIGNMENT - ((start + least) % ALIGNMENT)) % ALIGNMENT;
  const header = new Record(least + padding).u32(0x04034b50).u16(wide ? 45 : 20);
  common(header, crc, size)
    .u16(name.length, wide + 4 + padding)
    .put(name);
  if (wide) header.u16(1, 16).u64(size, size);
  return header.u16(PADDING, padding).bytes;
}

function directoryEntry(name: Uint8Array, crc: number, size: number, start: number): Uint8Array {
  const fields = [...(size >= MAX32 ? [size, size] : []), ...(start >= MAX32 ? [start] : [])];
  const extra = fields.length ? 4 + 8 * fields.length : 0;
  const entry = new Record(46 + name.length + extra).u32(0x02014b50).u16(45, fields.length ? 45 : 20);
  common(entry, crc, size).u16(name.length, extra, 0, 0, 0).u32(0, clip(start)).put(name);
  if (fields.length) entry.u16(1, 8 * fields.length).u64(...fields);
  return entry.bytes;
}

/** Pieces of a zip file of uncompressed, aligned parts, with 64-bit sizes where they are needed. */
export function* zipChunks(parts: readonly ZipPart[]): Generator<Uint8Array, void> {
  const encoder = new TextEncoder();
  const directory: Uint8Array[] = [];
  let at = 0;
  for (const part of parts) {
    const name = encoder.encode(part.name);
    let crc = 0;
    for (const chunk of part.chunks()) crc = crc32(chunk, crc);
    const header = localHeader(name, crc, part.size, at);
    directory.push(directoryEntry(name, crc, part.size, at));
    yield header;
    yield* part.chunks();
    at += header.length + part.size;
  }
  yield* directory;
  const size = directory.reduce((sum, entry) => sum + entry.length, 0);
  const count = directory.length;
  if (at >= MAX32 || size >= MAX32 || count >= 0xffff) {
    const end = at + size;
    yield new Record(76)
      .u32(0x06064b50)
      .u64(44)
      .u16(45, 45)
      .u32(0, 0)
      .u64(count, count, size, at)
      .u32(0x07064b50, 0)
      .u64(end)
      .u32(1).bytes;
  }
  const few = Math.min(count, 0xffff);
  yield new Record(22).u32(0x06054b50).u16(0, 0, few, few).u32(clip(size), clip(at)).u16(0).bytes;
}
