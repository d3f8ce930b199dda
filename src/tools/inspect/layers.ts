import type { Module } from "../../nn/module.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** A normalization layer's values, from a model or a state dict. */
export interface NormValues {
  path: string;
  /** PyTorch's class, or what the keys tell: "batch norm", or "norm" (layer or group norm) */
  kind: string;
  channels: number;
  /** null where a state dict does not say */
  eps: number | null;
  /** null also stands for the cumulative average */
  momentum: number | null;
  /** num_batches_tracked; null where it is not kept */
  batches: number | null;
  weight: Float64Array | null;
  bias: Float64Array | null;
  mean: Float64Array | null;
  variance: Float64Array | null;
}

/** A convolution or linear layer whose bias a batch norm right after it takes away. */
export interface BiasBefore {
  norm: string;
  layer: string;
  bias: Float64Array;
}

function numbers(x: Tensor | undefined): Float64Array | null {
  return x ? Float64Array.from(x.toTypedArray() as ArrayLike<number>, Number) : null;
}

/** The tensors of a state dict by module path, in its order. */
function byModule(state: ReadonlyMap<string, Tensor>): Map<string, Map<string, Tensor>> {
  const modules = new Map<string, Map<string, Tensor>>();
  for (const [key, value] of state) {
    const dot = key.lastIndexOf(".");
    const path = key.slice(0, Math.max(dot, 0));
    const tensors = modules.get(path) ?? new Map<string, Tensor>();
    modules.set(path, tensors.set(key.slice(dot + 1), value));
  }
  return modules;
}

const hasStatistics = (tensors: ReadonlyMap<string, Tensor>) =>
  tensors.has("running_mean") && tensors.has("running_var");

/** A weight and a bias of one dimension and one size, and nothing else that says what they are. */
function looksLikeNorm(tensors: ReadonlyMap<string, Tensor>): boolean {
  const [weight, bias] = [tensors.get("weight"), tensors.get("bias")];
  return weight?.ndim === 1 && bias?.ndim === 1 && weight.numel === bias.numel;
}

/** The normalization layers of a state dict; of a model's, with what the module says. */
export function normLayers(state: ReadonlyMap<string, Tensor>, model: Module | null): NormValues[] {
  const modules = new Map(model?.namedModules());
  const found: NormValues[] = [];
  for (const [path, tensors] of byModule(state)) {
    const module = modules.get(path);
    const eps = (module as { eps?: unknown } | undefined)?.eps;
    if (module ? typeof eps !== "number" : !hasStatistics(tensors) && !looksLikeNorm(tensors)) continue;
    const momentum = (module as { momentum?: unknown } | undefined)?.momentum;
    const some = tensors.get("running_mean") ?? tensors.get("weight") ?? tensors.get("bias");
    found.push({
      path,
      kind: module?.className ?? (hasStatistics(tensors) ? "batch norm" : "norm"),
      channels: some?.numel ?? 0,
      eps: typeof eps === "number" ? eps : null,
      momentum: typeof momentum === "number" ? momentum : null,
      batches: numbers(tensors.get("num_batches_tracked"))?.[0] ?? null,
      weight: numbers(tensors.get("weight")),
      bias: numbers(tensors.get("bias")),
      mean: numbers(tensors.get("running_mean")),
      variance: numbers(tensors.get("running_var")),
    });
  }
  return found;
}

/** A batch norm and the layer that stands right before it in the state dict, if that has a bias of as many channels. */
export function biasesBefore(state: ReadonlyMap<string, Tensor>): BiasBefore[] {
  const modules = [...byModule(state)];
  return modules.slice(1).flatMap(([norm, tensors], i) => {
    const [layer, before] = modules[i];
    const bias = biasOf(before, tensors.get("running_mean")?.numel);
    return bias && hasStatistics(tensors) ? [{ norm, layer, bias }] : [];
  });
}

/** The bias of a layer with a weight matrix or kernel for so many channels. */
export function biasOf(tensors: ReadonlyMap<string, Tensor>, channels: number | undefined): Float64Array | null {
  const [weight, bias] = [tensors.get("weight"), tensors.get("bias")];
  if (!weight || !bias || weight.ndim < 2 || weight.shape[0] !== channels || bias.numel !== channels) return null;
  return numbers(bias);
}
