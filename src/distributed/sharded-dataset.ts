import { type Collatable, defaultCollate } from "../data/collate.ts";
import type { Dataset } from "../data/dataset.ts";
import { narrow } from "../ops/slicing.ts";
import { tensor } from "../tensor/creation.ts";
import { Tensor } from "../tensor/tensor.ts";
import { tidy } from "../tensor/tidy.ts";
import { ArgumentError } from "../util/errors.ts";
import type { Communicator } from "./communicator.ts";
import { communicator } from "./init.ts";

/** A batch of no samples: the structure, and all sizes but the first, of a batch that has some. */
function emptied(batch: unknown): unknown {
  if (batch instanceof Tensor) return narrow(batch, 0, 0, 0);
  if (Array.isArray(batch)) return batch.map(emptied);
  if (batch && typeof batch === "object") {
    return Object.fromEntries(Object.entries(batch).map(([name, part]) => [name, emptied(part)]));
  }
  return batch;
}

/** 31 bits that depend on all numbers and their order. */
function digest(numbers: readonly number[]): number {
  let hash = 0;
  for (const n of numbers) hash = Math.imul(hash ^ n, 0x9e3779b1) ^ (hash >>> 15);
  return hash >>> 1;
}

/**
 * A data set whose batches are shared out: every rank makes the same loader as one process would, with the batch size of all ranks together, and loads only its own, nearly
 * equal, share of each batch. So k ranks see what one process sees, in the same order; no sample is repeated or left out; a run can go on with another number of ranks in
 * the middle of a pass. Of a last, small batch a rank may get no sample at all (tensors of size 0 along the first dimension); take the loss with `globalMean`.
 *
 * All ranks have to draw the same order: give a shuffling loader a generator of its own, since the default one also serves dropout.
 * @throws ArgumentError on every rank at a batch of which the ranks have different orders
 * @example
 * ```ts
 * import { arange, data, Generator } from "evenkeel";
 * import { ShardedDataset } from "evenkeel/distributed";
 * const shared = new ShardedDataset(new data.TensorDataset(arange(10)));
 * const loader = new data.DataLoader(shared, { batchSize: 4, shuffle: true, generator: new Generator(0) });
 * loader.length; // => 3
 * ```
 */
export class ShardedDataset<Sample, Batch> implements Dataset<Sample, Batch> {
  readonly #ranks: Communicator;
  readonly #collate: (samples: Sample[]) => Batch;

  /** @param options.collateFn makes a batch of samples where the data set makes none itself; a collateFn of the loader would see whole batches */
  constructor(
    readonly dataset: Dataset<Sample, Batch>,
    options: { communicator?: Communicator; collateFn?: (samples: Sample[]) => Batch } = {},
  ) {
    this.#ranks = options.communicator ?? communicator();
    this.#collate = options.collateFn ?? ((samples) => defaultCollate(samples as Collatable[]) as Batch);
  }

  /** Number of samples on all ranks together. */
  get length(): number {
    return this.dataset.length;
  }

  get(index: number): Sample | Promise<Sample> {
    return this.dataset.get(index);
  }

  /** This rank's share of a batch: samples ⌊n · rank / ranks⌋ to ⌊n · (rank + 1) / ranks⌋ of the n. */
  async getBatch(indices: readonly number[]): Promise<Batch> {
    const { rank, worldSize } = this.#ranks;
    if (worldSize > 1) this.checkAgreement(indices);
    const from = Math.floor((indices.length * rank) / worldSize);
    const to = Math.floor((indices.length * (rank + 1)) / worldSize);
    if (from < to) return this.load(indices.slice(from, to));
    return emptied(await this.load(indices.slice(0, 1))) as Batch;
  }

  private async load(indices: readonly number[]): Promise<Batch> {
    const { dataset } = this;
    if (dataset.getBatch) return dataset.getBatch(indices);
    const samples: Sample[] = [];
    for (const index of indices) samples.push(await dataset.get(index));
    return this.#collate(samples);
  }

  private checkAgreement(indices: readonly number[]): void {
    const hash = digest(indices);
    const [most, least] = tidy(() => {
      const all = this.#ranks.allReduce(tensor(Int32Array.of(hash, -hash)), { op: "max" });
      return all.toArray() as number[];
    });
    if (most === -least) return;
    throw new ArgumentError(
      "the ranks are about to load different batches: their loaders have different orders",
      "give the loader { generator: new Generator(seed) } with one seed for all ranks, and the same batch size",
    );
  }
}
