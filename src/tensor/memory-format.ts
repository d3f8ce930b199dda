import { ArgumentError, ShapeError } from "../util/errors.ts";
import { contiguousStrides, isContiguous, numelOf, type Shape, zerosList } from "./shape.ts";

/**
 * In what order a tensor's elements lie: row-major ("contiguous"), or with the channels innermost, [N, C, H, W] lying as [N, H, W, C]
 * ("channelsLast") and [N, C, D, H, W] as [N, D, H, W, C] ("channelsLast3d"). The shape stays the same; only strides differ. As torch.memory_format.
 */
export type MemoryFormat = "contiguous" | "channelsLast" | "channelsLast3d";

/** What a function that can give its result's memory format takes. */
export interface MemoryFormatOptions {
  /** Order of the elements in memory. */
  memoryFormat?: MemoryFormat;
}

const RANK = { channelsLast: 4, channelsLast3d: 5 } as const;
const TORCH_NAMES = { channelsLast: "channels_last", channelsLast3d: "channels_last_3d" } as const;

/** Dimensions of the ranks that have such a format, from inner to outer, where channels are innermost. */
const CHANNELS_LAST: Readonly<Record<number, readonly number[]>> = { 4: [1, 3, 2, 0], 5: [1, 4, 3, 2, 0] };

/** Strides that lay a shape out in a memory format. @throws ShapeError for a format of another rank */
export function stridesIn(format: MemoryFormat, shape: Shape): number[] {
  if (format === "contiguous") return contiguousStrides(shape);
  const rank = RANK[format];
  if (rank === undefined) {
    throw new ArgumentError(
      `unknown memory format ${JSON.stringify(format)}`,
      'use "contiguous", "channelsLast" or "channelsLast3d"',
    );
  }
  if (shape.length !== rank) {
    throw new ShapeError(
      `required rank ${rank} tensor to use ${TORCH_NAMES[format]} format`,
      `this shape is [${shape.join(", ")}]`,
    );
  }
  const strides = zerosList(rank);
  let step = 1;
  for (const d of CHANNELS_LAST[rank]) {
    strides[d] = step;
    step *= shape[d];
  }
  return strides;
}

/** Whether the elements lie in a memory format without gaps; sizes of 1 fit every format. false for a format of another rank. */
export function liesIn(format: MemoryFormat, shape: Shape, strides: readonly number[]): boolean {
  if (format === "contiguous") return isContiguous(shape, strides);
  if (shape.length !== RANK[format]) return false;
  let step = 1;
  for (const d of CHANNELS_LAST[shape.length]) {
    if (shape[d] === 1) continue;
    if (strides[d] !== step) return false;
    step *= shape[d];
  }
  return true;
}

/**
 * The memory format that strides speak for, also those of a view with gaps: channels innermost if the strides grow in that order, else
 * "contiguous", which wins where sizes of 1 leave it open. As PyTorch's suggest_memory_format.
 */
export function suggestedFormat(shape: Shape, strides: readonly number[]): MemoryFormat {
  const rank = shape.length;
  if ((rank !== 4 && rank !== 5) || strides[1] === 0) return "contiguous";
  let least = 0;
  for (const d of CHANNELS_LAST[rank]) {
    if (shape[d] === 0 || strides[d] < least) return "contiguous";
    // [N, 1, 1, 1], or [N, C, 1, 1] with strides that fit both
    if (d === 0 && least === strides[1]) return "contiguous";
    least = strides[d] * shape[d];
  }
  return rank === 4 ? "channelsLast" : "channelsLast3d";
}

/** A shape's strides without gaps, dimensions lying in the given order from outer to inner. */
function stridesInOrder(shape: Shape, order: readonly number[]): number[] {
  const strides = zerosList(shape.length);
  let step = 1;
  for (let i = order.length - 1; i >= 0; i--) {
    strides[order[i]] = step;
    step *= Math.max(shape[order[i]], 1);
  }
  return strides;
}

/** Whether every position of `numel` elements in memory belongs to exactly one element: a contiguous tensor, its dimensions permuted. */
export function isDense(shape: Shape, strides: readonly number[]): boolean {
  if (isContiguous(shape, strides)) return true;
  const order = [...shape.keys()].filter((d) => shape[d] !== 1).sort((a, b) => strides[a] - strides[b]);
  let step = 1;
  for (const d of order) {
    if (strides[d] !== step) return false;
    step *= shape[d];
  }
  return true;
}

/** Strides of a result that keeps its input's layout: the input's own if they are dense, else its order of dimensions without the gaps. */
export function preservedStrides(shape: Shape, strides: readonly number[]): readonly number[] {
  if (isContiguous(shape, strides)) return contiguousStrides(shape);
  if (isDense(shape, strides)) return strides;
  if (strides.some((step, d) => step === 0 && shape[d] > 1) || numelOf(shape) === 0) return contiguousStrides(shape);
  return stridesInOrder(shape, memoryOrder(shape, strides));
}

/** Whether two tensors of one shape have their elements in the same order in memory. Sizes of 1 have no say. */
export function sameOrder(shape: Shape, a: readonly number[], b: readonly number[]): boolean {
  for (let d = 0; d < shape.length; d++) if (a[d] !== b[d] && shape[d] !== 1) return false;
  return true;
}

/** Dimensions from outer to inner, as the strides order them: a kernel that writes row-major over them writes where they lie. */
export function memoryOrder(shape: Shape, strides: readonly number[]): number[] {
  return [...shape.keys()].sort((a, b) => strides[b] - strides[a]);
}
