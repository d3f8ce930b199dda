import { noGrad } from "../autograd/mode.ts";
import { ImageModel } from "../models/image-model.ts";
import { Conv1d, Conv2d, Identity, Linear } from "../nn/layers/index.ts";
import type { Module } from "../nn/module.ts";
import { BatchNorm } from "../nn/norm/batch-norm.ts";
import { BatchNorm1d, BatchNorm2d, BatchNorm3d, FrozenBatchNorm2d, SyncBatchNorm } from "../nn/norm/index.ts";
import { Parameter } from "../nn/parameter.ts";
import { skipInit } from "../nn/skip-init.ts";
import { onesLike, zeros, zerosLike } from "../tensor/creation.ts";
import type { FloatDType } from "../tensor/dtype.ts";
import { Generator } from "../tensor/generator.ts";
import { randn } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { tidy } from "../tensor/tidy.ts";
import { ArgumentError, ShapeError } from "../util/errors.ts";
import { type Link, neighbours, tensorsIn, traceLinks } from "./trace.ts";

type Fusible = Conv1d | Conv2d | Linear;
/** Everything that normalizes by running statistics alone. */
type Normalization = BatchNorm | FrozenBatchNorm2d;

function checkEval(...modules: Module[]): void {
  if (modules.some(({ training }) => training)) {
    throw new ArgumentError(
      "Fusion only for eval!",
      "call eval() first: training normalizes by the batch, not by running statistics",
    );
  }
}

/** Weight and bias of the layer and the normalization in one. In double precision, rounded once. */
function fusedParameters(layer: Fusible, norm: Normalization): [weight: Parameter, bias: Parameter] {
  const state = norm.stateDict();
  const get = (name: string) => state.get(name) ?? null;
  const [mean, variance] = [get("running_mean"), get("running_var")];
  if (!mean || !variance) {
    throw new ArgumentError(
      "bn.running_mean and bn.running_var must not be None",
      "a layer without running statistics cannot be folded",
    );
  }
  return noGrad(() =>
    tidy(() => {
      const gamma = (get("weight") ?? onesLike(mean)).double();
      const beta = (get("bias") ?? zerosLike(mean)).double();
      const scale = variance.double().add(norm.eps).sqrt().reciprocal().mul(gamma);
      const { weight, bias } = layer;
      const scales = scale.reshape([-1, ...Array<number>(weight.ndim - 1).fill(1)]);
      const offset = (bias ?? zeros([weight.shape[0]])).double();
      const fusedWeight = weight.double().mul(scales).to(weight.dtype);
      const fusedBias = offset
        .sub(mean.double())
        .mul(scale)
        .add(beta)
        .to((bias ?? weight).dtype);
      // As PyTorch 2: a bias that there was not needs no gradient.
      return [new Parameter(fusedWeight, weight.requiresGrad), new Parameter(fusedBias, bias?.requiresGrad ?? false)];
    }),
  );
}

/**
 * A convolution that gives what the convolution and the batch norm after it give in evaluation: W · γ / √(var + eps) and (b − mean) · γ / √(var + eps) + β. dtype and requiresGrad are those of
 * the convolution (a new bias requires none). As torch.nn.utils.fusion.fuse_conv_bn_eval.
 * @throws ArgumentError in training mode, or without running statistics
 * @example
 * ```ts
 * import { nn, randn, tools } from "evenkeel";
 * const conv = new nn.Conv2d(3, 8, 3, { bias: false }).eval();
 * const bn = new nn.BatchNorm2d(8).eval();
 * const fused = tools.fuseConvBnEval(conv, bn);
 * const x = randn([1, 3, 5, 5]);
 * fused.forward(x).sub(bn.forward(conv.forward(x))).abs().max().item() < 1e-5; // => true
 * ```
 */
export function fuseConvBnEval<Conv extends Conv1d | Conv2d>(conv: Conv, bn: BatchNorm | FrozenBatchNorm2d): Conv {
  checkEval(conv, bn);
  checkChannels(conv.outChannels, bn);
  const { inChannels, outChannels, stride, padding, dilation, groups } = conv;
  const options = { stride, padding, dilation, groups, dtype: conv.weight.dtype as FloatDType };
  const Layer = conv.constructor as new (inputs: number, outputs: number, kernel: unknown, options: object) => Conv;
  const fused = skipInit(() => new Layer(inChannels, outChannels, conv.kernelSize, options));
  fused.eval();
  [fused.weight, fused.bias] = fusedParameters(conv, bn);
  return fused;
}

/**
 * A linear layer that gives what the linear layer and the batch norm after it give in evaluation, for inputs [N, inFeatures]. As torch.nn.utils.fusion.fuse_linear_bn_eval.
 * @throws ArgumentError in training mode, or without running statistics; ShapeError if the features differ
 * @example
 * ```ts
 * import { nn, tensor, tools } from "evenkeel";
 * const linear = new nn.Linear(1, 1, { bias: false }).eval();
 * const bn = new nn.BatchNorm1d(1, { eps: 0 }).eval();
 * bn.loadStateDict({ ...Object.fromEntries(bn.stateDict()), running_mean: tensor([3]), running_var: tensor([4]) });
 * tools.fuseLinearBnEval(linear, bn).bias!.item(); // => -1.5
 * ```
 */
export function fuseLinearBnEval(linear: Linear, bn: BatchNorm | FrozenBatchNorm2d): Linear {
  checkEval(linear, bn);
  if (bn.numFeatures !== 1) checkChannels(linear.outFeatures, bn);
  const { inFeatures, outFeatures, weight } = linear;
  const fused = skipInit(() => new Linear(inFeatures, outFeatures, { dtype: weight.dtype as FloatDType })).eval();
  [fused.weight, fused.bias] = fusedParameters(linear, bn);
  return fused;
}

