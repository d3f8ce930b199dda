import { deflateRawSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { CheckpointError, io, memoryUsage } from "../../src/index.ts";
import { crc32 } from "../../src/io/crc32.ts";
import { bytesSource, type Source } from "../../src/io/source.ts";
import { ZipReader } from "../../src/io/zip-read.ts";
import { zipChunks } from "../../src/io/zip-write.ts";
import { bytes, pickled, rebuilt, storage, text, torchFile } from "./pickles.ts";
import { joined, slowCrc, type TestPart, zipFile } from "./zip-file.ts";

const pickle = pickled("}", text("x"), rebuilt(storage("0", 4), 0, [4], [1]), "s");
const data = new Uint8Array(new Float32Array([1, 2, 3, 4]).buffer);
const parts = (data: TestPart, more: TestPart[] = []): TestPart[] => [
  { name: "archive/data.pkl", content: pickle },
  data,
  ...more,
];
const stored: TestPart = { name: "archive/data/0", content: data };
const load = async (file: Uint8Array) => (await io.load<{ x: { toArray(): number[] } }>(file)).x.toArray();

test.each([0, 1, 7, 8, 9, 15, 16, 17, 1000])("the checksum of %i bytes, whole and in two pieces", (length) => {
  const content = Uint8Array.from({ length }, (_, i) => (i * 37) ^ (i >> 3));
  expect(crc32(content)).toBe(slowCrc(content));
  expect(crc32(content.subarray(3), crc32(content.subarray(0, 3)))).toBe(slowCrc(content));
});

describe("files that other programs repacked", () => {
  test("stored and deflated", async () => {
    expect(await load(zipFile(parts(stored)))).toEqual([1, 2, 3, 4]);
    const deflated = {
      ...stored,
      content: new Uint8Array(deflateRawSync(data)),
      method: 8,
      size: 16,
      crc: slowCrc(data),
    };
    expect(await load(zipFile(parts(deflated)))).toEqual([1, 2, 3, 4]);
  });

  test("a checksum of 0 is none: torch.serialization.set_crc32_options(False)", async () => {
    expect(await load(zipFile(parts({ ...stored, crc: 0 })))).toEqual([1, 2, 3, 4]);
  });
});

const deflatedZeros = new Uint8Array(deflateRawSync(new Uint8Array(2 ** 24)));

describe("damage", () => {
  const named = (name: string) => parts(stored, [{ name, content: new Uint8Array(1) }]);
  const sound = zipFile(parts(stored));
  test.each<[string, Uint8Array, RegExp]>([
    ["a wrong checksum", zipFile(parts({ ...stored, crc: 1 })), /"archive\/data\/0": the checksum differs/],
    [
      "a wrong checksum of the pickle",
      zipFile([{ name: "archive/data.pkl", content: pickle, crc: 5 }, stored]),
      /data\.pkl": the checksum/,
    ],
    ["cut short", sound.subarray(0, sound.length - 30), /no end record/],
    ["the start alone", sound.subarray(0, 10), /no end record/],
    ["a name with ..", zipFile(named("archive/../../etc/passwd")), /leads out of the archive/],
    ["an absolute name", zipFile(named("/etc/passwd")), /leads out/],
    ["a drive", zipFile(named("C:/x")), /leads out/],
    ["a backslash", zipFile(named("archive\\x")), /leads out/],
    ["a name twice", zipFile(named("archive/data/0")), /the name is there twice/],
    ["encrypted", zipFile(parts({ ...stored, flags: 1 })), /encrypted/],
    ["another method", zipFile(parts({ ...stored, method: 12 })), /compressed by method 12/],
    ["overlapping entries", zipFile(parts({ ...stored, start: 0 })), /overlaps|twice/],
    ["an entry beyond the file", zipFile(parts({ ...stored, start: 10_000_000 })), /overlaps the next one/],
    [
      "a size beyond the file",
      zipFile(parts({ ...stored, size: 2 ** 31, storedSize: 2 ** 31 })),
      /overlaps the next one/,
    ],
    ["two sizes", zipFile(parts({ ...stored, size: 17 })), /a stored entry of 16 bytes says 17/],
    ["more entries than there is room", zipFile(parts(stored), { count: 60_000 }), /a directory of 60000 entries/],
    [
      "fewer bytes than entries",
      zipFile(parts(stored), { size: 50 }),
      /a directory of 2 entries in 50|has no entry here/,
    ],
    ["a directory elsewhere", zipFile(parts(stored), { offset: 3 }), /no entry here/],
    ["a directory beyond", zipFile(parts(stored), { offset: 2 ** 31 }), /reaches beyond its end record/],
    [
      "no local header",
      (() => {
        const copy = sound.slice();
        copy[0] = 0x50;
        copy[45 + pickle.length + 1] ^= 255;
        return copy;
      })(),
      /no local header|overlaps|checksum/,
    ],
    [
      "a zip bomb",
      zipFile(parts({ ...stored, content: deflatedZeros, method: 8, size: 2 ** 24 })),
      /the storage has 16777216 bytes|zip bomb/,
    ],
    [
      "a zip bomb of the right size",
      zipFile([
        { name: "archive/data.pkl", content: pickled(rebuilt(storage("0", 2 ** 22), 0, [1], [1])) },
        { ...stored, content: deflatedZeros, method: 8, size: 2 ** 24 },
      ]),
      /a zip bomb: 16777216 bytes are to come from/,
    ],
    [
      "a bomb that says it is small",
      zipFile(parts({ ...stored, content: deflatedZeros, method: 8, size: 16 })),
      /inflates to more than the 16 bytes/,
    ],
    [
      "deflated nonsense",
      zipFile(parts({ ...stored, content: new Uint8Array(9).fill(255), method: 8, size: 16 })),
      /does not inflate/,
    ],
    [
      "deflated too little",
      zipFile(parts({ ...stored, content: new Uint8Array(deflateRawSync(data.subarray(4))), method: 8, size: 16 })),
      /inflates to 12 bytes and says 16/,
    ],
    ["no data.pkl", zipFile([stored]), /a zip file with 0 data\.pkl/],
    [
      "two data.pkl",
      zipFile(parts(stored, [{ name: "other/data.pkl", content: pickle }])),
      /a zip file with 2 data\.pkl/,
    ],
    ["NumPy arrays", zipFile([{ name: "x.npy", content: data }]), /NumPy arrays/],
    ["big-endian", zipFile(parts(stored, [{ name: "archive/byteorder", content: bytes("big") }])), /big-endian/],
  ])("%s is refused", async (_, file, message) => {
    const before = memoryUsage().tensors;
    const error = await io.load(file).catch((e) => e);
    expect(error).toBeInstanceOf(CheckpointError);
    expect(error.message).toMatch(message);
    expect(memoryUsage().tensors).toBeLessThanOrEqual(before);
  });
});

describe("files of more than 4 GiB", () => {
  const piece = new Uint8Array(2 ** 26);
  /** Keeps small pieces, and counts large ones, which are zeros. */
  function write(sizes: readonly number[]) {
    const kept: [number, Uint8Array][] = [];
    let size = 0;
    const zeros = function* (n: number) {
      for (let at = 0; at < n; at += piece.length) yield piece.subarray(0, Math.min(piece.length, n - at));
    };
    // The checksum of 0 says that there is none, and its computation over gigabytes is spared.
    let counted = 0;
    const list = sizes.map((n, i) => ({ name: `a/${i}`, size: n, chunks: () => (counted++ % 2 ? zeros(n) : []) }));
    for (const chunk of zipChunks(list)) {
      if (chunk.length < piece.length) kept.push([size, chunk.slice()]);
      size += chunk.length;
    }
    const source: Source = {
      name: "large.pt",
      size,
      async read(offset, length) {
        const out = new Uint8Array(length);
        for (const [at, chunk] of kept) {
          for (let i = Math.max(at, offset); i < Math.min(at + chunk.length, offset + length); i++)
            out[i - offset] = chunk[i - at];
        }
        return out;
      },
      close: async () => {},
    };
    return source;
  }

  test.each([[[2 ** 32 + 5, 7, 9]], [[2 ** 31, 2 ** 31, 2 ** 31, 3]]])("%j", async (sizes) => {
    const source = write(sizes);
    const zip = await ZipReader.open(source);
    const entries = [...zip.entries.values()];
    expect(entries.map(({ size }) => size)).toEqual(sizes);
    for (const entry of entries) {
      const { offset } = await zip.content(entry);
      expect(offset % 64).toBe(0);
      expect(offset + entry.size).toBeLessThanOrEqual(entry.limit);
    }
    expect(source.size).toBeGreaterThan(2 ** 32);
  });
});

test("more entries than 16 bits count", async () => {
  const names = Array.from({ length: 66_000 }, (_, i) => `a/${i}`);
  const one = bytes(7);
  const file = joined([...zipChunks(names.map((name) => ({ name, size: 1, chunks: () => [one] })))]);
  const zip = await ZipReader.open(bytesSource(file, "many.zip"));
  expect([...zip.entries.keys()]).toEqual(names);
});

test("truncated anywhere, a file is refused", async () => {
  const file = torchFile(pickle, { 0: data });
  for (let length = 0; length < file.length; length++) {
    await expect(io.load(file.subarray(0, length))).rejects.toThrow(CheckpointError);
  }
});
