import { noGrad } from "../autograd/mode.ts";
import type { Module } from "../nn/module.ts";
import { BatchNorm } from "../nn/norm/batch-norm.ts";
import {
  BatchNorm2d,
  BatchNormAct2d,
  convertSyncBatchNorm,
  FrozenBatchNorm2d,
  GroupNorm,
  SyncBatchNorm,
} from "../nn/norm/index.ts";
import type { FloatDType } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { ArgumentError } from "../util/errors.ts";
import { carryFreeze } from "./freeze.ts";

/** What batch normalization can become. */
export type ConversionTarget = "group" | "sync" | "frozen";

/** One layer of a converted model; plain data. */
export interface LayerChange {
  /** "" where the model itself is the layer */
  path: string;
  /** PyTorch's name of the class, and what it is printed with */
  from: string;
  to: string;
  note?: ConversionNote;
}

/** What to know of a converted layer. */
export type ConversionNote =
  /** group norm has no running statistics: the model has to be trained again, at least its γ and β */
  | "statistics-dropped"
  /** left as it was: the target has no such layer (frozen: only BatchNorm2d; group: no layer with an activation in it) */
  | "unsupported";

/** A converted model, and what was changed in it. */
export interface Conversion<M extends Module = Module> {
  /** the model itself; if it is a batch normalization, what it became */
  model: M | Module;
  changes: LayerChange[];
}

/** The largest number of groups up to `most` that divides the channels. */
function groupsFor(channels: number, most: number): number {
  let groups = Math.min(most, channels);
  while (channels % groups !== 0) groups--;
  return groups;
}

function copyInto(target: Tensor | null, source: Tensor | null): void {
  if (target && source) target.detach().copy_(source.detach());
}

function toGroupNorm(layer: BatchNorm, most: number): GroupNorm {
  const { numFeatures, eps, affine } = layer;
  const dtype = layer.weight?.dtype as FloatDType | undefined;
  const made = new GroupNorm(groupsFor(numFeatures, most), numFeatures, { eps, affine, dtype });
  copyInto(made.weight, layer.weight);
  copyInto(made.bias, layer.bias);
  if (made.weight && layer.weight) made.weight.requiresGrad = layer.weight.requiresGrad;
  if (made.bias && layer.bias) made.bias.requiresGrad = layer.bias.requiresGrad;
  return made.train(layer.training);
}

function toFrozen(layer: BatchNorm): FrozenBatchNorm2d {
  const dtype = layer.runningMean?.dtype as FloatDType;
  const made = new FrozenBatchNorm2d(layer.numFeatures, { eps: layer.eps, dtype });
  const state = layer.stateDict();
  for (const [name, buffer] of made.namedBuffers()) copyInto(buffer, state.get(name) ?? null);
  return made.train(layer.training);
}

/** The layer in its new form, or null where there is none. */
function converted(layer: BatchNorm, to: ConversionTarget, groups: number): Module | null {
  if (to === "sync") return convertSyncBatchNorm(layer);
  if (layer instanceof BatchNormAct2d) return null;
  if (to === "group") return toGroupNorm(layer, groups);
  return layer instanceof BatchNorm2d && layer.runningMean && layer.runningVar ? toFrozen(layer) : null;
}

/**
 * Makes the batch normalizations of a model, in place,
 * - "group": GroupNorm with the same γ, β and eps: independent of the batch's size, but to be trained again (Wu & He 2018);
 * - "sync": SyncBatchNorm, which takes its moments over all processes that train together; parameters and buffers are the same;
 * - "frozen": FrozenBatchNorm2d, which never changes (BatchNorm2d only); for a freeze that can be undone see `freeze`.
 * @param options.groups for "group": at most so many groups, 32; a layer takes the largest number that divides its channels
 * @throws ArgumentError for another target
 * @example
 * ```ts
 * import { nn, tools } from "evenkeel";
 * const model = new nn.Sequential(new nn.Conv2d(3, 48, 3), new nn.BatchNorm2d(48), new nn.ReLU());
 * tools.convert(model, "group").changes;
 * // => [{ path: "1", from: "BatchNorm2d(48, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)",
 * //      to: "GroupNorm(24, 48, eps=1e-05, affine=True)", note: "statistics-dropped" }]
 * ```
 */
export function convert<M extends Module>(
  model: M,
  to: ConversionTarget,
  options: { groups?: number } = {},
): Conversion<M> {
  const { groups = 32 } = options;
  if (!["group", "sync", "frozen"].includes(to)) {
    throw new ArgumentError(`batch norm cannot become "${to}"`, 'give "group", "sync" or "frozen"');
  }
  if (!Number.isInteger(groups) || groups < 1)
    throw new ArgumentError(`groups is ${groups}`, "give a whole number from 1");
  const changes: LayerChange[] = [];
  const made = new Map<BatchNorm, Module>();
  const change = (layer: BatchNorm, path: string): Module => {
    const known = made.get(layer);
    if (known) return known;
    const from = String(layer);
    const now = to === "sync" && layer instanceof SyncBatchNorm ? layer : converted(layer, to, groups);
    const note = now === null ? "unsupported" : to === "group" ? "statistics-dropped" : undefined;
    if (now && now !== layer) carryFreeze(layer, now);
    if (now !== layer) changes.push({ path, from, to: String(now ?? layer), ...(note && { note }) });
    made.set(layer, now ?? layer);
    return now ?? layer;
  };
  return noGrad(() => {
    if (model instanceof BatchNorm) return { model: change(model, ""), changes };
    for (const [path, parent] of model.namedModules()) {
      // Under all its names: a layer that has several places keeps them.
      for (const [name, child] of parent.namedChildren({ removeDuplicate: false })) {
        if (!(child instanceof BatchNorm)) continue;
        const now = change(child, path ? `${path}.${name}` : name);
        if (now !== child) parent.setSubmodule(name, now);
      }
    }
    return { model, changes };
  });
}
