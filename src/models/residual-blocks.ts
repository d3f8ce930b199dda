import { Sequential } from "../nn/container.ts";
import { Conv2d, ReLU } from "../nn/layers/index.ts";
import { Module } from "../nn/module.ts";
import { normThenActivation } from "../nn/norm/joined.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { NormLayer } from "./image-model.ts";

function conv3x3(inChannels: number, outChannels: number, stride = 1): Conv2d {
  return new Conv2d(inChannels, outChannels, 3, { stride, padding: 1, bias: false });
}

function conv1x1(inChannels: number, outChannels: number, stride = 1): Conv2d {
  return new Conv2d(inChannels, outChannels, 1, { stride, bias: false });
}

/** Where a block's shape changes, what the shortcut does to its input. */
export type Shortcut = (inChannels: number, outChannels: number, stride: number, norm: NormLayer) => Module;

/** A 1 × 1 convolution and a normalization, as torchvision. */
export const convShortcut: Shortcut = (inChannels, outChannels, stride, norm) =>
  new Sequential(conv1x1(inChannels, outChannels, stride), norm(outChannels));

/**
 * Two 3 × 3 convolutions and a shortcut: what resnet18 and resnet34 are built of. torchvision's BasicBlock; He et al. 2016.
 * @example
 * ```ts
 * import { models, nn, zeros } from "evenkeel";
 * const block = new models.BasicBlock(8, 8, 1, null, (channels) => new nn.BatchNorm2d(channels));
 * block.forward(zeros([2, 8, 4, 4])).shape; // => [2, 8, 4, 4]
 * ```
 */
export class BasicBlock extends Module {
  static readonly expansion = 1;
  conv1: Conv2d;
  bn1: Module;
  relu: ReLU;
  conv2: Conv2d;
  bn2: Module;
  downsample: Module | null;

  constructor(inChannels: number, width: number, stride: number, downsample: Module | null, norm: NormLayer) {
    super();
    this.conv1 = conv3x3(inChannels, width, stride);
    this.bn1 = norm(width);
    this.relu = new ReLU();
    this.conv2 = conv3x3(width, width);
    this.bn2 = norm(width);
    this.downsample = downsample;
  }

  forward(x: Tensor): Tensor {
    const out = normThenActivation(this.bn1, this.relu, this.conv1.forward(x));
    return normThenActivation(this.bn2, this.relu, this.conv2.forward(out), this.downsample?.forward(x) ?? x);
  }

  /** The normalization that ends the branch beside the shortcut. */
  get lastNorm(): Module {
    return this.bn2;
  }
}

/**
 * 1 × 1, 3 × 3 and 1 × 1 convolutions and a shortcut, with the stride in the 3 × 3 one; the output has 4 · width channels. torchvision's Bottleneck; He et al. 2016.
 * @example
 * ```ts
 * import { models, nn, zeros } from "evenkeel";
 * const block = new models.Bottleneck(8, 2, 1, null, (channels) => new nn.BatchNorm2d(channels));
 * block.forward(zeros([2, 8, 4, 4])).shape; // => [2, 8, 4, 4]
 * ```
 */
export class Bottleneck extends Module {
  static readonly expansion = 4;
  conv1: Conv2d;
  bn1: Module;
  conv2: Conv2d;
  bn2: Module;
  conv3: Conv2d;
  bn3: Module;
  relu: ReLU;
  downsample: Module | null;

  constructor(inChannels: number, width: number, stride: number, downsample: Module | null, norm: NormLayer) {
    super();
    this.conv1 = conv1x1(inChannels, width);
    this.bn1 = norm(width);
    this.conv2 = conv3x3(width, width, stride);
    this.bn2 = norm(width);
    this.conv3 = conv1x1(width, 4 * width);
    this.bn3 = norm(4 * width);
    this.relu = new ReLU();
    this.downsample = downsample;
  }

  forward(x: Tensor): Tensor {
    let out = normThenActivation(this.bn1, this.relu, this.conv1.forward(x));
    out = normThenActivation(this.bn2, this.relu, this.conv2.forward(out));
    return normThenActivation(this.bn3, this.relu, this.conv3.forward(out), this.downsample?.forward(x) ?? x);
  }

  /** The normalization that ends the branch beside the shortcut. */
  get lastNorm(): Module {
    return this.bn3;
  }
}

export type Block = typeof BasicBlock | typeof Bottleneck;

/** A stage of a ResNet: blocks of one width, of which the first has the stride. */
export function residualStage(
  block: Block,
  inChannels: number,
  width: number,
  blocks: number,
  stride: number,
  norm: NormLayer,
  shortcut: Shortcut = convShortcut,
): Sequential {
  const outChannels = width * block.expansion;
  // The shortcut draws its initial values before the block, as in torchvision.
  const changes = stride !== 1 || inChannels !== outChannels;
  const downsample = changes ? shortcut(inChannels, outChannels, stride, norm) : null;
  const stage = new Sequential(new block(inChannels, width, stride, downsample, norm));
  for (let i = 1; i < blocks; i++) stage.append(new block(outChannels, width, 1, null, norm));
  return stage;
}
