import { describe, expect, test } from "vitest";
import { CheckpointError, io, memoryUsage, type Tensor } from "../../src/index.ts";
import { bytes, global, pickled, rebuilt, storage, text, torchFile, u32 } from "./pickles.ts";

const floats = (n: number) => new Uint8Array(new Float32Array(n).fill(1.5).buffer);

async function refusal(file: Uint8Array): Promise<CheckpointError> {
  const before = memoryUsage().tensors;
  const start = performance.now();
  const error = await io.load(file).catch((e) => e);
  expect(error).toBeInstanceOf(CheckpointError);
  expect(performance.now() - start).toBeLessThan(3000);
  expect(memoryUsage().tensors).toBeLessThanOrEqual(before);
  return error;
}

test("the assembled files are sound: an ordinary one is read", async () => {
  const file = torchFile(pickled("}", text("x"), rebuilt(storage("0", 6), 1, [2, 2], [1, 2]), "s"), { 0: floats(6) });
  const { x } = await io.load<{ x: Tensor }>(file);
  expect(x.toArray()).toEqual([
    [1.5, 1.5],
    [1.5, 1.5],
  ]);
});

test("a storage that no value uses is given back", async () => {
  const before = memoryUsage().tensors;
  const file = torchFile(pickled(storage("0", 6), "0}"), { 0: floats(6) });
  expect(await io.load<object>(file)).toEqual({});
  expect(memoryUsage().tensors).toBeLessThanOrEqual(before);
});

describe("what asks for code is refused by name", () => {
  test.each<[string, Uint8Array, string]>([
    ["os.system", pickled(global("os", "system"), text("touch /x"), 0x85, "R"), "os.system"],
    ["posix.system", pickled(global("posix", "system"), text("id"), 0x85, "R"), "posix.system"],
    ["eval", pickled(global("builtins", "eval"), text("1"), 0x85, "R"), "builtins.eval"],
    ["getattr", pickled(global("builtins", "getattr"), ")R"), "builtins.getattr"],
    ["a stacked global", pickled(0x8c, 2, "os", 0x8c, 6, "system", 0x93, ")R"), "os.system"],
    ["a class made anew", pickled(global("subprocess", "Popen"), ")", 0x81), "subprocess.Popen"],
    ["an inherited name", pickled(global("torch", "constructor"), ")R"), "torch.constructor"],
    ["a name of JavaScript", pickled(global("__proto__", "toString"), ")R"), "__proto__.toString"],
    ["torch's own loader", pickled(global("torch", "load"), text("x"), 0x85, "R"), "torch.load"],
    ["numpy's reconstructor", pickled(global("numpy.core.multiarray", "_reconstruct"), ")R"), "_reconstruct"],
  ])("%s", async (_, pickle, name) => {
    const { message, place } = await refusal(torchFile(pickle));
    expect(message).toContain(`asks for ${name}`.replace("asks for _", "_"));
    expect(message).toContain("nothing of it was executed");
    expect(place.file).toBe("the bytes, archive/data.pkl");
    expect(place.offset).toBeGreaterThanOrEqual(2);
  });

  test.each<[string, Uint8Array, RegExp]>([
    ["a call of a type", pickled(global("torch", "FloatStorage"), ")R"), /torch\.FloatStorage is called/],
    ["a call of a text", pickled(text("os.system"), ")R"), /called that is no function/],
    [
      "attributes of a tensor",
      pickled(rebuilt(storage("0", 1), 0, [1], [1]), "}b"),
      /attributes are set on what has none/,
    ],
    ["the opcode INST", pickled("(ios\nsystem\n"), /opcode 0x69/],
    ["the opcode EXT1", pickled(0x82, 1), /opcode 0x82/],
    ["a persistent id that is no storage", pickled(text("x"), "Q"), /persistent id/],
    [
      "a class as a value",
      pickled(global("torch", "FloatStorage")),
      /a class or a type stands where a value should be/,
    ],
    ["a codec", pickled(global("_codecs", "encode"), text("x"), text("hex"), 0x86, "R"), /latin1 alone/],
  ])("%s", async (_, pickle, message) => {
    expect((await refusal(torchFile(pickle, { 0: floats(1) }))).message).toMatch(message);
  });
});

