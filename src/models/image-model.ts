import { Module } from "../nn/module.ts";
import { BatchNorm2d } from "../nn/norm/index.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Makes the normalization layer for a number of channels. */
export type NormLayer = (channels: number) => Module;

/** Batch normalization with PyTorch's defaults. */
export const batchNorm2d: NormLayer = (channels) => new BatchNorm2d(channels);

/**
 * A network for images: from [N, 3, H, W] to a row of class scores for each, [N, numClasses].
 * @example
 * ```ts
 * import { models } from "evenkeel";
 * const model: models.ImageModel = models.resnet20();
 * model.inputShape; // => [3, 32, 32]
 * ```
 */
export abstract class ImageModel extends Module {
  /** [channels, height, width] that the network was designed for; other heights and widths do too. */
  abstract readonly inputShape: readonly [channels: number, height: number, width: number];

  abstract override forward(images: Tensor): Tensor;
}
