import { describe, expect, test } from "vitest";
import { data, rand, tensor } from "../../src/index.ts";
import { type Golden, readGolden } from "../golden/read.ts";
import { expectGolden, fromGolden } from "../nn/compare.ts";

const { transforms } = data;

interface Resize {
  kind: string;
  name: string;
  input: Golden;
  size: number | [number, number];
  antialias: boolean;
  output: Golden;
}

describe("resize is PyTorch's interpolate and torchvision's resize", () => {
  test.each(readGolden<Resize>("tools").filter(({ kind }) => kind === "resize"))("$name", (golden) => {
    const { antialias, size } = golden;
    const result = transforms.resize(fromGolden(golden.input), size, { antialias });
    // Bytes that are halves to within a rounding error go either way.
    expectGolden(result, golden.output, "resized", golden.output.dtype === "uint8" ? 1.01 / 128 : 1e-6);
    const differ = result.toTypedArray().filter((x, i) => Math.abs(Number(x) - Number(golden.output.data[i])) > 0.5);
    expect(differ.length).toBeLessThanOrEqual(result.numel / 20);
  });

  test("views too; other dtypes and sizes are refused", () => {
    const image = rand([4, 6, 3]);
    const moved = image.permute([2, 0, 1]);
    expect(transforms.resize(moved, [2, 3]).toArray()).toEqual(transforms.resize(moved.contiguous(), [2, 3]).toArray());
    expect(() => transforms.resize(image.long(), 3)).toThrow("not implemented for int64");
    expect(() => transforms.resize(image, [0, 3])).toThrow("whole numbers from 1");
    expect(() => transforms.resize(rand([3]), 3)).toThrow("height, width");
  });
});

test("crops, flips", () => {
  const image = tensor([
    [1, 2, 3, 4],
    [5, 6, 7, 8],
    [9, 10, 11, 12],
  ]);
  expect(transforms.centerCrop(image, 1).toArray()).toEqual([[7]]);
  expect(transforms.centerCrop(image, [2, 2]).toArray()).toEqual([
    [2, 3],
    [6, 7],
  ]);
  expect(transforms.horizontalFlip(image.unsqueeze(0)).select(2, 0).toArray()).toEqual([[4, 8, 12]]);
  expect(transforms.verticalFlip(image).at(0).toArray()).toEqual([9, 10, 11, 12]);
  expect(() => transforms.crop(image, 2, 0, 2, 2)).toThrow("not inside 3 × 4");
});

test("normalize by channel", () => {
  const image = tensor([[[[1, 2]], [[3, 4]]]]);
  expect(transforms.normalize(image, [1, 3], [1, 2]).toArray()).toEqual([[[[0, 1]], [[0, 0.5]]]]);
  expect(transforms.normalize(image, [1], [1]).flatten().toArray()).toEqual([0, 1, 2, 3]);
  expect(() => transforms.normalize(image.long(), [1], [1])).toThrow("Input tensor should be a float tensor");
  expect(() => transforms.normalize(image, [1, 3], [1, 0])).toThrow("division by zero");
  expect(() => transforms.normalize(image, [1, 2, 3], [1])).toThrow("2 channels");
});
