import { record } from "../autograd/record.ts";
import { backend } from "../kernels/registry.ts";
import { type FloatDType, isFloat, scalarTypeName, viewHeap } from "../tensor/dtype.ts";
import { sameShape, wrapDims } from "../tensor/shape.ts";
import { emptyTensor, packed, type Tensor } from "../tensor/tensor.ts";
import { ArgumentError, DTypeError, IndexRangeError, ShapeError } from "../util/errors.ts";
import { add, div, mul, neg } from "./arithmetic.ts";
import { ne, where } from "./compare.ts";
import { binaryKernel, discard } from "./compute.ts";
import { convert } from "./convert.ts";
import { checkReduction, type LossOptions, type Reduction } from "./loss.ts";
import { reduceDims } from "./reduce-dims.ts";
import { broadcastTo } from "./reduce-to-shape.ts";
import { sum } from "./reduction.ts";
import { logSoftmax } from "./softmax.ts";
import { reshape } from "./views.ts";

/** What losses over classes take. */
export interface ClassLossOptions extends LossOptions {
  /** One factor for each class. */
  weight?: Tensor | null;
  /** Targets of this value count for nothing. Default −100. */
  ignoreIndex?: number;
}

/** Class labels and what they index: logp is [n, classes, inner], the target [n, inner]. */
interface Labels {
  target: Tensor;
  weight: Tensor | null;
  n: number;
  classes: number;
  inner: number;
  ignoreIndex: number;
}

function outOfBounds(labels: Labels, flat: number): IndexRangeError {
  const { target, classes } = labels;
  const value = viewHeap("int64", target.pointer, target.numel)[flat];
  const position: number[] = [];
  let rest = flat;
  for (let d = target.ndim - 1; d >= 0; d--) {
    position.unshift(rest % target.shape[d]);
    rest = Math.floor(rest / target.shape[d]);
  }
  return new IndexRangeError(
    `Target ${value} is out of bounds.`,
    `it stands at position [${position.join(", ")}] of the target; with ${classes} classes, labels go from 0 to ${classes - 1}`,
  );
}

/** −weight[t]·logp[t] at each position, 0 where ignored, and into `total` the sum of the weights of the others; no history. */
function nllKernel(logp: Tensor, labels: Labels, total: Tensor | null): Tensor {
  const { target, weight, n, classes, inner, ignoreIndex } = labels;
  const source = packed(logp);
  const out = emptyTensor(target.shape, logp.dtype);
  const wrong = backend().nll(
    logp.dtype as FloatDType,
    out.pointer,
    total?.pointer ?? 0,
    source.pointer,
    target.pointer,
    weight?.pointer ?? 0,
    n,
    classes,
    inner,
    ignoreIndex,
  );
  if (source !== logp) source.storage.release();
  if (wrong >= 0) throw outOfBounds(labels, wrong);
  return out;
}

/** The same with history: linear in logp; its gradient is nllEachGrad. */
function nllEach(logp: Tensor, labels: Labels, total: Tensor | null): Tensor {
  const out = nllKernel(logp, labels, total);
  return record("NllLossBackward0", out, [logp], (g) => [nllEachGrad(g, labels, logp)], savedOf(labels));
}

function savedOf({ target, weight }: Labels): Tensor[] {
  return weight ? [target, weight] : [target];
}

function nllEachGrad(g: Tensor, labels: Labels, logp: Tensor): Tensor {
  const { target, weight, n, classes, inner, ignoreIndex } = labels;
  const source = packed(g);
  const out = emptyTensor(logp.shape, g.dtype);
  backend().nllGrad(
    g.dtype as FloatDType,
    out.pointer,
    source.pointer,
    target.pointer,
    weight?.pointer ?? 0,
    n,
    classes,
    inner,
    ignoreIndex,
  );
  if (source !== g) source.storage.release();
  return record("NllLossBackwardBackward0", out, [g], (gg) => [nllEach(gg, labels, null)], [target]);
}

