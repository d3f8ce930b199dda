import { optional, type Split } from "./split.ts";

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

const memory: Record<string, Split> = {
  fillF32: flat(1, [0], 4),
  fillF64: flat(1, [0], 8, 2),
  fillI32: flat(1, [0], 4),
  fillI64: flat(1, [0], 8, 2),
  fillU8: flat(1, [0], 1, 0.25),
  convertDtype: convert,
  copyBytes: flat(2, [0, 1], 1, 0.25),
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

const momentsByRow = (bytes: number): Split => ({
  items: 3,
  work: (args) => 2 * args[4],
  steps(args, steps) {
    steps[0] = optional(args[0], bytes);
    steps[1] = bytes;
    steps[2] = args[4] * bytes;
  },
});

/** Rows of one sample stay together: they take the weights in turn. */
const normalizeByRow = (bytes: number): Split => ({
  items: 2,
  work: (args) => args[4] * args[5],
  grain: (args) => args[3],
  steps(args, steps) {
    steps[0] = args[4] * args[5] * bytes;
    steps[1] = steps[0];
    steps[6] = optional(args[6], bytes);
    steps[7] = bytes;
  },
});

const norms: Record<string, Split> = {
  ...floats("momentsByRow", momentsByRow),
  ...floats("normalizeByRow", normalizeByRow),
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

const optimizers: Record<string, Split> = {
  ...floats("sgd", (bytes) => flat(0, [1, 2, 3], bytes, 3)),
  ...floats("adam", (bytes) => flat(0, [1, 2, 3, 4, 5], bytes, 5)),
  ...floats("rmsprop", (bytes) => flat(0, [1, 2, 3, 4, 5], bytes, 5)),
};

/** How each kernel is cut; those that are not named run on one thread. */
export const SPLITS: Readonly<Record<string, Split>> = {
  ...memory,
  ...floats("unary", unary),
  ...floats("unaryGrad", unaryGrad),
  ...floats("axpy", (bytes) => flat(2, [0, 1], bytes, 1, 4)),
  ...reductions,
  ...norms,
  ...pools,
  ...optimizers,
};
