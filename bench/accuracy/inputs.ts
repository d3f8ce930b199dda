import type { Case } from "../../test/torch/case.ts";
import { Random } from "../../test/torch/random.ts";

/** Normalizations, each with how it computes: by channels along positions or down columns, or by rows. */
export const KINDS = {
  batch: "batch norm, [N, C, L]",
  columns: "batch norm, [N, C]",
  layer: "layer norm",
  group: "group norm",
  instance: "instance norm",
} as const;
export type Kind = keyof typeof KINDS;

/** What is varied; the rest stays at mean 1, deviation 1, 4096 values for a mean. */
export const SWEEPS = {
  offset: { label: "mean, in standard deviations", values: [0, 1, 10, 1e2, 1e3, 1e4, 1e5, 1e6] },
  scale: {
    label: "scale of the input, eps = 0",
    values: [1e-20, 1e-16, 1e-12, 1e-8, 1e-4, 1, 1e4, 1e8, 1e12, 1e16, 1e20],
  },
  length: { label: "values for a mean", values: [2, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1e6, 1e7] },
} as const;
export type Sweep = keyof typeof SWEEPS;

/** One input, seen as [outer, groups, inner]: a mean runs over outer and inner. */
export interface Input {
  readonly item: Case;
  readonly view: readonly [outer: number, groups: number, inner: number];
  readonly eps: number;
  readonly values: Float32Array;
  readonly gradOutput: Float32Array;
}

/** The first of a row of normal numbers, in float64 so that what is added to them is rounded once; drawn a single time. */
function normals(seed: number, count: number): Float64Array {
  let row = drawn.get(seed);
  if (!row || row.length < count) {
    const random = new Random(7, seed);
    row = Float64Array.from({ length: count }, () => random.normal());
    drawn.set(seed, row);
  }
  return row.subarray(0, count);
}
const drawn = new Map<number, Float64Array>();

/** The input for one point of a sweep. */
export function makeInput(kind: Kind, sweep: Sweep, value: number): Input {
  const length = sweep === "length" ? value : 4096;
  const scale = sweep === "scale" ? value : 1;
  const offset = sweep === "offset" ? value : 1;
  const eps = sweep === "scale" ? 0 : 1e-5;
  // The largest of few errors is chance: many groups where they are short, and few where they are long, for 40 MB are enough.
  const groups = length >= 1e6 ? 1 : Math.max(4, 16384 / length);
  const outer = kind === "columns" ? length : kind === "batch" && length >= 16 ? 8 : 1;
  const inner = length / outer;
  const values = Float32Array.from(normals(1, length * groups), (x) => (offset + x) * scale);
  const gradOutput = Float32Array.from(normals(2, length * groups));
  const shape = kind === "columns" ? [length, groups] : kind === "layer" ? [groups, length] : [outer, groups, inner];
  const layers = {
    batch: "BatchNorm1d",
    columns: "BatchNorm1d",
    layer: "LayerNorm",
    group: "GroupNorm",
    instance: "InstanceNorm1d",
  };
  const args = kind === "layer" ? [[length]] : kind === "group" ? [groups, groups] : [groups];
  const item: Case = {
    kind: "module",
    name: layers[kind],
    args,
    options: { eps },
    state: {},
    steps: [
      {
        training: true,
        input: { dtype: "float32", shape, data: values },
        gradOutput: { dtype: "float32", shape, data: gradOutput },
      },
    ],
  };
  return { item, view: kind === "layer" ? [1, groups, length] : [outer, groups, inner], eps, values, gradOutput };
}
