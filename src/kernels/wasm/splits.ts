import { optional, type Split } from "./split.ts";
import { LINEAR_SPLITS } from "./splits-linear.ts";
import { threadCount } from "./threads.ts";

/*
 * How the kernels of assembly/ are cut. Arguments are known by their places.
 */

/** Flat arrays are cut at multiples of this, so that vectors and what is left behind the last one do not move. */
const FLAT_GRAIN = () => 1024;

/** One element after the other: `places` are the arrays, of elements of `bytes` each. */
function flat(items: number, places: readonly number[], bytes: number, work = 1, scratch = -1): Split {
  return {
    items,
    work: () => work,
    grain: FLAT_GRAIN,
    scratch,
    steps(args, steps) {
      for (const place of places) steps[place] = optional(args[place], bytes);
    },
  };
}

/** Both float widths of a kernel. */
function floats(name: string, make: (bytes: number) => Split): Record<string, Split> {
  return { [`${name}F32`]: make(4), [`${name}F64`]: make(8) };
}

/** Operations from 17 on are exponentials and the like. */
const unary = (bytes: number): Split => ({
  ...flat(3, [1, 2], bytes, 1, 6),
  work: ([op]) => (op < 17 ? 1 : 8),
});
const unaryGrad = (bytes: number): Split => ({
  ...flat(4, [1, 2, 3], bytes, 1, 7),
  work: ([op]) => (op < 6 ? 1 : 8),
});

/** Bytes of the dtypes by their numbers. */
const DTYPE_BYTES = [4, 8, 4, 8, 1, 1];

const convert: Split = {
  items: 4,
  work: () => 2,
  grain: FLAT_GRAIN,
  steps([from, to], steps) {
    steps[2] = DTYPE_BYTES[to];
    steps[3] = DTYPE_BYTES[from];
  },
};

/**
 * Kernels that walk an odometer: `axes` is the place of its number of axes, followed by those of rows and of n. Without axes the one row is cut (at elements, or at
 * the rows of a plane), else between rows. `out` is where a contiguous output is, of `outBytes` an element.
 */
function strided(
  axes: number,
  first: number,
  work: number,
  out = -1,
  outBytes: (args: readonly number[]) => number = () => 0,
): Split {
  const items = (args: readonly number[]) => (args[axes] === 0 ? axes + 2 : axes + 1);
  return {
    items,
    work: (args) => (args[axes] === 0 ? work : work * args[axes + 2]),
    grain: (args) => (args[axes] === 0 ? 1024 : 1),
    scratch: first + 2,
    steps(args, steps) {
      steps[first] = 1;
      if (out >= 0) steps[out] = outBytes(args) * (args[axes] === 0 ? 1 : args[axes + 2]);
    },
  };
}

/** Comparisons, from operation 10 on, write bytes. */
const binaryBytes = ([op, dtype]: readonly number[]) => (op < 10 ? DTYPE_BYTES[dtype] : 1);

const transpose: Split = {
  ...strided(1, 7, 2),
  work: (args) => (args[1] === 0 ? 2 * args[4] : 2 * args[3] * args[4]),
  grain: (args) => (args[1] === 0 ? 16 : 1),
};

const memory: Record<string, Split> = {
  fillF32: flat(1, [0], 4),
  fillF64: flat(1, [0], 8, 2),
  fillI32: flat(1, [0], 4),
  fillI64: flat(1, [0], 8, 2),
  fillU8: flat(1, [0], 1, 0.25),
  convertDtype: convert,
  copyBytes: flat(2, [0, 1], 1, 0.25),
  copyRows: strided(0, 3, 0.25),
  copyStepped: strided(1, 6, 2),
  transpose,
};

/** Reductions of [outer, size, inner] float32 by their outer axis: `places` are arrays of that shape, `reduced` of [outer, inner]. */
function outer(
  items: number,
  places: readonly number[],
  reduced: readonly number[],
  work: number,
  scratch = -1,
): Split {
  return {
    items,
    work: (args) => work * args[items + 1] * args[items + 2],
    scratch,
    steps(args, steps) {
      const inner = args[items + 2];
      for (const place of places) steps[place] = 4 * args[items + 1] * inner;
      for (const place of reduced) steps[place] = optional(args[place], 4 * inner);
    },
  };
}

