import { conv1d, conv2d } from "../../functional/conv.ts";
import { empty } from "../../tensor/creation.ts";
import type { FloatDType } from "../../tensor/dtype.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { ArgumentError } from "../../util/errors.ts";
import { pythonRepr } from "../../util/python-format.ts";
import { Module } from "../module.ts";
import { Parameter } from "../parameter.ts";
import { resetLinear } from "./reset.ts";

/** Options of convolutions, as PyTorch's arguments. A number stands for all dimensions. */
export interface ConvOptions<Size> {
  /** step between windows, 1 */
  stride?: number | Size;
  /** zeros added on both sides, 0; "same" keeps the input's size (stride 1 only), "valid" is 0 */
  padding?: number | Size | "same" | "valid";
  /** distance between the kernel's elements, 1 */
  dilation?: number | Size;
  /** input and output channels are split into so many groups that do not see each other, 1 */
  groups?: number;
  /** add a learned constant to every output channel, true */
  bias?: boolean;
  /** of the parameters; float32 */
  dtype?: FloatDType;
}

type Pair = readonly [height: number, width: number];
type Single = readonly [length: number];

/** What convolutions of all ranks share, as torch's _ConvNd. */
abstract class Conv<Size extends readonly number[]> extends Module {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: Size;
  readonly stride: Size;
  readonly padding: Size | "same" | "valid";
  readonly dilation: Size;
  readonly groups: number;
  /** [outChannels, inChannels / groups, …kernelSize] */
  weight: Parameter;
  /** [outChannels], or null */
  bias: Parameter | null;

  constructor(
    rank: number,
    inChannels: number,
    outChannels: number,
    kernelSize: number | Size,
    options: ConvOptions<Size>,
  ) {
    super();
    const { stride = 1, padding = 0, dilation = 1, groups = 1, bias = true, dtype = "float32" } = options;
    for (const [name, count] of Object.entries({ in_channels: inChannels, out_channels: outChannels, groups })) {
      if (!Number.isInteger(count) || count < 1)
        throw new ArgumentError(`${name} must be a positive integer`, `it is ${count}`);
    }
    if (inChannels % groups !== 0) {
      throw new ArgumentError("in_channels must be divisible by groups", `they are ${inChannels} and ${groups}`);
    }
    if (outChannels % groups !== 0) {
      throw new ArgumentError("out_channels must be divisible by groups", `they are ${outChannels} and ${groups}`);
    }
    const sizes = (name: string, value: number | Size, least: number): Size => {
      const all = typeof value === "number" ? Array.from({ length: rank }, () => value) : [...value];
      if (all.length !== rank || !all.every((size) => Number.isInteger(size) && size >= least)) {
        throw new ArgumentError(
          `${name} is ${pythonRepr(all)}`,
          `give a whole number from ${least}, or ${rank} of them in an array`,
        );
      }
      return all as readonly number[] as Size;
    };
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.kernelSize = sizes("kernel_size", kernelSize, 1);
    this.stride = sizes("stride", stride, 1);
    if (typeof padding === "string" && padding !== "same" && padding !== "valid") {
      throw new ArgumentError(`Invalid padding string '${padding}', should be one of {'same', 'valid'}`);
    }
    if (padding === "same" && this.stride.some((step) => step !== 1)) {
      throw new ArgumentError("padding='same' is not supported for strided convolutions", "give numbers");
    }
    this.padding = typeof padding === "string" ? padding : sizes("padding", padding, 0);
    this.dilation = sizes("dilation", dilation, 1);
    this.groups = groups;
    this.weight = new Parameter(empty([outChannels, inChannels / groups, ...this.kernelSize], { dtype }));
    this.bias = bias ? new Parameter(empty([outChannels], { dtype })) : null;
    this.resetParameters();
  }

  /** Draws new initial values. */
  resetParameters(): void {
    resetLinear(this.weight, this.bias);
  }

  override extraRepr(): string {
    const { inChannels, outChannels, kernelSize, stride, padding, dilation, groups } = this;
    const parts = [
      `${inChannels}`,
      `${outChannels}`,
      `kernel_size=${pythonRepr(kernelSize)}`,
      `stride=${pythonRepr(stride)}`,
    ];
    if (typeof padding === "string") parts.push(`padding=${padding}`);
    else if (padding.some((size) => size !== 0)) parts.push(`padding=${pythonRepr(padding)}`);
    if (dilation.some((size) => size !== 1)) parts.push(`dilation=${pythonRepr(dilation)}`);
    if (groups !== 1) parts.push(`groups=${groups}`);
    if (!this.bias) parts.push("bias=False");
    return parts.join(", ");
  }
}

/**
 * Convolution (cross-correlation) over [N, C, L] or [C, L]: out[n, o, l] = bias[o] + Σ weight[o, c, k] · input[n, c, l·stride − padding + k·dilation]. As torch.nn.Conv1d, with
 * the same initial values for the same seed.
 * @throws ArgumentError for options that do not go together, ShapeError at forward for another rank or number of channels
 * @example
 * ```ts
 * import { nn, randn } from "evenkeel";
 * const layer = new nn.Conv1d(4, 6, 3, { padding: 1 });
 * layer.forward(randn([2, 4, 9])).shape; // => [2, 6, 9]
 * ```
 */
export class Conv1d extends Conv<Single> {
  constructor(inChannels: number, outChannels: number, kernelSize: number | Single, options: ConvOptions<Single> = {}) {
    super(1, inChannels, outChannels, kernelSize, options);
  }

  forward(input: Tensor): Tensor {
    return conv1d(input, this.weight, this);
  }
}

/**
 * Convolution (cross-correlation) over [N, C, H, W] or [C, H, W]: out[n, o, y, x] = bias[o] + Σ weight[o, c, i, j] · input[n, c, y·stride − padding + i·dilation, …]. The output
 * has ⌊(size + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1 rows and columns. As torch.nn.Conv2d, with the same initial values for the same seed.
 * @throws ArgumentError for options that do not go together, ShapeError at forward for another rank or number of channels
 * @example
 * ```ts
 * import { nn, randn } from "evenkeel";
 * const layer = new nn.Conv2d(1, 32, 3, { padding: 1, bias: false });
 * layer.forward(randn([8, 1, 28, 28])).shape; // => [8, 32, 28, 28]
 * String(layer); // => Conv2d(1, 32, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False)
 * ```
 */
export class Conv2d extends Conv<Pair> {
  constructor(inChannels: number, outChannels: number, kernelSize: number | Pair, options: ConvOptions<Pair> = {}) {
    super(2, inChannels, outChannels, kernelSize, options);
  }

  forward(input: Tensor): Tensor {
    return conv2d(input, this.weight, this);
  }
}
