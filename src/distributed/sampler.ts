import type { Sampler } from "../data/sampler.ts";
import { Generator } from "../tensor/generator.ts";
import { ArgumentError } from "../util/errors.ts";
import { communicator } from "./init.ts";

/** Options of a DistributedSampler. */
export interface DistributedSamplerOptions {
  /** number of ranks; the job's */
  numReplicas?: number;
  /** whose samples these are; this rank */
  rank?: number;
  /** a new order at each epoch, the same on all ranks; true */
  shuffle?: boolean;
  /** of the orders, 0; the same on all ranks */
  seed?: number;
  /** leave out samples at the end of the order, rather than repeat some, so that every rank has as many; false */
  dropLast?: boolean;
}

/**
 * Every numReplicas-th sample of an order that all ranks share, from number `rank` on: the indices of torch.utils.data.DistributedSampler. All ranks get the same number: first
 * samples of the order are repeated at its end, or with dropLast some are left out. Where no sample may count twice, use ShardedDataset.
 * @throws ArgumentError for a rank that does not exist
 * @example
 * ```ts
 * import { DistributedSampler } from "evenkeel/distributed";
 * const of = (rank: number) => [...new DistributedSampler({ length: 5 }, { numReplicas: 2, rank, shuffle: false })];
 * [of(0), of(1)]; // => [[0, 2, 4], [1, 3, 0]]
 * ```
 */
export class DistributedSampler implements Sampler {
  readonly numReplicas: number;
  readonly rank: number;
  readonly shuffle: boolean;
  readonly seed: number;
  readonly dropLast: boolean;
  /** Number of samples in this rank's pass. */
  readonly length: number;
  private epoch = 0;

  /** @param dataset the data set, or whatever has as many elements */
  constructor(
    readonly dataset: { readonly length: number },
    options: DistributedSamplerOptions = {},
  ) {
    const everybody = communicator();
    const { numReplicas = everybody.worldSize, rank = everybody.rank } = options;
    const { shuffle = true, seed = 0, dropLast = false } = options;
    if (!Number.isInteger(rank) || rank < 0 || rank >= numReplicas) {
      throw new ArgumentError(`Invalid rank ${rank}, rank should be in the interval [0, ${numReplicas - 1}]`);
    }
    this.numReplicas = numReplicas;
    this.rank = rank;
    this.shuffle = shuffle;
    this.seed = seed;
    this.dropLast = dropLast;
    this.length = (dropLast ? Math.floor : Math.ceil)(dataset.length / numReplicas);
  }

  /** Chooses the order of the next pass; without it all passes have the same. */
  setEpoch(epoch: number): void {
    this.epoch = epoch;
  }

  *[Symbol.iterator](): globalThis.Generator<number, void, undefined> {
    const { dataset, shuffle, seed, epoch, rank, numReplicas } = this;
    const order = shuffle ? new Generator(seed + epoch).randperm(dataset.length) : null;
    for (let i = 0; i < this.length; i++) {
      const at = (rank + i * numReplicas) % dataset.length;
      yield order ? order[at] : at;
    }
  }
}
