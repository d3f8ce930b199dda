import { backend } from "../kernels/registry.ts";
import { fillTensor } from "../tensor/convert.ts";
import { isFloatingPoint, isReduced } from "../tensor/dtype.ts";
import { nextBorn } from "../tensor/memory.ts";
import { isDense, preservedStrides, sameOrder } from "../tensor/memory-format.ts";
import { sameShape } from "../tensor/shape.ts";
import { detachedCopy, emptyTensor, type GradFn, packedAs, type Tensor } from "../tensor/tensor.ts";
import { AutogradError, ShapeError } from "../util/errors.ts";
import { addGradients, Flow } from "./flow.ts";
import { enableGrad, noGrad } from "./mode.ts";

/** How backward runs. */
export interface BackwardOptions {
  /** Keep what was saved, so that backward can run again. Default: createGraph. */
  retainGraph?: boolean;
  /** Record the gradients' own history, so that they can be differentiated. */
  createGraph?: boolean;
}

/** Puts a function where it belongs among those that are sorted, latest first; one that is there already is not put twice. */
function insert(sorted: GradFn[], fn: GradFn): void {
  let low = 0;
  let high = sorted.length;
  // Mostly it is older than all.
  if (high === 0 || sorted[high - 1].sequence > fn.sequence) {
    sorted.push(fn);
    return;
  }
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle].sequence > fn.sequence) low = middle + 1;
    else high = middle;
  }
  if (sorted[low] !== fn) sorted.splice(low, 0, fn);
}

/** Every function that the outputs were computed by, latest first: an output always comes before its inputs. */
function latestFirst(outputs: readonly Tensor[]): GradFn[] {
  const found: GradFn[] = [];
  for (const { gradFn } of outputs) if (gradFn) insert(found, gradFn);
  // An input's function is older than the one at hand, so it goes behind it. The last input's is likely the newest.
  for (let i = 0; i < found.length; i++) {
    const { inputs } = found[i];
    for (let k = inputs.length - 1; k >= 0; k--) {
      const next = inputs[k]?.gradFn;
      if (next) insert(found, next);
    }
  }
  return found;
}

/** Leaves that somebody waits for (registerPostAccumulateGradHook), by the number of the function before which their gradient is complete. */
function awaitedLeaves(functions: readonly GradFn[]): ReadonlyMap<number, readonly Tensor[]> {
  const last = new Map<Tensor, number>();
  for (let at = 0; at < functions.length; at++) {
    for (const input of functions[at].inputs) if (input?.accumulatedHooks?.length) last.set(input, at + 1);
  }
  const found = new Map<number, Tensor[]>();
  for (const [leaf, at] of last) found.set(at, [...(found.get(at) ?? []), leaf]);
  return found;
}

/** The functions, of those given latest first, by which the outputs were computed from what is wanted. */
function leadingTo(wanted: ReadonlySet<Tensor>, functions: readonly GradFn[]): ReadonlySet<GradFn> {
  const ends = new Set<GradFn>();
  for (const tensor of wanted) if (tensor.gradFn) ends.add(tensor.gradFn);
  const leading = new Set<GradFn>();
  for (let i = functions.length - 1; i >= 0; i--) {
    const leads = functions[i].inputs.some((input) => {
      if (!input) return false;
      const next = input.gradFn;
      return next ? ends.has(next) || leading.has(next) : wanted.has(input);
    });
    if (leads) leading.add(functions[i]);
  }
  return leading;
}

function applyHooks(
  hooks: readonly ((gradient: Tensor) => Tensor | undefined)[] | null,
  gradient: Tensor,
  flow: Flow,
): Tensor {
  if (!hooks) return gradient;
  let now = gradient;
  for (const hook of [...hooks]) {
    flow.exempt(now); // the hook may have kept it
    const replaced = hook(now);
    if (replaced) now = replaced;
  }
  if (now !== gradient) flow.exempt(now);
  return now;
}

