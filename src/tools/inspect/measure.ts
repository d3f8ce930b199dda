import { noGrad } from "../../autograd/mode.ts";
import { withoutStatisticsUpdate } from "../../functional/statistics-update.ts";
import type { Module } from "../../nn/module.ts";
import { BatchNorm } from "../../nn/norm/batch-norm.ts";
import { varMean } from "../../ops/moments.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { tidy } from "../../tensor/tidy.ts";
import { type Batches, inputsOf, Modes } from "../batches.ts";
import { Pool } from "../pool.ts";
import { tensorsIn, traceLinks } from "../trace.ts";
import { type BiasBefore, biasOf } from "./layers.ts";

/** What a batch norm got in evaluation, all batches together. */
export interface LayerMeasure {
  /** values per channel, over all batches */
  values: number;
  /** values per channel in the smallest batch */
  valuesPerBatch: number;
  mean: Float64Array;
  variance: Float64Array;
}

/** What was measured on data. */
export interface Measurement {
  batches: number;
  samples: number;
  /** samples in the smallest batch */
  smallestBatch: number;
  /** ‖training − evaluation‖ / ‖evaluation‖ of the outputs, batch norm by the batch's statistics or by the running ones; null where training is not possible */
  outputDifference: number | null;
  /** share of the samples whose largest output is the same; null unless outputs are [N, classes] */
  agreement: number | null;
  layers: Map<string, LayerMeasure>;
  biases: BiasBefore[];
}

/** Sums over all outputs of a model in its two modes. */
class Comparison {
  #difference = 0;
  #norm = 0;
  #same = 0;
  #rows = 0;

  add(evaluation: readonly Tensor[], training: readonly Tensor[]): void {
    for (const [i, a] of evaluation.entries()) {
      const [x, y] = [a, training[i]].map((t) => t.toTypedArray() as Float32Array);
      for (let k = 0; k < x.length; k++) {
        this.#difference += (x[k] - y[k]) ** 2;
        this.#norm += x[k] ** 2;
      }
    }
    const [a, b] = [evaluation[0], training[0]];
    if (evaluation.length !== 1 || a.ndim !== 2 || a.shape[1] < 2) return;
    this.#same += Number(a.argmax(1).eq(b.argmax(1)).sum().item());
    this.#rows += a.shape[0];
  }

  get outputDifference(): number | null {
    return this.#norm > 0 ? Math.sqrt(this.#difference / this.#norm) : null;
  }

  get agreement(): number | null {
    return this.#rows > 0 ? this.#same / this.#rows : null;
  }
}

/** Runs data through a model in evaluation, and again with batch norm by the batch, and puts everything back. */
export async function measure(model: Module, data: Batches, most: number): Promise<Measurement> {
  const norms = model.namedModules().filter((entry): entry is [string, BatchNorm] => entry[1] instanceof BatchNorm);
  const modes = new Modes(model);
  const layers = new Map<string, LayerMeasure & { pool: Pool }>();
  let watching = true;
  const unhook = norms.map(([path, layer]) =>
    layer.registerForwardHook((_, [input]) => {
      if (watching) watch(layers, path, layer, input as Tensor);
    }),
  );
  const comparison = new Comparison();
  const result = { batches: 0, samples: 0, smallestBatch: Number.POSITIVE_INFINITY };
  let links: ReturnType<typeof traceLinks> | null = null;
  let trainable = norms.length > 0;
  try {
    for await (const input of inputsOf(data, most)) {
      model.eval();
      watching = false;
      links ??= traceLinks(model, input);
      watching = true;
      result.batches++;
      result.samples += input.shape[0];
      result.smallestBatch = Math.min(result.smallestBatch, input.shape[0]);
      tidy(() =>
        noGrad(() => {
          const evaluation = tensorsIn(model.forward(input));
          watching = false;
          // One value per channel cannot be normalized by itself.
          if ([...layers.values()].some(({ valuesPerBatch }) => valuesPerBatch < 2)) trainable = false;
          if (!trainable) return;
          for (const [, layer] of norms) layer.training = true;
          comparison.add(
            evaluation,
            withoutStatisticsUpdate(() => tensorsIn(model.forward(input))),
          );
        }),
      );
    }
  } finally {
    for (const remove of unhook) remove();
    modes.restore();
  }
  for (const layer of layers.values()) {
    layer.values = layer.pool.count;
    layer.mean = layer.pool.mean;
    layer.variance = layer.pool.variance();
  }
  const { outputDifference, agreement } = comparison;
  const biases = (links ?? []).flatMap(({ first, second }): BiasBefore[] => {
    const norm = norms.find(([path]) => path === second)?.[1];
    const bias = norm && biasOf(model.getSubmodule(first).stateDict(), norm.numFeatures);
    return bias ? [{ norm: second, layer: first, bias }] : [];
  });
  return { ...result, outputDifference, agreement, layers, biases };
}

function watch(
  layers: Map<string, LayerMeasure & { pool: Pool }>,
  path: string,
  layer: BatchNorm,
  input: Tensor,
): void {
  const dims = [...input.shape.keys()].filter((d) => d !== 1);
  const n = input.numel / layer.numFeatures;
  const [variance, mean] = varMean(input, dims, { correction: 0 }).map((x) => x.toTypedArray() as Float32Array);
  const known = layers.get(path) ?? {
    pool: new Pool(layer.numFeatures),
    values: 0,
    valuesPerBatch: n,
    mean: new Float64Array(),
    variance: new Float64Array(),
  };
  known.pool.add(n, mean, variance, 0);
  known.valuesPerBatch = Math.min(known.valuesPerBatch, n);
  layers.set(path, known);
}
