import type { ImageHeader, Pixels } from "./header.ts";
import type { Png } from "./png.ts";

/** The pixels of an image whose head was read: the browser's own decoder, without its colour management. */
export async function decodePixels(bytes: Uint8Array, header: ImageHeader): Promise<Pixels> {
  const file = header.format === "png" ? (header as Png).bare : new Blob([bytes as Uint8Array<ArrayBuffer>]);
  const bitmap = await createImageBitmap(file, {
    colorSpaceConversion: "none",
    premultiplyAlpha: "none",
    imageOrientation: "none",
  });
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("the browser has no 2D canvas");
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return { data: context.getImageData(0, 0, width, height).data, stride: 4 };
}
