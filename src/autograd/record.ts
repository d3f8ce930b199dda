import type { GradFn, GradHook, GradientMemory, Tensor } from "../tensor/tensor.ts";
import { AutogradError } from "../util/errors.ts";
import { isGradEnabled } from "./mode.ts";
import { type Attributes, isTracing, report } from "./trace.ts";

let sequence = 0;

type Backward = (gradient: Tensor, needs: readonly boolean[], memory: GradientMemory) => (Tensor | null)[];

const NOTHING_SPARE: GradientMemory = { isSpare: () => false, addend: null };

const forgotten: Backward = () => [];

function versionOf({ storage }: Tensor): number {
  return storage.version;
}

class RecordedFunction implements GradFn {
  readonly sequence = sequence++;
  readonly output: { retained: Tensor | null; hooks: GradHook[] | null } = { retained: null, hooks: null };
  takesParts = false;
  private readonly versions: number[];
  private saved: readonly Tensor[] | null;

  constructor(
    readonly name: string,
    readonly inputs: readonly (Tensor | null)[],
    private compute: Backward,
    saved: readonly Tensor[],
    private own: readonly Tensor[],
  ) {
    this.saved = saved;
    this.versions = saved.map(versionOf);
  }

  backward(gradient: Tensor, memory: GradientMemory = NOTHING_SPARE): (Tensor | null)[] {
    const { saved } = this;
    if (!saved) {
      throw new AutogradError(
        "Trying to backward through the graph a second time (or directly access saved tensors after they have already been freed)",
        "call backward({ retainGraph: true }) the first time if you need to backward through the graph again",
      );
    }
    for (let i = 0; i < saved.length; i++) {
      if (versionOf(saved[i]) !== this.versions[i]) {
        throw new AutogradError(
          `one of the variables needed for gradient computation has been modified by an inplace operation: ${this.name} saved it ` +
            `at version ${this.versions[i]}, it is at version ${versionOf(saved[i])}`,
          "use the operation that returns a new tensor, or clone() before changing it",
        );
      }
    }
    return this.compute(
      gradient,
      this.inputs.map((input) => input !== null),
      memory,
    );
  }

  release(): void {
    for (const tensor of this.own) tensor.storage.release();
    this.own = [];
    this.saved = null;
    this.compute = forgotten;
  }
}

/** Whether anything computed from these has to be recorded. */
export function needsGrad(...inputs: readonly (Tensor | null | undefined)[]): boolean {
  return anyNeedsGrad(inputs);
}

function anyNeedsGrad(inputs: readonly (Tensor | null | undefined)[]): boolean {
  if (!isGradEnabled()) return false;
  for (const input of inputs) if (input?.requiresGrad) return true;
  return false;
}

/** Whether `record` does anything for a function of these: gradients are wanted, or somebody traces. */
export function isRecorded(...inputs: readonly (Tensor | null | undefined)[]): boolean {
  return isTracing() || anyNeedsGrad(inputs);
}

/**
 * Makes `output` the differentiable result of a function of `inputs`, if gradients are recorded and any input wants one.
 *
 * @param name PyTorch's name of the backward function, such as "MulBackward0"
 * @param output a fresh tensor (or view), returned
 * @param inputs tensors, or null where an optional one is absent
 * @param backward from the gradient of the output and which inputs need one, the gradients of the inputs (null where none flows). Written with
 *   differentiable operations it can be differentiated again. What it may overwrite it asks `memory`.
 * @param saved tensors whose values backward reads: it refuses to run if one was changed in place since
 * @param own tensors that only backward reads and nobody else sees: their memory goes back as soon as it can
 * @param attributes what the operation was given beside its inputs, for who traces it
 */
export function record(
  name: string,
  output: Tensor,
  inputs: readonly (Tensor | null | undefined)[],
  backward: Backward,
  saved: readonly Tensor[] = [],
  own: readonly Tensor[] = [],
  attributes?: Attributes,
): Tensor {
  report(name, output, inputs, attributes);
  if (!anyNeedsGrad(inputs)) {
    for (const tensor of own) tensor.storage.release();
    return output;
  }
  const wanted = inputs.map((input) => (input?.requiresGrad ? input : null));
  output.storage.recorded = true;
  output.gradFn = new RecordedFunction(name, wanted, backward, saved, own);
  return output;
}

/** Checks and counts an in-place change of x. @throws AutogradError where it would falsify gradients */
export function markChanged(x: Tensor): void {
  if (isGradEnabled() && x.requiresGrad) {
    if (x.isLeaf) {
      throw new AutogradError(
        "a leaf Variable that requires grad is being used in an in-place operation.",
        "change it inside noGrad(() => …)",
      );
    }
    throw new AutogradError(
      `a tensor with history (${x.gradFn?.name}) is being changed in place`,
      "use the operation that returns a new tensor, or change it inside noGrad(() => …)",
    );
  }
  x.storage.version++;
}
