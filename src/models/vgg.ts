import { Sequential } from "../nn/container.ts";
import { kaimingNormal_, normal_, zeros_ } from "../nn/init.ts";
import { AdaptiveAvgPool2d, Conv2d, Dropout, Linear, MaxPool2d, ReLU } from "../nn/layers/index.ts";
import { BatchNorm2d } from "../nn/norm/index.ts";
import { flatten } from "../ops/views.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { ImageModel } from "./image-model.ts";

/** Options of VGG networks, as torchvision's arguments. */
export interface VGGOptions {
  /** number of class scores, 1000 */
  numClasses?: number;
  /** probability of dropout in the classifier, 0.5 */
  dropout?: number;
}

/**
 * A VGG network with batch normalization for images of [N, 3, H, W]: 3 × 3 convolutions (with a bias, as torchvision's), each followed by batch norm and ReLU, then three linear layers.
 * Keys, their order and the initial values for a seed are torchvision's. Simonyan & Zisserman 2015. Use vgg11Bn or vgg16Bn.
 * @example
 * ```ts
 * import { models, nn, zeros } from "evenkeel";
 * const model = nn.skipInit(() => new models.VGG([8, "pool", 16, "pool"], { numClasses: 10 }));
 * model.features.forward(zeros([1, 3, 32, 32])).shape; // => [1, 16, 8, 8]
 * ```
 */
export class VGG extends ImageModel {
  readonly inputShape = [3, 224, 224] as const;
  features: Sequential;
  avgpool: AdaptiveAvgPool2d;
  classifier: Sequential;

  /** @param layers a convolution's number of channels, or "pool" for 2 × 2 max pooling */
  constructor(layers: readonly (number | "pool")[], options: VGGOptions = {}) {
    super();
    const { numClasses = 1000, dropout = 0.5 } = options;
    this.features = new Sequential();
    let channels = 3;
    for (const layer of layers) {
      if (layer === "pool") this.features.append(new MaxPool2d(2, { stride: 2 }));
      else {
        this.features.extend([new Conv2d(channels, layer, 3, { padding: 1 }), new BatchNorm2d(layer), new ReLU()]);
        channels = layer;
      }
    }
    this.avgpool = new AdaptiveAvgPool2d(7);
    this.classifier = new Sequential(
      new Linear(channels * 7 * 7, 4096),
      new ReLU(),
      new Dropout({ p: dropout }),
      new Linear(4096, 4096),
      new ReLU(),
      new Dropout({ p: dropout }),
      new Linear(4096, numClasses),
    );
    for (const module of this.modules()) {
      if (module instanceof Conv2d) kaimingNormal_(module.weight, { mode: "fan_out", nonlinearity: "relu" });
      else if (module instanceof Linear) normal_(module.weight, 0, 0.01);
      else continue;
      if (module.bias) zeros_(module.bias);
    }
  }

  /** Class scores [N, numClasses] of images [N, 3, H, W]. */
  forward(images: Tensor): Tensor {
    return this.classifier.forward(flatten(this.avgpool.forward(this.features.forward(images)), 1));
  }
}

/**
 * VGG-11 with batch normalization, 132.9 million parameters, as torchvision.models.vgg11_bn.
 * @example
 * ```ts
 * import { models, nn } from "evenkeel";
 * const model = nn.skipInit(() => models.vgg11Bn({ numClasses: 10 }));
 * model.features.length; // => 29
 * ```
 */
export function vgg11Bn(options: VGGOptions = {}): VGG {
  return new VGG([64, "pool", 128, "pool", 256, 256, "pool", 512, 512, "pool", 512, 512, "pool"], options);
}

/**
 * VGG-16 with batch normalization, 138.4 million parameters, as torchvision.models.vgg16_bn.
 * @example
 * ```ts
 * import { models, nn } from "evenkeel";
 * const model = nn.skipInit(() => models.vgg16Bn());
 * model.parameters().reduce((sum, { numel }) => sum + numel, 0); // => 138365992
 * ```
 */
export function vgg16Bn(options: VGGOptions = {}): VGG {
  const stage = (width: number, convolutions: number) => [...Array<number>(convolutions).fill(width), "pool" as const];
  return new VGG([...stage(64, 2), ...stage(128, 2), ...stage(256, 3), ...stage(512, 3), ...stage(512, 3)], options);
}
