import { noGrad } from "../autograd/mode.ts";
import { Conv1d, Conv2d, Linear } from "../nn/layers/index.ts";
import type { Module } from "../nn/module.ts";
import { BatchNorm } from "../nn/norm/batch-norm.ts";
import { sizeString } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { tidy } from "../tensor/tidy.ts";
import { ArgumentError, ShapeError } from "../util/errors.ts";

/** A layer as Keras and TensorFlow store it: variables by Keras's names, and settings of its config. */
export interface KerasLayer {
  /** Dense [in, out], Conv1D [length, in, out], Conv2D [height, width, in, out] */
  kernel?: Tensor;
  /** DepthwiseConv2D [height, width, in, multiplier] */
  depthwise_kernel?: Tensor;
  bias?: Tensor;
  /** BatchNormalization's scale; absent with scale=False */
  gamma?: Tensor;
  /** BatchNormalization's offset; absent with center=False */
  beta?: Tensor;
  moving_mean?: Tensor;
  moving_variance?: Tensor;
  /** BatchNormalization's momentum: the share that stays; 0.99 */
  momentum?: number;
  /** BatchNormalization's epsilon; 1e-3 */
  epsilon?: number;
  /** for a Dense layer after Flatten: the [height, width, channels] that were flattened */
  flattened?: readonly [height: number, width: number, channels: number];
  /** values per channel in a training batch, to turn Keras's biased moving variance into PyTorch's unbiased one; without it the variance stays, and with it the outputs */
  valuesPerChannel?: number;
}

/** Something that differs between the frameworks and was converted; plain data. */
export interface KerasChange {
  path: string;
  what: "momentum" | "eps" | "variance" | "layout" | "gamma" | "beta" | "flatten";
  /** the value or the shape in Keras, and ours */
  from: string;
  to: string;
}

/** Checks a Keras layer's values, notes what has to be changed, and writes nothing before `apply`. */
class Transfer {
  readonly changes: KerasChange[] = [];
  readonly #writes: (() => void)[] = [];

  constructor(private readonly path: string) {}

  note(what: KerasChange["what"], from: string | number, to: string | number): void {
    this.changes.push({ path: this.path, what, from: String(from), to: String(to) });
  }

