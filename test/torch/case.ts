/*
 * A case of the live comparison: what is called, with which tensors, for how many steps.
 */

import type { Exact } from "../nn/norm-rule.ts";

export type Dtype = "float32" | "float64" | "float16" | "bfloat16";
export type Json = number | boolean | string | null | readonly Json[];

/** How a tensor lies in memory: a whole block, its dimensions permuted, then every `step`-th element from `start` on along `dim`. */
export interface Layout {
  readonly permute: readonly number[];
  readonly slice: readonly [dim: number, start: number, step: number];
}

/** Numbers in their logical order; those of float16 and bfloat16 as the float32 that they are. */
export interface Values {
  readonly dtype: Dtype | "int64";
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array | BigInt64Array;
  readonly layout?: Layout;
}

export interface Step {
  readonly training: boolean;
  readonly input: Values;
  readonly gradOutput: Values;
  /** differentiate once more: the upstream gradient of the input's own */
  readonly gradTwice?: Values;
}

/** Names are PyTorch's. Among the arguments of a function "$input", "$weight" … stand for tensors. */
export interface Case {
  readonly kind: "module" | "function";
  readonly name: string;
  readonly args: readonly Json[];
  readonly options: Readonly<Record<string, Json>>;
  /** weight, bias, running_mean, running_var, num_batches_tracked, as far as they are there and not left as they are made */
  readonly state: Readonly<Record<string, Values>>;
  readonly steps: readonly Step[];
}

/**
 * What came out of every step until an error: output, gradInput, gradWeight, gradBias, runningMean … Steps that differentiate twice have of gradInput's product with
 * gradTwice the gradients twiceInput, twiceWeight and twiceGradOutput.
 */
export interface Outcome {
  readonly steps: readonly Readonly<Record<string, Values>>[];
  readonly error: string | null;
}

/** Whether it has 16 bits. */
export const isReduced = (dtype: string): dtype is "float16" | "bfloat16" =>
  dtype === "float16" || dtype === "bfloat16";

export const numelOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** running_mean to runningMean */
export const camel = (name: string) => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

/** The block of memory of which `layout` shows these values; what it leaves out is filled with 77s. */
export function blockOf({ shape, data, dtype, layout }: Values): Values {
  if (!layout) return { dtype, shape, data };
  const { permute, slice } = layout;
  const [dim, start, step] = slice;
  // dimension d of the view is dimension permute[d] of the block
  const sizes: number[] = [];
  for (const [d, size] of shape.entries()) {
    sizes[permute[d]] = d === dim && size > 0 ? start + (size - 1) * step + 1 : size;
  }
  const strides = sizes.map((_, d) => numelOf(sizes.slice(d + 1)));
  const block = new (data.constructor as Float32ArrayConstructor)(numelOf(sizes)).fill(77);
  const index = shape.map(() => 0);
  for (const value of data as Float32Array) {
    let at = 0;
    for (const [d, i] of index.entries()) at += (d === dim ? start + i * step : i) * strides[permute[d]];
    block[at] = value;
    for (let d = shape.length - 1; d >= 0; d--) {
      if (++index[d] < shape[d]) break;
      index[d] = 0;
    }
  }
  return { dtype, shape: sizes, data: block };
}

/** The exact results of a step, by their names. */
export type Truth = Readonly<Record<string, Exact>>;
