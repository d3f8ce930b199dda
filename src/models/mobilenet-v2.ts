import { Sequential } from "../nn/container.ts";
import { kaimingNormal_, normal_, zeros_ } from "../nn/init.ts";
import { Conv2d, Dropout, Linear, ReLU6 } from "../nn/layers/index.ts";
import { Module } from "../nn/module.ts";
import { adaptiveAvgPool2d } from "../ops/adaptive-pool.ts";
import { add } from "../ops/arithmetic.ts";
import { flatten } from "../ops/views.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { batchNorm2d, ImageModel, type NormLayer } from "./image-model.ts";

/** Options of MobileNetV2, as torchvision's arguments. */
export interface MobileNetV2Options {
  /** number of class scores, 1000 */
  numClasses?: number;
  /** factor on the number of channels, 1 */
  widthMult?: number;
  /** probability of dropout before the classifier, 0.2 */
  dropout?: number;
  /** makes the normalization layers; BatchNorm2d */
  norm?: NormLayer;
}

interface ConvSettings {
  kernelSize?: number;
  stride?: number;
  groups?: number;
}

/** Convolution, normalization, ReLU6. */
function convNormAct(inChannels: number, outChannels: number, norm: NormLayer, settings: ConvSettings): Sequential {
  const { kernelSize = 3, stride = 1, groups = 1 } = settings;
  const padding = (kernelSize - 1) / 2;
  const conv = new Conv2d(inChannels, outChannels, kernelSize, { stride, padding, groups, bias: false });
  return new Sequential(conv, norm(outChannels), new ReLU6());
}

/** Widen, filter every channel by itself, narrow; torchvision's InvertedResidual. */
class InvertedResidual extends Module {
  readonly hasShortcut: boolean;
  conv: Sequential;

  constructor(inChannels: number, outChannels: number, stride: number, expansion: number, norm: NormLayer) {
    super();
    const hidden = Math.round(inChannels * expansion);
    this.hasShortcut = stride === 1 && inChannels === outChannels;
    this.conv = new Sequential();
    if (expansion !== 1) this.conv.append(convNormAct(inChannels, hidden, norm, { kernelSize: 1 }));
    this.conv.append(convNormAct(hidden, hidden, norm, { stride, groups: hidden }));
    this.conv.extend([new Conv2d(hidden, outChannels, 1, { bias: false }), norm(outChannels)]);
  }

  forward(x: Tensor): Tensor {
    const out = this.conv.forward(x);
    return this.hasShortcut ? add(x, out) : out;
  }
}

/** The multiple of 8 nearest to `channels`, but not below 90 % of it. */
function roundToEight(channels: number): number {
  const rounded = Math.max(8, Math.floor((channels + 4) / 8) * 8);
  return rounded < 0.9 * channels ? rounded + 8 : rounded;
}

/** expansion, channels, blocks, stride of the first block */
const STAGES = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

/**
 * MobileNetV2 for images of [N, 3, H, W]: inverted residuals with depthwise convolutions. Keys, their order and the initial values for a seed are torchvision's. Sandler et al.
 * 2018. Use mobilenetV2.
 * @example
 * ```ts
 * import { models, zeros } from "evenkeel";
 * const model = new models.MobileNetV2({ numClasses: 10, widthMult: 0.25 }).eval();
 * model.forward(zeros([1, 3, 32, 32])).shape; // => [1, 10]
 * ```
 */
export class MobileNetV2 extends ImageModel {
  readonly inputShape = [3, 224, 224] as const;
  features: Sequential;
  classifier: Sequential;

  constructor(options: MobileNetV2Options = {}) {
    super();
    const { numClasses = 1000, widthMult = 1, dropout = 0.2, norm = batchNorm2d } = options;
    let channels = roundToEight(32 * widthMult);
    const last = roundToEight(1280 * Math.max(1, widthMult));
    this.features = new Sequential(convNormAct(3, channels, norm, { stride: 2 }));
    for (const [expansion, width, blocks, stride] of STAGES) {
      const outChannels = roundToEight(width * widthMult);
      for (let i = 0; i < blocks; i++) {
        this.features.append(new InvertedResidual(channels, outChannels, i === 0 ? stride : 1, expansion, norm));
        channels = outChannels;
      }
    }
    this.features.append(convNormAct(channels, last, norm, { kernelSize: 1 }));
    this.classifier = new Sequential(new Dropout({ p: dropout }), new Linear(last, numClasses));
    for (const module of this.modules()) {
      if (module instanceof Conv2d) kaimingNormal_(module.weight, { mode: "fan_out" });
      if (!(module instanceof Linear)) continue;
      normal_(module.weight, 0, 0.01);
      if (module.bias) zeros_(module.bias);
    }
  }

  /** Class scores [N, numClasses] of images [N, 3, H, W]. */
  forward(images: Tensor): Tensor {
    return this.classifier.forward(flatten(adaptiveAvgPool2d(this.features.forward(images), 1), 1));
  }
}

/**
 * MobileNetV2, 3.5 million parameters, as torchvision.models.mobilenet_v2: its checkpoints load.
 * @example
 * ```ts
 * import { models, nn } from "evenkeel";
 * const model = nn.skipInit(() => models.mobilenetV2());
 * model.parameters().reduce((sum, { numel }) => sum + numel, 0); // => 3504872
 * ```
 */
export function mobilenetV2(options: MobileNetV2Options = {}): MobileNetV2 {
  return new MobileNetV2(options);
}
