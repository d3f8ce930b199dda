import { Module } from "../../nn/module.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Batches } from "../batches.ts";
import { type Distribution, distribution } from "./distribution.ts";
import { type Finding, findingsOf } from "./findings.ts";
import { biasesBefore, normLayers } from "./layers.ts";
import { measure } from "./measure.ts";

/** One normalization layer; plain data. */
export interface LayerInspection {
  path: string;
  /** PyTorch's name of the class; from a state dict "batch norm", or "norm" for one without running statistics */
  kind: string;
  channels: number;
  /** null where a state dict does not say */
  eps: number | null;
  momentum: number | null;
  /** training batches counted; null where they are not */
  batches: number | null;
  weight: Distribution | null;
  bias: Distribution | null;
  runningMean: Distribution | null;
  runningVar: Distribution | null;
}

/** What `inspect` found; plain data, to be written as JSON. */
export interface Inspection {
  layers: LayerInspection[];
  findings: Finding[];
  /** what the data said; null without data */
  data: {
    batches: number;
    samples: number;
    /** of the outputs between batch and running statistics, ‖training − evaluation‖ / ‖evaluation‖ */
    outputDifference: number | null;
    /** share of the samples with the same predicted class */
    agreement: number | null;
  } | null;
}

/**
 * Examines every normalization layer of a model or a state dict: how its weights and statistics are distributed, and what is wrong with it, each finding with the numbers it rests on and
 * a remedy: dead channels, collapsed or exploding variances, NaN, statistics that were never or barely updated, momentum the wrong way round, a bias in front of a batch norm; with data
 * also running statistics that do not fit it, training and evaluation that disagree, and batches that are too small. The model stays as it is.
 * @param options.data batches to measure on, as large as in training
 * @param options.batches use so many of them, 10
 * @example
 * ```ts
 * import { nn, tools } from "evenkeel";
 * const model = new nn.Sequential(new nn.Linear(4, 8), new nn.BatchNorm1d(8, { momentum: 0.9 }));
 * const { layers, findings } = await tools.inspect(model);
 * layers[0].runningVar!.median; // => 1
 * findings.map(({ path, code }) => `${path} ${code}`); // => ["1 never-updated", "1 reversed-momentum", "1 bias-before-norm"]
 * ```
 */
export async function inspect(
  model: Module | ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>,
  options: { data?: Batches; batches?: number } = {},
): Promise<Inspection> {
  const { data, batches = 10 } = options;
  const module = model instanceof Module ? model : null;
  const state =
    model instanceof Module ? model.stateDict() : new Map(model instanceof Map ? model : Object.entries(model));
  const seen = module && data ? await measure(module, data, batches) : null;
  const layers = normLayers(state, module);
  const spread = (values: Float64Array | null) => values && distribution(values);
  return {
    layers: layers.map(({ weight, bias, mean, variance, ...rest }) => ({
      ...rest,
      weight: spread(weight),
      bias: spread(bias),
      runningMean: spread(mean),
      runningVar: spread(variance),
    })),
    findings: findingsOf(layers, seen?.biases ?? biasesBefore(state), seen),
    data: seen && {
      batches: seen.batches,
      samples: seen.samples,
      outputDifference: seen.outputDifference,
      agreement: seen.agreement,
    },
  };
}
