import { afterEach, describe, expect, test } from "vitest";
import type { BinaryOp, CompareOp, UnaryGradOp, UnaryOp } from "../../src/kernels/backend.ts";
import type { DType, FloatDType } from "../../src/kernels/dtype.ts";
import { createReferenceBackend } from "../../src/kernels/reference/index.ts";
import { ArgumentError, DTypeError } from "../../src/util/errors.ts";
import { type Golden, readGolden } from "../golden/read.ts";
import { Arena, type Items, mismatch } from "./arena.ts";

interface ElementwiseCase {
  kernel: string;
  name: string;
  x: Golden;
  y: Golden;
  s: Golden;
  g: Golden;
  gx: Golden;
  a: Golden;
  b: Golden;
  out: Golden;
  p: number | "inf";
  q: number;
  sizes: number[];
  aStrides: number[];
  bStrides: number[];
}

const kernels = createReferenceBackend();
const arena = new Arena();
afterEach(() => arena.release());

const cases = readGolden<ElementwiseCase>("kernels");
const of = (kernel: string) => cases.filter((c) => c.kernel === kernel);
/** float32 is rounded once from float64, so it may differ in the last bit at most; float64 by a few units of the functions' own error. */
const floats: [FloatDType, number][] = [
  ["float32", 2 ** -23],
  ["float64", 2e-13],
];
const items = (golden: Golden) => golden.data as Items;

describe.each(floats)("%s", (dtype, tolerance) => {
  test.each(of("unary"))("unary $name, p $p", ({ name, x, y, p, q }) => {
    const n = x.data.length;
    const pointer = arena.put(dtype, items(x));
    kernels.unary(name as UnaryOp, dtype, pointer, pointer, n, Number(p === "inf" ? Infinity : p), q);
    expect(
      mismatch(arena.read(dtype, pointer, n), items(y), tolerance, name === "tan" ? 1e-2 : undefined),
    ).toBeUndefined();
  });

  test.each(of("unaryGrad"))("gradient of $name", ({ name, s, g, gx, p, q }) => {
    const n = s.data.length;
    const out = arena.empty(dtype, n);
    kernels.unaryGrad(
      name as UnaryGradOp,
      dtype,
      out,
      arena.put(dtype, items(g)),
      arena.put(dtype, items(s)),
      n,
      Number(p),
      q,
    );
    expect(mismatch(arena.read(dtype, out, n), items(gx), tolerance)).toBeUndefined();
  });

  test.each(of("binary").filter((c) => c.a.dtype === "float32"))("binary $name over $sizes", (c) => {
    const n = c.out.data.length;
    const out = arena.empty(dtype, n);
    const [a, b] = [arena.put(dtype, items(c.a)), arena.put(dtype, items(c.b))];
    kernels.binary(c.name as BinaryOp, dtype, c.sizes, out, a, c.aStrides, b, c.bStrides);
    expect(mismatch(arena.read(dtype, out, n), items(c.out), tolerance)).toBeUndefined();
  });

  test("axpy adds in place", () => {
    const y = arena.put(dtype, [1, 2, 3]);
    kernels.axpy(dtype, y, arena.put(dtype, [4, 5, 6]), 3, -0.5);
    expect([...arena.read(dtype, y, 3)]).toEqual([-1, -0.5, 0]);
  });
});

test.each(of("binary").filter((c) => c.a.dtype !== "float32"))("$a.dtype $name", (c) => {
  const dtype = c.a.dtype;
  const n = c.out.data.length;
  const out = arena.empty(dtype, n);
  const [a, b] = [arena.put(dtype, items(c.a)), arena.put(dtype, items(c.b))];
  kernels.binary(c.name as BinaryOp, dtype, c.sizes, out, a, c.aStrides, b, c.bStrides);
  expect([...arena.read(dtype, out, n)]).toEqual([...items(c.out)]);
});

test.each(of("compare"))("$a.dtype $name", (c) => {
  const n = c.out.data.length;
  const out = arena.empty("bool", n);
  const [a, b] = [arena.put(c.a.dtype, items(c.a)), arena.put(c.a.dtype, items(c.b))];
  kernels.compare(c.name as CompareOp, c.a.dtype, c.sizes, out, a, c.aStrides, b, c.bStrides);
  expect([...arena.read("bool", out, n)]).toEqual([...items(c.out)]);
});

