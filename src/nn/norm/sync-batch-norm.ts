import { noGrad } from "../../autograd/mode.ts";
import type { Collective } from "../../functional/collective.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { ArgumentError, ShapeError } from "../../util/errors.ts";
import type { Module } from "../module.ts";
import { isUninitialized } from "../uninitialized.ts";
import type { NormOptions } from "./base.ts";
import { BatchNorm } from "./batch-norm.ts";
import { BatchNormAct2d } from "./batch-norm-act.ts";

/** Options of synchronized batch normalization. */
export interface SyncBatchNormOptions extends NormOptions {
  /** the processes that share the batch; null: all that train together */
  processGroup?: Collective | null;
}

/**
 * Batch normalization of [N, C, …] whose batch is spread over several processes: in training the moments are taken over all of them, and one
 * collective call forward and one backward exchange what that needs. Alone, or in evaluation, it is BatchNorm. As torch.nn.SyncBatchNorm.
 * @throws ShapeError for fewer than two dimensions or no channels, and as BatchNorm1d
 * @example
 * ```ts
 * import { nn, tensor } from "evenkeel";
 * const layer = new nn.SyncBatchNorm(1);
 * layer.forward(tensor([[1], [3]])).toArray(); // => [[-1], [1]]
 * ```
 */
export class SyncBatchNorm extends BatchNorm {
  constructor(numFeatures: number, options: SyncBatchNormOptions = {}) {
    const { processGroup = null, ...rest } = options;
    super(numFeatures, rest);
    this.synchronization = { group: processGroup };
  }

  protected checkInput(input: Tensor): void {
    if (input.ndim < 2) {
      throw new ShapeError(
        `expected at least 2D input (got ${input.ndim}D input)`,
        "SyncBatchNorm takes [N, C] or [N, C, …]: batch first, then channels",
      );
    }
    if (input.shape[1] === 0) {
      throw new ShapeError("SyncBatchNorm number of input channels should be non-zero", "the second dimension is C");
    }
  }
}

function synchronized(layer: BatchNorm, processGroup: Collective | null): Module {
  if (layer.parameters().some(isUninitialized) || layer.buffers().some(isUninitialized)) {
    throw new ArgumentError(
      `a ${layer.className} has no channels yet, so it cannot become a SyncBatchNorm`,
      "run one batch through the model first",
    );
  }
  if (layer instanceof BatchNormAct2d) return layer.synchronize(processGroup);
  const { numFeatures, eps, momentum, affine, trackRunningStats } = layer;
  // What it makes is replaced by the layer's own.
  const made = new SyncBatchNorm(0, { eps, momentum, affine, trackRunningStats, processGroup });
  made.numFeatures = numFeatures;
  made.weight = layer.weight;
  made.bias = layer.bias;
  made.runningMean = layer.runningMean;
  made.runningVar = layer.runningVar;
  made.numBatchesTracked = layer.numBatchesTracked;
  made.training = layer.training;
  return made;
}

/**
 * Makes every BatchNorm1d, 2d and 3d of a model a SyncBatchNorm with the same parameters and buffers (not copies) and the same mode, and synchronizes its
 * BatchNormAct2d; other normalizations stay. Returns the model, or, if it is a batch normalization itself, what it has become. As
 * torch.nn.SyncBatchNorm.convert_sync_batchnorm.
 * @param options.processGroup the processes that share the batch; null: all that train together
 * @throws ArgumentError for a lazy layer without channels
 * @example
 * ```ts
 * import { nn } from "evenkeel";
 * const model = new nn.Sequential(new nn.Linear(4, 3), new nn.BatchNorm1d(3));
 * nn.convertSyncBatchNorm(model);
 * model.at(1).className; // => SyncBatchNorm
 * ```
 */
export function convertSyncBatchNorm(module: Module, options: { processGroup?: Collective | null } = {}): Module {
  const { processGroup = null } = options;
  return noGrad(() => {
    if (module instanceof BatchNorm) return synchronized(module, processGroup);
    const made = new Map<BatchNorm, Module>();
    const replace = (parent: Module, seen: Set<Module>) => {
      if (seen.has(parent)) return;
      seen.add(parent);
      // under all its names: a shared layer stays shared
      for (const [name, child] of parent.namedChildren({ removeDuplicate: false })) {
        if (!(child instanceof BatchNorm)) {
          replace(child, seen);
          continue;
        }
        const now = made.get(child) ?? synchronized(child, processGroup);
        made.set(child, now);
        parent.setSubmodule(name, now);
      }
    };
    replace(module, new Set());
    return module;
  });
}
