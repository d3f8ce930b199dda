import type { Sequential } from "../nn/container.ts";
import { kaimingNormal_, zeros_ } from "../nn/init.ts";
import { AdaptiveAvgPool2d, Conv2d, Linear, MaxPool2d, ReLU } from "../nn/layers/index.ts";
import type { Module } from "../nn/module.ts";
import { normThenActivation } from "../nn/norm/joined.ts";
import { flatten } from "../ops/views.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { batchNorm2d, ImageModel, type NormLayer } from "./image-model.ts";
import { BasicBlock, type Block, Bottleneck, residualStage } from "./residual-blocks.ts";

/** Options of residual networks, as torchvision's arguments. */
export interface ResNetOptions {
  /** number of class scores, 1000 */
  numClasses?: number;
  /** start with γ = 0 in the last normalization of every block, so that a block begins as its shortcut; false */
  zeroInitResidual?: boolean;
  /** makes the normalization layers; BatchNorm2d */
  norm?: NormLayer;
}

/** torchvision's initial values of a ResNet's convolutions; linear layers keep PyTorch's default. */
export function initResNet(model: Module, zeroInitResidual = false): void {
  for (const module of model.modules()) {
    if (module instanceof Conv2d) kaimingNormal_(module.weight, { mode: "fan_out", nonlinearity: "relu" });
  }
  if (!zeroInitResidual) return;
  for (const module of model.modules()) {
    if (!(module instanceof BasicBlock || module instanceof Bottleneck)) continue;
    const { weight } = module.lastNorm as { weight?: Tensor | null };
    if (weight) zeros_(weight);
  }
}

/**
 * A residual network for images of [N, 3, H, W], of four stages with 64, 128, 256 and 512 channels (times 4 with bottlenecks). Keys, their order and the initial
 * values for a seed are torchvision's. He et al. 2016. Use resnet18, resnet34 or resnet50.
 * @example
 * ```ts
 * import { models, nn, zeros } from "evenkeel";
 * const model = new models.ResNet(models.BasicBlock, [1, 1, 1, 1], { numClasses: 10, norm: (channels) => new nn.GroupNorm(32, channels) });
 * model.forward(zeros([1, 3, 32, 32])).shape; // => [1, 10]
 * ```
 */
export class ResNet extends ImageModel {
  readonly inputShape = [3, 224, 224] as const;
  conv1: Conv2d;
  bn1: Module;
  relu: ReLU;
  maxpool: MaxPool2d;
  layer1: Sequential;
  layer2: Sequential;
  layer3: Sequential;
  layer4: Sequential;
  avgpool: AdaptiveAvgPool2d;
  fc: Linear;

  /** @param blocks number of blocks in each of the four stages */
  constructor(block: Block, blocks: readonly [number, number, number, number], options: ResNetOptions = {}) {
    super();
    const { numClasses = 1000, zeroInitResidual = false, norm = batchNorm2d } = options;
    const { expansion } = block;
    this.conv1 = new Conv2d(3, 64, 7, { stride: 2, padding: 3, bias: false });
    this.bn1 = norm(64);
    this.relu = new ReLU();
    this.maxpool = new MaxPool2d(3, { stride: 2, padding: 1 });
    this.layer1 = residualStage(block, 64, 64, blocks[0], 1, norm);
    this.layer2 = residualStage(block, 64 * expansion, 128, blocks[1], 2, norm);
    this.layer3 = residualStage(block, 128 * expansion, 256, blocks[2], 2, norm);
    this.layer4 = residualStage(block, 256 * expansion, 512, blocks[3], 2, norm);
    this.avgpool = new AdaptiveAvgPool2d(1);
    this.fc = new Linear(512 * expansion, numClasses);
    initResNet(this, zeroInitResidual);
  }

  /** Class scores [N, numClasses] of images [N, 3, H, W]. */
  forward(images: Tensor): Tensor {
    let x = normThenActivation(this.bn1, this.relu, this.conv1.forward(images));
    x = this.maxpool.forward(x);
    for (const stage of [this.layer1, this.layer2, this.layer3, this.layer4]) x = stage.forward(x);
    return this.fc.forward(flatten(this.avgpool.forward(x), 1));
  }
}

/**
 * ResNet-18, 11.7 million parameters, as torchvision.models.resnet18: its checkpoints load.
 * @example
 * ```ts
 * import { models } from "evenkeel";
 * const model = models.resnet18({ numClasses: 10 });
 * model.fc.weight.shape; // => [10, 512]
 * [...model.stateDict().keys()].slice(0, 2); // => ["conv1.weight", "bn1.weight"]
 * ```
 */
export function resnet18(options: ResNetOptions = {}): ResNet {
  return new ResNet(BasicBlock, [2, 2, 2, 2], options);
}

/**
 * ResNet-34, 21.8 million parameters, as torchvision.models.resnet34.
 * @example
 * ```ts
 * import { models, nn } from "evenkeel";
 * // A checkpoint is to be loaded: no initial values need to be drawn.
 * const model = nn.skipInit(() => models.resnet34());
 * model.parameters().reduce((sum, { numel }) => sum + numel, 0); // => 21797672
 * ```
 */
export function resnet34(options: ResNetOptions = {}): ResNet {
  return new ResNet(BasicBlock, [3, 4, 6, 3], options);
}

/**
 * ResNet-50, 25.6 million parameters, as torchvision.models.resnet50 (the stride is in the 3 × 3 convolutions).
 * @example
 * ```ts
 * import { models, nn } from "evenkeel";
 * const model = nn.skipInit(() => models.resnet50());
 * model.parameters().reduce((sum, { numel }) => sum + numel, 0); // => 25557032
 * ```
 */
export function resnet50(options: ResNetOptions = {}): ResNet {
  return new ResNet(Bottleneck, [3, 4, 6, 3], options);
}