const extremum: Split = {
  ...outer(4, [3], [1], 2),
  steps(args, steps) {
    const inner = args[6];
    steps[1] = optional(args[1], 4 * inner);
    steps[2] = optional(args[2], 8 * inner);
    steps[3] = 4 * args[5] * inner;
  },
};

const reductions: Record<string, Split> = {
  reduceF32: outer(3, [2], [1], 1, 6),
  varianceF32: outer(3, [2], [0, 1], 2, 7),
  extremumF32: extremum,
  softmaxF32: outer(3, [1, 2], [], 8),
  softmaxGradF32: outer(4, [1, 2, 3], [], 2),
};

/** Bytes of neighbouring channels that are walked together at least: of shorter runs, too little is fetched ahead. */
const RUN_BYTES = 4096;

/**
 * And no more parts than this for each thread, since within a part the passes over neighbouring channels overlap: two threads take 8 to 18 % less for 4 parts
 * than for 16. Which channels belong together changes no sum.
 */
const CHANNEL_PARTS_PER_THREAD = 2;

/** Columns that a part has at least, and elements of all, so that two threads gain: [12544, 256] takes 6.4 ms on one and 3.9 on two, [4096, 256] 1.7 and 2.3, [25088, 64] the same. */
const COLUMNS = 128;
const COLUMN_ELEMENTS = 2 ** 21;

/** Channels side by side are cut where a cache line ends and no group of vectors is torn. */
function channelGrain(channels: number, inner: number, bytes: number): number {
  if (inner === 1) return 32 * Math.ceil(Math.max(COLUMNS, channels / 2) / 32);
  const parts = CHANNEL_PARTS_PER_THREAD * threadCount();
  return Math.max(Math.ceil(RUN_BYTES / Math.max(1, inner * bytes)), Math.ceil(channels / parts));
}

/** Kernels over [outer, all, inner] by channels, whose number `items` is: `places` are arrays of that shape, `perChannel` have one element of a channel. */
function channels(
  items: number,
  places: readonly number[],
  perChannel: readonly number[],
  bytes: number,
  work: number,
  scratch: number,
): Split {
  return {
    items,
    work(args) {
      const few = args[items + 1] === 1 && args[items - 1] * args[items] < COLUMN_ELEMENTS;
      return few ? 0 : work * args[items - 1] * args[items + 1];
    },
    grain: (args) => channelGrain(args[items], args[items + 1], bytes),
    scratch,
    scratchBytes: (args) => 2048 + 40 * args[items],
    steps(args, steps) {
      for (const place of places) steps[place] = optional(args[place], args[items + 1] * bytes);
      for (const place of perChannel) steps[place] = optional(args[place], bytes);
    },
  };
}

const scaleByChannel: Split = {
  items: 3,
  work: ([, , , , channels, inner]) => (inner === 1 ? channels : inner),
  scratch: 14,
  steps(_args, steps) {
    steps[2] = 1;
  },
};

const givenGradByChannel: Split = {
  items: 4,
  work: ([, , , , , channels, inner]) => 2 * (inner === 1 ? channels : inner),
  steps(_args, steps) {
    steps[3] = 1;
  },
};

const momentsInOrder = (bytes: number): Split => ({
  ...channels(4, [2], [], bytes, 2, 7),
  steps(args, steps) {
    steps[0] = 8;
    steps[1] = 8;
    steps[2] = args[5] * bytes;
  },
});

/** Rows of one sample stay together: they take the weights in turn. */
const rowNorm = (bytes: number): Split => ({
  items: 5,
  work: (args) => 2 * args[7] * args[8],
  grain: (args) => args[6],
  steps(args, steps) {
    steps[0] = args[7] * args[8] * bytes;
    steps[1] = optional(args[1], bytes);
    steps[2] = optional(args[2], bytes);
    steps[3] = bytes;
    steps[4] = steps[0];
  },
});

/** Its parts have sums of their own already. */
const normalizeByRowGrad: Split = {
  items: 14,
  work: (args) => 3 * args[12] * args[5] * args[6],
  scratch: 15,
  scratchBytes: (args) => 128 + 16 * args[4] * args[5],
  steps(_args, steps) {
    steps[13] = 1;
  },
};

