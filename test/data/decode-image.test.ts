import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { DataError, data, memoryUsage } from "../../src/index.ts";
import { type Golden, readGolden } from "../golden/read.ts";
import { chunk, pngFile } from "../io/png-file.ts";
import { expectGolden } from "../nn/compare.ts";

interface Image {
  kind: "image" | "pipeline";
  name: string;
  file: string;
  mode: "unchanged" | "rgb";
  output: Golden;
}

const cases = readGolden<Image>("images");
const bytesOf = (name: string) => {
  const found = cases.find((one) => one.name.startsWith(name));
  return new Uint8Array(Buffer.from(found!.file, "base64"));
};

describe("pixels are those of torchvision.io.decode_image", () => {
  test.each(cases.filter(({ kind }) => kind === "image"))("$name", async ({ file, mode, output }) => {
    const image = await data.decodeImage(Buffer.from(file, "base64"), { mode });
    expect(image.dtype).toBe("uint8");
    expect(image.shape).toEqual([...output.shape]);
    expect(image.toTypedArray()).toEqual(Uint8Array.from(output.data as Uint8Array));
  });

  test("as a Blob; a palette with transparency has four channels", async () => {
    const image = await data.decodeImage(new Blob([bytesOf("PNG, palette with transparency")]));
    expect(image.shape).toEqual([4, 37, 51]);
    const alpha = new Set(image.select(0, 3).toTypedArray() as Uint8Array);
    expect(alpha.has(255)).toBe(true);
  });

  test("decoded, resized, cropped and normalized", async () => {
    const golden = cases.find(({ kind }) => kind === "pipeline")!;
    const { centerCrop, normalize, resize } = data.transforms;
    const image = (await data.decodeImage(Buffer.from(golden.file, "base64"))).float().div(255);
    const x = normalize(centerCrop(resize(image, 24), 20), [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    expectGolden(x, golden.output, "pixels", 1e-6);
  });
});

describe("what is refused", () => {
  const refuses = async (bytes: Uint8Array, words: RegExp, options: data.DecodeOptions = {}) => {
    const before = memoryUsage().tensors;
    const error = await data.decodeImage(bytes, { name: "cat.png", ...options }).catch((e) => e);
    expect(error).toBeInstanceOf(DataError);
    expect(String(error)).toMatch(/cat\.png cannot be decoded: /);
    expect(String(error)).toMatch(words);
    expect(memoryUsage().tensors).toBeLessThanOrEqual(before);
  };

  test.each(["PNG, RGB", "PNG, palette", "JPEG, 4:2:0", "JPEG, progressive"])(
    "%s, cut short anywhere",
    async (name) => {
      const bytes = bytesOf(name);
      for (let end = 0; end < bytes.length; end += 7) await refuses(bytes.subarray(0, end), /cut short|neither/);
    },
  );

  test("files that claim more pixels than they can hold, or than are wanted", async () => {
    await refuses(pngFile(60_000, 60_000, deflateSync(new Uint8Array(1000))), /60000 × 60000 pixels do not fit/);
    await refuses(pngFile(2 ** 31, 2 ** 31, deflateSync(new Uint8Array(1000))), /do not fit/);
    await refuses(bytesOf("PNG, RGB"), /51 × 37 pixels, more than 100/, { maxPixels: 100 });
    const jpeg = bytesOf("JPEG, 4:2:0").slice();
    const frame = jpeg.findIndex((byte, i) => byte === 0xff && jpeg[i + 1] === 0xc0);
    jpeg.set([0xff, 0xff, 0xff, 0xff], frame + 5);
    await refuses(jpeg, /65535 × 65535 pixels do not fit/);
  });

  test("pixels that unpack to more than the size says: a bomb is not unpacked", async () => {
    const bomb = deflateSync(new Uint8Array(2 ** 26));
    await refuses(pngFile(4, 4, bomb), /unpack to more than the 20 bytes/);
    await refuses(pngFile(4, 4, deflateSync(new Uint8Array(19))), /unpack to less/);
    // in a profile, which is not read at all
    const sound = pngFile(1, 1, deflateSync(new Uint8Array(2)), [
      chunk("iCCP", Buffer.concat([Buffer.from("a\0\0"), bomb])),
    ]);
    expect((await data.decodeImage(sound)).shape).toEqual([1, 1, 1]);
  });

  test("kinds that are not read, and what to do", async () => {
    await refuses(pngFile(1, 1, deflateSync(new Uint8Array(3)), [], 16), /16 bits a channel: save it again/);
    await refuses(new Uint8Array([0x47, 0x49, 0x46, 0x38]), /neither PNG nor JPEG: it begins with 47 49 46 38/);
    await refuses(new Uint8Array(), /begins with nothing/);
    await refuses(pngFile(0, 4, deflateSync(new Uint8Array(4))), /0 × 4 pixels/);
    const filter = pngFile(1, 1, deflateSync(new Uint8Array([9, 0])));
    await refuses(filter, /damaged/);
    const jpeg = bytesOf("JPEG, 4:2:0").slice();
    const frame = jpeg.findIndex((byte, i) => byte === 0xff && jpeg[i + 1] === 0xc0);
    const with_ = (at: number, value: number) => jpeg.with(frame + at, value);
    await refuses(with_(9, 4), /4 components/);
    await refuses(with_(4, 12), /12 bits/);
    await refuses(with_(1, 0xc9), /arithmetically/);
    // pixels that begin with a mark among pixels
    const scan = jpeg.findIndex((byte, i) => byte === 0xff && jpeg[i + 1] === 0xda);
    const start = scan + 2 + jpeg[scan + 3];
    await data
      .decodeImage(jpeg.with(start, 0xff).with(start + 1, 0xd0))
      .catch((e) => expect(e).toBeInstanceOf(DataError));
    // a checksum
    const png = bytesOf("PNG, RGB").slice();
    png[30] ^= 1;
    await refuses(png, /damaged|checksum|CRC/i);
  });
});

describe("imageFolder", () => {
  test("folders are classes, in order of their names; a loader gives batches", async () => {
    const root = mkdtempSync(join(tmpdir(), "evenkeel-images-"));
    try {
      await expect(data.imageFolder(join(root, "nothing"))).rejects.toThrow("cannot be read (ENOENT)");
      await expect(data.imageFolder(root)).rejects.toThrow("has no folders in it");
      mkdirSync(join(root, "dog/more"), { recursive: true });
      mkdirSync(join(root, "cat"));
      writeFileSync(join(root, "dog/more/a.png"), bytesOf("PNG, L"));
      writeFileSync(join(root, "dog/b.JPG"), bytesOf("JPEG, 4:2:0"));
      writeFileSync(join(root, "dog/notes.txt"), "");
      await expect(data.imageFolder(root)).rejects.toThrow("no image was found for cat");
      writeFileSync(join(root, "cat/c.jpeg"), bytesOf("JPEG, grey"));
      const { resize } = data.transforms;
      const set = await data.imageFolder(root, { transform: (image) => resize(image, [8, 8]).float().div(255) });
      expect([set.classes, set.length]).toEqual([["cat", "dog"], 3]);
      expect(set.samples.map(([path, label]) => [path.slice(root.length + 1), label])).toEqual([
        ["cat/c.jpeg", 0],
        ["dog/b.JPG", 1],
        ["dog/more/a.png", 1],
      ]);
      for await (const [images, labels] of new data.DataLoader(set, { batchSize: 3 })) {
        expect(images.shape).toEqual([3, 3, 8, 8]);
        expect(labels.toArray()).toEqual([0, 1, 1]);
      }
      writeFileSync(join(root, "cat/d.png"), "no image");
      const damaged = await data.imageFolder(root);
      await expect(damaged.get(1)).rejects.toThrow(/d\.png cannot be decoded: it is neither PNG nor JPEG/);
    } finally {
      rmSync(root, { recursive: true });
    }
  });
});
