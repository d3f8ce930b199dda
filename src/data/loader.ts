import { defaultGenerator, type Generator } from "../tensor/generator.ts";
import { closeScope, leaveScope, openScope, type Scope } from "../tensor/memory.ts";
import { ArgumentError } from "../util/errors.ts";
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

  /** The indices of one batch after the other. */
  private *indices(): globalThis.Generator<number[], void, undefined> {
    // PyTorch's loader draws a seed for its workers before the sampler draws one, whether there are workers or not.
    (this.#generator ?? defaultGenerator).randomInt64();
    let batch: number[] = [];
    for (const index of this.sampler) {
      batch.push(index);
      if (batch.length === this.batchSize) {
        yield batch;
        batch = [];
      }
    }
    if (batch.length > 0 && !this.dropLast) yield batch;
  }

  private async load(indices: number[]): Promise<Batch> {
    const { dataset } = this;
    if (dataset.getBatch && !this.#ownCollate) return dataset.getBatch(indices);
    const samples: Sample[] = [];
    for (const index of indices) samples.push(await dataset.get(index));
    return this.#collate(samples);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Batch, void, undefined> {
    let scope: Scope | undefined;
    try {
      for (const indices of this.indices()) {
        if (scope) closeScope(scope);
        scope = openScope("iteration");
        yield await this.load(indices);
      }
    } finally {
      if (scope) leaveScope(scope);
    }
  }
}
