import { backend } from "../kernels/registry.ts";
import { floatDType } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkRange, type Move, Optimizer, type ParamGroup, type ParamGroupInput } from "./optimizer.ts";

/** Options of RMSprop, as torch.optim.RMSprop's arguments. */
export interface RMSpropOptions {
  /** learning rate, 0.01 */
  lr: number;
  /** decay of the running square, 0.99 */
  alpha: number;
  /** added to the denominator, 1e-8 */
  eps: number;
  /** 0: an L2 penalty, added to the gradient */
  weightDecay: number;
  /** 0 */
  momentum: number;
  /** false: divide by the running variance instead of the running square */
  centered: boolean;
  /** false: climb instead of descend */
  maximize: boolean;
}

/**
 * RMSprop: v = α·v + (1 − α)·g², p −= lr·g / (√v + eps); centered subtracts the square of the running mean under the root. As torch.optim.RMSprop; Hinton 2012.
 * @throws ArgumentError for options out of range
 * @example
 * ```ts
 * import { optim, tensor } from "evenkeel";
 * const w = tensor([1], { requiresGrad: true });
 * const optimizer = new optim.RMSprop([w], { lr: 0.01 });
 * w.mul(w).sum().backward();
 * optimizer.step();
 * w.item(); // => 0.9
 * ```
 */
export class RMSprop extends Optimizer<RMSpropOptions> {
  constructor(
    params: Iterable<Tensor> | Iterable<ParamGroupInput<RMSpropOptions>>,
    options: Partial<RMSpropOptions> = {},
  ) {
    const defaults = {
      lr: 0.01,
      alpha: 0.99,
      eps: 1e-8,
      weightDecay: 0,
      momentum: 0,
      centered: false,
      maximize: false,
    };
    super(params, { ...defaults, ...options });
  }

  protected checkOptions({ lr, alpha, eps, weightDecay, momentum }: RMSpropOptions): void {
    checkRange("learning rate", lr, 0);
    checkRange("epsilon value", eps, 0);
    checkRange("momentum value", momentum, 0);
    checkRange("weight_decay value", weightDecay, 0);
    checkRange("alpha value", alpha, 0);
  }

  protected update(moves: readonly Move[], options: ParamGroup<RMSpropOptions>): void {
    for (const move of moves) this.move(move, options);
  }

  private move({ param, gradient, state }: Move, options: ParamGroup<RMSpropOptions>): void {
    this.countStep(state);
    const square = this.remembered(state, "square_avg", param);
    const buffer = options.momentum > 0 ? this.remembered(state, "momentum_buffer", param) : null;
    const average = options.centered ? this.remembered(state, "grad_avg", param) : null;
    const { lr, alpha, eps, weightDecay, momentum, maximize } = options;
    backend().rmsprop(
      floatDType(param.dtype, "RMSprop"),
      param.numel,
      param.pointer,
      gradient.pointer,
      square.pointer,
      buffer?.pointer ?? 0,
      average?.pointer ?? 0,
      { lr, alpha, eps, weightDecay, momentum, maximize },
    );
  }
}
