import { ArgumentError } from "../util/errors.ts";
import type { Optimizer } from "./optimizer.ts";

// biome-ignore lint/suspicious/noExplicitAny: schedulers write lr and momentum, whatever else a group has
type AnyOptimizer = Optimizer<any>;

/**
 * The base of learning rate schedulers, as torch.optim.lr_scheduler: construct it after the optimizer, call step() after the optimizer's.
 * @example
 * ```ts
 * import { optim, tensor } from "evenkeel";
 * const optimizer = new optim.SGD([tensor([1], { requiresGrad: true })], { lr: 1 });
 * class Halving extends optim.LRScheduler {
 *   protected nextLrs() {
 *     return this.baseLrs.map((lr) => lr / 2 ** this.lastEpoch);
 *   }
 * }
 * const scheduler = new Halving(optimizer);
 * scheduler.step();
 * scheduler.getLastLr(); // => [0.5]
 * ```
 */
export abstract class LRScheduler {
  /** Number of steps taken. */
  lastEpoch = 0;
  /** Learning rates of the groups at the start. */
  readonly baseLrs: number[];

  constructor(readonly optimizer: AnyOptimizer) {
    for (const group of optimizer.paramGroups) group.initialLr ??= group.lr;
    this.baseLrs = optimizer.paramGroups.map((group) => group.initialLr as number);
  }

  /** The learning rates for lastEpoch, computed as PyTorch does from those before. */
  protected abstract nextLrs(): number[];

  /** Moves every group's learning rate one step on. */
  step(): void {
    this.lastEpoch++;
    this.apply();
  }

  protected apply(): void {
    const lrs = this.nextLrs();
    this.optimizer.paramGroups.forEach((group, i) => {
      group.lr = lrs[i];
    });
  }

  /** The learning rates of the groups now. */
  getLastLr(): number[] {
    return this.optimizer.paramGroups.map((group) => group.lr as number);
  }

  /** What a restart needs. */
  stateDict(): { last_epoch: number; base_lrs: number[] } {
    return { last_epoch: this.lastEpoch, base_lrs: [...this.baseLrs] };
  }

  /** Takes over what stateDict wrote; the optimizer's own state dict carries the learning rates. */
  loadStateDict(state: { last_epoch: number; base_lrs: number[] }): void {
    this.lastEpoch = state.last_epoch;
    this.baseLrs.splice(0, this.baseLrs.length, ...state.base_lrs);
  }
}

/**
 * Multiplies the learning rate by gamma every stepSize steps, as torch.optim.lr_scheduler.StepLR.
 * @example
 * ```ts
 * import { optim, tensor } from "evenkeel";
 * const optimizer = new optim.SGD([tensor([1], { requiresGrad: true })], { lr: 1 });
 * const scheduler = new optim.StepLR(optimizer, 2, { gamma: 0.5 });
 * scheduler.step();
 * scheduler.step();
 * scheduler.getLastLr(); // => [0.5]
 * ```
 */
export class StepLR extends LRScheduler {
  readonly gamma: number;
  constructor(
    optimizer: AnyOptimizer,
    readonly stepSize: number,
    options: { gamma?: number } = {},
  ) {
    super(optimizer);
    if (!(stepSize >= 1)) throw new ArgumentError(`stepSize is ${stepSize}`, "give a number of steps from 1");
    this.gamma = options.gamma ?? 0.1;
  }

  protected nextLrs(): number[] {
    const factor = this.lastEpoch % this.stepSize === 0 ? this.gamma : 1;
    return this.getLastLr().map((lr) => lr * factor);
  }
}

/**
 * Half a cosine from the base learning rate to etaMin over tMax steps, as torch.optim.lr_scheduler.CosineAnnealingLR; Loshchilov & Hutter 2017.
 * @example
 * ```ts
 * import { optim, tensor } from "evenkeel";
 * const optimizer = new optim.SGD([tensor([1], { requiresGrad: true })], { lr: 1 });
 * const scheduler = new optim.CosineAnnealingLR(optimizer, 4);
 * scheduler.step();
 * scheduler.step();
 * scheduler.getLastLr(); // => [0.5]
 * ```
 */
export class CosineAnnealingLR extends LRScheduler {
  readonly etaMin: number;
  constructor(
    optimizer: AnyOptimizer,
    readonly tMax: number,
    options: { etaMin?: number } = {},
  ) {
    super(optimizer);
    if (!(tMax > 0)) throw new ArgumentError(`tMax is ${tMax}`, "give the number of steps of half a cosine");
    this.etaMin = options.etaMin ?? 0;
  }

  protected nextLrs(): number[] {
    const { lastEpoch, tMax, etaMin } = this;
    const turning = (lastEpoch - 1 - tMax) % (2 * tMax) === 0;
    return this.getLastLr().map((lr, i) =>
      turning
        ? lr + ((this.baseLrs[i] - etaMin) * (1 - Math.cos(Math.PI / tMax))) / 2
        : ((1 + Math.cos((Math.PI * lastEpoch) / tMax)) / (1 + Math.cos((Math.PI * (lastEpoch - 1)) / tMax))) *
            (lr - etaMin) +
          etaMin,
    );
  }
}
