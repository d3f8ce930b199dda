/** A file to put into a zip file; what is not given is what it should be. */
export interface TestPart {
  name: string;
  content: Uint8Array;
  method?: number;
  flags?: number;
  crc?: number;
  size?: number;
  storedSize?: number;
  start?: number;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  return crc;
});

/** CRC-32, byte by byte. */
export function slowCrc(content: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of content) crc = (crc >>> 8) ^ TABLE[(crc ^ byte) & 255];
  return (crc ^ 0xffffffff) >>> 0;
}

/** Little-endian fields of 2 and 4 bytes, and bytes. */
function record(...fields: ([2 | 4, number] | Uint8Array)[]): Uint8Array {
  return Uint8Array.from(
    fields.flatMap((field) =>
      field instanceof Uint8Array
        ? [...field]
        : Array.from({ length: field[0] }, (_, i) => Math.floor(field[1] / 2 ** (8 * i)) & 255),
    ),
  );
}

export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}

/** A zip file with whatever its directory is to say, true or not. */
export function zipFile(
  parts: readonly TestPart[],
  end: { count?: number; size?: number; offset?: number } = {},
): Uint8Array {
  const pieces: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  for (const part of parts) {
    const { name, content, method = 0, flags = 0, crc = slowCrc(content) } = part;
    const { size = content.length, storedSize = content.length, start = at } = part;
    const text = new TextEncoder().encode(name);
    const common: [2 | 4, number][] = [
      [2, flags],
      [2, method],
      [2, 0],
      [2, 0],
      [4, crc],
      [4, storedSize],
      [4, size],
      [2, text.length],
      [2, 0],
    ];
    directory.push(
      record([4, 0x02014b50], [2, 20], [2, 20], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, start], text),
    );
    const header = record([4, 0x04034b50], [2, 20], ...common, text);
    pieces.push(header, content);
    at += header.length + content.length;
  }
  const bytes = directory.reduce((sum, entry) => sum + entry.length, 0);
  const { count = parts.length, size = bytes, offset = at } = end;
  const last = record([4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, size], [4, offset], [2, 0]);
  return joined([...pieces, ...directory, last]);
}

/** The parts of a sound zip file of stored entries. */
export function unzipped(file: Uint8Array): { name: string; content: Uint8Array }[] {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const end = file.length - 22;
  const parts: { name: string; content: Uint8Array }[] = [];
  for (let at = view.getUint32(end + 16, true), left = view.getUint16(end + 10, true); left > 0; left--) {
    const [size, nameLength, extraLength] = [
      view.getUint32(at + 20, true),
      view.getUint16(at + 28, true),
      view.getUint16(at + 30, true),
    ];
    const local = view.getUint32(at + 42, true);
    const data = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    const name = new TextDecoder().decode(file.subarray(at + 46, at + 46 + nameLength));
    parts.push({ name, content: file.slice(data, data + size) });
    at += 46 + nameLength + extraLength + view.getUint16(at + 32, true);
  }
  return parts;
}
