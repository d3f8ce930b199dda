import { afterEach, describe, expect, test } from "vitest";
import type { Conv2dShape, GemmShape, Pool2dShape } from "../../src/kernels/backend.ts";
import type { FloatDType } from "../../src/kernels/dtype.ts";
import { createReferenceBackend } from "../../src/kernels/reference/index.ts";
import { type Golden, readGolden } from "../golden/read.ts";
import { Arena, type Items, mismatch } from "./arena.ts";

interface LinearCase {
  kernel: string;
  name: string;
  shape: GemmShape & Conv2dShape & Pool2dShape;
  start: Golden;
  a: Golden;
  b: Golden;
  x: Golden;
  w: Golden;
  bias: Golden | null;
  out: Golden;
  indices: Golden;
  g: Golden;
  gx: Golden;
  gw: Golden;
  gb: Golden;
}

const kernels = createReferenceBackend();
const arena = new Arena();
afterEach(() => arena.release());

const cases = readGolden<LinearCase>("kernels");
const of = (...names: string[]) => cases.filter((c) => names.includes(c.kernel));
const floats: [FloatDType, number][] = [
  ["float32", 2 ** -23],
  ["float64", 1e-12],
];

describe.each(floats)("%s", (dtype, tolerance) => {
  const put = (golden: Golden | null) => (golden ? arena.put(dtype, golden.data as Items) : 0);
  const like = (golden: Golden) => arena.empty(dtype, golden.data.length);
  const check = (pointer: number, golden: Golden) =>
    expect(
      mismatch(arena.read(dtype, pointer, golden.data.length), golden.data as Items, tolerance, 1e-3),
    ).toBeUndefined();

  test.each(of("gemm"))("gemm $name, accumulate $shape.accumulate", ({ shape, start, a, b, out }) => {
    const pointer = put(start);
    kernels.gemm(dtype, shape, pointer, put(a), put(b));
    check(pointer, out);
  });

  test("gemm leaves what lies between the rows of its output alone, and k = 0 gives zeros", () => {
    const out = arena.put(dtype, [7, 7, 7, 7, 7, 7]);
    const shape = { batch: 1, m: 2, n: 2, k: 1, outStrides: [0, 3], aStrides: [0, 1, 1], bStrides: [0, 2, 1] } as const;
    const [a, b] = [arena.put(dtype, [2, 3]), arena.put(dtype, [5, 4])];
    kernels.gemm(dtype, { ...shape, accumulate: false }, out, a, b);
    expect([...arena.read(dtype, out, 6)]).toEqual([10, 8, 7, 15, 12, 7]);
    kernels.gemm(dtype, { ...shape, k: 0, accumulate: true }, out, a, b);
    expect([...arena.read(dtype, out, 6)]).toEqual([10, 8, 7, 15, 12, 7]);
    kernels.gemm(dtype, { ...shape, k: 0, accumulate: false }, out, a, b);
    expect([...arena.read(dtype, out, 6)]).toEqual([0, 0, 7, 0, 0, 7]);
    kernels.gemm(dtype, { ...shape, m: 0, accumulate: false }, out, a, b);
  });

  test.each(of("conv2d"))("conv2d $name: forward and both backwards", ({ shape, x, w, bias, out, g, gx, gw, gb }) => {
    const [y, dx, dw, db] = [like(out), like(gx), like(gw), like(gb)];
    const [xp, wp, gp] = [put(x), put(w), put(g)];
    kernels.conv2d(dtype, shape, y, xp, wp, put(bias));
    check(y, out);
    kernels.conv2dInputGrad(dtype, shape, dx, gp, wp);
    check(dx, gx);
    kernels.conv2dWeightGrad(dtype, shape, dw, gp, xp);
    check(dw, gw);
    kernels.sumByChannel(dtype, db, gp, shape.batch, shape.outChannels, shape.outHeight * shape.outWidth);
    check(db, gb);
  });

  test("a convolution of no images has weight gradients of 0", () => {
    const shape = { ...of("conv2d")[0].shape, batch: 0 };
    const { w, gw } = of("conv2d")[0];
    const dw = like(gw);
    const none = arena.empty(dtype, 0);
    kernels.conv2d(dtype, shape, none, none, put(w), 0);
    kernels.conv2dInputGrad(dtype, shape, none, none, put(w));
    kernels.conv2dWeightGrad(dtype, shape, dw, none, none);
    expect(arena.read(dtype, dw, gw.data.length).every((value) => Number(value) === 0)).toBe(true);
  });

  test.each(of("maxPool2d", "adaptiveMaxPool2d"))("$kernel $name: values, positions, gradient", (c) => {
    const [y, i, dx] = [like(c.out), arena.empty("int64", c.out.data.length), like(c.gx)];
    kernels[c.kernel as "maxPool2d" | "adaptiveMaxPool2d"](dtype, c.shape, y, i, put(c.x));
    check(y, c.out);
    expect([...arena.read("int64", i, c.out.data.length)]).toEqual([...(c.indices.data as Items)]);
    kernels.maxPool2dGrad(dtype, c.shape, dx, put(c.g), i);
    check(dx, c.gx);
    const alone = like(c.out);
    kernels[c.kernel as "maxPool2d" | "adaptiveMaxPool2d"](dtype, c.shape, alone, 0, put(c.x));
    check(alone, c.out);
  });

  test.each(of("avgPool2d", "adaptiveAvgPool2d"))(
    "$kernel $name, $shape.countIncludePad, $shape.divisorOverride",
    (c) => {
      const [y, dx] = [like(c.out), like(c.gx)];
      kernels[c.kernel as "avgPool2d" | "adaptiveAvgPool2d"](dtype, c.shape, y, put(c.x));
      check(y, c.out);
      kernels[`${c.kernel as "avgPool2d" | "adaptiveAvgPool2d"}Grad`](dtype, c.shape, dx, put(c.g));
      check(dx, c.gx);
    },
  );

  test("a NaN wins a maximum and is pointed at", () => {
    const { shape } = of("maxPool2d")[0];
    const small = { ...shape, planes: 1, inHeight: 2, inWidth: 2, outHeight: 1, outWidth: 1 };
    const [y, i] = [arena.empty(dtype, 1), arena.empty("int64", 1)];
    kernels.maxPool2d(dtype, small, y, i, arena.put(dtype, [1, 9, Number.NaN, 2]));
    expect(arena.read(dtype, y, 1)[0]).toBeNaN();
    expect(arena.read("int64", i, 1)[0]).toBe(2n);
    kernels.maxPool2d(dtype, { ...small, planes: 0 }, y, i, 0);
  });
});