/** By parts, whose sums are apart: `first` is the place of their first, behind that of their rows and before that of their number. */
const columnSums = (first: number, work: number, scratch = -1): Split => ({
  items: first + 1,
  work: (args) => work * args[first - 1] * args[scratch < 0 ? 3 : 4],
  scratch,
  steps(_args, steps) {
    steps[first] = 1;
  },
});

const columnGradWrite: Split = {
  items: 3,
  work: (args) => 3 * args[4],
  grain: () => 4,
  steps(args, steps) {
    for (const place of [0, 1, 2]) steps[place] = 4 * args[4];
  },
};

const norms: Record<string, Split> = {
  columnPartSums: columnSums(6, 1),
  columnGradPartSums: columnSums(11, 2, 13),
  columnGradWrite,
  ...floats("sumByChannel", (bytes) => channels(3, [1], [0], bytes, 1, 6)),
  ...floats("batchNorm", (bytes) => channels(8, [0, 6, 15], [1, 2, 3, 4, 5, 11, 12], bytes, 3, 20)),
  ...floats("momentsByChannel", (bytes) => channels(5, [3], [0, 1, 2], bytes, 2, 8)),
  ...floats("scaleByChannel", () => scaleByChannel),
  ...floats("normalizeByChannelGrad", (bytes) =>
    channels(6, [0, 3, 4, 16, 17], [1, 2, 9, 10, 11, 12, 13], bytes, 4, 21),
  ),
  ...floats("momentsInOrder", momentsInOrder),
  ...floats("gradSumsInOrder", (bytes) => channels(5, [2, 3, 10, 11], [0, 1, 8, 9], bytes, 3, 12)),
  ...floats("givenGradByChannel", () => givenGradByChannel),
  ...floats("rowNorm", rowNorm),
  ...floats("normalizeByRowGrad", () => normalizeByRowGrad),
};

const maxPool = (bytes: number): Split => ({
  items: 3,
  work: (args) => 2 * args[4] * args[5],
  steps(args, steps) {
    const outSize = args[6] * args[7];
    steps[0] = outSize * bytes;
    steps[1] = optional(args[1], outSize * 8);
    steps[2] = args[4] * args[5] * bytes;
  },
});
const maxPoolGrad = (bytes: number): Split => ({
  items: 3,
  work: (args) => args[4] + 2 * args[5],
  steps(args, steps) {
    steps[0] = args[4] * bytes;
    steps[1] = args[5] * bytes;
    steps[2] = args[5] * 8;
  },
});
/** Average pooling reads the input's planes at `x` and writes the output's at `out`; its gradient the other way round. */
function avgPool(out: number, x: number, bytes: number): Split {
  return {
    items: 2,
    work: (args) => 2 * args[3] * args[4],
    steps(args, steps) {
      steps[out] = args[5] * args[6] * bytes;
      steps[x] = args[3] * args[4] * bytes;
    },
  };
}

const pools: Record<string, Split> = {
  ...floats("maxPool", maxPool),
  ...floats("maxPoolGrad", maxPoolGrad),
  ...floats("avgPool", (bytes) => avgPool(0, 1, bytes)),
  ...floats("avgPoolGrad", (bytes) => avgPool(1, 0, bytes)),
};

/** Units of 16 elements, of all tensors together. */
const sgdMany: Split = {
  items: 1,
  work: () => 3 * 16,
  steps(_args, steps) {
    steps[0] = 1;
  },
};

const optimizers: Record<string, Split> = {
  ...floats("sgdMany", () => sgdMany),
  ...floats("adam", (bytes) => flat(0, [1, 2, 3, 4, 5], bytes, 5)),
  ...floats("rmsprop", (bytes) => flat(0, [1, 2, 3, 4, 5], bytes, 5)),
};

/** How each kernel is cut; those that are not named run on one thread. */
export const SPLITS: Readonly<Record<string, Split>> = {
  ...memory,
  binary: strided(3, 8, 1, 2, binaryBytes),
  where: strided(2, 8, 1, 1, ([itemBytes]) => itemBytes),
  ...floats("unary", unary),
  ...floats("unaryGrad", unaryGrad),
  ...floats("axpy", (bytes) => flat(2, [0, 1], bytes, 1, 4)),
  ...reductions,
  ...norms,
  ...pools,
  ...optimizers,
  ...LINEAR_SPLITS,
};
