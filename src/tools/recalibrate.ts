import { noGrad } from "../autograd/mode.ts";
import type { Module } from "../nn/module.ts";
import type { BatchNorm } from "../nn/norm/batch-norm.ts";
import { tensor } from "../tensor/creation.ts";
import { isFloat } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { tidy } from "../tensor/tidy.ts";
import { ArgumentError } from "../util/errors.ts";
import { type Batches, inputsOf, Modes, trackedBatchNorms } from "./batches.ts";
import { hasFrozenStatistics } from "./freeze.ts";
import { Pool } from "./pool.ts";

/** Batch normalizations whose statistics may move. */
function movable(model: Module): [string, BatchNorm][] {
  return trackedBatchNorms(model).filter(([, layer]) => !hasFrozenStatistics(layer));
}

/** The statistics and momentum of layers, to be put back as they were. */
export class Statistics {
  readonly #saved: { layer: BatchNorm; momentum: number | null; buffers: [Tensor, Tensor][] }[];

  constructor(layers: readonly BatchNorm[]) {
    this.#saved = layers.map((layer) => ({
      layer,
      momentum: layer.momentum,
      buffers: layer.buffers().map((buffer): [Tensor, Tensor] => [buffer, buffer.detach().clone().keep()]),
    }));
  }

  restoreMomentum(): void {
    for (const { layer, momentum } of this.#saved) layer.momentum = momentum;
  }

  restore(): void {
    this.restoreMomentum();
    for (const { buffers } of this.#saved) for (const [buffer, copy] of buffers) buffer.copy_(copy);
  }

  /** Makes running means and variances `share` of the saved ones, and the rest of what they are. */
  mixInto(share: number): void {
    for (const { buffers } of this.#saved) {
      for (const [buffer, copy] of buffers) {
        if (!isFloat(buffer.dtype)) continue;
        tidy(() => void buffer.mul_(1 - share).add_(copy.mul(share)));
      }
    }
  }

  dispose(): void {
    for (const { buffers } of this.#saved) for (const [, copy] of buffers) copy.dispose();
  }
}

/**
 * Computes running statistics anew in one pass over the data: every batch counts the same, whatever its size, and the whole model is in training mode meanwhile
 * (dropout acts). As torch.optim.swa_utils.update_bn, to its numbers; each module's own mode is restored, and frozen layers stay. For batches of different sizes
 * use `recalibrate`.
 * @throws what a forward pass throws; the statistics are then as before
 * @example
 * ```ts
 * import { nn, tensor, tools } from "evenkeel";
 * const model = new nn.Sequential(new nn.BatchNorm1d(1));
 * await tools.updateBn([tensor([[1], [3]]), tensor([[4], [4], [4], [4]])], model);
 * model.getBuffer("0.running_mean")!.item(); // => 3
 * ```
 */
export async function updateBn(loader: Batches, model: Module): Promise<void> {
  const layers = movable(model).map(([, layer]) => layer);
  if (layers.length === 0) return;
  const modes = new Modes(model);
  const before = new Statistics(layers);
  try {
    for (const layer of layers) {
      layer.resetRunningStats();
      layer.momentum = null;
    }
    model.train();
    for await (const input of inputsOf(loader)) tidy(() => noGrad(() => void model.forward(input)));
    before.restoreMomentum();
  } catch (error) {
    before.restore();
    throw error;
  } finally {
    modes.restore();
    before.dispose();
  }
}

/** What recalibration found and changed; plain data. */
export interface Recalibration {
  /** batches and samples that were used */
  batches: number;
  samples: number;
  layers: {
    path: string;
    /** values per channel that the new statistics are of */
    values: number;
    /** root mean square over channels of how far the mean moved, in the standard deviations from before */
    meanShift: number;
    /** geometric mean over channels of new variance / old variance */
    varianceRatio: number;
  }[];
}

/**
 * Computes running statistics anew as the mean and unbiased variance of all values that reach a layer, whatever batches they came in: precise statistics, weighted
 * by batch size. Only batch normalization is in training mode meanwhile, so dropout does not act. Momentum and modes are restored; the counter says how many batches were used;
 * frozen layers stay. After fvcore's update_bn_stats; Wu & Johnson 2021, "Rethinking Batch in BatchNorm".
 * @param options.batches use so many; all
 * @throws ArgumentError if there is no data, or what a forward pass throws; the statistics are then as before
 * @example
 * ```ts
 * import { nn, tensor, tools } from "evenkeel";
 * const model = new nn.Sequential(new nn.BatchNorm1d(1));
 * const { samples } = await tools.recalibrate(model, [tensor([[1], [3]]), tensor([[4], [4], [4], [4]])]);
 * samples; // => 6
 * model.getBuffer("0.running_mean")!.item(); // => 3.3333
 * model.getBuffer("0.running_var")!.item(); // => 1.4667
 * ```
 */
export async function recalibrate(
  model: Module,
  data: Batches,
  options: { batches?: number } = {},
): Promise<Recalibration> {
  const named = movable(model);
  const pools = new Map(named.map(([, layer]) => [layer, new Pool(layer.numFeatures)]));
  const modes = new Modes(model);
  const before = new Statistics(named.map(([, layer]) => layer));
  const calls = new Set<BatchNorm>();
  const unhook = named.map(([, layer]) =>
    layer.registerForwardHook((_, [input]) => {
      // With momentum 1 the running statistics are the batch's.
      const n = (input as Tensor).numel / layer.numFeatures;
      const [mean, variance] = [layer.runningMean, layer.runningVar].map((x) => x?.toTypedArray() as Float32Array);
      if (n > 0) pools.get(layer)?.add(n, mean, variance, 1);
      calls.add(layer);
    }),
  );
  let batches = 0;
  let samples = 0;
  const old = new Map(named.map(([, layer]) => [layer, valuesOf(layer)]));
  try {
    model.eval();
    for (const [, layer] of named) {
      layer.resetRunningStats();
      layer.momentum = 1;
      layer.train();
    }
    for await (const input of inputsOf(data, options.batches)) {
      tidy(() => noGrad(() => void model.forward(input)));
      batches++;
      samples += input.shape[0];
    }
    if (batches === 0) throw new ArgumentError("there are no batches to take statistics of", "give at least one");
    before.restoreMomentum();
    for (const [layer, pool] of pools) {
      if (!calls.has(layer)) continue;
      write(layer.runningMean, pool.mean);
      write(layer.runningVar, pool.variance());
    }
  } catch (error) {
    before.restore();
    throw error;
  } finally {
    for (const remove of unhook) remove();
    modes.restore();
    before.dispose();
  }
  const layers = named.map(([path, layer]) => {
    const { count = 0 } = pools.get(layer) ?? {};
    return { path, values: count, ...change(old.get(layer) ?? valuesOf(layer), valuesOf(layer), layer.eps) };
  });
  return { batches, samples, layers };
}

interface Values {
  mean: ArrayLike<number>;
  variance: ArrayLike<number>;
}

function valuesOf(layer: BatchNorm): Values {
  return {
    mean: layer.runningMean?.toTypedArray() as Float32Array,
    variance: layer.runningVar?.toTypedArray() as Float32Array,
  };
}

function write(target: Tensor | null, values: Float64Array): void {
  using source = tensor(values, { dtype: "float64" });
  noGrad(() => target?.copy_(source));
}

/** How far statistics moved. */
function change(from: Values, to: Values, eps: number): { meanShift: number; varianceRatio: number } {
  const channels = from.mean.length;
  let squares = 0;
  let logs = 0;
  for (let c = 0; c < channels; c++) {
    squares += (to.mean[c] - from.mean[c]) ** 2 / (from.variance[c] + eps);
    logs += Math.log((to.variance[c] + eps) / (from.variance[c] + eps));
  }
  return { meanShift: Math.sqrt(squares / channels), varianceRatio: Math.exp(logs / channels) };
}
