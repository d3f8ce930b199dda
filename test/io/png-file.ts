import { slowCrc } from "./zip-file.ts";

function bigEndian(value: number): Uint8Array {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setUint32(0, value);
  return out;
}

/** A chunk of a PNG file, its checksum right. */
export function chunk(type: string, content: Uint8Array): Uint8Array {
  const body = Buffer.concat([Buffer.from(type), content]);
  return Buffer.concat([bigEndian(content.length), body, bigEndian(slowCrc(body))]);
}

/** A grey PNG file around compressed rows. */
export function pngFile(
  width: number,
  height: number,
  packed: Uint8Array,
  more: Uint8Array[] = [],
  depth = 8,
): Uint8Array {
  const head = Buffer.concat([bigEndian(width), bigEndian(height), Buffer.from([depth, 0, 0, 0, 0])]);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const parts = [signature, chunk("IHDR", head), ...more, chunk("IDAT", packed), chunk("IEND", new Uint8Array())];
  return new Uint8Array(Buffer.concat(parts));
}
