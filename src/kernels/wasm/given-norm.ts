import type { Pointer } from "../arguments.ts";
import type { NormKernels } from "../backend.ts";
import type { FloatDType } from "../dtype.ts";
import type { GivenNormKernels } from "../given-norm.ts";
import type { Heap } from "../heap.ts";
import { ARGUMENT_BYTES, ARGUMENTS } from "./module.ts";

type MomentsInOrder = (
  mean: Pointer,
  m2: Pointer,
  x: Pointer,
  outer: number,
  channels: number,
  inner: number,
  all: number,
  scratch: Pointer,
) => void;
type GradSumsInOrder = (
  gWeight: Pointer,
  gBias: Pointer,
  g: Pointer,
  x: Pointer,
  outer: number,
  channels: number,
  inner: number,
  all: number,
  mean: Pointer,
  invstd: Pointer,
  source: Pointer,
  before: Pointer,
  scratch: Pointer,
) => void;
type GivenGradByChannel = (
  gx: Pointer,
  g: Pointer,
  x: Pointer,
  first: number,
  rows: number,
  channels: number,
  inner: number,
  mean: Pointer,
  invstd: Pointer,
  weight: Pointer,
  gMean: Pointer,
  k: Pointer,
  relu: Pointer,
) => void;

/** What assembly/norm-given.ts exports. */
export interface GivenNormExports {
  momentsInOrderF32: MomentsInOrder;
  momentsInOrderF64: MomentsInOrder;
  gradSumsInOrderF32: GradSumsInOrder;
  gradSumsInOrderF64: GradSumsInOrder;
  givenGradByChannelF32: GivenGradByChannel;
  givenGradByChannelF64: GivenGradByChannel;
}

/** Scratch memory of kernels by channels: this many bytes, and of every channel so many. */
const SCRATCH = 2048;
const SCRATCH_PER_CHANNEL = 16;

/** What goes over all positions; the rest, over channels alone, is left to the reference. Channels side by side (inner = 1) are the `norm` kernels'. */
export function givenNormKernels(
  wasm: GivenNormExports,
  heap: Heap,
  norm: NormKernels,
): Pick<GivenNormKernels, "partMoments" | "gradSumsByChannel" | "givenGradByChannel"> {
  const is32 = (dtype: FloatDType) => dtype === "float32";

  function withScratch(channels: number, run: (scratch: Pointer) => void): void {
    const bytes = SCRATCH + SCRATCH_PER_CHANNEL * channels;
    if (bytes <= ARGUMENT_BYTES) {
      run(ARGUMENTS);
      return;
    }
    const scratch = heap.alloc(bytes);
    try {
      run(scratch);
    } finally {
      heap.free(scratch);
    }
  }

  /** The moments of channels side by side, widened. */
  function columnMoments(dtype: FloatDType, row: Pointer, x: Pointer, outer: number, channels: number): void {
    const scratch = heap.alloc(24 * channels);
    norm.momentsByChannel(dtype, scratch, scratch + 8 * channels, scratch + 16 * channels, x, outer, channels, 1);
    const bytes = is32(dtype) ? 4 : 8;
    const values = is32(dtype) ? heap.f32 : heap.f64;
    const [mean, rest, m2] = [0, 8, 16].map((at) => (scratch + at * channels) / bytes);
    for (let c = 0; c < channels; c++) {
      heap.f64[row / 8 + 1 + c] = values[mean + c] + values[rest + c];
      heap.f64[row / 8 + 1 + channels + c] = values[m2 + c];
    }
    heap.free(scratch);
  }

  return {
    partMoments(dtype, row, x, outer, channels, inner) {
      heap.f64[row / 8] = outer * inner;
      if (inner === 1) {
        columnMoments(dtype, row, x, outer, channels);
        return;
      }
      const kernel = is32(dtype) ? wasm.momentsInOrderF32 : wasm.momentsInOrderF64;
      const [mean, m2] = [row + 8, row + 8 + 8 * channels];
      withScratch(channels, (scratch) => kernel(mean, m2, x, outer, channels, inner, channels, scratch));
    },
    gradSumsByChannel(dtype, gWeight, gBias, g, x, outer, channels, inner, mean, rest, invstd, tail) {
      if (inner === 1 || (tail && tail.activation !== "relu")) {
        const sizes = [outer, channels, inner] as const;
        norm.normalizeByChannelGrad(dtype, 0, gWeight, gBias, g, x, ...sizes, mean, rest, invstd, 0, true, tail);
        return;
      }
      const kernel = is32(dtype) ? wasm.gradSumsInOrderF32 : wasm.gradSumsInOrderF64;
      const [source, before] = [tail?.source ?? 0, tail?.before ?? 0];
      const all = channels;
      withScratch(channels, (scratch) =>
        kernel(gWeight, gBias, g, x, outer, channels, inner, all, mean, invstd, source, before, scratch),
      );
    },
    givenGradByChannel(dtype, gx, g, x, outer, channels, inner, mean, invstd, weight, gMean, k, relu) {
      const kernel = is32(dtype) ? wasm.givenGradByChannelF32 : wasm.givenGradByChannelF64;
      const rows = inner === 1 ? outer : outer * channels;
      kernel(gx, g, x, 0, rows, channels, inner, mean, invstd, weight, gMean, k, relu);
    },
  };
}
