import type { Tensor } from "../../tensor/tensor.ts";
import type { LoadReport, StateDict } from "../state-dict.ts";
import { isUninitialized, materialize, UninitializedBuffer, UninitializedParameter } from "../uninitialized.ts";
import type { NormBase, NormOptions } from "./base.ts";
import { BatchNorm1d, BatchNorm2d, BatchNorm3d } from "./batch-norm.ts";
import { InstanceNorm1d, InstanceNorm2d, InstanceNorm3d } from "./instance-norm.ts";

/** What a layer's tensors hold when their shape becomes known. */
const INITIAL = { weight: 1, bias: 0, running_mean: 0, running_var: 1 } as const;

type Name = keyof typeof INITIAL;

/**
 * A layer that learns its number of channels from its first input and is an ordinary one from then on. State dicts may be loaded before.
 * The shapes then come from them.
 */
function lazy<T extends NormBase>(
  Layer: new (numFeatures: number, options?: NormOptions) => T,
): new (
  options?: NormOptions,
) => T {
  // For the compiler one of them stands for all.
  class Lazy extends (Layer as unknown as typeof BatchNorm1d) {
    constructor(options: NormOptions = {}) {
      // PyTorch's lazy layers all learn and track, instance norm's too
      super(0, { affine: true, trackRunningStats: true, ...options });
      const { dtype } = options;
      if (this.weight) this.weight = new UninitializedParameter(dtype);
      if (this.bias) this.bias = new UninitializedParameter(dtype);
      for (const name of ["running_mean", "running_var"]) {
        if (this.getBuffer(name)) this.registerBuffer(name, new UninitializedBuffer(dtype));
      }
    }

    private waiting(): [Name, Tensor][] {
      const { weight, bias, runningMean, runningVar } = this;
      const all: [Name, Tensor | null][] = [
        ["weight", weight],
        ["bias", bias],
        ["running_mean", runningMean],
        ["running_var", runningVar],
      ];
      return all.filter((entry): entry is [Name, Tensor] => entry[1] !== null && isUninitialized(entry[1]));
    }

    override forward(input: Tensor, options: { mask?: Tensor | null } = {}): Tensor {
      // A hook may hold on to this function when the class has changed.
      if (this instanceof Lazy) this.become([input]);
      return super.forward(input, options);
    }

    override forwardMany(inputs: readonly Tensor[]): Tensor[] {
      if (this instanceof Lazy) this.become(inputs);
      return super.forwardMany(inputs);
    }

    private become(inputs: readonly Tensor[]): void {
      for (const input of inputs) this.checkInput(input);
      if (inputs.length === 0) return;
      const waiting = this.waiting();
      if (waiting.length > 0 || this.numFeatures === 0) this.numFeatures = inputs[0].shape[this.channelDim(inputs[0])];
      for (const [name, tensor] of waiting) materialize(tensor, [this.numFeatures], INITIAL[name]);
      Object.setPrototypeOf(this, Layer.prototype);
    }

    /** Before the first forward pass there is nothing to reset. */
    override resetParameters(): void {
      if (this.waiting().length === 0) super.resetParameters();
    }

    override resetRunningStats(): void {
      if (this.waiting().length === 0) super.resetRunningStats();
    }

    protected override upgradeState(
      state: StateDict,
      prefix: string,
      version: number | undefined,
      report: LoadReport,
    ): void {
      for (const [name, tensor] of this.waiting()) {
        const source = state.get(prefix + name);
        if (!source || isUninitialized(source)) continue;
        materialize(tensor, source.shape, INITIAL[name]);
        this.numFeatures = source.numel;
      }
      super.upgradeState(state, prefix, version, report);
    }
  }
  return Lazy as unknown as new (
    options?: NormOptions,
  ) => T;
}

/**
 * A BatchNorm1d that takes its number of channels from its first input, and is a BatchNorm1d from then on. As torch.nn.LazyBatchNorm1d.
 * @throws ArgumentError where the shape of its parameters is asked for before
 * @example
 * ```ts
 * import { nn, randn } from "evenkeel";
 * const layer = new nn.LazyBatchNorm1d();
 * String(layer); // => LazyBatchNorm1d(0, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
 * layer.forward(randn([8, 3]));
 * String(layer); // => BatchNorm1d(3, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
 * layer instanceof nn.LazyBatchNorm1d; // => false
 * ```
 */
export class LazyBatchNorm1d extends lazy(BatchNorm1d) {}

/**
 * A BatchNorm2d that takes its number of channels from its first input; see LazyBatchNorm1d. As torch.nn.LazyBatchNorm2d.
 * @example
 * ```ts
 * import { nn, randn } from "evenkeel";
 * const layer = new nn.LazyBatchNorm2d({ momentum: null });
 * layer.forward(randn([2, 5, 3, 3]));
 * layer.weight!.shape; // => [5]
 * ```
 */
export class LazyBatchNorm2d extends lazy(BatchNorm2d) {}

/**
 * A BatchNorm3d that takes its number of channels from its first input; see LazyBatchNorm1d. As torch.nn.LazyBatchNorm3d.
 * @example
 * ```ts
 * import { nn, randn } from "evenkeel";
 * const layer = new nn.LazyBatchNorm3d();
 * layer.forward(randn([2, 5, 3, 3, 2]));
 * layer.numFeatures; // => 5
 * ```
 */
export class LazyBatchNorm3d extends lazy(BatchNorm3d) {}

/**
 * An InstanceNorm1d that takes its number of channels from its first input; see LazyBatchNorm1d. Unlike InstanceNorm1d it learns weight and bias and
 * tracks running statistics unless told not to. As torch.nn.LazyInstanceNorm1d.
 * @example
 * ```ts
 * import { nn, randn } from "evenkeel";
 * const layer = new nn.LazyInstanceNorm1d();
 * layer.forward(randn([2, 5, 3]));
 * layer.weight!.shape; // => [5]
 * ```
 */
export class LazyInstanceNorm1d extends lazy(InstanceNorm1d) {}

/**
 * An InstanceNorm2d that takes its number of channels from its first input; see LazyInstanceNorm1d. As torch.nn.LazyInstanceNorm2d.
 * @example
 * ```ts
 * import { nn, randn } from "evenkeel";
 * const layer = new nn.LazyInstanceNorm2d();
 * layer.forward(randn([2, 5, 3, 3]));
 * layer.className; // => InstanceNorm2d
 * ```
 */
export class LazyInstanceNorm2d extends lazy(InstanceNorm2d) {}

/**
 * An InstanceNorm3d that takes its number of channels from its first input; see LazyInstanceNorm1d. As torch.nn.LazyInstanceNorm3d.
 * @example
 * ```ts
 * import { nn, randn } from "evenkeel";
 * const layer = new nn.LazyInstanceNorm3d({ affine: false });
 * layer.forward(randn([2, 5, 3, 3, 2]));
 * layer.numFeatures; // => 5
 * ```
 */
export class LazyInstanceNorm3d extends lazy(InstanceNorm3d) {}
