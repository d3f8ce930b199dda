import { EnvironmentError } from "../../util/errors.ts";
import type { ImageHeader, Pixels } from "./header.ts";
import type { Png } from "./png.ts";

/** Imports an optional package. @throws EnvironmentError if it is not installed */
async function optional<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new EnvironmentError(
      `the package ${name} is not installed, which decodes such images`,
      `run npm install ${name}`,
    );
  }
}

/** Grey of fewer than 8 bits as bytes from 0 to 255. */
function expandGrey(rows: ArrayLike<number>, { width, height, depth }: Png): Uint8Array {
  const out = new Uint8Array(width * height);
  const line = Math.ceil((width * depth) / 8);
  const most = 2 ** depth - 1;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const bit = x * depth;
      const value = (rows[y * line + (bit >> 3)] >> (8 - depth - (bit & 7))) & most;
      out[y * width + x] = (value * 255) / most;
    }
  }
  return out;
}

async function decodePng(png: Png): Promise<Pixels> {
  const { decode, convertIndexedToRgb } = await optional("fast-png", () => import("fast-png"));
  const image = decode(await png.bare.arrayBuffer(), { checkCrc: true });
  if (png.palette) return { data: convertIndexedToRgb(image), stride: png.channels };
  const data = png.depth < 8 ? expandGrey(image.data, png) : (image.data as Uint8Array);
  return { data, stride: png.channels };
}

let compiled: Promise<WebAssembly.Module> | undefined;

async function compileJpeg(): Promise<WebAssembly.Module> {
  const { createRequire } = await import("node:module");
  const { readFile } = await import("node:fs/promises");
  const path = createRequire(import.meta.url).resolve("@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm");
  return WebAssembly.compile(await readFile(path));
}

/** What the codec makes its result with: Node has no ImageData. */
class NodeImageData {
  constructor(
    readonly data: Uint8ClampedArray,
    readonly width: number,
    readonly height: number,
  ) {}
}

type JpegCodec = Awaited<ReturnType<typeof import("@jsquash/jpeg/codec/dec/mozjpeg_dec.js")["default"]>>;

/** A codec that has done its work, for the next image: making one takes 2 ms. */
let idle: JpegCodec | undefined;
/** After a larger image the codec is let go, and its memory with it. */
const MOST_IDLE_PIXELS = 2 ** 22;

async function startJpeg(): Promise<JpegCodec> {
  const { default: start } = await optional("@jsquash/jpeg", () => import("@jsquash/jpeg/codec/dec/mozjpeg_dec.js"));
  compiled ??= compileJpeg();
  const wasm = await compiled;
  return start({
    noInitialRun: true,
    print: () => {},
    printErr: () => {},
    instantiateWasm: (imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance) => void) => {
      const instance = new WebAssembly.Instance(wasm, imports);
      done(instance);
      return instance.exports;
    },
  });
}

async function decodeJpeg(bytes: Uint8Array, { width, height }: ImageHeader): Promise<Pixels> {
  const codec = idle ?? (await startJpeg());
  // Taken, and lost where decoding fails: its state is unknown then.
  idle = undefined;
  const before = Object.getOwnPropertyDescriptor(globalThis, "ImageData");
  if (!before) Object.defineProperty(globalThis, "ImageData", { value: NodeImageData, configurable: true });
  try {
    // Orientation stays as stored, as in torchvision.
    const image = codec.decode(bytes as Uint8Array<ArrayBuffer>, false);
    if (width * height <= MOST_IDLE_PIXELS) idle = codec;
    return { data: image?.data ?? new Uint8Array(), stride: 4 };
  } finally {
    if (!before) Reflect.deleteProperty(globalThis, "ImageData");
  }
}

/** The pixels of an image whose head was read. @throws whatever the codecs throw of damaged files */
export function decodePixels(bytes: Uint8Array, header: ImageHeader): Promise<Pixels> {
  return header.format === "png" ? decodePng(header as Png) : decodeJpeg(bytes, header);
}
