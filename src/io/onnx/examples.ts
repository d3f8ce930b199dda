import type { Module } from "../../nn/module.ts";
import { tensor } from "../../tensor/creation.ts";
import { type DType, type FloatDType, isFloatingPoint } from "../../tensor/dtype.ts";
import { Generator } from "../../tensor/generator.ts";
import { randn } from "../../tensor/random.ts";
import { numelOf, type Shape } from "../../tensor/shape.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { ArgumentError } from "../../util/errors.ts";

/** An input of a model: an example, or the shape of one with floats. */
export type OnnxExample = Tensor | Shape;

/** One example or several as a list. */
export function examplesOf(example: OnnxExample | readonly OnnxExample[]): OnnxExample[] {
  if (example instanceof Tensor) return [example];
  return example.every((size) => typeof size === "number") ? [example as Shape] : [...(example as OnnxExample[])];
}

/** The dtype that a model's floats have. */
export function floatsOf(model: Module): FloatDType {
  const found = model.parameters().find(({ dtype }) => isFloatingPoint(dtype));
  return (found?.dtype ?? "float32") as FloatDType;
}

/** An input like the example, of `batch` samples; floats are random, whole numbers the example's, in another order for an odd seed. */
export function inputLike(example: OnnxExample, floats: FloatDType, seed: number, batch: number | null): Tensor {
  const [shape, dtype]: [Shape, DType] = example instanceof Tensor ? [example.shape, example.dtype] : [example, floats];
  if (shape.length === 0 && batch !== null) {
    throw new ArgumentError("an input without dimensions has no batch", "export with { dynamicBatch: false }");
  }
  const sizes = batch === null ? shape : shape.with(0, batch);
  if (!(example instanceof Tensor) || isFloatingPoint(dtype)) {
    const noise = randn(sizes, { generator: new Generator(seed) });
    return dtype === "float32" ? noise : noise.to(dtype);
  }
  const values = Array.from(example.toTypedArray(), Number);
  const repeated = Array.from({ length: numelOf(sizes) }, (_, i) => values[i % values.length]);
  return tensor(seed % 2 ? repeated.reverse() : repeated, { dtype, shape: sizes });
}
