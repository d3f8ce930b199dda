import { ArgumentError } from "../util/errors.ts";
import type { Optimizer } from "./optimizer.ts";
import { LRScheduler } from "./scheduler.ts";

/** Options of OneCycleLR, as PyTorch's arguments. */
export interface OneCycleOptions {
  /** number of steps of the whole cycle; or give epochs and stepsPerEpoch */
  totalSteps?: number;
  epochs?: number;
  stepsPerEpoch?: number;
  /** part of the cycle spent rising, 0.3 */
  pctStart?: number;
  annealStrategy?: "cos" | "linear";
  /** true: momentum (or beta1) goes the other way */
  cycleMomentum?: boolean;
  baseMomentum?: number | readonly number[];
  maxMomentum?: number | readonly number[];
  /** first learning rate = maxLr / divFactor, 25 */
  divFactor?: number;
  /** last learning rate = first / finalDivFactor, 1e4 */
  finalDivFactor?: number;
  /** rise, fall back symmetrically, then anneal */
  threePhase?: boolean;
}

interface Phase {
  readonly end: number;
  readonly lr: readonly [from: string, to: string];
  readonly momentum: readonly [from: string, to: string];
}

/**
 * The 1cycle policy: from maxLr / divFactor up to maxLr, then down to (maxLr / divFactor) / finalDivFactor, stepping after each batch. As torch.optim.lr_scheduler.OneCycleLR;
 * Smith & Topin 2018.
 * @throws ArgumentError for options out of range, or more steps than the cycle has
 * @example
 * ```ts
 * import { optim, tensor } from "evenkeel";
 * const optimizer = new optim.SGD([tensor([1], { requiresGrad: true })], { lr: 1, momentum: 0.9 });
 * const scheduler = new optim.OneCycleLR(optimizer, 0.1, { totalSteps: 10 });
 * scheduler.getLastLr(); // => [0.004]
 * ```
 */
export class OneCycleLR extends LRScheduler {
  readonly totalSteps: number;
  readonly #phases: Phase[];
  readonly #anneal: (from: number, to: number, part: number) => number;
  readonly #momentum: "betas" | "momentum" | null;

  // biome-ignore lint/suspicious/noExplicitAny: any optimizer that has a learning rate
  constructor(optimizer: Optimizer<any>, maxLr: number | readonly number[], options: OneCycleOptions = {}) {
    const {
      pctStart = 0.3,
      annealStrategy = "cos",
      cycleMomentum = true,
      divFactor = 25,
      finalDivFactor = 1e4,
    } = options;
    const { baseMomentum = 0.85, maxMomentum = 0.95, threePhase = false } = options;
    const groups = optimizer.paramGroups;
    const perGroup = (name: string, value: number | readonly number[]) => {
      const values = typeof value === "number" ? groups.map(() => value) : value;
      if (values.length !== groups.length) {
        throw new ArgumentError(
          `${name} must have the same length as optimizer.param_groups. ` +
            `${name} has ${values.length} values, param_groups has ${groups.length}.`,
        );
      }
      return values;
    };
    const { totalSteps, epochs, stepsPerEpoch } = options;
    if (totalSteps === undefined && (epochs === undefined || stepsPerEpoch === undefined)) {
      throw new ArgumentError("You must define either total_steps OR (epochs AND steps_per_epoch)");
    }
    for (const [name, count] of Object.entries({ total_steps: totalSteps, epochs, steps_per_epoch: stepsPerEpoch })) {
      if (count !== undefined && (!Number.isInteger(count) || count <= 0))
        throw new ArgumentError(`Expected positive integer ${name}, but got ${count}`);
    }
    const total = totalSteps ?? (epochs as number) * (stepsPerEpoch as number);
    if (!(pctStart >= 0 && pctStart <= 1))
      throw new ArgumentError(`Expected float between 0 and 1 pct_start, but got ${pctStart}`);
    if (annealStrategy !== "cos" && annealStrategy !== "linear") {
      throw new ArgumentError(`anneal_strategy must be one of 'cos' or 'linear', instead got ${annealStrategy}`);
    }
    const momentum = "betas" in optimizer.defaults ? "betas" : "momentum" in optimizer.defaults ? "momentum" : null;
    if (cycleMomentum && !momentum) {
      throw new ArgumentError("optimizer must support momentum with `cycle_momentum` option enabled");
    }
    const peaks = perGroup("max_lr", maxLr);
    const low = perGroup("base_momentum", baseMomentum);
    const high = perGroup("max_momentum", maxMomentum);
    groups.forEach((group, i) => {
      const initialLr = peaks[i] / divFactor;
      Object.assign(group, { initialLr, maxLr: peaks[i], minLr: initialLr / finalDivFactor });
      if (cycleMomentum) Object.assign(group, { baseMomentum: low[i], maxMomentum: high[i] });
    });
    super(optimizer);
    this.totalSteps = total;
    this.#momentum = cycleMomentum ? momentum : null;
    this.#anneal = annealStrategy === "cos" ? cosine : linear;
    const rise: Phase = {
      end: pctStart * total - 1,
      lr: ["initialLr", "maxLr"],
      momentum: ["maxMomentum", "baseMomentum"],
    };
    const fall = (end: number, to: string): Phase => ({
      end,
      lr: ["maxLr", to],
      momentum: ["baseMomentum", "maxMomentum"],
    });
    this.#phases = threePhase
      ? [
          rise,
          fall(2 * pctStart * total - 2, "initialLr"),
          { end: total - 1, lr: ["initialLr", "minLr"], momentum: ["maxMomentum", "maxMomentum"] },
        ]
      : [rise, fall(total - 1, "minLr")];
    this.apply();
  }

  protected nextLrs(): number[] {
    const { lastEpoch, totalSteps } = this;
    if (lastEpoch > totalSteps) {
      throw new ArgumentError(
        `Tried to step ${lastEpoch} times. The specified number of total steps is ${totalSteps}`,
        "give the cycle as many steps as there will be batches",
      );
    }
    const found = this.#phases.findIndex((phase) => lastEpoch <= phase.end);
    const at = found < 0 ? this.#phases.length - 1 : found;
    const { end, lr, momentum } = this.#phases[at];
    const start = at === 0 ? 0 : this.#phases[at - 1].end;
    const part = (lastEpoch - start) / (end - start);
    return this.optimizer.paramGroups.map((group) => {
      const between = ([from, to]: readonly [string, string]) =>
        this.#anneal(group[from] as number, group[to] as number, part);
      if (this.#momentum === "betas") group.betas = [between(momentum), (group.betas as readonly number[])[1]];
      else if (this.#momentum) group.momentum = between(momentum);
      return between(lr);
    });
  }
}

function cosine(from: number, to: number, part: number): number {
  return to + ((from - to) / 2) * (Math.cos(Math.PI * part) + 1);
}

function linear(from: number, to: number, part: number): number {
  return (to - from) * part + from;
}