function checkChannels(channels: number, bn: Normalization): void {
  if (channels === bn.numFeatures) return;
  throw new ShapeError(
    "To fuse, linear.out_features == bn.num_features or bn.num_features == 1",
    `the layer gives ${channels} channels, the normalization takes ${bn.numFeatures}`,
  );
}

/** Why a normalization was not folded. */
export type NotFused =
  /** no convolution or linear layer gives its input, or that layer's output goes elsewhere too */
  | "no-layer-before"
  /** it has no running statistics */
  | "no-statistics"
  /** it is a class of its own, whose forward may do more */
  | "own-class";

/** What `fuse` did; plain data. */
export interface FuseReport {
  fused: { layer: string; norm: string }[];
  left: { norm: string; reason: NotFused }[];
  /** largest change of the outputs for the example, relative to the largest output; null where there was no example */
  change: number | null;
}

const LAYERS: readonly unknown[] = [Conv1d, Conv2d, Linear];
const NORMS: readonly unknown[] = [BatchNorm1d, BatchNorm2d, BatchNorm3d, SyncBatchNorm, FrozenBatchNorm2d];

/** Far beyond rounding, which gives 1e-7 to 1e-5: the layers were not what they seemed. */
const ALLOWED_CHANGE = 1e-3;

/**
 * Folds the batch norms of a model into the convolutions and linear layers before them, in place: the layer gets new weights and a bias, the normalization becomes Identity. Which belong
 * together is found by running an example through the model: the layer's output has to go into the normalization and nowhere else. Networks of `models` need no example; without one,
 * neighbours in Sequentials are folded. The outputs for the example are compared before and after.
 * @param options.input an example of the model's input
 * @throws ArgumentError in training mode, or if the outputs change by more than 1e-3; the model is then as before
 * @example
 * ```ts
 * import { models, tools } from "evenkeel";
 * const model = models.resnet20().eval();
 * const { fused, left } = tools.fuse(model);
 * fused[0]; // => { layer: "conv1", norm: "bn1" }
 * [fused.length, left.length]; // => [21, 0]
 * ```
 */
export function fuse(model: Module, options: { input?: Tensor } = {}): FuseReport {
  const example = options.input ?? (model instanceof ImageModel ? exampleOf(model) : null);
  const norms = model.namedModules().filter(([, module]) => isNorm(module));
  checkEval(model, ...norms.map(([, norm]) => norm));
  const before = example && run(model, example);
  const links = example ? traceLinks(model, example) : neighbours(model);
  const report: FuseReport = { fused: [], left: [], change: null };
  const replaced: [path: string, module: Module][] = [];
  const replace = (path: string, by: Module) => {
    replaced.push([path, model.getSubmodule(path)]);
    model.setSubmodule(path, by);
  };
  for (const [path, norm] of norms) {
    const link = links.find(({ second }) => second === path);
    const reason = whyNot(model, norm, link);
    if (reason || !link) {
      report.left.push({ norm: path, reason: reason ?? "no-layer-before" });
      continue;
    }
    const layer = model.getSubmodule(link.first);
    const bn = norm as Normalization;
    replace(link.first, layer instanceof Linear ? fuseLinearBnEval(layer, bn) : fuseConvBnEval(layer as Conv2d, bn));
    replace(path, new Identity().eval());
    report.fused.push({ layer: link.first, norm: path });
  }
  if (example && before) {
    report.change = difference(before, run(model, example));
    if (report.change > ALLOWED_CHANGE) {
      for (const [path, module] of replaced.reverse()) model.setSubmodule(path, module);
      throw new ArgumentError(
        `folding changed the model's outputs by ${report.change.toExponential(1)} of the largest`,
        "a layer's output is used where it cannot be seen; fold the pairs by hand with fuseConvBnEval",
      );
    }
  }
  return report;
}

function isNorm(module: Module): boolean {
  return module instanceof BatchNorm || module instanceof FrozenBatchNorm2d;
}

function whyNot(model: Module, norm: Module, link: Link | undefined): NotFused | null {
  if (!NORMS.includes(norm.constructor)) return "own-class";
  if (norm instanceof BatchNorm && (!norm.runningMean || !norm.runningVar)) return "no-statistics";
  const layer = link && model.getSubmodule(link.first);
  if (!layer || !LAYERS.includes(layer.constructor)) return "no-layer-before";
  const channels = layer instanceof Linear ? layer.outFeatures : (layer as Conv2d).outChannels;
  if (channels !== (norm as Normalization).numFeatures) return "no-layer-before";
  // The channels of [N, C, L] are not what a linear layer gives.
  return layer instanceof Linear && (link.ndim ?? 2) !== 2 ? "no-layer-before" : null;
}

/** A small image of noise. */
function exampleOf(model: ImageModel): Tensor {
  const [channels, height, width] = model.inputShape;
  const shape = [1, channels, Math.min(height, 64), Math.min(width, 64)];
  const dtype = (model.parameters()[0]?.dtype ?? "float32") as FloatDType;
  return randn(shape, { dtype, generator: new Generator(0) });
}

/** The outputs in evaluation, one after the other. */
function run(model: Module, input: Tensor): number[] {
  return tidy(() => noGrad(() => tensorsIn(model.forward(input)).flatMap((x) => Array.from(x.toTypedArray(), Number))));
}

function difference(before: readonly number[], after: readonly number[]): number {
  let largest = 0;
  let change = 0;
  for (const [i, value] of before.entries()) {
    if (!Number.isFinite(value)) continue;
    largest = Math.max(largest, Math.abs(value));
    change = Math.max(change, Number.isFinite(after[i]) ? Math.abs(value - after[i]) : Number.POSITIVE_INFINITY);
  }
  return change === 0 ? 0 : change / largest;
}
