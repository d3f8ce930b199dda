import { crossEntropy, nllLoss } from "../../ops/cross-entropy.ts";
import {
  binaryCrossEntropy,
  binaryCrossEntropyWithLogits,
  huberLoss,
  l1Loss,
  mseLoss,
  type Reduction,
  smoothL1Loss,
} from "../../ops/loss.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { Module } from "../module.ts";

/** What all losses share. */
abstract class Loss extends Module {
  /** how the elements' losses become one: their mean, their sum, or not at all */
  readonly reduction: Reduction;

  constructor(options: { reduction?: Reduction } = {}) {
    super();
    this.reduction = options.reduction ?? "mean";
  }
}

/** A loss with weights, which are a buffer: in the state dict where they were given, as in PyTorch. */
abstract class WeightedLoss extends Loss {
  constructor(options: { weight?: Tensor | null; reduction?: Reduction } = {}) {
    super(options);
    this.registerBuffer("weight", options.weight ?? null);
  }

  /** The weights, or null. */
  get weight(): Tensor | null {
    return this.getBuffer("weight");
  }

  set weight(value: Tensor | null) {
    this.registerBuffer("weight", value);
  }
}

/** Options of CrossEntropyLoss, as PyTorch's arguments. */
export interface CrossEntropyLossOptions {
  /** of every class, [classes] */
  weight?: Tensor | null;
  /** a label whose samples count for nothing, −100 */
  ignoreIndex?: number;
  /** "mean" (over the weights of the samples), "sum" or "none" */
  reduction?: Reduction;
  /** part of the target that is spread evenly over all classes, 0 */
  labelSmoothing?: number;
}

/**
 * −log softmax(input)[target] of logits [N, classes, …] and class numbers [N, …] (or probabilities of the input's shape). As torch.nn.CrossEntropyLoss.
 * @throws IndexRangeError at forward for labels out of range, ShapeError for shapes that do not go together
 * @example
 * ```ts
 * import { nn, tensor } from "evenkeel";
 * const loss = new nn.CrossEntropyLoss();
 * loss.forward(tensor([[0, 0]]), tensor([1n])).item(); // => 0.6931
 * ```
 */
export class CrossEntropyLoss extends WeightedLoss {
  readonly ignoreIndex: number;
  readonly labelSmoothing: number;

  constructor(options: CrossEntropyLossOptions = {}) {
    super(options);
    this.ignoreIndex = options.ignoreIndex ?? -100;
    this.labelSmoothing = options.labelSmoothing ?? 0;
  }

  forward(input: Tensor, target: Tensor): Tensor {
    const { weight, ignoreIndex, reduction, labelSmoothing } = this;
    return crossEntropy(input, target, { weight, ignoreIndex, reduction, labelSmoothing });
  }
}

/**
 * −input[target] of log-probabilities [N, classes, …] and class numbers [N, …]. As torch.nn.NLLLoss.
 * @throws IndexRangeError at forward for labels out of range, ShapeError for shapes that do not go together
 * @example
 * ```ts
 * import { F, nn, tensor } from "evenkeel";
 * const loss = new nn.NLLLoss({ weight: tensor([1, 2]) });
 * loss.forward(F.logSoftmax(tensor([[0, 0]]), 1), tensor([1n])).item(); // => 0.6931
 * ```
 */
export class NLLLoss extends WeightedLoss {
  readonly ignoreIndex: number;

  constructor(options: { weight?: Tensor | null; ignoreIndex?: number; reduction?: Reduction } = {}) {
    super(options);
    this.ignoreIndex = options.ignoreIndex ?? -100;
  }

  forward(input: Tensor, target: Tensor): Tensor {
    const { weight, ignoreIndex, reduction } = this;
    return nllLoss(input, target, { weight, ignoreIndex, reduction });
  }
}

/**
 * (input − target)². As torch.nn.MSELoss.
 * @example
 * ```ts
 * import { nn, tensor } from "evenkeel";
 * new nn.MSELoss().forward(tensor([1, 2]), tensor([1, 4])).item(); // => 2
 * ```
 */
