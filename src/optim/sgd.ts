import type { SgdTensor } from "../kernels/backend.ts";
import { backend } from "../kernels/registry.ts";
import { type FloatDType, floatDType } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { ArgumentError } from "../util/errors.ts";
import { checkRange, type Move, Optimizer, type ParamGroup, type ParamGroupInput } from "./optimizer.ts";

const FLOATS = ["float32", "float64"] as const;

/** Options of SGD, as torch.optim.SGD's arguments. */
export interface SGDOptions {
  /** learning rate */
  lr: number;
  /** 0 */
  momentum: number;
  /** 0: how much of the gradient is kept from the momentum buffer */
  dampening: number;
  /** 0: an L2 penalty, added to the gradient */
  weightDecay: number;
  /** false */
  nesterov: boolean;
  /** false: climb instead of descend */
  maximize: boolean;
}

/**
 * Stochastic gradient descent: g += weightDecay·p; v = momentum·v + (1 − dampening)·g, at first v = g; p −= lr·v (nesterov: lr·(g + momentum·v)). As torch.optim.SGD, 1e-3 being
 * 2.x's default learning rate.
 * @throws ArgumentError for options out of range
 * @example
 * ```ts
 * import { optim, tensor } from "evenkeel";
 * const w = tensor([1], { requiresGrad: true });
 * const optimizer = new optim.SGD([w], { lr: 0.1 });
 * w.mul(w).sum().backward();
 * optimizer.step();
 * w.item(); // => 0.8
 * ```
 */
export class SGD extends Optimizer<SGDOptions> {
  constructor(params: Iterable<Tensor> | Iterable<ParamGroupInput<SGDOptions>>, options: Partial<SGDOptions> = {}) {
    super(params, {
      lr: 1e-3,
      momentum: 0,
      dampening: 0,
      weightDecay: 0,
      nesterov: false,
      maximize: false,
      ...options,
    });
  }

  protected checkOptions({ lr, momentum, dampening, weightDecay, nesterov }: SGDOptions): void {
    checkRange("learning rate", lr, 0);
    checkRange("momentum value", momentum, 0);
    checkRange("weight_decay value", weightDecay, 0);
    if (nesterov && (momentum <= 0 || dampening !== 0)) {
      throw new ArgumentError("Nesterov momentum requires a momentum and zero dampening");
    }
  }

  protected update(moves: readonly Move[], options: ParamGroup<SGDOptions>): void {
    const { lr, momentum, dampening, weightDecay, nesterov, maximize } = options;
    const step = { lr, momentum, dampening, weightDecay, nesterov, maximize };
    const tensors: Record<FloatDType, SgdTensor[]> = { float32: [], float64: [] };
    for (const { param, gradient, state } of moves) {
      const first = !state.momentum_buffer;
      const buffer = momentum !== 0 ? this.remembered(state, "momentum_buffer", param).pointer : 0;
      const { numel: n, pointer } = param;
      tensors[floatDType(param.dtype, "SGD")].push({ n, param: pointer, grad: gradient.pointer, buffer, first });
    }
    // All in one: most are tiny, and the threads that backward has just kept busy would be asleep before the large ones (ResNet-20, two threads: 0.35 ms instead of 0.22).
    for (const dtype of FLOATS) if (tensors[dtype].length > 0) backend().sgd(dtype, tensors[dtype], step);
  }
}
