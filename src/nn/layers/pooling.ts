import { adaptiveAvgPool1d, adaptiveAvgPool2d, adaptiveMaxPool1d, adaptiveMaxPool2d } from "../../ops/adaptive-pool.ts";
import { avgPool1d, avgPool2d, maxPool1d, maxPool2d } from "../../ops/pool.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { pythonRepr } from "../../util/python-format.ts";
import { Module } from "../module.ts";

type Pair = readonly [height: number, width: number];

/** Options of max pooling, as PyTorch's arguments. A number stands for all dimensions. */
export interface MaxPoolOptions<Size> {
  /** step between windows; the kernel's size */
  stride?: Size;
  /** positions that count as −∞ added on both sides, 0 */
  padding?: Size;
  /** distance between a window's elements, 1 */
  dilation?: Size;
  /** windows may go over the far edge: round the output's size up */
  ceilMode?: boolean;
}

/** Options of average pooling, as PyTorch's arguments. A number stands for all dimensions. */
export interface AvgPoolOptions<Size> {
  /** step between windows; the kernel's size */
  stride?: Size;
  /** zeros added on both sides, 0 */
  padding?: Size;
  /** windows may go over the far edge: round the output's size up */
  ceilMode?: boolean;
  /** padding counts in the averages, true */
  countIncludePad?: boolean;
}

abstract class MaxPool<Size extends number | Pair> extends Module {
  readonly stride: Size;
  readonly padding: Size | 0;
  readonly dilation: Size | 1;
  readonly ceilMode: boolean;

  constructor(
    readonly kernelSize: Size,
    options: MaxPoolOptions<Size> = {},
  ) {
    super();
    this.stride = options.stride ?? kernelSize;
    this.padding = options.padding ?? 0;
    this.dilation = options.dilation ?? 1;
    this.ceilMode = options.ceilMode ?? false;
  }

  override extraRepr(): string {
    const { kernelSize, stride, padding, dilation, ceilMode } = this;
    return (
      `kernel_size=${pythonRepr(kernelSize)}, stride=${pythonRepr(stride)}, padding=${pythonRepr(padding)}, ` +
      `dilation=${pythonRepr(dilation)}, ceil_mode=${pythonRepr(ceilMode)}`
    );
  }
}

/**
 * The largest value of every window of [N, C, L] or [C, L]. As torch.nn.MaxPool1d; for the positions see F.maxPool1d.
 * @throws ShapeError at forward for another rank, or a window larger than the padded input
 * @example
 * ```ts
 * import { nn, tensor } from "evenkeel";
 * new nn.MaxPool1d(2).forward(tensor([[1, 3, 2, 0]])).toArray(); // => [[3, 2]]
 * ```
 */
export class MaxPool1d extends MaxPool<number> {
  forward(input: Tensor): Tensor {
    const { stride, padding, dilation, ceilMode } = this;
    return maxPool1d(input, this.kernelSize, { stride, padding, dilation, ceilMode });
  }
}

/**
 * The largest value of every window of [N, C, H, W] or [C, H, W]. As torch.nn.MaxPool2d; for the positions see F.maxPool2d.
 * @throws ShapeError at forward for another rank, or a window larger than the padded input
 * @example
 * ```ts
 * import { nn, tensor } from "evenkeel";
 * new nn.MaxPool2d(2).forward(tensor([[[1, 2], [3, 4]]])).toArray(); // => [[[4]]]
 * ```
 */
export class MaxPool2d extends MaxPool<number | Pair> {
  forward(input: Tensor): Tensor {
    const { stride, padding, dilation, ceilMode } = this;
    return maxPool2d(input, this.kernelSize, { stride, padding, dilation, ceilMode });
  }
}

/**
 * The average of every window of [N, C, L] or [C, L]. As torch.nn.AvgPool1d.
 * @throws ShapeError at forward for another rank, or a window larger than the padded input
 * @example
 * ```ts
 * import { nn, tensor } from "evenkeel";
 * new nn.AvgPool1d(2).forward(tensor([[1, 3, 2, 0]])).toArray(); // => [[2, 1]]
 * ```
 */
export class AvgPool1d extends Module {
  readonly stride: number;
  readonly padding: number;
  readonly ceilMode: boolean;
  readonly countIncludePad: boolean;

  constructor(
    readonly kernelSize: number,
    options: AvgPoolOptions<number> = {},
  ) {
    super();
    this.stride = options.stride ?? kernelSize;
    this.padding = options.padding ?? 0;
    this.ceilMode = options.ceilMode ?? false;
    this.countIncludePad = options.countIncludePad ?? true;
  }

  forward(input: Tensor): Tensor {
    const { stride, padding, ceilMode, countIncludePad } = this;
    return avgPool1d(input, this.kernelSize, { stride, padding, ceilMode, countIncludePad });
  }

