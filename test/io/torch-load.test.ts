import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { CheckpointError, io, memoryUsage, nn } from "../../src/index.ts";
import { contents, describeValue, golden, VERSIONS, widened } from "./golden.ts";

const FILES = ["bn.pt", "dtypes.pt", "views.pt", "trainer.pth", "protocol4.pt", "legacy.pth", "legacy-views.pth"];

describe.each(VERSIONS)("files of PyTorch %s", (version) => {
  const expected = contents(version);

  test.each(FILES)("%s: keys, order, dtypes, strides, shared storages, versions and plain values", async (name) => {
    const value = await io.load<object>(golden(version, name));
    expect(describeValue(value)).toEqual(widened(expected[name]));
  });

  test("bytes, a Blob and a path give the same", async () => {
    const bytes = new Uint8Array(readFileSync(golden(version, "bn.pt")));
    for (const input of [bytes, bytes.buffer, new Blob([bytes])]) {
      expect(describeValue(await io.load(input))).toEqual(expected["bn.pt"]);
    }
  });

  test("a model takes the state dict", async () => {
    const model = new nn.Sequential(
      new nn.Conv2d(1, 4, 3, { bias: false }),
      new nn.BatchNorm2d(4),
      new nn.ReLU(),
      new nn.Flatten(),
      new nn.Linear(16, 3),
    );
    const state = await io.load(golden(version, "bn.pt"));
    expect(model.loadStateDict(state)).toEqual({ missingKeys: [], unexpectedKeys: [] });
    expect([...state.keys()]).toEqual([...model.stateDict().keys()]);
    expect(state.metadata?.get("1")).toEqual({ version: 2 });
  });

  test.each([
    ["whole-module.pt", /asks for torch\.nn\.modules\.container\.Sequential.*model\.state_dict\(\)/],
    ["script.pt", /TorchScript.*state_dict\(\)/],
  ])("%s is refused by name", async (name, message) => {
    const error = await io.load(golden(version, name)).catch((e) => e);
    expect(error).toBeInstanceOf(CheckpointError);
    expect(error.message).toMatch(message);
    expect(error.message).toContain(name);
  });
});

test("what is loaded belongs to the program and can be given back", async () => {
  const before = memoryUsage();
  const state = await io.load(golden("1.13", "bn.pt"));
  const during = memoryUsage();
  expect(during.pinned).toBe(before.pinned);
  expect(during.program).toBeGreaterThan(before.program);
  for (const value of state.values()) value.dispose();
  expect(memoryUsage().program).toBe(before.program);
});

test("progress reaches the end", async () => {
  const seen: [number, number][] = [];
  await io.load(golden("1.13", "trainer.pth"), { onProgress: (done, total) => seen.push([done, total]) });
  expect(seen.length).toBeGreaterThan(3);
  expect(seen.every(([done, total], i) => done <= total && (i === 0 || done >= seen[i - 1][0]))).toBe(true);
});

test.each<[string, string | Uint8Array | number, RegExp]>([
  ["a missing file", "no-such-file.pt", /no-such-file\.pt: the file does not exist/],
  ["a folder", "src", /src: this is no file/],
  ["nothing", new Uint8Array(0), /the file is empty/],
  ["text", new TextEncoder().encode("hello hello hello"), /no checkpoint that is known/],
  ["a page of HTML", new TextEncoder().encode("<!DOCTYPE html>"), /a page of HTML/],
  ["a Git LFS pointer", new TextEncoder().encode("version https://git-lfs.github.com/spec/v1\n"), /Git LFS/],
  ["HDF5", new TextEncoder().encode("\u0089HDF").slice(1), /no checkpoint that is known|HDF5/],
  ["a bare pickle", new Uint8Array([0x80, 2, 0x4e, 0x2e]), /a pickle, not written by torch\.save/],
  ["a number", 3, /cannot be read from number/],
])("%s is refused", async (_, input, message) => {
  const error = await io.load(input as string).catch((e) => e);
  expect(error).toBeInstanceOf(CheckpointError);
  expect(error.message).toMatch(message);
});