/** Adds a gradient into leaf.grad, or makes it leaf.grad. */
function accumulate(leaf: Tensor, gradient: Tensor, flow: Flow, createGraph: boolean): void {
  const before = leaf.grad;
  if (before) {
    if (createGraph || isReduced(before.dtype) || !isDense(before.shape, before.strides)) {
      leaf.grad = addGradients(before, gradient);
    } else {
      const addend = packedAs(gradient, before.strides);
      backend().axpy(before.dtype, before.pointer, addend.pointer, before.numel, 1);
      before.storage.version++;
      if (addend !== gradient) addend.storage.release();
    }
    return;
  }
  // A leaf's gradient lies as the leaf does.
  const strides = preservedStrides(leaf.shape, leaf.strides);
  if (createGraph) {
    leaf.grad = gradient;
  } else if (
    flow.isOwn(gradient) &&
    sameOrder(leaf.shape, gradient.strides, strides) &&
    !flow.isShared(gradient) &&
    gradient.storageOffset === 0
  ) {
    leaf.grad = gradient.detach();
  } else {
    leaf.grad = detachedCopy(gradient, strides);
  }
}

function startingGradient(output: Tensor, gradient: Tensor | undefined | null): Tensor {
  if (!output.requiresGrad) {
    throw new AutogradError(
      "element 0 of tensors does not require grad and does not have a grad_fn",
      "compute it from tensors with requiresGrad, outside noGrad",
    );
  }
  if (gradient) {
    if (!sameShape(gradient.shape, output.shape)) {
      throw new ShapeError(
        `Mismatch in shape: grad_output[0] has a shape of torch.Size([${gradient.shape.join(", ")}]) and output[0] has a shape of torch.Size([${output.shape.join(", ")}]).`,
        "pass a gradient of the output's shape",
      );
    }
    return gradient;
  }
  if (output.numel !== 1) {
    throw new AutogradError(
      "grad can be implicitly created only for scalar outputs",
      "call sum() or mean() first, or pass backward a gradient",
    );
  }
  if (!isFloatingPoint(output.dtype)) throw new AutogradError(`gradients do not flow through ${output.dtype}`);
  const one = emptyTensor(output.shape, output.dtype);
  fillTensor(one, 1);
  return one;
}

function run(
  outputs: readonly Tensor[],
  gradients: readonly (Tensor | undefined | null)[],
  options: BackwardOptions,
  onLeaf: (leaf: Tensor, gradient: Tensor, flow: Flow) => void,
  wanted: ReadonlySet<Tensor> | null,
): void {
  const createGraph = options.createGraph ?? false;
  const retainGraph = options.retainGraph ?? createGraph;
  const flow = new Flow(createGraph, nextBorn());
  try {
    walk(flow, outputs, gradients, createGraph, retainGraph, onLeaf, wanted);
  } catch (error) {
    flow.abandon();
    throw error;
  }
}

function walk(
  flow: Flow,
  outputs: readonly Tensor[],
  gradients: readonly (Tensor | undefined | null)[],
  createGraph: boolean,
  retainGraph: boolean,
  onLeaf: (leaf: Tensor, gradient: Tensor, flow: Flow) => void,
  wanted: ReadonlySet<Tensor> | null,
): void {
  const wantedFns = new Map<GradFn, Tensor>();
  for (const tensor of wanted ?? []) if (tensor.gradFn) wantedFns.set(tensor.gradFn, tensor);

  outputs.forEach((output, i) => {
    const gradient = startingGradient(output, gradients[i]);
    if (gradients[i]) flow.exempt(gradient);
    flow.add(output, gradient);
  });

  const functions = latestFirst(outputs);
  const onTheWay = wanted && leadingTo(wanted, functions);
  const deliver = (leaf: Tensor) => {
    const arrived = flow.toLeaves.get(leaf);
    if (!arrived) return;
    if (!wanted || wanted.has(leaf)) onLeaf(leaf, applyHooks(leaf.leafHooks, arrived, flow), flow);
    flow.toLeaves.delete(leaf);
    flow.drop(arrived);
  };
  const awaited = awaitedLeaves(functions);
  for (let at = 0; at < functions.length; at++) {
    const fn = functions[at];
    awaited.get(at)?.forEach(deliver);
    const { retained, hooks } = fn.output;
    const asked = wantedFns.get(fn);
    const arrived = flow.arrived(fn, hooks !== null || retained !== null || asked !== undefined);
    if (!arrived) continue;
    const gradient = applyHooks(hooks, arrived, flow);
    if (retained) {
      flow.exempt(gradient);
      accumulate(retained, gradient, flow, createGraph);
    }
    if (asked) {
      flow.exempt(gradient);
      onLeaf(asked, gradient, flow);
    }
    if (!onTheWay || onTheWay.has(fn)) {
      const results = fn.backward(gradient, flow);
      const { inputs } = fn;
      for (let i = 0; i < inputs.length; i++) {
        const input = inputs[i];
        const result = results[i];
        if (input && result) flow.add(input, result);
      }
      if (!retainGraph) fn.release();
    }
    flow.used(fn, arrived);
  }
  for (const leaf of [...flow.toLeaves.keys()]) deliver(leaf);
}

