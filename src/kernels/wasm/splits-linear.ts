import { heap } from "../heap.ts";
import { SCRATCH_AT, TOGETHER_AT, WORK_AT } from "./conv-geometry.ts";
import { polyphaseRowTime } from "./polyphase.ts";
import type { Split } from "./split.ts";
import { threadCount } from "./threads.ts";

/* How matrix products and convolutions are cut. Arguments are known by their places. */

/** Multiply-adds that take as long as a unit of work. */
const MADDS = 8;

/** Columns or rows of a product: cutting columns packs the left side again for every part (7 % at 1024³ in parts of 128), cutting rows the right side. */
const byColumns = ([m, n]: readonly number[]) => n >= 128 || m < 512;

const gemm = (bytes: number): Split => ({
  items: (args) => (byColumns(args) ? 1 : 0),
  work: (args) => ((byColumns(args) ? args[0] : args[1]) * args[2]) / MADDS,
  grain: (args) => {
    if (!byColumns(args)) return 256;
    // Equal parts, two for every thread where they stay wide enough; slivers of eight columns stay whole, so which belong together changes no sum.
    const parts = threadCount() * (args[1] >= 128 * threadCount() ? 2 : 1);
    return Math.min(512, Math.max(4, Math.ceil(args[1] / (8 * parts))) * 8);
  },
  scratch: 12,
  scratchBytes: ([, n, k], kernels) => kernels.gemmScratch(n, k, bytes) as number,
  steps(args, steps) {
    if (byColumns(args)) {
      steps[3] = bytes;
      steps[8] = args[10] * bytes;
    } else {
      steps[3] = args[4] * bytes;
      steps[5] = args[6] * bytes;
    }
  },
});

/** Cut where no group of neighbouring rows is torn, which are added in another order. */
const matrixVector = (bytes: number): Split => ({
  items: 0,
  work: (args) => args[1] / 2,
  grain: () => 16,
  steps(args, steps) {
    steps[2] = args[3] * bytes;
    steps[4] = args[5] * bytes;
  },
});

/** An int32 of a convolution's argument block; its places are in assembly/conv.ts and assembly/geometry.ts. */
const field = ([p]: readonly number[], place: number) => heap.i32[(p + place) / 4];

/** Columns are output positions of the whole batch; parts that are larger than others read the packed weights less often. */
const conv: Split = {
  items: 6,
  work: (args) => (field(args, 20) * field(args, 4) * field(args, 40)) / (4 * MADDS),
  grain: () => 64,
  scratch: 7,
  scratchBytes: ([p], kernels) => kernels.convScratch(p) as number,
  steps(_args, steps) {
    steps[5] = 1;
  },
};

const convBias = (bytes: number): Split => ({
  items: 3,
  work: (args) => field(args, 20) * field(args, 48),
  steps(args, steps) {
    steps[1] = field(args, 44) * bytes;
  },
});

/** By groups of eight images. */
const convImages: Split = {
  items: 8,
  work: (args) => {
    const positions = 8 * field(args, 48);
    return (positions * field(args, 4) * field(args, 20) * field(args, 40)) / MADDS;
  },
  scratch: 9,
  scratchBytes: ([p, phases, bytes], kernels) => kernels.convImagesScratch(p, phases, bytes) as number,
  steps(_args, steps) {
    steps[7] = 1;
  },
};

/** By images. */
const convOne: Split = {
  items: 6,
  work: (args) => (9 * field(args, 32)) / MADDS,
  grain: () => 4,
  scratch: 7,
  scratchBytes: ([p], kernels) => kernels.convOneScratch(p) as number,
  steps(_args, steps) {
    steps[5] = 1;
  },
};

/** By rows of outputs, in the bands of which the input is copied; a phase of a stride that no tap meets only writes zeros. */
const convRows: Split = {
  items: 6,
  work: (args) =>
    field(args, 20) *
    ((field(args, 4) * (field(args, 40) + field(args, 68)) * Math.max(8, field(args, 28))) / MADDS + field(args, 72)),
  grain: ([p], kernels) => kernels.convRowsAtOnce(p) as number,
  scratch: 7,
  scratchBytes: ([p], kernels) => kernels.convRowsScratch(p) as number,
  steps(_args, steps) {
    steps[5] = 1;
  },
};

/** By images. */
const convPointwise: Split = {
  items: 6,
  work: (args) => field(args, 24) * field(args, 28) * field(args, 20) * (field(args, 4) / MADDS + 1),
  scratch: 7,
  scratchBytes: ([p], kernels) => kernels.convPointwiseScratch(p) as number,
  steps(_args, steps) {
    steps[5] = 1;
  },
};

/** Groups of images are parts, since the sums of each are apart already. */
const convWeight = (bytes: number): Split => ({
  items: 5,
  work: (args) => {
    const positions = args[6] * field(args, 24) * field(args, 28);
    return (positions * field(args, 4) * field(args, 20) * field(args, 36) * field(args, 40)) / MADDS;
  },
  scratch: 7,
  scratchBytes: ([p], kernels) => kernels.convWeightScratch(p, bytes) as number,
  steps(_args, steps) {
    steps[4] = 1;
  },
});

/** By channels × taps, whose sums are added and written the other way round. */
const convWeightFinish: Split = {
  items: 5,
  work: (args) => field(args, 20) * (args[3] + 4),
  grain: () => 16,
  steps(_args, steps) {
    steps[4] = 1;
  },
};

