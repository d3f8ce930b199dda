import { dropout } from "../functional/dropout.ts";
import { Sequential } from "../nn/container.ts";
import { kaimingNormal_, zeros_ } from "../nn/init.ts";
import { AvgPool2d, Conv2d, Linear, MaxPool2d, ReLU } from "../nn/layers/index.ts";
import { Module } from "../nn/module.ts";
import { BatchNorm2d } from "../nn/norm/index.ts";
import { normThenActivation } from "../nn/norm/joined.ts";
import type { StateDict } from "../nn/state-dict.ts";
import { relu } from "../ops/activation.ts";
import { adaptiveAvgPool2d } from "../ops/adaptive-pool.ts";
import { cat } from "../ops/join.ts";
import { flatten } from "../ops/views.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { ImageModel } from "./image-model.ts";

/** Options of densely connected networks, as torchvision's arguments. */
export interface DenseNetOptions {
  /** number of class scores, 1000 */
  numClasses?: number;
  /** channels that each layer adds, 32 */
  growthRate?: number;
  /** channels of the first convolution, 64 */
  numInitFeatures?: number;
  /** width of the 1 × 1 convolutions, in growth rates; 4 */
  bnSize?: number;
  /** probability of dropout after each layer, 0 */
  dropRate?: number;
}

/** From all earlier features of its block, growthRate new ones. */
class DenseLayer extends Module {
  norm1: BatchNorm2d;
  relu1 = new ReLU();
  conv1: Conv2d;
  norm2: BatchNorm2d;
  relu2 = new ReLU();
  conv2: Conv2d;

  constructor(
    inChannels: number,
    growthRate: number,
    bnSize: number,
    readonly dropRate: number,
  ) {
    super();
    const width = bnSize * growthRate;
    this.norm1 = new BatchNorm2d(inChannels);
    this.conv1 = new Conv2d(inChannels, width, 1, { bias: false });
    this.norm2 = new BatchNorm2d(width);
    this.conv2 = new Conv2d(width, growthRate, 3, { padding: 1, bias: false });
  }

  override get className(): string {
    return "_DenseLayer";
  }

  forward(features: readonly Tensor[]): Tensor {
    const narrow = this.conv1.forward(normThenActivation(this.norm1, this.relu1, cat(features, 1)));
    const out = this.conv2.forward(normThenActivation(this.norm2, this.relu2, narrow));
    return this.dropRate > 0 ? dropout(out, { p: this.dropRate, training: this.training }) : out;
  }
}

/** Layers that each see the outputs of all before. */
class DenseBlock extends Sequential {
  override get className(): string {
    return "_DenseBlock";
  }

  override get stateVersion(): number {
    return 2;
  }

  override forward(input: Tensor): Tensor {
    const features = [input];
    for (const layer of this) features.push(layer.forward(features));
    return cat(features, 1);
  }
}

/** Halves channels, height and width. */
class Transition extends Sequential {
  override get className(): string {
    return "_Transition";
  }
}

/**
 * A densely connected network for images of [N, 3, H, W]: in a block, every layer takes the outputs of all layers before it. Keys, their order and the initial values for
 * a seed are torchvision's; keys of its first releases ("denselayer1.norm.1.weight") load too. Huang et al. 2017. Use densenet121.
 * @example
 * ```ts
 * import { models, zeros } from "evenkeel";
 * const model = new models.DenseNet([2, 2], { growthRate: 8, numInitFeatures: 16, numClasses: 10 }).eval();
 * model.forward(zeros([1, 3, 32, 32])).shape; // => [1, 10]
 * ```
 */
export class DenseNet extends ImageModel {
  readonly inputShape = [3, 224, 224] as const;
  features: Sequential;
  classifier: Linear;

  /** @param blocks number of layers in each block */
  constructor(blocks: readonly number[], options: DenseNetOptions = {}) {
    super();
    const { numClasses = 1000, growthRate = 32, numInitFeatures = 64, bnSize = 4, dropRate = 0 } = options;
    const features: Record<string, Module> = {
      conv0: new Conv2d(3, numInitFeatures, 7, { stride: 2, padding: 3, bias: false }),
      norm0: new BatchNorm2d(numInitFeatures),
      relu0: new ReLU(),
      pool0: new MaxPool2d(3, { stride: 2, padding: 1 }),
    };
    let channels = numInitFeatures;
    for (const [b, count] of blocks.entries()) {
      const layers: Record<string, Module> = {};
      for (let i = 1; i <= count; i++) {
        layers[`denselayer${i}`] = new DenseLayer(channels, growthRate, bnSize, dropRate);
        channels += growthRate;
      }
      features[`denseblock${b + 1}`] = new DenseBlock(layers);
      if (b === blocks.length - 1) break;
      features[`transition${b + 1}`] = new Transition({
        norm: new BatchNorm2d(channels),
        relu: new ReLU(),
        conv: new Conv2d(channels, Math.floor(channels / 2), 1, { bias: false }),
        pool: new AvgPool2d(2, { stride: 2 }),
      });
      channels = Math.floor(channels / 2);
    }
    features[`norm${blocks.length + 1}`] = new BatchNorm2d(channels);
    this.features = new Sequential(features);
    this.classifier = new Linear(channels, numClasses);
    for (const module of this.modules()) {
      if (module instanceof Conv2d) kaimingNormal_(module.weight);
      else if (module instanceof Linear && module.bias) zeros_(module.bias);
    }
  }

  /** Class scores [N, numClasses] of images [N, 3, H, W]. */
  forward(images: Tensor): Tensor {
    const features = relu(this.features.forward(images));
    return this.classifier.forward(flatten(adaptiveAvgPool2d(features, 1), 1));
  }

  /** torchvision's published files still have the keys of PyTorch 0.3: norm.1 is norm1 now. */
  protected override upgradeState(state: StateDict): void {
    for (const [key, value] of [...state]) {
      const now = key.replace(/(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)/, "$1$2");
      if (now !== key && state.delete(key)) state.set(now, value);
    }
  }
}

/**
 * DenseNet-121, 8.0 million parameters, as torchvision.models.densenet121: its checkpoints load.
 * @example
 * ```ts
 * import { models, nn } from "evenkeel";
 * const model = nn.skipInit(() => models.densenet121());
 * model.parameters().reduce((sum, { numel }) => sum + numel, 0); // => 7978856
 * ```
 */
export function densenet121(options: DenseNetOptions = {}): DenseNet {
  return new DenseNet([6, 12, 24, 16], options);
}
