import { CONVERT, DAMAGED, type Fail, type ImageHeader } from "./header.ts";

/** A PNG file as its chunks say it is. */
export interface Png extends ImageHeader {
  readonly format: "png";
  readonly depth: number;
  readonly palette: boolean;
  /** bytes of all rows with their filters, once inflated */
  readonly unpacked: number;
  /** the compressed rows */
  readonly packed: Blob;
  /** a file of the same image with nothing else in it: no profiles, texts or animation */
  readonly bare: Blob;
}

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const GREY = 0;
const PALETTE = 3;
/** Channels and depths of each colour type. */
const TYPES: Readonly<Record<number, { channels: 1 | 2 | 3 | 4; depths: readonly number[] }>> = {
  [GREY]: { channels: 1, depths: [1, 2, 4, 8, 16] },
  2: { channels: 3, depths: [8, 16] },
  [PALETTE]: { channels: 3, depths: [1, 2, 4, 8] },
  4: { channels: 2, depths: [8, 16] },
  6: { channels: 4, depths: [8, 16] },
};
/** Deflate makes at most 1,032 bytes of one. */
const MOST_DEFLATE = 1032;
/** First column and row, and their distances, of the seven passes of an interlaced image. */
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
];

export const isPng = (bytes: Uint8Array) => SIGNATURE.every((byte, i) => bytes[i] === byte);

/** Bytes of all rows, each behind the number of its filter. */
function unpackedSize(width: number, height: number, bits: number, interlaced: boolean): number {
  const size = (w: number, h: number) => (w > 0 && h > 0 ? h * (1 + Math.ceil((w * bits) / 8)) : 0);
  if (!interlaced) return size(width, height);
  const passes = ADAM7.map(([x, y, dx, dy]) => size(Math.ceil((width - x) / dx), Math.ceil((height - y) / dy)));
  return passes.reduce((a, b) => a + b, 0);
}

/** Reads the chunks of a PNG file; the rows are not unpacked. */
export function readPng(bytes: Uint8Array<ArrayBuffer>, fail: Fail): Png {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kept: Uint8Array<ArrayBuffer>[] = [bytes.subarray(0, 8)];
  const rows: Uint8Array<ArrayBuffer>[] = [];
  let header: { width: number; height: number; depth: number; type: number; interlaced: boolean } | undefined;
  let [colors, alphas] = [0, 0];
  for (let at = 8, type = ""; type !== "IEND"; ) {
    const size = at + 8 <= bytes.length ? view.getUint32(at) : 0;
    const end = at + 12 + size;
    if (end > bytes.length) fail(`it is cut short: it ends at byte ${bytes.length}, before its last chunk`, DAMAGED);
    type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if ((type === "IHDR") !== (header === undefined)) fail(`its chunk at byte ${at} is out of order`, DAMAGED);
    if (type === "IHDR") {
      if (size !== 13) fail(`its header has ${size} bytes instead of 13`, DAMAGED);
      const [width, height] = [view.getUint32(at + 8), view.getUint32(at + 12)];
      const [depth, color, , , interlace] = bytes.subarray(at + 16, at + 21);
      header = { width, height, depth, type: color, interlaced: interlace === 1 };
    }
    if (type === "PLTE") colors = size / 3;
    if (type === "tRNS") alphas = size;
    if (type === "IDAT") rows.push(bytes.subarray(at + 8, at + 8 + size));
    // In names of chunks that matter the first letter is large. Of the others only the transparency of a palette is wanted.
    const isCritical = (bytes[at + 4] & 32) === 0;
    if (isCritical && !["IHDR", "PLTE", "IDAT", "IEND"].includes(type))
      fail(`its chunk at byte ${at} is of an unknown kind`, DAMAGED);
    if (isCritical || (type === "tRNS" && header?.type === PALETTE)) kept.push(bytes.subarray(at, end));
    at = end;
  }
  const { width, height, depth, type, interlaced } = header as NonNullable<typeof header>;
  const known = TYPES[type];
  if (!known?.depths.includes(depth)) return fail(`its colour type ${type} with ${depth} bits does not exist`, DAMAGED);
  if (depth === 16) fail("it has 16 bits a channel", CONVERT);
  if (interlaced && depth < 8) fail(`it is interlaced, with ${depth} bits a channel`, CONVERT);
  const palette = type === PALETTE;
  if (palette && !(colors >= 1 && colors <= 256)) fail("it has no palette", DAMAGED);
  const unpacked = unpackedSize(width, height, depth * (palette ? 1 : known.channels), interlaced);
  const packed = new Blob(rows);
  if (packed.size * MOST_DEFLATE < unpacked)
    fail(`it is cut short: ${width} × ${height} pixels do not fit in ${packed.size} bytes`, DAMAGED);
  const channels = palette && alphas > 0 ? 4 : known.channels;
  return { format: "png", width, height, channels, depth, palette, unpacked, packed, bare: new Blob(kept) };
}
