import { tensor } from "../tensor/creation.ts";
import { defaultGenerator, type Generator } from "../tensor/generator.ts";
import { closeScope, leaveScope, openScope, type Scope } from "../tensor/memory.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { ArgumentError, StateDictError } from "../util/errors.ts";
import { type Collatable, defaultCollate } from "./collate.ts";
import type { Dataset } from "./dataset.ts";
import { checkBatchSize, RandomSampler, type Sampler, SequentialSampler } from "./sampler.ts";

/** Options of a DataLoader, as PyTorch's arguments. */
export interface DataLoaderOptions<Sample, Batch> {
  /** samples a batch, 1 */
  batchSize?: number;
  /** visit the samples in a new random order at each pass, the same as PyTorch's for the same seed */
  shuffle?: boolean;
  /** an order of its own instead */
  sampler?: Sampler;
  /** leave out a last batch that is smaller than the others: batch norm cannot train on a batch of one */
  dropLast?: boolean;
  /** makes a batch of samples; defaultCollate */
  collateFn?: (samples: Sample[]) => Batch;
  /** where the order is drawn from; the default generator */
  generator?: Generator;
}

/** A pass over the data: all its indices, and how many batches it has given. */
interface Pass {
  readonly order: ArrayLike<number>;
  batches: number;
}

function indicesFrom(order: ArrayLike<number>, at: number, count: number): number[] {
  const end = Math.min(at + count, order.length);
  const indices: number[] = [];
  for (let i = at; i < end; i++) indices.push(order[i]);
  return indices;
}

/** What DataLoader.stateDict gives: where a pass is. */
export interface LoaderState {
  /** batches that the pass has given */
  readonly batches: number;
  /** the samples of the pass in its order, int32; null between passes */
  readonly order: Tensor | null;
  /** state of the loader's own generator, uint8; null if it has none */
  readonly generator: Tensor | null;
}

/**
 * Batches of a data set, as torch.utils.data.DataLoader. An iteration is a scope of memory: what is made in it and is no parameter, buffer, gradient, optimizer state or
 * kept tensor is released when the next one begins.
 * @throws ArgumentError for options that do not go together
 * @example
 * ```ts
 * import { arange, data } from "evenkeel";
 * const loader = new data.DataLoader(new data.TensorDataset(arange(5)), { batchSize: 2 });
 * const sums: number[] = [];
 * for await (const [x] of loader) sums.push(x.sum().item());
 * sums; // => [1, 5, 4]
 * ```
 */
export class DataLoader<Sample, Batch> implements AsyncIterable<Batch> {
  readonly batchSize: number;
  readonly dropLast: boolean;
  readonly sampler: Sampler;
  readonly #collate: (samples: Sample[]) => Batch;
  readonly #ownCollate: boolean;
  readonly #generator: Generator | undefined;
  /** the pass that is under way */
  #pass: Pass | null = null;
  /** a pass to go on with, which loadStateDict gave */
  #resumed: Pass | null = null;

  constructor(
    readonly dataset: Dataset<Sample, Batch>,
    options: DataLoaderOptions<Sample, Batch> = {},
  ) {
    const { batchSize = 1, shuffle = false, sampler, dropLast = false, collateFn, generator } = options;
    checkBatchSize(batchSize);
    if (sampler && shuffle) throw new ArgumentError("sampler option is mutually exclusive with shuffle");
    this.batchSize = batchSize;
    this.dropLast = dropLast;
    this.sampler =
      sampler ?? (shuffle ? new RandomSampler(dataset.length, { generator }) : new SequentialSampler(dataset.length));
    this.#collate = collateFn ?? ((samples) => defaultCollate(samples as Collatable[]) as Batch);
    this.#ownCollate = collateFn !== undefined;
    this.#generator = generator;
  }

  /** Number of batches in one pass. */
  get length(): number {
    const { dropLast, batchSize } = this;
    return (dropLast ? Math.floor : Math.ceil)(this.sampler.length / batchSize);
  }

  /** The pass that loadStateDict gave, or a new one. */
  private begin(): Pass {
    const resumed = this.#resumed;
    this.#resumed = null;
    if (resumed) return resumed;
    // PyTorch's loader draws a seed for its workers before the sampler draws one, whether there are workers or not.
    (this.#generator ?? defaultGenerator).randomInt64();
    return { order: this.sampler.pass?.() ?? [...this.sampler], batches: 0 };
  }

  /**
   * Where the loader is: inside a pass, the order of its samples and how many batches were given; the state of its own generator. Taken in the body of
   * a loop, the batch at hand counts as given.
   */
  stateDict(): LoaderState {
    const pass = this.#pass ?? this.#resumed;
    return {
      batches: pass?.batches ?? 0,
      order: pass ? tensor(Int32Array.from(pass.order)) : null,
      generator: this.#generator ? tensor(this.#generator.getState()) : null,
    };
  }

  /**
   * Goes on where stateDict was taken: the next pass gives the rest of that one.
   * @throws StateDictError if the state is that of another loader
   */
  loadStateDict(state: LoaderState): void {
    const order = state.order ? Array.from(state.order.toTypedArray(), Number) : null;
    const strange = order?.find((index) => !(index >= 0 && index < this.dataset.length));
    if (strange !== undefined || (order && order.length !== this.sampler.length) || !(state.batches >= 0)) {
      throw new StateDictError(
        `the loader's state is of ${order?.length} samples${strange === undefined ? "" : ` and has the index ${strange}`}; here are ${this.sampler.length}`,
        "resume with the same data set and sampler",
      );
    }
    if ((state.generator !== null) !== (this.#generator !== undefined)) {
      throw new StateDictError(
        `the loader's state has ${state.generator ? "a" : "no"} generator, the loader ${this.#generator ? "one" : "none"}`,
        "make the loader as it was made then",
      );
    }
    if (state.generator) this.#generator?.setState(state.generator.toTypedArray() as Uint8Array);
    this.#resumed = order && { order, batches: state.batches };
  }

  private async load(indices: number[]): Promise<Batch> {
    const { dataset } = this;
    if (dataset.getBatch && !this.#ownCollate) return dataset.getBatch(indices);
    const samples: Sample[] = [];
    for (const index of indices) samples.push(await dataset.get(index));
    return this.#collate(samples);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Batch, void, undefined> {
    const { batchSize } = this;
    const pass = this.begin();
    const end = this.dropLast ? pass.order.length - batchSize : pass.order.length - 1;
    this.#pass = pass;
    let scope: Scope | undefined;
    try {
      for (let at = pass.batches * batchSize; at <= end; at += batchSize) {
        if (scope) closeScope(scope);
        scope = openScope("iteration");
        const batch = await this.load(indicesFrom(pass.order, at, batchSize));
        pass.batches++;
        yield batch;
      }
    } finally {
      if (this.#pass === pass) this.#pass = null;
      if (scope) leaveScope(scope);
    }
  }
}
