import type { Pointer } from "../backend.ts";
import { heap } from "../heap.ts";
import { ARGUMENT_BYTES } from "./module.ts";
import { type Cut, type Kernel, Pool, threadCount } from "./threads.ts";
import { MOST_ARGUMENTS } from "./worker-script.ts";

type Args = readonly number[];
/** All kernels of a build by their names. */
export type Kernels = Readonly<Record<string, Kernel>>;

/**
 * How a kernel may be cut into parts that do not touch each other's results: along the items that one of its arguments counts. What a part computes does not
 * depend on where the cuts are, so results are the same for any number of threads.
 */
export interface Split {
  /** which argument counts the items */
  readonly items: number | ((a: Args) => number);
  /** work of an item, in float32 that are read, changed and written: about 0.3 ns */
  readonly work: (a: Args) => number;
  /** what arguments grow by from item to item, mostly addresses: bytes into `steps`, which comes with zeros */
  readonly steps: (a: Args, steps: Float64Array) => void;
  /** items of a part are a multiple of this many */
  readonly grain?: (a: Args, kernels: Kernels) => number;
  /** which argument is scratch memory, and its bytes if they are not ARGUMENT_BYTES */
  readonly scratch?: number;
  readonly scratchBytes?: (a: Args, kernels: Kernels) => number;
  /** the caller's scratch memory has room for all threads */
  readonly scratchOfAll?: boolean;
}

/** Work of a part: about 10 µs, many times what it costs to take one. */
const PART_WORK = 32768;
/** Less work than this, about 20 µs, is not worth handing to a worker, which takes 1 µs while it looks for jobs and 5 µs or more when it sleeps. */
const LEAST_WORK = 2 * PART_WORK;

/** More parts than this make nothing more even. */
const ENOUGH_PARTS = 4096;

/** Exports with every kernel that `splits` names replaced by one that uses all threads when there is enough to do. */
export function splitKernels<Exports extends object>(
  module: WebAssembly.Module,
  exports: Exports,
  splits: Readonly<Record<string, Split>>,
): Exports {
  // A page that is not cross-origin isolated has no SharedArrayBuffer at all.
  if (!heap.shared) return exports;
  const kernels = exports as Kernels;
  const names = Object.keys(splits);
  const pool = new Pool(
    module,
    names.map((name) => kernels[name]),
    names,
  );
  const replaced = names.map((name, number) => [name, splitKernel(pool, number, kernels, name, splits[name])]);
  return { ...exports, ...Object.fromEntries(replaced) };
}

function splitKernel(pool: Pool, number: number, kernels: Kernels, name: string, split: Split): Kernel {
  const kernel = kernels[name];
  const { items, work, grain, scratch = -1, scratchBytes, scratchOfAll } = split;
  const steps = new Float64Array(MOST_ARGUMENTS);
  const cut: Cut = { items: 0, total: 0, block: 0, scratch, scratchAt: 0, scratchBytes: 0, steps };
  return (...args) => {
    const threads = threadCount();
    if (threads === 1) return kernel(...args);
    cut.items = typeof items === "number" ? items : items(args);
    cut.total = args[cut.items];
    const each = work(args);
    if (cut.total * each < LEAST_WORK) return kernel(...args);
    const together = grain ? grain(args, kernels) : 1;
    const grains = Math.ceil(cut.total / together);
    const wanted = Math.min(ENOUGH_PARTS, Math.ceil(grains / Math.max(1, Math.floor(PART_WORK / (each * together)))));
    if (wanted === 1) return kernel(...args);
    // Equal parts, as many for every thread.
    const parts = Math.ceil(wanted / threads) * threads;
    cut.block = Math.ceil(grains / parts) * together;
    if (cut.block >= cut.total) return kernel(...args);
    steps.fill(0);
    split.steps(args, steps);
    if (scratch < 0) return pool.run(number, args, cut);
    cut.scratchBytes = scratchBytes ? (scratchBytes(args, kernels) + 63) & ~63 : ARGUMENT_BYTES;
    if (scratchOfAll) {
      cut.scratchAt = args[scratch];
      return pool.run(number, args, cut);
    }
    cut.scratchAt = heap.alloc(threads * cut.scratchBytes);
    try {
      pool.run(number, args, cut);
    } finally {
      heap.free(cut.scratchAt);
    }
  };
}

/** The step of an address that may be absent. */
export function optional(pointer: Pointer, bytes: number): number {
  return pointer === 0 ? 0 : bytes;
}
