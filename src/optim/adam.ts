import { backend } from "../kernels/registry.ts";
import { floatDType } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkRange, type Move, Optimizer, type ParamGroup, type ParamGroupInput } from "./optimizer.ts";

/** Options of Adam and AdamW, as torch.optim's arguments. */
export interface AdamOptions {
  /** learning rate, 1e-3 */
  lr: number;
  /** decay of the running mean and of the running square, [0.9, 0.999] */
  betas: readonly [number, number];
  /** added to the denominator, 1e-8 */
  eps: number;
  /** 0 for Adam (an L2 penalty), 0.01 for AdamW (decoupled) */
  weightDecay: number;
  /** false: divide by the largest running square so far */
  amsgrad: boolean;
  /** false: climb instead of descend */
  maximize: boolean;
}

/** Adam and AdamW differ in where the weight decay goes. */
abstract class AdamBase extends Optimizer<AdamOptions> {
  protected abstract readonly decoupled: boolean;

  protected checkOptions({ lr, betas, eps, weightDecay }: AdamOptions): void {
    checkRange("learning rate", lr, 0);
    checkRange("epsilon value", eps, 0);
    checkRange("beta parameter at index 0", betas[0], 0, 1);
    checkRange("beta parameter at index 1", betas[1], 0, 1);
    checkRange("weight_decay value", weightDecay, 0);
  }

  protected update(moves: readonly Move[], options: ParamGroup<AdamOptions>): void {
    for (const move of moves) this.move(move, options);
  }

  private move({ param, gradient, state }: Move, options: ParamGroup<AdamOptions>): void {
    const step = this.countStep(state);
    const average = this.remembered(state, "exp_avg", param);
    const square = this.remembered(state, "exp_avg_sq", param);
    const largest = options.amsgrad ? this.remembered(state, "max_exp_avg_sq", param) : null;
    const { lr, betas, eps, weightDecay, maximize } = options;
    backend().adam(
      floatDType(param.dtype, "Adam"),
      param.numel,
      param.pointer,
      gradient.pointer,
      average.pointer,
      square.pointer,
      largest?.pointer ?? 0,
      { lr, beta1: betas[0], beta2: betas[1], eps, weightDecay, decoupled: this.decoupled, maximize, step },
    );
  }
}

/**
 * Adam: m = β₁m + (1 − β₁)g, v = β₂v + (1 − β₂)g², p −= lr·(m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + eps). As torch.optim.Adam; Kingma & Ba 2015.
 * @throws ArgumentError for options out of range
 * @example
 * ```ts
 * import { optim, tensor } from "evenkeel";
 * const w = tensor([1], { requiresGrad: true });
 * const optimizer = new optim.Adam([w], { lr: 0.1 });
 * w.mul(w).sum().backward();
 * optimizer.step();
 * w.item(); // => 0.9
 * ```
 */
export class Adam extends AdamBase {
  protected readonly decoupled = false;
  constructor(params: Iterable<Tensor> | Iterable<ParamGroupInput<AdamOptions>>, options: Partial<AdamOptions> = {}) {
    super(params, {
      lr: 1e-3,
      betas: [0.9, 0.999],
      eps: 1e-8,
      weightDecay: 0,
      amsgrad: false,
      maximize: false,
      ...options,
    });
  }
}

/**
 * Adam with decoupled weight decay: p is first shrunk by lr·weightDecay·p, and the gradient is left alone. As torch.optim.AdamW; Loshchilov & Hutter 2019.
 * @throws ArgumentError for options out of range
 * @example
 * ```ts
 * import { optim, tensor } from "evenkeel";
 * const w = tensor([1], { requiresGrad: true });
 * const optimizer = new optim.AdamW([w], { lr: 0.1, weightDecay: 0.5 });
 * w.mul(w).sum().backward();
 * optimizer.step();
 * w.item(); // => 0.85
 * ```
 */
export class AdamW extends AdamBase {
  protected readonly decoupled = true;
  constructor(params: Iterable<Tensor> | Iterable<ParamGroupInput<AdamOptions>>, options: Partial<AdamOptions> = {}) {
    super(params, {
      lr: 1e-3,
      betas: [0.9, 0.999],
      eps: 1e-8,
      weightDecay: 0.01,
      amsgrad: false,
      maximize: false,
      ...options,
    });
  }
}
