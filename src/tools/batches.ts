import type { Module } from "../nn/module.ts";
import { BatchNorm } from "../nn/norm/batch-norm.ts";
import { Tensor } from "../tensor/tensor.ts";
import { ArgumentError } from "../util/errors.ts";

/** A batch as loaders give it: the input, or a list that begins with it. */
export type Batch = Tensor | readonly [Tensor, ...unknown[]] | readonly Tensor[];

/** Batches: a loader, or an array of them. */
export type Batches = Iterable<Batch> | AsyncIterable<Batch>;

/** The inputs of the first `most` batches. @throws ArgumentError if a batch holds no tensor */
export async function* inputsOf(data: Batches, most = Number.POSITIVE_INFINITY): AsyncGenerator<Tensor> {
  let count = 0;
  if (most < 1) return;
  for await (const batch of data as AsyncIterable<Batch>) {
    const input = batch instanceof Tensor ? batch : batch[0];
    if (!(input instanceof Tensor)) {
      throw new ArgumentError("a batch holds no tensor", "give tensors, or lists that begin with the input");
    }
    yield input;
    if (++count >= most) return;
  }
}

/** The batch normalizations of a model that keep running statistics, with their paths. */
export function trackedBatchNorms(model: Module): [string, BatchNorm][] {
  return model
    .namedModules()
    .filter(
      (entry): entry is [string, BatchNorm] =>
        entry[1] instanceof BatchNorm && entry[1].runningMean !== null && entry[1].runningVar !== null,
    );
}

/** Which modules are in training mode, to be put back as it was. */
export class Modes {
  readonly #modes: Map<Module, boolean>;

  constructor(model: Module) {
    this.#modes = new Map(model.modules().map((module) => [module, module.training]));
  }

  restore(): void {
    for (const [module, training] of this.#modes) module.training = training;
  }
}
