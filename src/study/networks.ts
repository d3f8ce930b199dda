import { noGrad } from "../autograd/mode.ts";
import * as nn from "../nn/index.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { NormKind } from "./results.ts";

/** What the networks can be normalized with: what the study compares, and RMS norm. */
export type NetworkNorm = NormKind | "rms";

/** Groups of group norm in both networks; their widths are multiples of it. */
export const GROUPS = { mlp: 10, cnn: 4 } as const;

function norm1d(kind: NetworkNorm, features: number): nn.Module[] {
  switch (kind) {
    case "batch":
      return [new nn.BatchNorm1d(features)];
    case "layer":
      return [new nn.LayerNorm(features)];
    case "group":
      return [new nn.GroupNorm(GROUPS.mlp, features)];
    case "rms":
      return [new nn.RMSNorm(features)];
    default:
      return [];
  }
}

/** `size` is the height and width of the images. */
function norm2d(kind: NetworkNorm, channels: number, size: number): nn.Module[] {
  switch (kind) {
    case "batch":
      return [new nn.BatchNorm2d(channels)];
    // Wu & He 2018: layer norm of a convolution's output is group norm with one group, instance norm one with a group a channel.
    case "layer":
      return [new nn.GroupNorm(1, channels)];
    case "instance":
      return [new nn.InstanceNorm2d(channels, { affine: true })];
    case "group":
      return [new nn.GroupNorm(GROUPS.cnn, channels)];
    case "rms":
      return [new nn.RMSNorm([channels, size, size])];
    default:
      return [];
  }
}

/** Whether the normalization adds a number of its own to each unit, so that a bias before it would be idle. */
const shifts = (kind: NetworkNorm) => kind !== "none" && kind !== "rms";

/** The width of the three hidden layers. */
export const HIDDEN = 100;

/**
 * The network of Ioffe & Szegedy 2015, section 4.1: 784-100-100-100-10, sigmoid, weights drawn from N(0, std²). The normalization stands between the linear layer and
 * the sigmoid, and takes the place of the linear layer's bias where it has a shift of its own. `activation` makes what stands in the sigmoid's place.
 */
export function mlp(
  kind: NetworkNorm,
  std: number,
  activation: () => nn.Module = () => new nn.Sigmoid(),
): nn.Sequential {
  const widths = [784, HIDDEN, HIDDEN, HIDDEN];
  const layers: nn.Module[] = [];
  for (let i = 1; i < widths.length; i++) {
    layers.push(
      new nn.Linear(widths[i - 1], widths[i], { bias: !shifts(kind) }),
      ...norm1d(kind, widths[i]),
      activation(),
    );
  }
  layers.push(new nn.Linear(HIDDEN, 10));
  for (const layer of layers) {
    if (!(layer instanceof nn.Linear)) continue;
    nn.init.normal_(layer.weight, 0, std);
    if (layer.bias) nn.init.zeros_(layer.bias);
  }
  return new nn.Sequential(...layers);
}

/** Output channels of the convolutions, and the height and width of their outputs. */
const CHANNELS = [8, 16, 32, 32];
const SIZES = [14, 7, 4, 2];

/**
 * A small convolutional network: four 3 × 3 convolutions of stride 2, each with normalization and ReLU, and a linear layer. They end at 2 × 2 positions, so that a small batch
 * gives batch norm few values a channel, as the last stages of large networks do.
 */
export function cnn(kind: NetworkNorm): nn.Sequential {
  const layers = CHANNELS.flatMap((channels, i) => [
    new nn.Conv2d(CHANNELS[i - 1] ?? 1, channels, 3, { stride: 2, padding: 1, bias: !shifts(kind) }),
    ...norm2d(kind, channels, SIZES[i]),
    new nn.ReLU(),
  ]);
  return new nn.Sequential(...layers, new nn.Flatten(), new nn.Linear(4 * 32, 10));
}

/** What the sigmoid of the last hidden layer is given, by the statistics of the batch itself, which are not tracked: [N, 100]. */
export function lastSigmoidInput(model: nn.Sequential, images: Tensor): Tensor {
  const layers = [...model];
  const last = layers.findLastIndex((layer) => layer instanceof nn.Sigmoid);
  const norms = layers.filter((layer) => layer instanceof nn.BatchNorm1d);
  for (const layer of norms) layer.trackRunningStats = false;
  const mode = model.training;
  model.train();
  try {
    return noGrad(() => layers.slice(0, last).reduce((x: Tensor, layer) => layer.forward(x), images));
  } finally {
    model.train(mode);
    for (const layer of norms) layer.trackRunningStats = true;
  }
}
