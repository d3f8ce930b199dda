import { afterEach, expect, test } from "vitest";
import type { DType } from "../../src/kernels/dtype.ts";
import { createReferenceBackend } from "../../src/kernels/reference/index.ts";
import { type Golden, readGolden } from "../golden/read.ts";
import { Arena, type Items } from "./arena.ts";

const kernels = createReferenceBackend();
const arena = new Arena();
afterEach(() => arena.release());

const conversions = readGolden<{ kernel: string; name: string; x: Golden; out: Golden }>("kernels").filter(
  (c) => c.kernel === "convert",
);

test.each(conversions)("convert $name", ({ x, out }) => {
  const n = x.data.length;
  const pointer = arena.empty(out.dtype, n);
  kernels.convert(x.dtype, out.dtype, pointer, arena.put(x.dtype, x.data as Items), n);
  expect([...arena.read(out.dtype, pointer, n)]).toEqual([...(out.data as Items)]);
});

test.each<[DType, number, number | bigint]>([
  ["float32", 0.1, Math.fround(0.1)],
  ["float64", 0.1, 0.1],
  ["int32", -7.9, -7],
  ["int64", -7.9, -7n],
  ["int64", 2 ** 53, 2n ** 53n],
  ["uint8", 200, 200],
  ["bool", 0.5, 1],
  ["bool", 0, 0],
])("fill %s with %d", (dtype, value, stored) => {
  const pointer = arena.put(dtype, [1, 1, 1, 1]);
  kernels.fill(dtype, pointer, 3, value);
  expect([...arena.read(dtype, pointer, 3)]).toEqual([stored, stored, stored]);
  expect(Number(arena.read(dtype, pointer, 4)[3])).toBe(1);
});

test.each<DType>(["float32", "float64", "int32", "int64", "uint8"])("copyStrided on %s", (dtype) => {
  const bytes = { float32: 4, float64: 8, int32: 4, int64: 8, uint8: 1, bool: 1 }[dtype];
  const x = arena.put(dtype, [0, 1, 2, 3, 4, 5]);
  const out = arena.empty(dtype, 12);
  const numbers = (n: number) => [...arena.read(dtype, out, n)].map(Number);
  kernels.copyStrided(bytes, [3, 2], out, [2, 1], x, [1, 3]);
  expect(numbers(6)).toEqual([0, 3, 1, 4, 2, 5]);
  kernels.copyStrided(bytes, [2, 2, 3], out, [6, 3, 1], x, [0, 3, 1]);
  expect(numbers(12)).toEqual([0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5]);
  kernels.copyStrided(bytes, [], out + bytes, [], x + 5 * bytes, []);
  expect(numbers(3)).toEqual([0, 5, 2]);
  kernels.copyStrided(bytes, [2, 0], out, [1, 1], x, [1, 1]);
  kernels.copyStrided(bytes, [2, 1, 2], out, [2, 9, 1], x, [3, 7, 2]);
  expect(numbers(4)).toEqual([0, 2, 3, 5]);
});

test("copyStrided keeps the bits of NaN", () => {
  const x = arena.put("int32", [0x7fa12345, -1]);
  const out = arena.empty("int32", 2);
  kernels.copyStrided(4, [2], out, [1], x + 4, [-1]);
  expect([...arena.read("int32", out, 2)]).toEqual([-1, 0x7fa12345]);
});
