import { afterEach, describe, expect, test } from "vitest";
import type { FloatDType } from "../../src/kernels/dtype.ts";
import { createReferenceBackend } from "../../src/kernels/reference/index.ts";
import { type Golden, readGolden } from "../golden/read.ts";
import { Arena, type Items, mismatch } from "./arena.ts";

interface IndexCase {
  kernel: "gather" | "scatterAdd" | "indexSelect" | "indexAdd" | "nll";
  name: string;
  view: number[];
  start: Golden;
  x: Golden;
  index: Golden;
  out: Golden;
  logp: Golden;
  target: Golden;
  weight: Golden | null;
  g: Golden;
  gx: Golden;
  ignoreIndex: number;
}

const kernels = createReferenceBackend();
const arena = new Arena();
afterEach(() => arena.release());

const cases = readGolden<IndexCase>("kernels");
const items = (golden: Golden) => golden.data as Items;
type View4 = [number, number, number, number];

test.each(cases.filter((c) => c.kernel === "gather" || c.kernel === "indexSelect"))("$kernel $name", (c) => {
  const n = c.out.data.length;
  const out = arena.empty(c.x.dtype, n);
  const index = arena.put("int64", items(c.index));
  const wrong = kernels[c.kernel as "gather"](
    c.x.dtype,
    out,
    arena.put(c.x.dtype, items(c.x)),
    index,
    ...(c.view as View4),
  );
  expect(wrong).toBe(-1);
  expect([...arena.read(c.x.dtype, out, n)]).toEqual([...items(c.out)]);
});

test.each(cases.filter((c) => c.kernel === "scatterAdd" || c.kernel === "indexAdd"))("$kernel $name", (c) => {
  const n = c.out.data.length;
  const out = arena.put(c.x.dtype, items(c.start));
  const index = arena.put("int64", items(c.index));
  const source = arena.put(c.x.dtype, items(c.x));
  expect(kernels[c.kernel as "scatterAdd"](c.x.dtype, out, source, index, ...(c.view as View4))).toBe(-1);
  expect([...arena.read(c.x.dtype, out, n)]).toEqual([...items(c.out)]);
});

test.each([
  [[0, 3, 1, -1], 1],
  [[0, -1, 1, 3], 1],
  [[0, 2, 1, 2 ** 32], 3],
  [[0, 2, 1, -(2 ** 32)], 3],
])("the first index out of range is reported: %j", (index, position) => {
  const pointer = arena.put("int64", index);
  const [x, out] = [arena.put("float32", new Float32Array(12)), arena.put("float32", new Float32Array(16))];
  expect(kernels.gather("float32", out, x, pointer, 1, 3, 2, 2)).toBe(position);
  expect(kernels.scatterAdd("float32", out, x, pointer, 1, 3, 2, 2)).toBe(position);
  expect(kernels.indexSelect("float32", out, x, pointer, 2, 3, 4, 1)).toBe(position);
  expect(kernels.indexAdd("float32", out, x, pointer, 2, 3, 4, 1)).toBe(position);
  expect(kernels.nll("float32", out, 0, x, pointer, 0, 4, 3, 1, -100)).toBe(position);
  expect(kernels.nllGrad("float32", out, x, pointer, 0, 4, 3, 1, -100)).toBe(position);
});

test("an ignored target may be any number", () => {
  const target = arena.put("int64", [1, 7]);
  const [logp, out] = [arena.put("float32", [-1, -2, -3, -4]), arena.empty("float32", 2)];
  expect(kernels.nll("float32", out, 0, logp, target, 0, 2, 2, 1, 7)).toBe(-1);
  expect([...arena.read("float32", out, 2)]).toEqual([2, 0]);
  expect(kernels.nll("float32", out, 0, logp, target, 0, 2, 2, 1, 1)).toBe(1);
});

test("no indices, nothing to do", () => {
  const x = arena.put("float32", [1]);
  expect(kernels.gather("float32", x, x, x, 2, 3, 0, 4)).toBe(-1);
  expect(kernels.indexAdd("int64", 0, 0, 0, 2, 3, 0, 4)).toBe(-1);
  expect(kernels.nllGrad("float32", x, x, x, 0, 0, 5, 1, -100)).toBe(-1);
});

describe.each<[FloatDType, number]>([
  ["float32", 2 ** -23],
  ["float64", 1e-14],
])("%s", (dtype, tolerance) => {
  test.each(cases.filter((c) => c.kernel === "nll"))("nll and its gradient, $name", (c) => {
    const put = (golden: Golden) => arena.put(dtype, items(golden));
    const [n, classes, inner] = c.view;
    const [out, glogp] = [arena.empty(dtype, c.out.data.length), arena.empty(dtype, c.gx.data.length)];
    const target = arena.put("int64", items(c.target));
    const weight = c.weight ? put(c.weight) : 0;
    expect(kernels.nll(dtype, out, 0, put(c.logp), target, weight, n, classes, inner, c.ignoreIndex)).toBe(-1);
    expect(mismatch(arena.read(dtype, out, c.out.data.length), items(c.out), tolerance)).toBeUndefined();
    expect(kernels.nllGrad(dtype, glogp, put(c.g), target, weight, n, classes, inner, c.ignoreIndex)).toBe(-1);
    expect(mismatch(arena.read(dtype, glogp, c.gx.data.length), items(c.gx), tolerance)).toBeUndefined();
  });
});
