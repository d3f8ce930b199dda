import { suggestedFormat } from "../../tensor/memory-format.ts";
import { numelOf, type Shape } from "../../tensor/shape.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { contiguous, expand, reshape } from "../views.ts";

/** Scale γ and shift β after normalizing; either may be absent. */
export interface Affine {
  readonly weight: Tensor | null;
  readonly bias: Tensor | null;
}

/** Which positions of x share their moments, for the formulas in elementary operations. */
export interface Positions {
  /** x is seen in this shape, in which … */
  readonly view: Shape;
  /** … these dimensions are averaged over */
  readonly dims: readonly number[];
  /** the shape in which weight and bias meet x's own shape */
  readonly affine: Shape;
}

/** [N, C, …] as kernels by channels take it: x itself where it lies row-major or channels-last without gaps, else a copy in the nearer of the two; with history. */
export function byChannels(x: Tensor): Tensor {
  return x.isContiguous ? x : contiguous(x, { memoryFormat: suggestedFormat(x.shape, x.strides) });
}

/** How what byChannels gave lies in memory: `images` times [outer, channels, inner], each image with moments and parameters of its own. */
export interface ChannelView {
  readonly images: number;
  readonly outer: number;
  readonly channels: number;
  readonly inner: number;
  /** for the formulas, which only second derivatives take */
  readonly positions: () => Positions;
}

/** Batch norm's: one image, [N, C, positions] or channels-last [N · positions, C, 1]. */
export function channelView(x: Tensor): ChannelView {
  const { shape, isContiguous } = x;
  const inner = numelOf(shape.slice(2));
  return {
    images: 1,
    outer: isContiguous ? shape[0] : shape[0] * inner,
    channels: shape[1],
    inner: isContiguous ? inner : 1,
    positions: () => channelPositions(x),
  };
}

/** Of channels-last [N, C, …], every image by itself: [positions, C, 1]. */
export function imageView({ shape }: Tensor): ChannelView {
  const [images, channels] = shape;
  const positions = () => ({
    view: shape,
    dims: [...shape.keys()].slice(2),
    affine: shape.map((size, d) => (d < 2 ? size : 1)),
  });
  return { images, outer: numelOf(shape.slice(2)), channels, inner: 1, positions };
}

/** One value a channel becomes one value an image and channel: [C] to [N·C], a copy (for one channel the reshape alone would be a view). */
export function repeat(perChannel: Tensor, n: number): Tensor {
  return reshape(contiguous(expand(reshape(perChannel, [1, -1]), [n, perChannel.numel])), [-1]);
}

/** The shape in which one value a channel meets [N, C, …]. */
export function perChannel(shape: Shape): Shape {
  return shape.map((size, d) => (d === 1 ? size : 1));
}

/** Positions of batch norm: everything but the channel. */
export function channelPositions({ shape }: Tensor): Positions {
  return { view: shape, dims: [...shape.keys()].filter((d) => d !== 1), affine: perChannel(shape) };
}
