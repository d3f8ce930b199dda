import { enableGrad } from "../../autograd/mode.ts";
import { type Attributes, type TracedOperation, traceOperations } from "../../autograd/trace.ts";
import type { Module } from "../../nn/module.ts";
import { type DType, isFloat } from "../../tensor/dtype.ts";
import type { Storage } from "../../tensor/memory.ts";
import type { Shape } from "../../tensor/shape.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { tidy } from "../../tensor/tidy.ts";
import { Modes } from "../../tools/batches.ts";
import { tensorsIn } from "../../tools/trace.ts";
import { AutogradError, OnnxError } from "../../util/errors.ts";

/** What a tensor is outside its values. */
export interface Info {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** Where a value comes from: a model's input, a step, the model's state, or nowhere that was seen. */
export type Source =
  | { readonly from: "input"; readonly at: number }
  | { readonly from: "step"; readonly at: number }
  | { readonly from: "state"; readonly key: string }
  | { readonly from: "constant"; readonly values: ArrayLike<number | bigint> };

export type Value = Source & Info;

/** One operation of a forward pass. */
export interface Step {
  /** PyTorch's name, such as "convolution" */
  readonly operation: string;
  /** path of the module that computes it, "" for the model itself */
  readonly module: string;
  readonly className: string;
  readonly inputs: readonly (Value | null)[];
  readonly output: Info;
  /** tensors among them as values */
  readonly attributes: Attributes;
}

/** A forward pass in evaluation, operation by operation. */
export interface Trace {
  readonly inputs: readonly Info[];
  readonly steps: readonly Step[];
  readonly outputs: readonly Value[];
}

interface Known {
  readonly source: Source;
  readonly tensor: Tensor;
  readonly version: number;
}

/** The operation's name without what PyTorch adds for its backward function. */
const operationOf = (name: string) => name.replace(/Backward\d*$/, "");

function sameView(a: Tensor, b: Tensor): boolean {
  return (
    a.storageOffset === b.storageOffset && a.shape.join() === b.shape.join() && a.strides.join() === b.strides.join()
  );
}

/** Which tensors are known, and what has been computed from them. */
class Recorder {
  readonly steps: Step[] = [];
  readonly #known = new Map<Storage, Known[]>();
  /** modules whose forward is running, the innermost last */
  readonly running: { path: string; module: Module }[] = [];

  remember(tensor: Tensor, source: Source): void {
    const views = this.#known.get(tensor.storage) ?? [];
    // Later views first: what was computed last is what its users mean.
    views.unshift({ source, tensor, version: tensor.storage.version });
    this.#known.set(tensor.storage, views);
  }

  value(tensor: Tensor): Value {
    const { shape, dtype } = tensor;
    const found = this.#known.get(tensor.storage)?.find((known) => sameView(known.tensor, tensor));
    if (!found) return { from: "constant", values: tensor.toTypedArray(), shape, dtype };
    if (found.version !== tensor.storage.version) {
      const { path, className } = this.place();
      throw new OnnxError(
        `${describe(path, className)} uses a tensor that was changed in place since it was computed`,
        "use the operation that returns a new tensor: ONNX has none in place",
        path,
      );
    }
    return { ...found.source, shape, dtype };
  }

  place(): { path: string; className: string } {
    const inner = this.running.at(-1);
    return { path: inner?.path ?? "", className: inner?.module.className ?? "" };
  }

  add({ name, output, inputs, attributes }: TracedOperation): void {
    const { path, className } = this.place();
    const given = Object.entries(attributes).map(([key, value]) => [
      key,
      value instanceof Tensor ? this.value(value) : value,
    ]);
    this.steps.push({
      operation: operationOf(name),
      module: path,
      className,
      inputs: inputs.map((input) => input && this.value(input)),
      output: { shape: output.shape, dtype: output.dtype },
      attributes: Object.fromEntries(given),
    });
    this.remember(output, { from: "step", at: this.steps.length - 1 });
  }
}

/** How error messages speak of a module. */
export function describe(path: string, className: string): string {
  return path ? `${path} (${className})` : `the model (${className})`;
}

/** Lets the recorder know whose forward is running; returns what undoes it. */
function watchModules(model: Module, running: Recorder["running"]): () => void {
  const undo = model.namedModules().map(([path, module]) => {
    const own = Object.getOwnPropertyDescriptor(module, "forward");
    const { forward } = module;
    const watched = (...inputs: unknown[]) => {
      running.push({ path, module });
      try {
        return forward.apply(module, inputs);
      } catch (error) {
        // Changes in place are refused already where gradients are recorded.
        if (!(error instanceof AutogradError)) throw error;
        throw new OnnxError(`${describe(path, module.className)}: ${error.problem}`, error.advice, path);
      } finally {
        running.pop();
      }
    };
    Object.defineProperty(module, "forward", { value: watched, enumerable: false, configurable: true });
    return () => {
      if (own) Object.defineProperty(module, "forward", own);
      else delete (module as { forward?: unknown }).forward;
    };
  });
  return () => {
    for (const restore of undo) restore();
  };
}

/** Runs the model once in evaluation and writes down what it computes. The model's modes and state stay. */
export function traceModel(model: Module, makeInputs: () => readonly Tensor[]): Trace {
  const modes = new Modes(model);
  const recorder = new Recorder();
  const unwatch = watchModules(model, recorder.running);
  try {
    model.eval();
    return tidy(() => {
      for (const [key, tensor] of [...model.namedBuffers(), ...model.namedParameters()]) {
        recorder.remember(tensor, { from: "state", key });
      }
      const inputs = makeInputs();
      inputs.forEach((input, at) => {
        // Poolings and others take their recorded way only where a gradient is wanted.
        if (isFloat(input.dtype)) input.requiresGrad = true;
        recorder.remember(input, { from: "input", at });
      });
      const outputs = enableGrad(() =>
        traceOperations(
          (operation) => recorder.add(operation),
          () => tensorsIn(model.forward(...inputs)),
        ),
      );
      return {
        inputs: inputs.map(({ shape, dtype }) => ({ shape, dtype })),
        steps: recorder.steps,
        outputs: outputs.map((output) => recorder.value(output)),
      };
    });
  } finally {
    unwatch();
    modes.restore();
  }
}