export class MSELoss extends Loss {
  forward(input: Tensor, target: Tensor): Tensor {
    return mseLoss(input, target, { reduction: this.reduction });
  }
}

/**
 * |input − target|. As torch.nn.L1Loss.
 * @example
 * ```ts
 * import { nn, tensor } from "evenkeel";
 * new nn.L1Loss().forward(tensor([1, 2]), tensor([1, 4])).item(); // => 1
 * ```
 */
export class L1Loss extends Loss {
  forward(input: Tensor, target: Tensor): Tensor {
    return l1Loss(input, target, { reduction: this.reduction });
  }
}

/**
 * d² / 2beta where |d| < beta, else |d| − beta / 2, with d = input − target; beta 1 if not given. As torch.nn.SmoothL1Loss.
 * @throws ArgumentError at forward for a negative beta
 * @example
 * ```ts
 * import { nn, tensor } from "evenkeel";
 * new nn.SmoothL1Loss({ reduction: "none" }).forward(tensor([1, 2]), tensor([1.5, 5])).toArray(); // => [0.125, 2.5]
 * ```
 */
export class SmoothL1Loss extends Loss {
  readonly beta: number;

  constructor(options: { reduction?: Reduction; beta?: number } = {}) {
    super(options);
    this.beta = options.beta ?? 1;
  }

  forward(input: Tensor, target: Tensor): Tensor {
    return smoothL1Loss(input, target, { reduction: this.reduction, beta: this.beta });
  }
}

/**
 * d² / 2 where |d| ≤ delta, else delta·(|d| − delta / 2), with d = input − target; delta 1 if not given. As torch.nn.HuberLoss.
 * @throws ArgumentError at forward unless delta is positive
 * @example
 * ```ts
 * import { nn, tensor } from "evenkeel";
 * new nn.HuberLoss({ delta: 2 }).forward(tensor([1, 2]), tensor([1, 5])).item(); // => 2
 * ```
 */
export class HuberLoss extends Loss {
  readonly delta: number;

  constructor(options: { reduction?: Reduction; delta?: number } = {}) {
    super(options);
    this.delta = options.delta ?? 1;
  }

  forward(input: Tensor, target: Tensor): Tensor {
    return huberLoss(input, target, { reduction: this.reduction, delta: this.delta });
  }
}

/**
 * −(t·log p + (1 − t)·log(1 − p)) of probabilities p and targets t in [0, 1], the logarithms no less than −100. As torch.nn.BCELoss.
 * @throws ShapeError at forward unless both have one shape, ArgumentError for probabilities outside [0, 1]
 * @example
 * ```ts
 * import { nn, tensor } from "evenkeel";
 * new nn.BCELoss().forward(tensor([0.5]), tensor([1])).item(); // => 0.6931
 * ```
 */
export class BCELoss extends WeightedLoss {
  forward(input: Tensor, target: Tensor): Tensor {
    return binaryCrossEntropy(input, target, { weight: this.weight, reduction: this.reduction });
  }
}

/**
 * BCELoss of sigmoid(input), without overflow; posWeight multiplies the loss of positive targets. As torch.nn.BCEWithLogitsLoss.
 * @throws ShapeError at forward unless both have one shape
 * @example
 * ```ts
 * import { nn, tensor } from "evenkeel";
 * new nn.BCEWithLogitsLoss({ posWeight: tensor([2]) }).forward(tensor([0]), tensor([1])).item(); // => 1.3863
 * ```
 */
export class BCEWithLogitsLoss extends WeightedLoss {
  constructor(options: { weight?: Tensor | null; reduction?: Reduction; posWeight?: Tensor | null } = {}) {
    super(options);
    this.registerBuffer("pos_weight", options.posWeight ?? null);
  }

  /** The weights of positive targets, or null. */
  get posWeight(): Tensor | null {
    return this.getBuffer("pos_weight");
  }

  set posWeight(value: Tensor | null) {
    this.registerBuffer("pos_weight", value);
  }

  forward(input: Tensor, target: Tensor): Tensor {
    const { weight, posWeight, reduction } = this;
    return binaryCrossEntropyWithLogits(input, target, { weight, posWeight, reduction });
  }
}
