import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { data, type Tensor, tensor, tidy, zeros } from "../../src/index.ts";
import { DataError } from "../../src/util/errors.ts";

/** An IDX file: two zeros, the type's code, the rank, the sizes and the elements, all big-endian. */
function idx(code: number, sizes: number[], elements: ArrayLike<number>): Uint8Array {
  const header = new DataView(new ArrayBuffer(4 + 4 * sizes.length));
  header.setUint8(2, code);
  header.setUint8(3, sizes.length);
  sizes.forEach((size, d) => header.setUint32(4 + 4 * d, size));
  return Uint8Array.from([...new Uint8Array(header.buffer), ...Array.from(elements)]);
}

const bytesOf = (values: ArrayBufferView) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

/** The same elements with the bytes of each turned around. */
const turned = (values: ArrayBufferView & { BYTES_PER_ELEMENT: number }) => {
  const bytes = bytesOf(values).slice();
  const size = values.BYTES_PER_ELEMENT;
  for (let at = 0; at < bytes.length; at += size) bytes.subarray(at, at + size).reverse();
  return bytes;
};

describe("IDX files", () => {
  test.each<[string, number, ArrayLike<number>, string, number[]]>([
    ["bytes", 8, [0, 200, 255], "uint8", [0, 200, 255]],
    ["signed bytes", 9, bytesOf(Int8Array.of(-1, 5, -128)), "int32", [-1, 5, -128]],
    ["shorts", 11, turned(Int16Array.of(-300, 7, 32767)), "int32", [-300, 7, 32767]],
    ["ints", 12, turned(Int32Array.of(-70000, 1, 2)), "int32", [-70000, 1, 2]],
    ["floats", 13, turned(Float32Array.of(0.5, -1.25, 3)), "float32", [0.5, -1.25, 3]],
    ["doubles", 14, turned(Float64Array.of(0.1, -1e300, 3)), "float64", [0.1, -1e300, 3]],
  ])("%s", async (_, code, elements, dtype, values) => {
    for (const pack of [(raw: Uint8Array) => raw, gzipSync]) {
      const read = await data.parseIdx(pack(idx(code, [3, 1], elements)));
      expect([read.dtype, read.shape, read.flatten().toArray()]).toEqual([dtype, [3, 1], values]);
    }
  });

  test("a part of a larger buffer", async () => {
    const file = idx(11, [2], turned(Int16Array.of(1, -2)));
    const larger = new Uint8Array(file.length + 3);
    larger.set(file, 3);
    expect((await data.parseIdx(larger.subarray(3))).toArray()).toEqual([1, -2]);
  });

  const labels = idx(8, [3], [1, 2, 3]);
  test.each<[string, Uint8Array, string]>([
    ["nothing", new Uint8Array(0), "a.idx is no IDX file: it begins with nothing"],
    ["a picture", Uint8Array.of(0x89, 0x50, 0x4e, 0x47), "a.idx is no IDX file: it begins with 89 50 4e 47"],
    ["an unknown type", idx(10, [1], [1]), "a.idx is no IDX file: it begins with 00 00 0a 01"],
    ["no dimensions", idx(8, [], []), "a.idx is no IDX file: it begins with 00 00 08 00"],
    ["half a header", labels.subarray(0, 6), "a.idx is cut short: its header has 8 bytes, the file 6"],
    ["too little", labels.subarray(0, 9), "a.idx is cut short: its sizes [3] take 11 bytes, the file has 9"],
    [
      "too much",
      Uint8Array.of(...labels, 0),
      "a.idx is longer than its header says: its sizes [3] take 11 bytes, the file has 12",
    ],
    [
      "sizes beyond all memory",
      idx(14, [2 ** 32 - 1, 2 ** 32 - 1, 2 ** 32 - 1], []),
      "a.idx is cut short: its sizes [4294967295, 4294967295, 4294967295] take",
    ],
    ["a gzip file cut short", gzipSync(labels).subarray(0, 15), "a.idx is gzip-compressed but damaged or cut short"],
    ["a damaged gzip file", gzipSync(labels).fill(7, 12, 16), "a.idx is gzip-compressed but damaged or cut short"],
    ["a gzip file of something else", gzipSync("hello"), "a.idx is no IDX file: it begins with 68 65 6c 6c"],
  ])("%s: what was expected and what was found", async (_, bytes, message) => {
    const error = await data.parseIdx(bytes, "a.idx").then(
      () => undefined,
      (thrown) => thrown,
    );
    expect(error).toBeInstanceOf(DataError);
    expect(error.message).toContain(message);
  });

  test("any sizes and elements are read back, and any damage is a DataError or still a tensor", async () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 4 });
    const file = sizes.chain((shape) => {
      const count = shape.reduce((a, b) => a * b, 1);
      return fc.record({ shape: fc.constant(shape), values: fc.uint8Array({ minLength: count, maxLength: count }) });
    });
    const damage = fc.record({
      zip: fc.boolean(),
      cut: fc.nat(60),
      changes: fc.array(fc.record({ at: fc.nat(60), value: fc.nat(255) }), { maxLength: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(file, damage, async ({ shape, values }, { zip, cut, changes }) => {
        const whole = idx(8, shape, values);
        const packed = zip ? Uint8Array.from(gzipSync(whole)) : whole;
        const read = await data.parseIdx(packed);
        expect(read.shape).toEqual(shape);
        expect([...read.toTypedArray()]).toEqual([...values]);
        read.dispose();
        const broken = packed.slice(0, Math.max(packed.length - cut, 0));
        for (const { at, value } of changes) if (at < broken.length) broken[at] = value;
        const result: Tensor | Error = await data.parseIdx(broken).catch((error) => error);
        if (result instanceof Error) expect(result).toBeInstanceOf(DataError);
        else result.dispose();
      }),
      { numRuns: 200 },
    );
  });
});

