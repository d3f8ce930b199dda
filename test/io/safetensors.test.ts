import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CheckpointError, io, memoryUsage, nn, type Tensor, tensor } from "../../src/index.ts";
import { bitsOfTensor } from "./bits.ts";
import { contents, describeValue, golden, widened } from "./golden.ts";

/** A file of a header and data. */
function file(header: unknown, data: Uint8Array | number[] = [], length?: bigint): Uint8Array {
  const json = typeof header === "string" ? header : JSON.stringify(header);
  const text = new TextEncoder().encode(json);
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}

const sorted = (described: unknown) => {
  const { dict } = described as { dict: [string, { storage: number; strides: number[] }][] };
  return dict.map(([key, { storage: _, ...rest }]) => [key, rest] as const).sort(([a], [b]) => (a < b ? -1 : 1));
};

describe("reading", () => {
  test("a file of the safetensors package: all dtypes to the bit, and metadata", async () => {
    const found = describeValue(await io.load(golden("2.13", "dtypes.safetensors")));
    expect(sorted(found)).toEqual(sorted(widened(contents("2.13")["dtypes.safetensors"])));
    const metadata = await io.loadMetadata(golden("2.13", "dtypes.safetensors"));
    expect(Object.fromEntries(metadata)).toEqual({ epoch: "3", ü: "é" });
  });

  test("spaces after the header, no tensors, and empty tensors", async () => {
    expect((await io.load(file("{}   "))).size).toBe(0);
    const empty = { x: { dtype: "F32", shape: [0, 3], data_offsets: [0, 0] } };
    expect((await io.load(file(empty))).get("x")?.shape).toEqual([0, 3]);
  });

  const one = (entry: object) =>
    file({ x: { dtype: "F32", shape: [1], data_offsets: [0, 4], ...entry } }, [0, 0, 0, 0]);
  test.each<[string, Uint8Array, RegExp]>([
    ["an unknown dtype", one({ dtype: "F8_E4M3" }), /"x": dtype "F8_E4M3" is not read; F64, F32/],
    ["a shape that is none", one({ shape: [-1] }), /"x": a shape must be whole numbers/],
    ["a shape of fractions", one({ shape: [1.5] }), /"x": a shape must be whole numbers/],
    ["a shape beyond all numbers", one({ shape: [2 ** 50, 2 ** 50] }), /"x": shape .* takes/],
    ["too small a range", one({ shape: [2] }), /"x": shape \[2\] of F32 takes 8 bytes, data_offsets are 0 to 4/],
    ["negative offsets", one({ data_offsets: [-4, 0] }), /"x": data_offsets must be/],
    ["offsets turned round", one({ data_offsets: [4, 0] }), /takes 4 bytes/],
    ["a range beyond the file", one({ shape: [2], data_offsets: [0, 8] }), /the tensors take 8 bytes, the file has 4/],
    ["a gap", one({ data_offsets: [4, 8] }), /its elements begin at 4, those before it end at 0/],
    ["no entry", file({ x: 3 }), /"x": a tensor's entry is no object/],
    ["a list for a header", file("[]"), /the header is no object|no checkpoint/],
    ["a header that is no JSON", file("{x}"), /the header is no JSON/],
    ["a header that is no UTF-8", file("{", [0xff, 0xfe]), /byte 8: the header is no JSON/],
    ["a header bomb", file("{}", [], 10n ** 12n), /byte 0: a header of 1000000000000 bytes; at most/],
    ["a header longer than the file", file("{}", [], 1000n), /a header of 1000 bytes in a file of 10/],
    ["a deep header", file(`{"a":${"[".repeat(100_000)}`), /the header is no JSON/],
    ["metadata of numbers", file({ __metadata__: { a: 1 } }), /"__metadata__\.a": metadata must be strings/],
    [
      "__proto__",
      file('{"__proto__":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'),
      /"__proto__": this is no key/,
    ],
    [
      "overlapping tensors",
      file(
        {
          x: { dtype: "F32", shape: [2], data_offsets: [0, 8] },
          y: { dtype: "F32", shape: [1], data_offsets: [4, 8] },
        },
        new Uint8Array(8),
      ),
      /"y": its elements begin at 4, those before it end at 8/,
    ],
  ])("%s is refused, with the place", async (_, bytes, message) => {
    const before = memoryUsage().tensors;
    const error = await io.load(bytes).catch((e) => e);
    expect(error).toBeInstanceOf(CheckpointError);
    expect(error.message).toMatch(message);
    expect(memoryUsage().tensors).toBeLessThanOrEqual(before);
  });
});

describe("writing", () => {
  test("keeps order, versions and metadata; large elements come first, so that all are aligned", async () => {
    const state = new nn.StateDict([
      ["flag", tensor([true])],
      ["weight", tensor([1, 2, 3])],
      ["count", tensor(5n as never, { dtype: "int64" })],
    ]);
    state.metadata = new Map([
      ["", { version: 1 }],
      ["bn", { version: 2 }],
    ]);
    const bytes = await io.save(null, state, { format: "safetensors", metadata: { epoch: "3" } });
    const back = await io.load(bytes);
    expect([...back.keys()]).toEqual(["flag", "weight", "count"]);
    expect(back.metadata).toEqual(state.metadata);
    expect([...back.values()].map((x) => x.toArray())).toEqual([[true], [1, 2, 3], 5]);
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(length % 8).toBe(0);
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
    expect(header.count.data_offsets).toEqual([0, 8]);
    expect(header.flag.data_offsets).toEqual([20, 21]);
    expect(header.__metadata__).toMatchObject({ format: "pt", epoch: "3" });
  });

  test("int32 as int16 and int8 where asked for, and nothing else", async () => {
    const state = { a: tensor([-128, 127], { dtype: "int32" }), b: tensor([-32768, 32767], { dtype: "int32" }) };
    const bytes = await io.save(null, state, { format: "safetensors", dtypes: { a: "int8", b: "int16" } });
    expect(new TextDecoder().decode(bytes)).toMatch(/"dtype":"I8".*"dtype":"I16"/);
    const back = await io.load(bytes);
    expect([...back.values()].map((x) => x.toArray())).toEqual([
      [-128, 127],
      [-32768, 32767],
    ]);
    const save = io.save(null, { a: tensor([1]) }, { format: "safetensors", dtypes: { a: "int8" } });
    await expect(save).rejects.toThrow(/"a" is float32 and cannot be stored as int8/);
  });

  test("any state dict comes back, to the bit", async () => {
    const dtype = fc.constantFrom("float64", "float32", "float16", "bfloat16", "int64", "int32", "uint8", "bool");
    const entry = fc.tuple(fc.string({ minLength: 1 }), dtype, fc.array(fc.nat(4), { maxLength: 4 }), fc.boolean());
    const allowed = ([key]: [string, ...unknown[]]) =>
      !["__proto__", "__metadata__"].includes(key) && !/^\d+$/.test(key);
    const entries = fc.uniqueArray(entry.filter(allowed), { selector: ([key]) => key, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(entries, async (given) => {
        const state = new nn.StateDict(
          given.map(([key, dtype, shape, turned]): [string, Tensor] => {
            const n = shape.reduce((a, b) => a * b, 1);
            const x = tensor(
              Float32Array.from({ length: n }, (_, i) => (i * 7) % 5),
              { shape },
            ).to(dtype);
            return [key, turned ? x.permute(shape.map((_, d) => shape.length - 1 - d)) : x];
          }),
        );
        for (const format of ["safetensors", "torch"] as const) {
          const back = await io.load(await io.save(null, state, { format }));
          const rows = (s: ReadonlyMap<string, Tensor>) =>
            [...s].map(([key, x]) => [key, x.dtype, x.shape, Buffer.from(bitsOfTensor(x)).toString("hex")]);
          if (state.size) expect(rows(back)).toEqual(rows(state));
        }
      }),
      { numRuns: 60 },
    );
  });
});