let running = 0;
const queued: (() => void)[] = [];

/**
 * Calls `callback` when the backward that is running has ended; not if it fails. As PyTorch's queue_callback.
 * @internal
 */
export function afterBackward(callback: () => void): void {
  queued.push(callback);
}

function accumulateAndTell(leaf: Tensor, gradient: Tensor, flow: Flow, createGraph: boolean): void {
  accumulate(leaf, gradient, flow, createGraph);
  if (leaf.accumulatedHooks) for (const hook of [...leaf.accumulatedHooks]) hook();
}

/**
 * Computes the gradients of `outputs` and adds them to the `grad` of every leaf they were computed from, as
 * torch.autograd.backward.
 * @param gradients one for each output; may be left out where the output is a single number
 * @throws AutogradError with PyTorch's sentences
 * @example
 * ```ts
 * import { autograd, tensor } from "evenkeel";
 * const x = tensor([2, 3], { requiresGrad: true });
 * autograd.backward([x.mul(x).sum()]);
 * x.grad!.toArray(); // => [4, 6]
 * ```
 */
export function backward(
  outputs: readonly Tensor[],
  gradients: readonly (Tensor | undefined | null)[] = [],
  options: BackwardOptions = {},
): void {
  const { createGraph = false } = options;
  const mode = createGraph ? enableGrad : noGrad;
  running++;
  let ended = false;
  try {
    mode(() =>
      run(outputs, gradients, options, (leaf, g, flow) => accumulateAndTell(leaf, g, flow, createGraph), null),
    );
    ended = true;
  } finally {
    running--;
    if (!ended) queued.length = 0;
  }
  if (running === 0) for (const callback of queued.splice(0)) callback();
}

/**
 * The gradients of the sum of `outputs` with respect to `inputs`, without touching any `grad`, as torch.autograd.grad.
 * @throws AutogradError if an input was not used in the graph (unless allowUnused: then null)
 * @example
 * ```ts
 * import { autograd, tensor } from "evenkeel";
 * const x = tensor([2], { requiresGrad: true });
 * const y = x.mul(x).mul(x);
 * const [first] = autograd.grad([y.sum()], [x], { createGraph: true });
 * const [second] = autograd.grad([first!.sum()], [x]);
 * second!.toArray(); // => [12]
 * ```
 */
export function grad(
  outputs: readonly Tensor[],
  inputs: readonly Tensor[],
  options: BackwardOptions & { gradOutputs?: readonly (Tensor | undefined | null)[]; allowUnused?: boolean } = {},
): (Tensor | null)[] {
  const found = new Map<Tensor, Tensor>();
  const mode = options.createGraph ? enableGrad : noGrad;
  mode(() =>
    run(
      outputs,
      options.gradOutputs ?? [],
      options,
      (leaf, gradient, flow) => {
        flow.exempt(gradient);
        found.set(leaf, gradient);
      },
      new Set(inputs),
    ),
  );
  return inputs.map((input) => {
    const gradient = found.get(input) ?? null;
    if (!gradient && !options.allowUnused) {
      throw new AutogradError(
        "One of the differentiated Tensors appears to not have been used in the graph.",
        "set allowUnused: true if this is the desired behavior",
      );
    }
    return gradient;
  });
}