/** The sum of nllEach, or with `mean` that over the weights of the targets, which is what a mean divides by: one function with one gradient, as in PyTorch. */
function nllReduced(logp: Tensor, labels: Labels, mean: boolean): Tensor {
  const total = mean ? emptyTensor([], logp.dtype) : null;
  const losses = nllKernel(logp, labels, total);
  const sum = reduceDims("sum", losses, wrapDims(null, losses.ndim), false);
  losses.storage.release();
  const out = total ? binaryKernel("div", sum, total) : sum;
  if (total) sum.storage.release();
  const back = (g: Tensor) => {
    const each = total ? div(g, total) : g;
    const glogp = nllEachGrad(broadcastTo(each, labels.target.shape), labels, logp);
    if (total) discard(each);
    return [glogp];
  };
  return record("NllLossBackward0", out, [logp], back, savedOf(labels), total ? [total] : []);
}

function nll(logp: Tensor, labels: Labels, reduction: Reduction): Tensor {
  return reduction === "none" ? nllEach(logp, labels, null) : nllReduced(logp, labels, reduction === "mean");
}

function checkLabelShapes(input: Tensor, target: Tensor): void {
  if (input.ndim === 0)
    throw new ShapeError("Expected 1 or more dimensions (got 0)", "the input has one score for each class");
  const sizes = (x: readonly number[]) => `[${x.join(", ")}]`;
  const fitting = [...input.shape.slice(0, 1), ...input.shape.slice(2)];
  const expected = input.ndim === 1 ? [] : fitting;
  if (sameShape(target.shape, expected)) return;
  const advice = `for an input of shape ${sizes(input.shape)} give class labels of shape ${sizes(expected)}`;
  if (input.ndim > 1 && target.ndim > 0 && input.shape[0] !== target.shape[0]) {
    throw new ShapeError(
      `Expected input batch_size (${input.shape[0]}) to match target batch_size (${target.shape[0]}).`,
      advice,
    );
  }
  if (input.ndim <= 2 && target.ndim > 1)
    throw new ShapeError("0D or 1D target tensor expected, multi-target not supported", advice);
  if (input.ndim === 4 && target.ndim !== 3) {
    throw new ShapeError(
      `only batches of spatial targets supported (3D tensors) but got targets of dimension: ${target.ndim}`,
      advice,
    );
  }
  if (input.ndim <= 2 || input.ndim === 4) {
    throw new ShapeError(`size mismatch (got input: ${sizes(input.shape)}, target: ${sizes(target.shape)})`, advice);
  }
  throw new ShapeError(`Expected target size ${sizes(expected)}, got ${sizes(target.shape)}`, advice);
}

function checkWeight(weight: Tensor | null | undefined, input: Tensor, classes: number): Tensor | null {
  if (!weight) return null;
  if (weight.ndim !== 1 || weight.numel !== classes) {
    throw new ShapeError(
      `weight tensor should be defined either for all ${classes} classes or no classes but got weight tensor of shape: [${weight.shape.join(", ")}]`,
    );
  }
  if (weight.dtype !== input.dtype) {
    throw new DTypeError(
      `expected scalar type ${scalarTypeName(input.dtype)} but found ${scalarTypeName(weight.dtype)}`,
      "the weight must have the input's dtype",
    );
  }
  return packed(weight);
}

function labelsOf(name: string, input: Tensor, target: Tensor, options: ClassLossOptions): Labels {
  if (!isFloat(input.dtype)) {
    throw new DTypeError(
      `"${name}" not implemented for '${scalarTypeName(input.dtype)}'`,
      "convert the input first, for example with .float()",
    );
  }
  if (isFloat(target.dtype) || target.dtype === "bool") {
    throw new DTypeError(
      `expected scalar type Long but found ${scalarTypeName(target.dtype)}`,
      "class labels are whole numbers: make the target with a dtype such as int64 or uint8",
    );
  }
  checkLabelShapes(input, target);
  const classes = input.shape[input.ndim === 1 ? 0 : 1];
  return {
    target: packed(convert(target, "int64")),
    weight: checkWeight(options.weight, input, classes),
    n: input.ndim === 1 ? 1 : input.shape[0],
    classes,
    inner: input.shape.slice(2).reduce((a, b) => a * b, 1),
    ignoreIndex: options.ignoreIndex ?? -100,
  };
}

function reduced(losses: Tensor, reduction: Reduction, divisor: Tensor | number): Tensor {
  if (reduction === "none") return losses;
  const total = sum(losses);
  return reduction === "sum" ? total : div(total, divisor);
}

