import { enableGrad } from "../autograd/mode.ts";
import { Sequential } from "../nn/container.ts";
import type { Module } from "../nn/module.ts";
import { isFloat } from "../tensor/dtype.ts";
import { type GradFn, Tensor } from "../tensor/tensor.ts";
import { tidy } from "../tensor/tidy.ts";
import { Modes } from "./batches.ts";

/** A module whose output goes into another one and nowhere else. */
export interface Link {
  first: string;
  second: string;
  /** dimensions of what passes between them; undefined where no forward pass told */
  ndim?: number;
}

interface Call {
  path: string;
  input: Tensor;
  output: Tensor;
}

/** All tensors in a value made of arrays and plain objects. */
export function tensorsIn(value: unknown): Tensor[] {
  if (value instanceof Tensor) return [value];
  if (value instanceof Map) return tensorsIn([...value.values()]);
  if (Array.isArray(value)) return value.flatMap(tensorsIn);
  if (value && Object.getPrototypeOf(value) === Object.prototype) return tensorsIn(Object.values(value));
  return [];
}

/** How often each recorded function's result is used on the way to the outputs, the outputs themselves counted. */
function countUses(outputs: readonly Tensor[]): Map<GradFn, number> {
  const uses = new Map<GradFn, number>();
  const open: (GradFn | null)[] = outputs.map(({ gradFn }) => gradFn);
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (!at) continue;
    const before = uses.get(at) ?? 0;
    uses.set(at, before + 1);
    if (before === 0) for (const input of at.inputs) open.push(input?.gradFn ?? null);
  }
  return uses;
}

/**
 * Runs the model once in evaluation and follows its tensors: the pairs of layers (modules without children) of which the first's output is the second's input and is used for
 * nothing else, not even by an operation outside of any module. A layer that was called twice is in no pair.
 */
export function traceLinks(model: Module, input: Tensor): Link[] {
  const modes = new Modes(model);
  const calls = new Map<Module, Call | "several">();
  const unhook = model
    .namedModules()
    .filter(([, module]) => module.children().length === 0)
    .map(([path, module]) =>
      module.registerForwardHook((_, [x], output) => {
        const plain = x instanceof Tensor && output instanceof Tensor;
        calls.set(module, plain && !calls.has(module) ? { path, input: x, output } : "several");
      }),
    );
  try {
    model.eval();
    return tidy(() =>
      enableGrad(() => {
        // The graph that autograd records knows every use of a tensor; what requires a gradient is in it.
        const example = input.detach().clone();
        if (isFloat(example.dtype)) example.requiresGrad = true;
        const uses = countUses(tensorsIn(model.forward(example)));
        const single = [...calls.values()].filter((call): call is Call => call !== "several");
        const makers = new Map(single.map((call) => [call.output.gradFn, call]));
        return single.flatMap(({ path, input: { gradFn, ndim } }) => {
          const maker = gradFn && uses.get(gradFn) === 1 ? makers.get(gradFn) : undefined;
          return maker && maker.path !== path ? [{ first: maker.path, second: path, ndim }] : [];
        });
      }),
    );
  } finally {
    for (const remove of unhook) remove();
    modes.restore();
  }
}

/** The pairs of neighbours in the model's Sequentials; layers that have two places are left out. */
export function neighbours(model: Module): Link[] {
  const places = new Map<Module, number>();
  const count = (module: Module) => {
    for (const [, child] of module.namedChildren({ removeDuplicate: false })) {
      const before = places.get(child) ?? 0;
      places.set(child, before + 1);
      if (before === 0) count(child);
    }
  };
  count(model);
  return model.namedModules().flatMap(([path, module]) => {
    if (!(module instanceof Sequential)) return [];
    const children = module
      .namedChildren({ removeDuplicate: false })
      .map(([name, child]) => ({ path: path ? `${path}.${name}` : name, child }));
    return children.slice(1).flatMap((second, i) => {
      const first = children[i];
      const alone = places.get(first.child) === 1 && places.get(second.child) === 1;
      return alone ? [{ first: first.path, second: second.path }] : [];
    });
  });
}
