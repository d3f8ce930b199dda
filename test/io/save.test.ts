import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import {
  ArgumentError,
  arange,
  CheckpointError,
  io,
  memoryUsage,
  nn,
  ones,
  randn,
  type Tensor,
  tensor,
  zeros,
} from "../../src/index.ts";
import { contents, describeValue, golden, VERSIONS } from "./golden.ts";

const folder = mkdtempSync(join(tmpdir(), "evenkeel-io-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("what PyTorch wrote, written again", () => {
  const files = ["bn.pt", "views.pt", "trainer.pth", "protocol4.pt", "legacy.pth"];
  test.each(VERSIONS.flatMap((version) => files.map((name) => [version, name])))("%s/%s", async (version, name) => {
    const again = await io.load<object>(await io.save(null, await io.load<object>(golden(version, name))));
    expect(describeValue(again)).toEqual(contents(version)[name]);
  });

  test.each(VERSIONS)("%s/dtypes.pt: the same bits", async (version) => {
    const once = await io.load(golden(version, "dtypes.pt"));
    expect(describeValue(await io.load(await io.save(null, once)))).toEqual(describeValue(once));
  });
});

describe("plain values", () => {
  test.each<[string, unknown]>([
    ["numbers", { a: 0, b: 255, c: 256, d: -1, e: 2 ** 31, f: -(2 ** 31), g: 2 ** 53 - 1, h: 0.1, i: -0, j: 1e300 }],
    ["not a number and infinities", [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]],
    ["large integers", [2n ** 64n, -(2n ** 63n), -(2n ** 64n) - 1n, 2n ** 60n]],
    ["texts", ["", "ü€😀", "\0", "x".repeat(300)]],
    ["nothing", null],
    ["lists and tuples", [[1, [2]], Object.freeze([1, Object.freeze([])]), []]],
    ["dicts by number and by name", { groups: { 0: "a", 1: "b" }, names: { a: true, b: null } }],
    [
      "a Map with mixed keys",
      new Map<unknown, unknown>([
        ["0", 1],
        [0, 2],
        [true, 3],
        [null, 4],
      ]),
    ],
    ["bytes", new Uint8Array([0, 255, 128])],
  ])("%s come back", async (_, value) => {
    const back = await io.load<object>(await io.save(null, value as object));
    expect(back).toEqual(value);
    const frozen = (v: unknown): unknown => (Array.isArray(v) ? [Object.isFrozen(v), v.map(frozen)] : null);
    expect(frozen(back)).toEqual(frozen(value));
  });

  test("an undefined field is left out", async () => {
    expect(await io.load<object>(await io.save(null, { a: 1, b: undefined }))).toEqual({ a: 1 });
  });

  const loop: unknown[] = [];
  loop.push(loop);
  let deep: unknown = 1;
  for (let i = 0; i < 300; i++) deep = [deep];
  test.each<[string, unknown, RegExp]>([
    ["a function", { model: { f: () => 1 } }, /type function at "model\.f"/],
    ["undefined in a list", [undefined], /type undefined at "\[0\]"/],
    ["a class", { at: new Date() }, /class Date at "at"/],
    ["a loop", { loop }, /contains itself/],
    ["depth", deep, /nested more than 200 deep/],
  ])("%s is refused", async (_, value, message) => {
    const error = await io.save(null, value as object).catch((e) => e);
    expect(error).toBeInstanceOf(ArgumentError);
    expect(error.message).toMatch(message);
  });
});