/**
 * The negative log-likelihood −weight[t]·input[t] of class labels, as torch.nn.functional.nll_loss. The mean divides by the sum of the
 * weights of the targets, those equal to `ignoreIndex` left out.
 *
 * @param input log-probabilities [C], [N, C] or [N, C, d1, …]
 * @param target class labels of any integer dtype, [], [N] or [N, d1, …]
 * @throws IndexRangeError for a label that is no class
 * @throws ShapeError, DTypeError with PyTorch's sentences
 * @example
 * ```ts
 * import { F, tensor } from "evenkeel";
 * F.nllLoss(tensor([[-0.1, -2.4]]), tensor([1], { dtype: "int64" })).item(); // => 2.4
 * ```
 */
export function nllLoss(input: Tensor, target: Tensor, options: ClassLossOptions = {}): Tensor {
  const { reduction = "mean" } = options;
  checkReduction(reduction);
  return nll(input, labelsOf("nll_loss_out_frame", input, target, options), reduction);
}

/**
 * The cross entropy of logits against class labels, or against probabilities of the input's shape, as torch.nn.functional.cross_entropy:
 * −Σ weight·target·log_softmax(input). Label smoothing mixes the target with the uniform distribution.
 *
 * @param input logits [C], [N, C] or [N, C, d1, …]
 * @param target class labels of any integer dtype, [], [N] or [N, d1, …]; or probabilities of the input's shape
 * @throws IndexRangeError for a label that is no class
 * @throws ShapeError, DTypeError, ArgumentError with PyTorch's sentences
 * @example
 * ```ts
 * import { F, tensor } from "evenkeel";
 * F.crossEntropy(tensor([[0, 0]]), tensor([1], { dtype: "int64" })).item(); // => 0.6931
 * ```
 */
export function crossEntropy(
  input: Tensor,
  target: Tensor,
  options: ClassLossOptions & { labelSmoothing?: number } = {},
): Tensor {
  const { reduction = "mean", labelSmoothing = 0 } = options;
  checkReduction(reduction);
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1)) {
    throw new ArgumentError(`label_smoothing must be between 0.0 and 1.0. Got: ${labelSmoothing}`);
  }
  if (sameShape(input.shape, target.shape)) return againstProbabilities(input, target, options);
  const labels = labelsOf("log_softmax_lastdim_kernel_impl", input, target, options);
  const logp = logSoftmax(input, input.ndim === 1 ? 0 : 1);
  if (labelSmoothing === 0) return nll(logp, labels, reduction);
  const total = emptyTensor([], logp.dtype);
  const losses = nllEach(logp, labels, total);
  const uniform = where(ne(labels.target, labels.ignoreIndex), classSum(logp, labels.weight), 0);
  const mixed = add(mul(losses, 1 - labelSmoothing), mul(uniform, labelSmoothing / labels.classes));
  return reduced(mixed, reduction, total);
}

/** −Σ weight·x over the classes */
function classSum(x: Tensor, weight: Tensor | null): Tensor {
  const d = x.ndim === 1 ? 0 : 1;
  if (!weight) return neg(sum(x, d));
  const shape = x.shape.map((size, i) => (i === d ? size : 1));
  return neg(sum(mul(x, reshape(weight, shape)), d));
}

function againstProbabilities(
  input: Tensor,
  target: Tensor,
  options: ClassLossOptions & { labelSmoothing?: number },
): Tensor {
  const { reduction = "mean", labelSmoothing = 0, ignoreIndex = -100 } = options;
  if (!isFloat(target.dtype)) {
    throw new DTypeError(
      `Expected floating point type for target with class probabilities, got ${scalarTypeName(target.dtype)}`,
      "class labels have one dimension less than the input",
    );
  }
  if (ignoreIndex >= 0) throw new ArgumentError("ignore_index is not supported for floating point target");
  const d = input.ndim === 1 ? 0 : 1;
  const classes = input.shape[d];
  const weight = checkWeight(options.weight, input, classes);
  const mixed = labelSmoothing > 0 ? add(mul(target, 1 - labelSmoothing), labelSmoothing / classes) : target;
  const losses = classSum(mul(logSoftmax(input, d), mixed), weight);
  return reduced(losses, reduction, losses.numel);
}