  override extraRepr(): string {
    return `kernel_size=(${this.kernelSize},), stride=(${this.stride},), padding=(${this.padding},)`;
  }
}

/**
 * The average of every window of [N, C, H, W] or [C, H, W]; `divisorOverride` divides by another number than the window's size. As torch.nn.AvgPool2d.
 * @throws ShapeError at forward for another rank, or a window larger than the padded input
 * @example
 * ```ts
 * import { nn, tensor } from "evenkeel";
 * new nn.AvgPool2d(2).forward(tensor([[[1, 2], [3, 6]]])).toArray(); // => [[[3]]]
 * ```
 */
export class AvgPool2d extends Module {
  readonly stride: number | Pair;
  readonly padding: number | Pair;
  readonly ceilMode: boolean;
  readonly countIncludePad: boolean;
  readonly divisorOverride: number | null;

  constructor(
    readonly kernelSize: number | Pair,
    options: AvgPoolOptions<number | Pair> & { divisorOverride?: number | null } = {},
  ) {
    super();
    this.stride = options.stride ?? kernelSize;
    this.padding = options.padding ?? 0;
    this.ceilMode = options.ceilMode ?? false;
    this.countIncludePad = options.countIncludePad ?? true;
    this.divisorOverride = options.divisorOverride ?? null;
  }

  forward(input: Tensor): Tensor {
    const { stride, padding, ceilMode, countIncludePad, divisorOverride } = this;
    return avgPool2d(input, this.kernelSize, { stride, padding, ceilMode, countIncludePad, divisorOverride });
  }

  override extraRepr(): string {
    const { kernelSize, stride, padding } = this;
    return `kernel_size=${pythonRepr(kernelSize)}, stride=${pythonRepr(stride)}, padding=${pythonRepr(padding)}`;
  }
}

/** Pooling to a given size. */
abstract class AdaptivePool<Size> extends Module {
  constructor(readonly outputSize: Size) {
    super();
  }

  override extraRepr(): string {
    return `output_size=${pythonRepr(this.outputSize)}`;
  }
}

/** Rows and columns; null keeps the input's. */
type OutputSize = number | readonly [height: number | null, width: number | null];

/**
 * Averages [N, C, L] or [C, L] to outputSize positions: the o-th takes ⌊o·L / out⌋ to ⌈(o + 1)·L / out⌉. As torch.nn.AdaptiveAvgPool1d.
 * @throws ShapeError at forward for another rank
 * @example
 * ```ts
 * import { nn, tensor } from "evenkeel";
 * new nn.AdaptiveAvgPool1d(1).forward(tensor([[1, 3, 2]])).toArray(); // => [[2]]
 * ```
 */
export class AdaptiveAvgPool1d extends AdaptivePool<number> {
  forward(input: Tensor): Tensor {
    return adaptiveAvgPool1d(input, this.outputSize);
  }
}

/**
 * Averages [N, C, H, W] or [C, H, W] to outputSize rows and columns; null keeps the input's. As torch.nn.AdaptiveAvgPool2d.
 * @throws ShapeError at forward for another rank
 * @example
 * ```ts
 * import { nn, rand } from "evenkeel";
 * new nn.AdaptiveAvgPool2d([1, null]).forward(rand([2, 3, 5, 4])).shape; // => [2, 3, 1, 4]
 * ```
 */
export class AdaptiveAvgPool2d extends AdaptivePool<OutputSize> {
  forward(input: Tensor): Tensor {
    return adaptiveAvgPool2d(input, this.outputSize);
  }
}

/**
 * The largest values of [N, C, L] or [C, L] in outputSize windows. As torch.nn.AdaptiveMaxPool1d; for the positions see F.adaptiveMaxPool1d.
 * @throws ShapeError at forward for another rank
 * @example
 * ```ts
 * import { nn, tensor } from "evenkeel";
 * new nn.AdaptiveMaxPool1d(2).forward(tensor([[1, 3, 2]])).toArray(); // => [[3, 3]]
 * ```
 */
export class AdaptiveMaxPool1d extends AdaptivePool<number> {
  forward(input: Tensor): Tensor {
    return adaptiveMaxPool1d(input, this.outputSize);
  }
}

/**
 * The largest values of [N, C, H, W] or [C, H, W] in outputSize rows and columns of windows; null keeps the input's. As torch.nn.AdaptiveMaxPool2d; for the positions see
 * F.adaptiveMaxPool2d.
 * @throws ShapeError at forward for another rank
 * @example
 * ```ts
 * import { nn, tensor } from "evenkeel";
 * new nn.AdaptiveMaxPool2d(1).forward(tensor([[[1, 2], [3, 6]]])).toArray(); // => [[[6]]]
 * ```
 */
export class AdaptiveMaxPool2d extends AdaptivePool<OutputSize> {
  forward(input: Tensor): Tensor {
    return adaptiveMaxPool2d(input, this.outputSize);
  }
}
