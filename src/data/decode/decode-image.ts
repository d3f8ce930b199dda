import { decodePixels } from "#images";
import { viewHeap } from "../../tensor/dtype.ts";
import { emptyTensor, type Tensor } from "../../tensor/tensor.ts";
import { DataError, EvenkeelError } from "../../util/errors.ts";
import { CONVERT, DAMAGED, type Fail, type ImageHeader, type Pixels } from "./header.ts";
import { isJpeg, readJpeg } from "./jpeg.ts";
import { isPng, type Png, readPng } from "./png.ts";

/** How decodeImage reads. */
export interface DecodeOptions {
  /** "unchanged": the channels of the file, 1 to 4; "rgb": always 3, grey repeated and alpha dropped */
  mode?: "unchanged" | "rgb";
  /** what error messages call the image */
  name?: string;
  /** larger images are refused: a small file can claim to be one; 100 million */
  maxPixels?: number;
}

/** Where red, green, blue and alpha lie in what a codec gave. */
function channelsOf({ channels }: ImageHeader, { stride }: Pixels, mode: "unchanged" | "rgb"): number[] {
  const own =
    stride === channels ? [...Array(channels).keys()] : channels === 2 ? [0, 3] : [0, 1, 2, 3].slice(0, channels);
  if (mode === "unchanged") return own;
  return channels < 3 ? [own[0], own[0], own[0]] : own.slice(0, 3);
}

/** Unpacks the rows of a PNG file without keeping them, to know that they are as many as its head says before anything believes it. */
async function checkRows({ packed, unpacked }: Png, fail: Fail): Promise<void> {
  let size = 0;
  try {
    const reader = packed.stream().pipeThrough(new DecompressionStream("deflate")).getReader();
    for (let part = await reader.read(); !part.done && size <= unpacked; part = await reader.read())
      size += part.value.length;
    await reader.cancel();
  } catch (error) {
    fail(`its pixels are damaged or cut short (${(error as Error).message})`, DAMAGED);
  }
  if (size !== unpacked)
    fail(`its pixels unpack to ${size > unpacked ? "more" : "less"} than the ${unpacked} bytes of its size`, DAMAGED);
}

/**
 * An image file (PNG or JPEG, known by its content) as a uint8 tensor [channels, height, width], as torchvision.io.decode_image: JPEG to the same bits. Palettes become RGB (with
 * transparency RGBA), and the orientation that a camera noted is not applied. On Node it needs the package fast-png or @jsquash/jpeg; in a browser the platform decodes.
 * @param input the file's bytes, or a Blob
 * @throws DataError if the file is damaged, cut short, larger than maxPixels or of a kind that is not read, EnvironmentError if the package is not installed
 * @example
 * ```ts
 * import { data } from "evenkeel";
 * const file = "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAIAAAB7QOjdAAAAD0lEQVR42mP438DA0PAfAAqAAv8tTGjpAAAAAElFTkSuQmCC";
 * const image = await data.decodeImage(Uint8Array.from(atob(file), (c) => c.charCodeAt(0)));
 * image.shape; // => [3, 1, 2]
 * image.float().div(255).select(0, 0).toArray(); // => [[1, 0]]
 * ```
 */
export async function decodeImage(input: Uint8Array | Blob, options: DecodeOptions = {}): Promise<Tensor> {
  const { mode = "unchanged", name = "the image", maxPixels = 1e8 } = options;
  const fail: Fail = (problem, advice) => {
    throw new DataError(`${name} cannot be decoded: ${problem}`, advice);
  };
  const bytes = (input instanceof Blob ? new Uint8Array(await input.arrayBuffer()) : input) as Uint8Array<ArrayBuffer>;
  const kind = isPng(bytes) ? readPng : isJpeg(bytes) ? readJpeg : undefined;
  if (!kind) {
    const start = [...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    return fail(`it is neither PNG nor JPEG: it begins with ${start || "nothing"}`, CONVERT);
  }
  const header = kind(bytes, fail);
  const { width, height } = header;
  if (width === 0 || height === 0) fail(`it has ${width} × ${height} pixels`, DAMAGED);
  if (width * height > maxPixels)
    fail(
      `it has ${width} × ${height} pixels, more than ${maxPixels}`,
      "give a larger maxPixels if that is what you want",
    );
  if (header.format === "png") await checkRows(header as Png, fail);
  let pixels: Pixels;
  try {
    pixels = await decodePixels(bytes, header);
  } catch (error) {
    if (error instanceof EvenkeelError) throw error;
    return fail(`its pixels are damaged (${(error as Error).message ?? error})`, DAMAGED);
  }
  if (pixels.data.length !== width * height * pixels.stride)
    fail("its pixels are not as many as its size says", DAMAGED);
  const channels = channelsOf(header, pixels, mode);
  const out = emptyTensor([channels.length, height, width], "uint8");
  const target = viewHeap("uint8", out.pointer, out.numel);
  const { data, stride } = pixels;
  for (const [c, from] of channels.entries()) {
    const base = c * width * height;
    for (let i = 0, at = from; at < data.length; i++, at += stride) target[base + i] = data[at];
  }
  return out;
}
