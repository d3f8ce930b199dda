import type { Split } from "./split.ts";

/* How matrix products and convolutions are cut. Arguments are known by their places. */

/** Multiply-adds that take as long as a unit of work. */
const MADDS = 8;

/** Columns or rows of a product: cutting columns packs the left side again for every part, cutting rows the right side. */
const byColumns = ([m, n]: readonly number[]) => n >= 256 || m < 384;

const gemm = (bytes: number): Split => ({
  items: (args) => (byColumns(args) ? 1 : 0),
  work: (args) => ((byColumns(args) ? args[0] : args[1]) * args[2]) / MADDS,
  grain: (args) => {
    if (!byColumns(args)) return 192;
    return args[1] >= 512 ? 256 : args[1] >= 256 ? 128 : 64;
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

export const LINEAR_SPLITS: Readonly<Record<string, Split>> = {
  gemmF32: gemm(4),
  gemmF64: gemm(8),
  matrixVectorF32: matrixVector(4),
  matrixVectorF64: matrixVector(8),
};
