import { enableGrad } from "../autograd/mode.ts";
import { withoutStatisticsUpdate } from "../functional/statistics-update.ts";
import type { Module } from "../nn/module.ts";
import { BatchNorm } from "../nn/norm/batch-norm.ts";
import { mul, neg } from "../ops/arithmetic.ts";
import { mean, sum } from "../ops/reduction.ts";
import { logSoftmax, softmax } from "../ops/softmax.ts";
import { Adam } from "../optim/adam.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { tidy } from "../tensor/tidy.ts";
import { ArgumentError } from "../util/errors.ts";
import { type Batches, Modes, trackedBatchNorms } from "./batches.ts";
import { hasFrozenStatistics } from "./freeze.ts";
import { type Recalibration, recalibrate, Statistics } from "./recalibrate.ts";

/** A model adapted by `adaBn`. */
export interface Adaptation extends Recalibration {
  /** Puts the statistics from before back. */
  reset(): void;
}

/**
 * Adapts a model to another domain (another camera, noise, weather) by its batch-norm statistics alone: those of the source domain are replaced by those of the data, which
 * needs no labels. Li et al. 2016, "Revisiting Batch Normalization for Practical Domain Adaptation". With few samples, `prior` keeps a part of the source's: the new statistics are
 * prior / (prior + n) · source + n / (prior + n) · target for n samples (Schneider et al. 2020, N).
 * @param options.prior how many samples the source statistics count as; 0
 * @param options.batches use so many; all
 * @throws ArgumentError if there is no data or the prior is negative
 * @example
 * ```ts
 * import { nn, tensor, tools } from "evenkeel";
 * const model = new nn.Sequential(new nn.BatchNorm1d(1)).eval();
 * const adapted = await tools.adaBn(model, [tensor([[4], [6]])]);
 * model.forward(tensor([[5]])).item(); // => 0
 * adapted.reset();
 * model.forward(tensor([[5]])).item(); // => 5
 * ```
 */
export async function adaBn(
  model: Module,
  data: Batches,
  options: { prior?: number; batches?: number } = {},
): Promise<Adaptation> {
  const { prior = 0 } = options;
  if (!(prior >= 0)) throw new ArgumentError(`prior is ${prior}`, "give a number of samples from 0");
  const layers = trackedBatchNorms(model)
    .map(([, layer]) => layer)
    .filter((layer) => !hasFrozenStatistics(layer));
  const source = new Statistics(layers);
  const report = await recalibrate(model, data, options);
  if (prior > 0) source.mixInto(prior / (prior + report.samples));
  return { ...report, reset: () => source.restore() };
}

/** Options of test-time adaptation by entropy. */
export interface TentOptions {
  /** makes the optimizer of the affine parameters; Adam with a learning rate of 1e-3 */
  optimizer?: (parameters: Tensor[]) => Optimizer;
  /** updates for each batch, 1 */
  steps?: number;
  /** start from the original parameters at every batch; false */
  episodic?: boolean;
}

/**
 * Test-time adaptation by entropy: every batch is normalized by its own statistics, and a gradient step on γ and β makes the predictions more certain. The model's running
 * statistics and all its other parameters stay as they are. TENT, Wang et al. 2021. The model has to give class scores [N, classes].
 * @throws ArgumentError if the model has no batch normalization with γ or β
 * @example
 * ```ts
 * import { nn, randn, tools } from "evenkeel";
 * const model = new nn.Sequential(new nn.Linear(4, 8), new nn.BatchNorm1d(8), new nn.ReLU(), new nn.Linear(8, 3));
 * const tent = new tools.Tent(model);
 * const scores = tent.forward(randn([16, 4]));
 * scores.shape; // => [16, 3]
 * tent.reset();
 * tent.close();
 * model.getBuffer("1.num_batches_tracked")!.item(); // => 0
 * ```
 */
export class Tent {
  readonly steps: number;
  readonly episodic: boolean;
  readonly #layers: BatchNorm[];
  readonly #parameters: Tensor[];
  readonly #start: Tensor[];
  readonly #flags: Map<Tensor, boolean>;
  readonly #modes: Modes;
  readonly #makeOptimizer: (parameters: Tensor[]) => Optimizer;
  #optimizer: Optimizer;

  constructor(
    readonly model: Module,
    options: TentOptions = {},
  ) {
    const { optimizer = (parameters) => new Adam(parameters, { lr: 1e-3 }), steps = 1, episodic = false } = options;
    this.steps = steps;
    this.episodic = episodic;
    this.#makeOptimizer = optimizer;
    this.#layers = model.modules().filter((module): module is BatchNorm => module instanceof BatchNorm);
    this.#parameters = this.#layers.flatMap(({ weight, bias }) => [weight, bias].filter((p) => p !== null));
    if (this.#parameters.length === 0) {
      throw new ArgumentError("the model has no batch normalization with γ or β", "TENT adapts nothing else");
    }
    this.#start = this.#parameters.map((parameter) => parameter.detach().clone().keep());
    this.#flags = new Map(model.parameters().map((parameter) => [parameter, parameter.requiresGrad]));
    this.#modes = new Modes(model);
    model.eval();
    for (const parameter of model.parameters()) parameter.requiresGrad = false;
    for (const parameter of this.#parameters) parameter.requiresGrad = true;
    for (const layer of this.#layers) layer.training = true;
    this.#optimizer = optimizer(this.#parameters);
  }

  /** Class scores of a batch, computed before its update, as TENT does; without history. */
  forward(input: Tensor): Tensor {
    if (this.episodic) this.reset();
    return tidy(() => {
      let scores = this.#update(input);
      for (let step = 1; step < this.steps; step++) scores = this.#update(input);
      return scores;
    });
  }

  #update(input: Tensor): Tensor {
    return enableGrad(() =>
      withoutStatisticsUpdate(() => {
        const scores: Tensor = this.model.forward(input);
        // Whatever training left is no part of this gradient.
        for (const parameter of this.#parameters) parameter.releaseGrad();
        entropy(scores).backward();
        this.#optimizer.step();
        for (const parameter of this.#parameters) parameter.releaseGrad();
        return scores.detach();
      }),
    );
  }

  /** Puts γ and β back as they were at first, and forgets what the optimizer remembered. */
  reset(): void {
    this.#parameters.forEach((parameter, i) => {
      parameter.detach().copy_(this.#start[i]);
    });
    this.#optimizer = this.#makeOptimizer(this.#parameters);
  }

  /** Ends the adaptation: modes and requiresGrad are as before, γ and β stay adapted unless `reset` was called. */
  close(): void {
    for (const [parameter, requiresGrad] of this.#flags) parameter.requiresGrad = requiresGrad;
    this.#modes.restore();
    for (const copy of this.#start) copy.dispose();
  }
}

/** Mean over the batch of −Σ p·log p. */
function entropy(scores: Tensor): Tensor {
  if (scores.ndim !== 2) {
    throw new ArgumentError(`the model gave [${scores.shape.join(", ")}]`, "TENT needs class scores [N, classes]");
  }
  return mean(neg(sum(mul(softmax(scores, 1), logSoftmax(scores, 1)), 1)));
}
