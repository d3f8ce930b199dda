import { defaultGenerator, Generator } from "../tensor/generator.ts";
import { ArgumentError } from "../util/errors.ts";

type Indices = globalThis.Generator<number, void, undefined>;

/** An order in which samples are visited; iterating again may give another. */
export interface Sampler extends Iterable<number> {
  /** Number of indices that one pass gives. */
  readonly length: number;
  /** All of a pass at once, for samplers that have it: a loader takes it rather than iterate. */
  pass?(): ArrayLike<number>;
}

/**
 * 0, 1, 2, …, as torch.utils.data.SequentialSampler.
 * @example
 * ```ts
 * import { data } from "evenkeel";
 * [...new data.SequentialSampler(3)]; // => [0, 1, 2]
 * ```
 */
export class SequentialSampler implements Sampler {
  constructor(readonly length: number) {}

  *[Symbol.iterator](): Indices {
    for (let i = 0; i < this.length; i++) yield i;
  }
}

/**
 * A new permutation at each pass, in PyTorch's order: without a generator of its own it draws a seed from the default one. As
 * torch.utils.data.RandomSampler.
 * @example
 * ```ts
 * import { data, Generator } from "evenkeel";
 * const sampler = new data.RandomSampler(10, { generator: new Generator(42) });
 * [...sampler]; // => [2, 6, 1, 8, 4, 5, 0, 9, 3, 7]
 * ```
 */
export class RandomSampler implements Sampler {
  readonly #generator: Generator | undefined;

  constructor(
    readonly length: number,
    options: { generator?: Generator } = {},
  ) {
    this.#generator = options.generator;
  }

  pass(): Uint32Array {
    const generator = this.#generator ?? new Generator(defaultGenerator.randomInt64());
    return generator.permutation(this.length);
  }

  *[Symbol.iterator](): Indices {
    yield* this.pass();
  }
}

/** Checks a batch size. @throws ArgumentError */
export function checkBatchSize(batchSize: number): void {
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new ArgumentError(`batch_size should be a positive integer value, but got batch_size=${batchSize}`);
  }
}