const convWeightSmall: Split = {
  ...convWeight(4),
  scratchBytes: ([p], kernels) => kernels.convWeightSmallScratch(p) as number,
};

/** By output channels. */
const convWeightSmallFinish: Split = {
  items: 5,
  work: (args) => field(args, 4) * field(args, 36) * field(args, 40) * (args[3] + 4),
  grain: () => 4,
  steps(_args, steps) {
    steps[4] = 1;
  },
};

/** By slivers of output channels, of which each channel takes about 90 ns. */
const winogradPack: Split = {
  items: 7,
  work: (args) => 300 * field(args, 4),
  scratch: 8,
  scratchBytes: () => 432,
  scratchOfAll: true,
  steps(_args, steps) {
    steps[6] = 1;
  },
};

/** By rows of tiles, in the blocks in which they are done. */
const winograd: Split = {
  items: 6,
  work: (args) => field(args, WORK_AT),
  grain: (args) => field(args, TOGETHER_AT),
  scratch: 7,
  scratchBytes: (args) => field(args, SCRATCH_AT),
  scratchOfAll: true,
  steps(_args, steps) {
    steps[5] = 1;
  },
};

/** By groups of rows of tiles and slices of output channels. */
const tilesWeight: Split = {
  items: 5,
  work: (args) => field(args, WORK_AT),
  scratch: 8,
  scratchBytes: (args) => field(args, SCRATCH_AT),
  scratchOfAll: true,
  steps(_args, steps) {
    steps[4] = 1;
  },
};

/** By fours of channels, of which each takes about 90 ns for each of the other side. */
const polyphasePack: Split = {
  items: 5,
  work: (args) => 300 * field(args, args[3] ? 20 : 4),
  scratch: 6,
  scratchBytes: () => 912,
  steps(_args, steps) {
    steps[4] = 1;
  },
};

const polyphaseWork = (args: readonly number[]) =>
  polyphaseRowTime(Math.ceil(field(args, 28) / 4), field(args, 4), field(args, 20)) / 0.3;

/** By rows of tiles, in the blocks in which they are done; `first` is the place of the first one, before their number and the scratch memory. */
const polyphase = (first: number, scratchOf: string): Split => ({
  items: first + 1,
  work: polyphaseWork,
  grain: ([p], kernels) => kernels.polyphaseRows(p) as number,
  scratch: first + 2,
  scratchBytes: ([p], kernels) => kernels[scratchOf](p) as number,
  steps(_args, steps) {
    steps[first] = 1;
  },
});

/** By channels; `first` is the place of the first one, before their number and the scratch memory. */
const depthwise = (first: number, bytes: number): Split => ({
  items: first + 1,
  work: (args) => {
    const each = field(args, 20) / field(args, 4);
    return (field(args, 0) * each * field(args, 24) * field(args, 28) * field(args, 36) * field(args, 40)) / 2;
  },
  scratch: first + 2,
  scratchBytes: ([p], kernels) => kernels.depthwiseScratch(p, bytes) as number,
  steps(_args, steps) {
    steps[first] = 1;
  },
});

/** The same for 3×3 kernels, whose nine taps take about as long as two passes over a plane. */
const depthwise3 = (first: number, scratchOf: string): Split => ({
  ...depthwise(first, 4),
  work: (args) => field(args, 0) * (field(args, 24) * field(args, 28) + field(args, 8) * field(args, 12)),
  scratchBytes: ([p], kernels) => kernels[scratchOf](p, 4) as number,
});

export const LINEAR_SPLITS: Readonly<Record<string, Split>> = {
  gemmF32: gemm(4),
  gemmF64: gemm(8),
  matrixVectorF32: matrixVector(4),
  matrixVectorF64: matrixVector(8),
  convF32: conv,
  convF64: conv,
  convImagesF32: convImages,
  convOneF32: convOne,
  convPointwiseF32: convPointwise,
  convRowsF32: convRows,
  convBiasF32: convBias(4),
  convBiasF64: convBias(8),
  convWeightGradF32: convWeight(4),
  convWeightGradF64: convWeight(8),
  convWeightFinishF32: convWeightFinish,
  convWeightFinishF64: convWeightFinish,
  convWeightSmallF32: convWeightSmall,
  convWeightSmallFinishF32: convWeightSmallFinish,
  winogradPackF32: winogradPack,
  winogradF32: winograd,
  winogradWeightGradF32: tilesWeight,
  polyphasePackF32: polyphasePack,
  polyphaseF32: polyphase(5, "polyphaseScratch"),
  polyphaseInputGradF32: polyphase(4, "polyphaseInputScratch"),
  polyphaseWeightGradF32: tilesWeight,
  depthwiseF32: depthwise(5, 4),
  depthwiseF64: depthwise(5, 8),
  depthwiseInputGradF32: depthwise(4, 4),
  depthwiseInputGradF64: depthwise(4, 8),
  depthwiseWeightGradF32: depthwise(4, 4),
  depthwiseWeightGradF64: depthwise(4, 8),
  depthwise3F32: depthwise3(5, "depthwise3Scratch"),
  depthwise3WeightGradF32: depthwise3(4, "depthwise3Scratch"),
  depthwise3Stride2InputGradF32: depthwise3(4, "depthwise3Stride2Scratch"),
};
