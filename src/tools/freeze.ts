import type { Module } from "../nn/module.ts";
import { NormBase } from "../nn/norm/base.ts";
import type { Parameter } from "../nn/parameter.ts";

/** What `freeze` and `unfreeze` apply to. */
export interface FreezeOptions {
  /** parameters: they get no gradient; true */
  parameters?: boolean;
  /** running statistics: their layers normalize by them and leave them as they are, in training mode too; true */
  statistics?: boolean;
}

/** requiresGrad of a module's own frozen parameters, as it was. By their names: to(dtype) and others put new tensors in their place. */
const flags = new WeakMap<Module, Map<string, boolean>>();
/** Frozen layers, and the mode that they would be in. */
const modes = new WeakMap<Module, boolean>();

/** Whether `freeze` holds a layer's running statistics. */
export function hasFrozenStatistics(module: Module): boolean {
  return modes.has(module);
}

/** Holds the statistics of a layer that would be in `mode`. */
function hold(layer: Module, mode: boolean): void {
  modes.set(layer, mode);
  layer.training = false;
  // Remembers what train() and eval() of the model ask for, so that unfreeze can do it.
  const train = (asked = true) => {
    modes.set(layer, asked);
    return layer;
  };
  Object.defineProperty(layer, "train", { value: train, configurable: true, enumerable: false });
}

/** Makes a layer that takes another one's place frozen as that is. */
export function carryFreeze(from: Module, to: Module): void {
  const before = flags.get(from);
  if (before) flags.set(to, new Map(before));
  const mode = modes.get(from);
  if (mode === undefined) return;
  if (to instanceof NormBase && to.runningMean !== null) hold(to, mode);
  else to.train(mode);
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
    // All are noted before any is changed: modules may share them.
    for (const module of model.modules()) {
      const known = flags.get(module) ?? new Map<string, boolean>();
      for (const [name, { requiresGrad }] of module.namedParameters({ recurse: false })) {
        if (!known.has(name)) known.set(name, requiresGrad);
      }
      flags.set(module, known);
    }
    for (const parameter of model.parameters()) parameter.requiresGrad = false;
  }
  if (statistics) {
    for (const module of model.modules()) {
      if (module instanceof NormBase && module.runningMean !== null && !modes.has(module))
        hold(module, module.training);
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
    const before = new Map<Parameter, boolean>();
    for (const module of model.modules()) {
      const known = flags.get(module);
      for (const [name, parameter] of module.namedParameters({ recurse: false })) {
        // Of modules that share it, the one that was frozen first knows.
        if (known?.has(name)) before.set(parameter, before.get(parameter) || known.get(name) === true);
      }
      flags.delete(module);
    }
    for (const [parameter, requiresGrad] of before) parameter.requiresGrad = requiresGrad;
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
