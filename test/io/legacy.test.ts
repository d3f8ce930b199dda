import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { CheckpointError, io, memoryUsage, type Tensor } from "../../src/index.ts";
import { golden } from "./golden.ts";
import { bytes, pickled, rebuilt, storage, text, u32 } from "./pickles.ts";

const MAGIC = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];
const protocol = (n: number) => pickled(0x4a, u32(n));
const system = (little: boolean) => pickled("}", text("little_endian"), little ? 0x88 : 0x89, "s");
const values = pickled("}", text("x"), rebuilt(storage("a", 2), 0, [2], [1]), "s");
const keys = (...names: string[]) => pickled("](", ...names.map(text), "e");
const data = (count: number, ...numbers: number[]) =>
  bytes(u32(count), u32(count < 0 ? -1 : 0), new Uint8Array(new Float32Array(numbers).buffer));

const file = (parts: { protocol?: number; little?: boolean; keys?: Uint8Array; data?: Uint8Array } = {}) =>
  bytes(
    MAGIC,
    protocol(parts.protocol ?? 1001),
    system(parts.little ?? true),
    values,
    parts.keys ?? keys("a"),
    parts.data ?? data(2, 3, 4),
  );

test("the assembled file is sound", async () => {
  expect((await io.load<{ x: Tensor }>(file())).x.toArray()).toEqual([3, 4]);
});

describe("damage to files of the old format", () => {
  test.each<[string, Uint8Array, RegExp]>([
    [
      "another protocol",
      file({ protocol: 1000 }),
      /protocol 1000 of PyTorch's old format.*_use_new_zipfile_serialization=True/,
    ],
    ["big-endian", file({ little: false }), /big-endian/],
    ["a storage that no value has", file({ keys: keys("b") }), /the list of storages has b, the values not/],
    ["a storage twice", file({ keys: keys("a", "a") }), /the list of storages has a/],
    ["no storage", file({ keys: keys() }), /"a": the storage is missing/],
    ["another count", file({ data: data(3, 3, 4) }), /"a": a storage of 2 elements says it has 3/],
    ["a negative count", file({ data: data(-2, 3, 4) }), /says it has -2/],
    ["cut short", file().subarray(0, file().length - 1), /"a": a storage of 2 elements reaches beyond the end/],
    ["cut inside a pickle", file().subarray(0, 60), /byte 60: the file ends inside a pickle/],
    ["no list of storages", file({ keys: pickled("}") }), /the list of storages is missing/],
  ])("%s is refused", async (_, bytes, message) => {
    const before = memoryUsage().tensors;
    const error = await io.load(bytes).catch((e) => e);
    expect(error).toBeInstanceOf(CheckpointError);
    expect(error.message).toMatch(message);
    expect(memoryUsage().tensors).toBeLessThanOrEqual(before);
  });

  test("a pickle longer than the first piece that is read", async () => {
    const long = pickled(
      "}",
      text("note"),
      text("y".repeat(300_000)),
      "s",
      text("x"),
      rebuilt(storage("a", 2), 0, [2], [1]),
      "s",
    );
    const whole = bytes(MAGIC, protocol(1001), system(true), long, keys("a"), data(2, 3, 4));
    expect((await io.load<{ x: Tensor }>(whole)).x.toArray()).toEqual([3, 4]);
  });

  test("truncated anywhere, a file of PyTorch is refused", async () => {
    const whole = new Uint8Array(readFileSync(golden("1.13", "legacy-views.pth")));
    for (let length = 0; length < whole.length; length += 13) {
      await expect(io.load(whole.subarray(0, length))).rejects.toThrow(CheckpointError);
    }
  });
});
