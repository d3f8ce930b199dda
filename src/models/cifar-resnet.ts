import type { Sequential } from "../nn/container.ts";
import { AdaptiveAvgPool2d, Conv2d, Linear, ReLU } from "../nn/layers/index.ts";
import { Module } from "../nn/module.ts";
import { normThenActivation } from "../nn/norm/joined.ts";
import { cat } from "../ops/join.ts";
import { slice } from "../ops/slicing.ts";
import { flatten } from "../ops/views.ts";
import { zeros } from "../tensor/creation.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { batchNorm2d, ImageModel } from "./image-model.ts";
import { BasicBlock, convShortcut, residualStage } from "./residual-blocks.ts";
import { initResNet, type ResNetOptions } from "./resnet.ts";

/** Options of residual networks for small images. */
export interface CifarResNetOptions extends ResNetOptions {
  /** number of class scores, 10 */
  numClasses?: number;
  /**
   * what a shortcut does where the shape changes: "conv" (a 1 × 1 convolution and a normalization, as torchvision's networks) or "pad" (every other pixel, and
   * zeros for the new channels: no parameters, as the paper's CIFAR networks)
   */
  shortcut?: "conv" | "pad";
}

/** Every stride-th pixel, with channels of zeros before and after the input's. */
class PadShortcut extends Module {
  constructor(
    readonly added: number,
    readonly stride: number,
  ) {
    super();
  }

  forward(x: Tensor): Tensor {
    const { added, stride } = this;
    const picked = slice(slice(x, 2, 0, Number.POSITIVE_INFINITY, stride), 3, 0, Number.POSITIVE_INFINITY, stride);
    const blank = zeros(picked.shape.with(1, added / 2), { dtype: x.dtype });
    return cat([blank, picked, blank], 1);
  }
}

/**
 * A residual network for small images such as CIFAR's, [N, 3, 32, 32]: a 3 × 3 convolution and three stages with 16, 32 and 64 channels, 6·blocks + 2 layers with weights. He et al.
 * 2016, section 4.2; keys and initial values as torchvision's ResNet. Use resnet20.
 * @example
 * ```ts
 * import { models, zeros } from "evenkeel";
 * const resnet8 = new models.CifarResNet(1, { numClasses: 100 });
 * resnet8.forward(zeros([2, 3, 32, 32])).shape; // => [2, 100]
 * ```
 */
export class CifarResNet extends ImageModel {
  readonly inputShape = [3, 32, 32] as const;
  conv1: Conv2d;
  bn1: Module;
  relu: ReLU;
  layer1: Sequential;
  layer2: Sequential;
  layer3: Sequential;
  avgpool: AdaptiveAvgPool2d;
  fc: Linear;

  /** @param blocks number of blocks in each of the three stages */
  constructor(blocks: number, options: CifarResNetOptions = {}) {
    super();
    const { numClasses = 10, zeroInitResidual = false, norm = batchNorm2d, shortcut = "conv" } = options;
    const change =
      shortcut === "conv"
        ? convShortcut
        : (inChannels: number, outChannels: number, stride: number) =>
            new PadShortcut(outChannels - inChannels, stride);
    this.conv1 = new Conv2d(3, 16, 3, { padding: 1, bias: false });
    this.bn1 = norm(16);
    this.relu = new ReLU();
    this.layer1 = residualStage(BasicBlock, 16, 16, blocks, 1, norm, change);
    this.layer2 = residualStage(BasicBlock, 16, 32, blocks, 2, norm, change);
    this.layer3 = residualStage(BasicBlock, 32, 64, blocks, 2, norm, change);
    this.avgpool = new AdaptiveAvgPool2d(1);
    this.fc = new Linear(64, numClasses);
    initResNet(this, zeroInitResidual);
  }

  /** Class scores [N, numClasses] of images [N, 3, H, W]. */
  forward(images: Tensor): Tensor {
    let x = normThenActivation(this.bn1, this.relu, this.conv1.forward(images));
    for (const stage of [this.layer1, this.layer2, this.layer3]) x = stage.forward(x);
    return this.fc.forward(flatten(this.avgpool.forward(x), 1));
  }
}

/**
 * ResNet-20 for 32 × 32 images, 0.27 million parameters. He et al. 2016.
 * @example
 * ```ts
 * import { models } from "evenkeel";
 * const count = (model: models.CifarResNet) => model.parameters().reduce((sum, { numel }) => sum + numel, 0);
 * count(models.resnet20()); // => 272474
 * count(models.resnet20({ shortcut: "pad" })); // => 269722
 * ```
 */
export function resnet20(options: CifarResNetOptions = {}): CifarResNet {
  return new CifarResNet(3, options);
}
