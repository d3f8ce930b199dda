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
  comment?: string;
}

/** CRC-32, bit by bit: slow, and nothing like the library's. */
export function slowCrc(content: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of content) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/** Little-endian fields of 2 and 4 bytes, and bytes. */
function record(...fields: ([2 | 4, number] | Uint8Array)[]): number[] {
  return fields.flatMap((field) =>
    field instanceof Uint8Array
      ? [...field]
      : Array.from({ length: field[0] }, (_, i) => Math.floor(field[1] / 2 ** (8 * i)) & 255),
  );
}

/** A zip file with whatever its directory is to say, true or not. */
export function zipFile(
  parts: readonly TestPart[],
  end: { count?: number; size?: number; offset?: number } = {},
): Uint8Array {
  const out: number[] = [];
  const directory: number[] = [];
  for (const part of parts) {
    const { name, content, method = 0, flags = 0, crc = slowCrc(content) } = part;
    const { size = content.length, storedSize = content.length, start = out.length } = part;
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
      ...record([4, 0x02014b50], [2, 20], [2, 20], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, start], text),
    );
    for (const byte of record([4, 0x04034b50], [2, 20], ...common, text)) out.push(byte);
    for (const byte of content) out.push(byte);
  }
  const { count = parts.length, size = directory.length, offset = out.length } = end;
  out.push(
    ...directory,
    ...record([4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, size], [4, offset], [2, 0]),
  );
  return new Uint8Array(out);
}
