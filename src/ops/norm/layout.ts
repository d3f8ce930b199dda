import { numelOf, type Shape } from "../../tensor/shape.ts";
import type { Tensor } from "../../tensor/tensor.ts";

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

/** [N, C, …] seen as [outer, channels, inner]. */
export function channelView(x: Tensor): { outer: number; channels: number; inner: number } {
  const [outer, channels] = x.shape;
  return { outer, channels, inner: numelOf(x.shape.slice(2)) };
}

/** The shape in which one value a channel meets [N, C, …]. */
export function perChannel(shape: Shape): Shape {
  return shape.map((size, d) => (d === 1 ? size : 1));
}

/** Positions of batch norm: everything but the channel. */
export function channelPositions({ shape }: Tensor): Positions {
  return { view: shape, dims: [...shape.keys()].filter((d) => d !== 1), affine: perChannel(shape) };
}