test.each<DType>(["int32", "int64", "uint8"])("%s divided by zero is PyTorch's ZeroDivisionError", (dtype) => {
  const [a, b, out] = [arena.put(dtype, [1, 2]), arena.put(dtype, [1, 0]), arena.empty(dtype, 2)];
  for (const op of ["div", "remainder"] as const) {
    expect(() => kernels.binary(op, dtype, [2], out, a, [1], b, [1])).toThrow(ArgumentError);
    expect(() => kernels.binary(op, dtype, [2], out, a, [1], b, [1])).toThrow(/^ZeroDivisionError/);
  }
});

test.each<DType>(["float32", "float64", "int32", "int64", "uint8", "bool"])(
  "where on %s with broadcasting",
  (dtype) => {
    const condition = arena.put("bool", [1, 0]);
    const [a, b, out] = [arena.put(dtype, [1, 0, 1]), arena.put(dtype, [0]), arena.empty(dtype, 6)];
    kernels.where(dtype, [2, 3], out, condition, [1, 0], a, [0, 1], b, [0, 0]);
    expect([...arena.read(dtype, out, 6)].map(Number)).toEqual([1, 0, 1, 0, 0, 0]);
  },
);

describe("integers of one input", () => {
  const expected: [UnaryOp, number, number, number[]][] = [
    ["neg", 0, 0, [-5, 0, 7]],
    ["abs", 0, 0, [5, 0, 7]],
    ["sign", 0, 0, [1, 0, -1]],
    ["square", 0, 0, [25, 0, 49]],
    ["addScalar", 3, 0, [8, 3, -4]],
    ["mulScalar", -2, 0, [-10, 0, 14]],
    ["rsubScalar", 1, 0, [-4, 1, 8]],
    ["clamp", -3, 4, [4, 0, -3]],
    ["clamp", -Infinity, 4, [4, 0, -7]],
    ["clamp", -3, Infinity, [5, 0, -3]],
  ];
  test.each(expected)("%s, p %d, q %d", (op, p, q, result) => {
    for (const dtype of ["int32", "int64"] as const) {
      const x = arena.put(dtype, [5, 0, -7]);
      kernels.unary(op, dtype, x, x, 3, p, q);
      expect([...arena.read(dtype, x, 3)].map(Number)).toEqual(result);
    }
  });

  test("wrap at the dtype's width", () => {
    const [a, b, c] = [arena.put("int32", [2 ** 31 - 1]), arena.put("uint8", [250]), arena.empty("int64", 1)];
    kernels.unary("addScalar", "int32", a, a, 1, 1);
    kernels.unary("addScalar", "uint8", b, b, 1, 10);
    kernels.fill("int64", c, 1, -(2 ** 63));
    kernels.unary("neg", "int64", c, c, 1);
    expect(Number(arena.read("int32", a, 1)[0])).toBe(-(2 ** 31));
    expect(Number(arena.read("uint8", b, 1)[0])).toBe(4);
    expect(arena.read("int64", c, 1)[0]).toBe(-(2n ** 63n));
  });

  test("refuse what only floats have", () => {
    const x = arena.put("int32", [1]);
    expect(() => kernels.unary("exp", "int32", x, x, 1)).toThrow(DTypeError);
    expect(() => kernels.unary("exp", "int64", x, x, 0)).toThrow(DTypeError);
    expect(() => kernels.binary("sub", "bool", [1], x, x, [1], x, [1])).toThrow(DTypeError);
    expect(() => kernels.binary("atan2", "int32", [1], x, x, [1], x, [1])).toThrow(DTypeError);
  });
});

test("bools add as or and multiply as and", () => {
  const [a, b, out] = [arena.put("bool", [0, 0, 1, 1]), arena.put("bool", [0, 1, 0, 1]), arena.empty("bool", 4)];
  kernels.binary("add", "bool", [4], out, a, [1], b, [1]);
  expect([...arena.read("bool", out, 4)]).toEqual([0, 1, 1, 1]);
  kernels.binary("mul", "bool", [4], out, a, [1], b, [1]);
  expect([...arena.read("bool", out, 4)]).toEqual([0, 0, 0, 1]);
});

test("scalars are rounded to float32 before they are used, as PyTorch does", () => {
  const x = arena.put("float32", [3]);
  kernels.unary("mulScalar", "float32", x, x, 1, 0.1);
  expect(arena.read("float32", x, 1)[0]).toBe(Math.fround(3 * Math.fround(0.1)));
});

test("nothing is touched where a size is 0", () => {
  const out = arena.empty("float32", 0);
  const a = arena.put("float32", [1]);
  kernels.unary("exp", "float32", out, a, 0);
  kernels.binary("add", "float32", [3, 0], out, a, [0, 1], a, [0, 0]);
  kernels.compare("eq", "int64", [0, 3], out, a, [0, 1], a, [0, 0]);
});
