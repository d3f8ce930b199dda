import { afterEach, describe, expect, test } from "vitest";
import type { ReduceOp } from "../../src/kernels/backend.ts";
import type { FloatDType } from "../../src/kernels/dtype.ts";
import { createReferenceBackend } from "../../src/kernels/reference/index.ts";
import { DTypeError } from "../../src/util/errors.ts";
import { type Golden, readGolden } from "../golden/read.ts";
import { Arena, type Items, mismatch } from "./arena.ts";

interface ReductionCase {
  kernel: string;
  name: string;
  x: Golden;
  y: Golden;
  g: Golden;
  gx: Golden;
  out: Golden;
  mean: Golden;
  values: Golden;
  indices: Golden;
  view: [number, number, number];
  correction: number;
  log: boolean;
}

const kernels = createReferenceBackend();
const arena = new Arena();
afterEach(() => arena.release());

const cases = readGolden<ReductionCase>("kernels");
const of = (kernel: string) => cases.filter((c) => c.kernel === kernel);
const floats: [FloatDType, number][] = [
  ["float32", 2 ** -23],
  ["float64", 1e-13],
];
const items = (golden: Golden) => golden.data as Items;

describe.each(floats)("%s", (dtype, tolerance) => {
  test.each(of("reduce").filter((c) => c.x.dtype === "float32"))("reduce $name", ({ name, x, out, view }) => {
    const n = out.data.length;
    const pointer = arena.empty(dtype, n);
    kernels.reduce(name as ReduceOp, dtype, pointer, arena.put(dtype, items(x)), ...view);
    expect(mismatch(arena.read(dtype, pointer, n), items(out), tolerance)).toBeUndefined();
  });

  test.each(of("variance"))("variance, $name", ({ x, out, mean, view, correction }) => {
    const n = out.data.length;
    const [pointer, average] = [arena.empty(dtype, n), arena.empty(dtype, n)];
    kernels.variance(dtype, pointer, average, arena.put(dtype, items(x)), ...view, correction);
    expect(mismatch(arena.read(dtype, pointer, n), items(out), tolerance)).toBeUndefined();
    expect(mismatch(arena.read(dtype, average, n), items(mean), tolerance)).toBeUndefined();
  });

  test.each(of("softmax"))("softmax, $name", ({ x, out, view, log }) => {
    const n = x.data.length;
    const pointer = arena.empty(dtype, n);
    kernels.softmax(dtype, log, pointer, arena.put(dtype, items(x)), ...view);
    expect(mismatch(arena.read(dtype, pointer, n), items(out), tolerance)).toBeUndefined();
  });

  test.each(of("softmaxGrad"))("gradient of softmax, $name", ({ y, g, gx, view, log }) => {
    const n = y.data.length;
    const pointer = arena.empty(dtype, n);
    kernels.softmaxGrad(dtype, log, pointer, arena.put(dtype, items(g)), arena.put(dtype, items(y)), ...view);
    // y itself was rounded to float32 in the golden file.
    expect(mismatch(arena.read(dtype, pointer, n), items(gx), 1e-6, 0.1)).toBeUndefined();
  });

  test("a sum does not lose small terms beside large ones that cancel", () => {
    const out = arena.empty(dtype, 1);
    kernels.reduce("sum", dtype, out, arena.put(dtype, [1e8, 1, -1e8]), 1, 3, 1);
    expect(arena.read(dtype, out, 1)[0]).toBe(1);
  });

  test("sizes of 0 give each operation's neutral element", () => {
    const x = arena.empty(dtype, 0);
    const out = arena.empty(dtype, 2);
    const neutral: [ReduceOp, number][] = [
      ["sum", 0],
      ["prod", 1],
      ["mean", Number.NaN],
    ];
    for (const [op, value] of neutral) {
      kernels.reduce(op, dtype, out, x, 1, 0, 2);
      expect([...arena.read(dtype, out, 2)]).toEqual([value, value]);
    }
    const bools = arena.empty("bool", 2);
    kernels.reduce("any", dtype, bools, x, 2, 0, 1);
    expect([...arena.read("bool", bools, 2)]).toEqual([0, 0]);
    kernels.reduce("all", dtype, bools, x, 2, 0, 1);
    expect([...arena.read("bool", bools, 2)]).toEqual([1, 1]);
    kernels.softmax(dtype, false, x, x, 0, 3, 2);
    kernels.softmax(dtype, true, x, x, 2, 0, 3);
    kernels.extremum("max", dtype, x, 0, x, 0, 3, 2);
  });

  test("NaN counts as not zero in any and all, and wins a maximum", () => {
    const x = arena.put(dtype, [0, Number.NaN, 1, 5]);
    const bools = arena.empty("bool", 1);
    kernels.reduce("any", dtype, bools, x, 1, 2, 1);
    expect(arena.read("bool", bools, 1)[0]).toBe(1);
    kernels.reduce("all", dtype, bools, x, 1, 4, 1);
    expect(arena.read("bool", bools, 1)[0]).toBe(0);
    const out = arena.empty(dtype, 1);
    kernels.reduce("max", dtype, out, x, 1, 4, 1);
    expect(arena.read(dtype, out, 1)[0]).toBeNaN();
  });
});

test.each(of("reduce").filter((c) => c.x.dtype !== "float32"))("reduce $x.dtype $name", ({ name, x, out, view }) => {
  const n = out.data.length;
  const pointer = arena.empty(out.dtype, n);
  kernels.reduce(name as ReduceOp, x.dtype, pointer, arena.put(x.dtype, items(x)), ...view);
  expect([...arena.read(out.dtype, pointer, n)]).toEqual([...items(out)]);
});

test.each(of("extremum"))(
  "extremum $name of $x.dtype: the first of equals, the first NaN",
  ({ name, x, values, indices, view }) => {
    const n = values.data.length;
    const [v, i] = [arena.empty(x.dtype, n), arena.empty("int64", n)];
    const source = arena.put(x.dtype, items(x));
    kernels.extremum(name as "max" | "min", x.dtype, v, i, source, ...view);
    expect([...arena.read(x.dtype, v, n)]).toEqual([...items(values)]);
    expect([...arena.read("int64", i, n)]).toEqual([...items(indices)]);
    const only = arena.empty("int64", n);
    kernels.extremum(name as "max" | "min", x.dtype, 0, only, source, ...view);
    expect([...arena.read("int64", only, n)]).toEqual([...items(indices)]);
  },
);

test("the mean of integers is refused with PyTorch's sentence", () => {
  for (const dtype of ["int32", "int64"] as const) {
    const x = arena.put(dtype, [1, 2]);
    expect(() => kernels.reduce("mean", dtype, x, x, 1, 2, 1)).toThrow(DTypeError);
  }
});
