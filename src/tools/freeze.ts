import type { Module } from "../nn/module.ts";
import { NormBase } from "../nn/norm/base.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** What `freeze` and `unfreeze` apply to. */
export interface FreezeOptions {
  /** parameters: they get no gradient; true */
  parameters?: boolean;
  /** running statistics: their layers normalize by them and leave them as they are, in training mode too; true */
  statistics?: boolean;
}

/** requiresGrad of frozen parameters, as it was. */
const flags = new WeakMap<Tensor, boolean>();
/** Frozen layers, and the mode that they would be in. */
const modes = new WeakMap<Module, boolean>();

/** Whether `freeze` holds a layer's running statistics. */
export function hasFrozenStatistics(module: Module): boolean {
  return modes.has(module);
}

/**
 * Freezes a model or a part of it: no gradients for its parameters, and normalization by running statistics that no longer move. requiresGrad = false alone leaves the
 * statistics moving, and eval() is undone by the next train(): this holds until `unfreeze`. Keys, momentum, counters and values stay. Returns the module. Build the
 * optimizer from the parameters that still require a gradient.
 * @example
 * ```ts
 * import { nn, randn, tools } from "evenkeel";
 * const backbone = new nn.Sequential(new nn.Conv2d(3, 8, 3), new nn.BatchNorm2d(8));
 * const model = new nn.Sequential(tools.freeze(backbone), new nn.Conv2d(8, 2, 1)).train();
 * model.forward(randn([4, 3, 8, 8]));
 * backbone.getBuffer("1.num_batches_tracked")!.item(); // => 0
 * model.parameters().filter((p) => p.requiresGrad).length; // => 2
 * ```
 */
export function freeze<M extends Module>(model: M, options: FreezeOptions = {}): M {
  const { parameters = true, statistics = true } = options;
  if (parameters) {
    for (const parameter of model.parameters()) {
      if (!flags.has(parameter)) flags.set(parameter, parameter.requiresGrad);
      parameter.requiresGrad = false;
    }
  }
  if (statistics) {
    for (const module of model.modules()) {
      if (!(module instanceof NormBase) || module.runningMean === null || modes.has(module)) continue;
      modes.set(module, module.training);
      module.training = false;
      // Remembers what train() and eval() of the model ask for, so that unfreeze can do it.
      const train = (mode = true) => {
        modes.set(module, mode);
        return module;
      };
      Object.defineProperty(module, "train", { value: train, configurable: true, enumerable: false });
    }
  }
  return model;
}

/**
 * Takes back `freeze`: requiresGrad is as it was before, layers are in the mode that train() or eval() last asked for, and update their statistics with the momentum and the counter
 * they had. What was not frozen stays as it is. Returns the module.
 * @example
 * ```ts
 * import { nn, tools } from "evenkeel";
 * const model = new nn.Sequential(new nn.Linear(2, 2), new nn.BatchNorm1d(2, { momentum: 0.3 }));
 * tools.unfreeze(tools.freeze(model));
 * [model.at(1).training, model.parameters().every((p) => p.requiresGrad), String(model.at(1))];
 * // => [true, true, "BatchNorm1d(2, eps=1e-05, momentum=0.3, affine=True, track_running_stats=True)"]
 * ```
 */
export function unfreeze<M extends Module>(model: M, options: FreezeOptions = {}): M {
  const { parameters = true, statistics = true } = options;
  if (parameters) {
    for (const parameter of model.parameters()) {
      parameter.requiresGrad = flags.get(parameter) ?? parameter.requiresGrad;
      flags.delete(parameter);
    }
  }
  if (statistics) {
    for (const module of model.modules()) {
      const mode = modes.get(module);
      if (mode === undefined) continue;
      modes.delete(module);
      Reflect.deleteProperty(module, "train");
      module.training = mode;
    }
  }
  return model;
}