describe("folders of IDX files", () => {
  const root = mkdtempSync(join(tmpdir(), "evenkeel-idx-"));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  let folders = 0;

  function folder(files: Record<string, Uint8Array>): string {
    const path = mkdtempSync(join(root, `${folders++}-`));
    for (const [name, bytes] of Object.entries(files)) writeFileSync(join(path, name), bytes);
    return path;
  }

  const images = idx(8, [2, 2, 3], [0, 51, 102, 153, 204, 255, 255, 0, 0, 0, 0, 255]);
  const labels = idx(8, [2], [7, 3]);
  const whole = { "train-images-idx3-ubyte.gz": gzipSync(images), "train-labels-idx1-ubyte": labels };

  test("give scaled images and labels", async () => {
    const set = await data.idxFolder(folder(whole));
    expect([set.length, set.height, set.width]).toEqual([2, 2, 3]);
    const [x, y] = set.getBatch([1, 0]);
    expect([x.shape, x.dtype, y.dtype, y.toArray()]).toEqual([[2, 1, 2, 3], "float32", "int64", [3, 7]]);
    expect(x.select(0, 0).flatten().toArray()).toEqual([1, 0, 0, 0, 0, 1]);
    const [image, label] = set.get(0);
    expect([image.shape, label.shape, label.item()]).toEqual([[1, 2, 3], [], 7]);
  });

  test("normalized and flat", async () => {
    const set = await data.idxFolder(folder(whole), { mean: 0.5, std: 0.25, flat: true });
    const [x] = set.getBatch([0]);
    expect(x.shape).toEqual([1, 6]);
    [0, 0.2, 0.4, 0.6, 0.8, 1].forEach((pixel, i) => {
      expect(x.toArray()[0][i]).toBeCloseTo((pixel - 0.5) / 0.25, 5);
    });
  });

  test("the test set, and other spellings", async () => {
    const path = folder({ "t10k-images.idx3-ubyte": images, "t10k-labels.idx1-ubyte.gz": gzipSync(labels) });
    expect((await data.idxFolder(path, { train: false })).length).toBe(2);
  });

  const missing = join(root, "missing");
  test.each<[string, () => string, string]>([
    ["no folder", () => missing, `${missing} does not exist`],
    ["a file", () => join(folder({ x: labels }), "x"), "is no folder"],
    [
      "nothing in it",
      () => folder({}),
      "expected train-images-idx3-ubyte or train-images-idx3-ubyte.gz; found nothing",
    ],
    [
      "no labels",
      () => folder({ "train-images-idx3-ubyte": images }),
      "has no file of training labels: expected train-labels-idx1-ubyte or train-labels-idx1-ubyte.gz; found train-images-idx3-ubyte",
    ],
    [
      "images that are labels",
      () => folder({ ...whole, "train-images-idx3-ubyte": labels, "train-images-idx3-ubyte.gz": labels }),
      "train-images-idx3-ubyte holds [2]: expected images: [N, height, width]",
    ],
    [
      "too few labels",
      () => folder({ ...whole, "train-labels-idx1-ubyte": idx(8, [1], [7]) }),
      "train-labels-idx1-ubyte holds [1]: expected one label for each of the 2 images of",
    ],
    [
      "images cut short",
      () => folder({ ...whole, "train-images-idx3-ubyte.gz": gzipSync(images).subarray(0, 20) }),
      "train-images-idx3-ubyte.gz is gzip-compressed but damaged or cut short",
    ],
    [
      "images of floats",
      () => folder({ ...whole, "train-images-idx3-ubyte.gz": idx(13, [2, 1, 1], new Uint8Array(8)) }),
      "images are float32 [2, 1, 1]: expected uint8 [N, height, width]",
    ],
  ])("%s", async (_, path, message) => {
    await expect(data.idxFolder(path())).rejects.toThrow(message);
    await expect(data.idxFolder(path())).rejects.toThrow(DataError);
  });

  test("image sets made by hand are checked", () => {
    const pixels = zeros([2, 2, 2], { dtype: "uint8" });
    expect(() => new data.ImageDataset(pixels, tensor([1n]))).toThrow("there are 2 images and labels of shape [1]");
    expect(() => new data.ImageDataset(zeros([2, 2]), tensor([1n]))).toThrow("images are float32 [2, 2]");
    expect(() => new data.ImageDataset(pixels, tensor([1n, 2n])).getBatch([2])).toThrow("sample 2 does not exist");
  });
});

describe("MNIST", () => {
  test("is what it is known to be", async () => {
    const [train, set] = [await data.mnist(), await data.mnist({ train: false })];
    expect([train.length, set.length, train.height, train.width]).toEqual([60000, 10000, 28, 28]);
    expect(train.labels.narrow(0, 0, 10).toArray()).toEqual([5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    expect(set.labels.narrow(0, 0, 10).toArray()).toEqual([7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
    // The mean and the spread that every tutorial normalizes by.
    const [mean, std] = tidy(() => {
      const pixels = train.images.narrow(0, 0, 6000).float().div(255);
      return [pixels.mean().item(), pixels.std().item()];
    });
    expect(mean).toBeCloseTo(0.1307, 2);
    expect(std).toBeCloseTo(0.3081, 2);
    for (const { images, labels } of [train, set]) {
      images.dispose();
      labels.dispose();
    }
  });
});
