import { suggestedFormat } from "../../tensor/memory-format.ts";
import { numelOf, type Shape } from "../../tensor/shape.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { contiguous } from "../views.ts";

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

/** What byChannels gave, seen in memory as [outer, channels, inner]: [N, C, positions], or channels-last [N · positions, C, 1]. */
export function channelView(x: Tensor): { outer: number; channels: number; inner: number } {
  const [n, channels] = x.shape;
  const positions = numelOf(x.shape.slice(2));
  return x.isContiguous ? { outer: n, channels, inner: positions } : { outer: n * positions, channels, inner: 1 };
}

/** The shape in which one value a channel meets [N, C, …]. */
export function perChannel(shape: Shape): Shape {
  return shape.map((size, d) => (d === 1 ? size : 1));
}

/** Positions of batch norm: everything but the channel. */
export function channelPositions({ shape }: Tensor): Positions {
  return { view: shape, dims: [...shape.keys()].filter((d) => d !== 1), affine: perChannel(shape) };
}