describe("what is too much", () => {
  const many = (n: number, part: number | string) => bytes(...new Array(n).fill(part));
  /** A list of two of the one before, over and over: 2 ** 40 values in 200 bytes. */
  const laughs = bytes(0x5d, ...Array.from({ length: 40 }, (_, i) => bytes("q", i, "]", "(", "h", i, "h", i, "e")));
  /** The same 50 kB turned into bytes ten thousand times. */
  const repeated = bytes(
    text("x".repeat(50_000)),
    "q",
    0,
    "0",
    "]",
    ...new Array(10_000).fill(bytes(global("_codecs", "encode"), "h", 0, 0x8c, 6, "latin1", 0x86, "Ra")),
  );
  test.each<[string, Uint8Array, RegExp]>([
    ["a deep nest", pickled(many(100_000, "]"), many(99_999, "a")), /nested more than 200 deep/],
    ["lists of lists of the same list", pickled(laughs), /more than 10000000 values/],
    ["a list that contains itself", pickled("]q", 0, "h", 0, "a"), /a value contains itself/],
    ["a dict that contains itself", pickled("}q", 0, text("k"), "h", 0, "s"), /a value contains itself/],
    ["a text that is longer than the file", pickled(0x58, u32(0xffffffff)), /ends before it is complete/],
    ["a text of 2 ** 60 bytes", pickled(0x8d, 0, 0, 0, 0, 0, 0, 0, 16), /a length of/],
    ["an integer of 2 GB", pickled(0x8b, u32(0x7fffffff)), /an integer of 2147483647 bytes/],
    ["an integer of less than nothing", pickled(0x8b, u32(0xffffffff)), /a length of -1 bytes/],
    ["a memo with holes", pickled("]r", u32(0xffffffff), "j", u32(0xffffffff), "a"), /contains itself/],
    ["an empty memo", pickled("h", 5), /the memo has no 5/],
    ["work that is repeated", pickled(repeated), /repeats itself/],
    ["a mark without an end", pickled("("), /stack is empty/],
    ["nothing", bytes(0x80, 2), /ends before it is complete/],
    ["an old protocol", bytes(0x80, 0, "N."), /protocol 0/],
  ])("%s is refused", async (_, pickle, message) => {
    expect((await refusal(torchFile(pickle))).message).toMatch(message);
  });
});

describe("tensors that are not what their storage holds", () => {
  const x = (stored: Uint8Array, offset: number, shape: number[], strides: number[]) =>
    pickled("}", text("x"), rebuilt(stored, offset, shape, strides), "s");
  test.each<[string, Uint8Array, RegExp]>([
    ["too large", x(storage("0", 6), 0, [7], [1]), /shape \[7\].*reaches beyond its storage "0" of 6/],
    ["an offset beyond", x(storage("0", 6), 6, [1], [1]), /reaches beyond/],
    ["strides beyond", x(storage("0", 6), 0, [2, 2], [5, 1]), /reaches beyond/],
    ["a negative offset", x(storage("0", 6), -1, [1], [1]), /offset must be a whole number from 0/],
    ["negative sizes", x(storage("0", 6), 0, [-1], [1]), /sizes must be a tuple of whole numbers/],
    ["negative strides", x(storage("0", 6), 5, [2], [-1]), /strides must be a tuple of whole numbers/],
    ["sizes without strides", x(storage("0", 6), 0, [2], []), /1 sizes and 0 strides/],
    ["endless with stride 0", x(storage("0", 6), 0, [2 ** 30, 2 ** 30], [0, 0]), /reaches beyond/],
    ["a missing storage", x(storage("9", 6), 0, [1], [1]), /"archive\/data\/9": the storage is missing/],
    ["a storage too short", x(storage("0", 7), 0, [1], [1]), /has 24 bytes, its 7 elements of float32 take 28/],
    ["a storage of another type", x(storage("0", 6, "DoubleStorage"), 0, [1], [1]), /6 elements of float64 take 48/],
    ["an unknown type", x(storage("0", 6, "QInt8Storage"), 0, [1], [1]), /asks for torch\.QInt8Storage/],
    ["a negative length", x(storage("0", -6), 0, [1], [1]), /a storage of -6 elements/],
    ["a key that leads out", x(storage("../version", 2, "ByteStorage"), 0, [1], [1]), /the storage is missing/],
    ["two sizes", pickled("(", storage("0", 6), storage("0", 5), "t"), /two types or two sizes/],
    ["__proto__ in a dict", pickled("}", text("__proto__"), "}s"), /"__proto__" is no key/],
    [
      "__proto__ in pairs",
      pickled(global("collections", "OrderedDict"), "](](", text("__proto__"), 0x4b, 1, "ee", 0x85, "R"),
      /"__proto__" is no key|takes pairs/,
    ],
    ["a tensor for a key", pickled("}", rebuilt(storage("0", 1), 0, [1], [1]), "Ns"), /keys must be strings/],
  ])("%s", async (_, pickle, message) => {
    expect((await refusal(torchFile(pickle, { 0: floats(6) }))).message).toMatch(message);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});
