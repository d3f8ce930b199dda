import { CONVERT, DAMAGED, type Fail, type ImageHeader } from "./header.ts";

/** What follows FF in a JPEG file. */
const [SOI, EOI, SOS] = [0xd8, 0xd9, 0xda];
const isRestart = (marker: number) => marker >= 0xd0 && marker <= 0xd7;
/** Starts of a frame, C4, C8 and CC being something else: Huffman-coded ones are read, baseline (C0, C1) and progressive (C2). */
const isFrame = (marker: number) => marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
/** Each passes over the whole image, however little is in it. Encoders write about ten. */
const MOST_SCANS = 100;
const BLOCK = 8;

export const isJpeg = (bytes: Uint8Array) => bytes[0] === 0xff && bytes[1] === SOI && bytes[2] === 0xff;

/** Reads the segments of a JPEG file up to its end; pixels are not decoded. */
export function readJpeg(bytes: Uint8Array, fail: Fail): ImageHeader {
  const word = (at: number) => (bytes[at] << 8) | bytes[at + 1];
  const cut = () => fail(`it is cut short: it ends at byte ${bytes.length}, before the end of the image`, DAMAGED);
  let frame: { height: number; width: number; components: number } | undefined;
  let [scans, coded] = [0, 0];
  let at = 2;
  for (;;) {
    while (bytes[at] === 0xff && bytes[at + 1] === 0xff) at++;
    if (at + 2 > bytes.length) return cut();
    const marker = bytes[at + 1];
    if (bytes[at] !== 0xff || marker === 0) return fail(`byte ${at} should begin a segment and does not`, DAMAGED);
    if (marker === EOI) break;
    const size = at + 4 > bytes.length ? 2 : word(at + 2);
    const end = at + 2 + size;
    if (end > bytes.length) return cut();
    if (size < 2) return fail(`its segment at byte ${at} has no size`, DAMAGED);
    if (isFrame(marker)) {
      if (frame) fail("it holds several images", CONVERT);
      if (marker > 0xc2) fail("it is lossless, hierarchical or arithmetically coded", CONVERT);
      if (bytes[at + 4] !== 8) fail(`it has ${bytes[at + 4]} bits a channel`, CONVERT);
      frame = { height: word(at + 5), width: word(at + 7), components: bytes[at + 9] };
    }
    at = end;
    if (marker !== SOS) continue;
    if (!frame) return fail("its pixels come before its size", DAMAGED);
    if (++scans > MOST_SCANS) return fail(`it has more than ${MOST_SCANS} scans`, CONVERT);
    // FF 00 is a byte of the pixels, FF D0 to D7 mark places among them.
    let from = end;
    do {
      at = bytes.indexOf(0xff, from);
      from = at + 1;
    } while (at >= 0 && (bytes[from] === 0 || isRestart(bytes[from])));
    if (at < 0) return cut();
    coded += at - end;
  }
  if (!frame || scans === 0) return fail("it has no image in it", DAMAGED);
  const { height, width, components } = frame;
  if (components !== 1 && components !== 3) return fail(`it has ${components} components, as CMYK for print`, CONVERT);
  // A block takes a bit at least.
  if (coded * 8 < Math.ceil(width / BLOCK) * Math.ceil(height / BLOCK))
    return fail(`it is cut short: ${width} × ${height} pixels do not fit in ${coded} bytes`, DAMAGED);
  return { format: "jpeg", width, height, channels: components };
}
