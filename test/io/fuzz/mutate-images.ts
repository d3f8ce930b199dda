import { deflateSync, inflateSync } from "node:zlib";
import { chunk } from "../png-file.ts";
import { joined } from "../zip-file.ts";
import { BLIND, EDGES } from "./mutate.ts";
import type { Random } from "./random.ts";

const blind = (bytes: Uint8Array, random: Random) =>
  bytes.length > 0 ? random.pick(Object.values(BLIND))(bytes, random) : bytes;

/** Takes out, repeats or exchanges one of the parts. */
function shuffled<T>(parts: readonly T[], random: Random): T[] {
  const [a, b] = [random.below(parts.length), random.below(parts.length)];
  const choice = random.below(3);
  if (choice === 0) return parts.filter((_, i) => i !== a);
  if (choice === 1) return parts.toSpliced(a, 0, ...new Array(1 + random.below(200)).fill(parts[b]));
  return parts.with(a, parts[b]).with(b, parts[a]);
}

interface Chunk {
  type: string;
  content: Uint8Array;
}

function chunksOf(file: Uint8Array): Chunk[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const chunks: Chunk[] = [];
  for (let at = 8; at < file.length; ) {
    const end = at + 8 + view.getUint32(at);
    const type = new TextDecoder().decode(file.subarray(at + 4, at + 8));
    chunks.push({ type, content: file.slice(at + 8, end) });
    at = end + 4;
  }
  return chunks;
}

/** Damage to the chunks of a PNG file and to its rows, their checksums being right. */
export function pngDamage(file: Uint8Array, random: Random): Uint8Array {
  let chunks = chunksOf(file);
  const rows = () => inflateSync(joined(chunks.filter(({ type }) => type === "IDAT").map(({ content }) => content)));
  const withRows = (packed: Uint8Array) => {
    const first = chunks.findIndex(({ type }) => type === "IDAT");
    const others = chunks.filter(({ type }) => type !== "IDAT");
    return others.toSpliced(first, 0, { type: "IDAT", content: packed });
  };
  const kind = random.below(5);
  if (kind === 0) {
    const head = chunks[0].content;
    const view = new DataView(head.buffer, head.byteOffset);
    if (random.below(2)) view.setUint32(random.below(2) * 4, random.pick(EDGES) % 2 ** 32);
    else head[8 + random.below(5)] = random.pick([0, 1, 2, 3, 4, 6, 8, 16, 255]);
  }
  if (kind === 1) chunks = withRows(deflateSync(blind(rows(), random)));
  // zeros deflate a thousandfold
  if (kind === 2) chunks = withRows(deflateSync(new Uint8Array(random.pick([0, 1, 100, 1e4, 1e6]))));
  if (kind === 3) {
    const one = random.pick(chunks);
    if (random.below(2)) one.content = blind(one.content, random);
    else one.type = random.pick(["IHDR", "PLTE", "IDAT", "IEND", "tRNS", "iCCP", "acTL", "fdAT", "ABCD"]);
  }
  if (kind === 4) chunks = shuffled(chunks, random);
  return joined([file.slice(0, 8), ...chunks.map(({ type, content }) => chunk(type, content))]);
}

/** Parts of a JPEG file: its segments, a scan's with the pixels behind it. */
function segmentsOf(file: Uint8Array): Uint8Array[] {
  const starts = [0];
  for (let at = 2; at < file.length - 1; at++) {
    const marker = file[at + 1];
    if (file[at] !== 0xff || marker === 0 || (marker >= 0xd0 && marker <= 0xd7)) continue;
    starts.push(at);
    if (marker !== 0xd9) at += 1 + ((file[at + 2] << 8) | file[at + 3]);
  }
  return starts.map((start, i) => file.slice(start, starts[i + 1]));
}

/** Damage to the segments of a JPEG file: its size, tables and scans. */
export function jpegDamage(file: Uint8Array, random: Random): Uint8Array {
  const segments = segmentsOf(file);
  const kind = random.below(4);
  if (kind === 0) return joined(shuffled(segments, random));
  const frame = segments.find((segment) => segment[1] === 0xc0 || segment[1] === 0xc2);
  if (kind === 1 && frame) {
    const view = new DataView(frame.buffer, frame.byteOffset);
    const at = random.pick([5, 7, 9, 10, 11, 13]);
    if (at < 9) view.setUint16(at, random.pick(EDGES) % 65536);
    else frame[at] = random.pick([0, 1, 2, 3, 4, 17, 34, 68, 255]);
    return joined(segments);
  }
  // Behind the marker and the size, which stay.
  const at = 1 + random.below(segments.length - 1);
  const segment = segments[at];
  const body = segment.slice(4);
  const choice = blind(body, random);
  segments[at] = joined([segment.slice(0, 4), choice.length === body.length || kind === 3 ? choice : body]);
  return joined(segments);
}