  /** Writes what was found to fit. */
  apply(): void {
    for (const write of this.#writes) write();
  }

  copy(name: string, target: Tensor | null, source: Tensor | undefined): void {
    if (!source) return;
    if (!target || target.shape.join() !== source.shape.join()) {
      const has = target ? `takes ${sizeString(target.shape)}` : "has none";
      throw new ShapeError(`${this.path}: Keras's ${name} gives ${sizeString(source.shape)}, the layer ${has}`);
    }
    this.#writes.push(() => target.detach().copy_(source));
  }

  /** A kernel with its dimensions in PyTorch's order. */
  arrange(kernel: Tensor, order: readonly number[]): Tensor {
    if (kernel.ndim !== order.length) {
      throw new ShapeError(`${this.path}: Keras's kernel has ${kernel.ndim} dimensions, expected ${order.length}`);
    }
    const arranged = kernel.permute(order);
    this.note("layout", `[${kernel.shape.join(", ")}]`, `[${arranged.shape.join(", ")}]`);
    return arranged;
  }

  norm(layer: BatchNorm, keras: KerasLayer): void {
    const { momentum = 0.99, epsilon = 1e-3, valuesPerChannel: n } = keras;
    // Keras's momentum is what stays, PyTorch's what comes; rounded, since 1 − 0.99 is 0.010000000000000009.
    const comes = Number((1 - momentum).toPrecision(12));
    this.note("momentum", momentum, comes);
    if (layer.eps !== epsilon) this.note("eps", layer.eps, epsilon);
    this.#writes.push(() => {
      layer.momentum = comes;
      layer.eps = epsilon;
    });
    for (const [name, own, value] of [
      ["gamma", layer.weight, 1],
      ["beta", layer.bias, 0],
    ] as const) {
      if (keras[name]) this.copy(name, own, keras[name]);
      else if (own) {
        this.#writes.push(() => own.detach().fill_(value));
        this.note(name, "none", value);
      }
    }
    this.copy("moving_mean", layer.runningMean, keras.moving_mean);
    this.copy("moving_variance", layer.runningVar, keras.moving_variance);
    const { runningVar } = layer;
    if (n !== undefined && n > 1 && runningVar) {
      this.#writes.push(() => runningVar.mul_(n / (n - 1)));
      this.note("variance", "biased", `unbiased: times ${n} / ${n - 1}`);
    }
  }

  linear(layer: Linear, { kernel, bias, flattened }: KerasLayer): void {
    if (kernel && flattened) {
      const [height, width, channels] = flattened;
      if (kernel.shape[0] !== height * width * channels) {
        throw new ShapeError(
          `${this.path}: ${height} × ${width} × ${channels} values were flattened, the kernel takes ${kernel.shape[0]}`,
        );
      }
      this.note("flatten", `[${flattened.join(", ")}]`, `[${channels}, ${height}, ${width}]`);
      const split = kernel.reshape([height, width, channels, -1]).permute([3, 2, 0, 1]);
      this.note("layout", `[${kernel.shape.join(", ")}]`, `[${layer.weight.shape.join(", ")}]`);
      this.copy("kernel", layer.weight, split.reshape([kernel.shape[1], kernel.shape[0]]));
    } else if (kernel) this.copy("kernel", layer.weight, this.arrange(kernel, [1, 0]));
    this.copy("bias", layer.bias, bias);
  }

  conv(layer: Conv1d | Conv2d, { kernel, depthwise_kernel: depthwise, bias }: KerasLayer): void {
    if (kernel) this.copy("kernel", layer.weight, this.arrange(kernel, kernel.ndim === 3 ? [2, 1, 0] : [3, 2, 0, 1]));
    if (depthwise) {
      // [h, w, in, multiplier] to [in · multiplier, 1, h, w]
      const arranged = this.arrange(depthwise, [2, 3, 0, 1]);
      this.copy("depthwise_kernel", layer.weight, arranged.reshape([-1, 1, ...arranged.shape.slice(2)]));
    }
    this.copy("bias", layer.bias, bias);
  }
}

/**
 * Takes over weights from Keras or TensorFlow, in place, and says what it changed: momentum (theirs is one minus ours), eps (1e-3 there), γ and β that are not there, the moving variance
 * (biased there), the order of a kernel's dimensions, and the order of channels where images were flattened. Evaluation then gives Keras's outputs for the same images in [N, C, H, W]. Nothing
 * is written unless everything fits.
 * @param layers Keras's layers by the path of ours
 * @throws ArgumentError if there is no such layer or it is of another kind, ShapeError if the sizes differ
 * @example
 * ```ts
 * import { nn, ones, tools } from "evenkeel";
 * const model = new nn.Sequential(new nn.Linear(2, 3), new nn.BatchNorm1d(3));
 * tools.fromKeras(model, {
 *   "0": { kernel: ones([2, 3]) },
 *   "1": { gamma: ones([3]), beta: ones([3]), moving_mean: ones([3]), moving_variance: ones([3]), momentum: 0.9 },
 * });
 * // => [{ path: "0", what: "layout", from: "[2, 3]", to: "[3, 2]" }, { path: "1", what: "momentum", from: "0.9", to: "0.1" },
 * //      { path: "1", what: "eps", from: "0.00001", to: "0.001" }]
 * ```
 */
export function fromKeras(model: Module, layers: Readonly<Record<string, KerasLayer>>): KerasChange[] {
  return tidy(() =>
    noGrad(() => {
      const transfers = Object.entries(layers).map(([path, keras]) => {
        const layer = model.getSubmodule(path);
        const transfer = new Transfer(path);
        if (layer instanceof BatchNorm) transfer.norm(layer, keras);
        else if (layer instanceof Linear) transfer.linear(layer, keras);
        else if (layer instanceof Conv1d || layer instanceof Conv2d) transfer.conv(layer, keras);
        else {
          throw new ArgumentError(
            `${path} is a ${layer.className}`,
            "batch norms, linear layers and convolutions can be taken from Keras",
          );
        }
        return transfer;
      });
      for (const transfer of transfers) transfer.apply();
      return transfers.flatMap(({ changes }) => changes);
    }),
  );
}