describe("tensors", () => {
  test("views of one storage share it again, a lone view of a large one is small", async () => {
    const whole = arange(24, { dtype: "float32" });
    const bytes = await io.save(null, { whole, turned: whole.view([4, 6]).t() });
    const { whole: a, turned } = await io.load<{ whole: Tensor; turned: Tensor }>(bytes);
    expect(turned.storage).toBe(a.storage);
    expect(turned.strides).toEqual([1, 6]);
    a.mul_(0);
    expect(turned.sum().item()).toBe(0);
    const lone = await io.save(null, { row: randn([1000, 8]).narrow(0, 3, 1) });
    expect(lone.length).toBeLessThan(2000);
  });

  test("data lies at multiples of 64, as PyTorch wants it", async () => {
    const bytes = await io.save(null, { x: ones([3]), y: ones([5]).mul(2) });
    const one = new Uint8Array(new Float32Array([1, 1, 1]).buffer);
    const at = Buffer.from(bytes).indexOf(one);
    expect(at).toBeGreaterThan(0);
    expect(at % 64).toBe(0);
  });

  test("saving leaves no memory behind", async () => {
    const x = randn([3, 4]).t();
    const before = memoryUsage().tensors;
    await io.save(null, { x });
    await io.save(null, { x }, { format: "safetensors" });
    expect(memoryUsage().tensors).toBeLessThanOrEqual(before);
  });

  test("the same values make the same bytes", async () => {
    const state = new nn.BatchNorm1d(3).stateDict();
    expect(await io.save(null, state)).toEqual(await io.save(null, state));
  });
});

describe("files", () => {
  const state = () => new nn.BatchNorm1d(3).stateDict();

  test.each(["a.pt", "a.pth", "a.bin", "a.ckpt", "a.safetensors"])("%s is written by its ending", async (name) => {
    const path = join(folder, name);
    await io.save(path, state());
    expect(describeValue(await io.load(path))).toEqual(describeValue(state()));
    const start = readFileSync(path).subarray(0, 2).toString();
    expect(start === "PK").toBe(!name.endsWith(".safetensors"));
  });

  test("other endings want a format", async () => {
    await expect(io.save(join(folder, "a.weights"), state())).rejects.toThrow(/"\.weights" is no ending/);
    await io.save(join(folder, "a.weights"), state(), { format: "safetensors" });
    expect((await io.load(join(folder, "a.weights"))).size).toBe(5);
  });

  test("a failed save leaves the old file, and nothing beside it", async () => {
    const inner = mkdtempSync(join(folder, "failed-"));
    const path = join(inner, "m.safetensors");
    await io.save(path, state());
    const before = readFileSync(path);
    const odd = new Map([
      ["x", tensor([1, 2], { dtype: "int32" })],
      ["y", tensor([300], { dtype: "int32" })],
    ]);
    await expect(io.save(path, odd, { dtypes: { x: "int8", y: "int8" } })).rejects.toThrow(/300 does not fit in int8/);
    expect(readFileSync(path)).toEqual(before);
    expect(readdirSync(inner)).toEqual(["m.safetensors"]);
  });

  test("a link stays one, and what killed processes left is removed", async () => {
    const inner = mkdtempSync(join(folder, "links-"));
    writeFileSync(join(inner, "real.pt"), "old");
    symlinkSync(join(inner, "real.pt"), join(inner, "link.pt"));
    // No process has this number: Linux counts to 2 ** 22.
    writeFileSync(join(inner, `real.pt.${hostname()}.99999999.0.tmp`), "half");
    writeFileSync(join(inner, `real.pt.elsewhere.99999999.0.tmp`), "half");
    await io.save(join(inner, "link.pt"), state());
    expect(readdirSync(inner).sort()).toEqual(["link.pt", "real.pt", "real.pt.elsewhere.99999999.0.tmp"]);
    expect((await io.load(join(inner, "real.pt"))).size).toBe(5);
  });

  test("a folder that does not exist is named", async () => {
    const error = await io.save(join(folder, "none", "a.pt"), state()).catch((e) => e);
    expect(error).toBeInstanceOf(CheckpointError);
    expect(error.message).toMatch(/the folder .*none does not exist/);
  });

  test("options of the other format are refused", async () => {
    await expect(io.save(null, state(), { metadata: { a: "b" } })).rejects.toThrow(/are for safetensors/);
    await expect(io.save(null, { a: 1 }, { format: "safetensors" })).rejects.toThrow(/"a" is no tensor/);
    await expect(io.save(null, [zeros([1])], { format: "safetensors" })).rejects.toThrow(/named tensors/);
  });
});
