import { autograd, F, nn, type Tensor, tensor, tidy } from "evenkeel";
import { blockOf, type Case, camel, isReduced, type Json, type Outcome, type Values } from "./case.ts";

type Layer = nn.Module & { zeroGrad(): void };
// biome-ignore lint/suspicious/noExplicitAny: a case names what it calls
const call = { nn: nn as any, F: F as any };

/** Whether evenkeel has the module or the function. */
export function exists(kind: Case["kind"], name: string): boolean {
  return kind === "module" ? name in call.nn : camel(name) in call.F;
}

/** Values as a tensor with their layout. */
function tensorOf(values: Values): Tensor {
  const { shape, data, dtype } = blockOf(values);
  const x = tensor(data, { shape }).to(dtype);
  if (!values.layout) return x;
  const { permute, slice } = values.layout;
  const [dim, start, step] = slice;
  return x.permute(permute).slice(dim, start, Number.POSITIVE_INFINITY, step).detach();
}

const valuesOf = (x: Tensor): Values => ({
  dtype: x.dtype as Values["dtype"],
  shape: x.shape,
  data: (isReduced(x.dtype) ? x.float() : x).toTypedArray() as Values["data"],
});

function build({ kind, name, args, options, state }: Case): {
  forward: (x: Tensor, training: boolean) => Tensor;
  learned: () => [string, Tensor][];
  buffers: () => [string, Tensor][];
} {
  const tensors = new Map(Object.entries(state).map(([key, values]) => [key, tensorOf(values)]));
  const camelOptions = Object.fromEntries(Object.entries(options).map(([key, value]) => [camel(key), value]));
  if (kind === "module") {
    const layer: Layer = new call.nn[name](...args, camelOptions);
    layer.loadStateDict(Object.fromEntries(tensors), { strict: false });
    return {
      forward: (x, training) => {
        layer.zeroGrad();
        return layer.train(training).forward(x);
      },
      learned: () => [...layer.namedParameters()],
      buffers: () => [...layer.namedBuffers()],
    };
  }
  const isLearned = (key: string) => key === "weight" || key === "bias";
  const learned = [...tensors].filter(([key]) => isLearned(key));
  for (const [, x] of learned) x.requiresGrad_();
  return {
    forward: (x) => {
      for (const [, parameter] of learned) parameter.grad = null;
      const value = (v: Json) =>
        v === "$input" ? x : typeof v === "string" && v.startsWith("$") ? tensors.get(v.slice(1)) : v;
      const named = Object.entries(camelOptions).map(([key, v]) => [key, value(v)]);
      return call.F[camel(name)](...args.map(value), Object.fromEntries(named));
    },
    learned: () => learned,
    buffers: () => [...tensors].filter(([key]) => !isLearned(key)),
  };
}

/** gradInput, and the gradients of its product with `upstream`. */
function twice(x: Tensor, y: Tensor, g: Tensor, upstream: Tensor, learned: [string, Tensor][]): Record<string, Values> {
  const [gradInput] = autograd.grad([y], [x], { gradOutputs: [g], createGraph: true }) as [Tensor];
  const weight = learned.find(([key]) => key === "weight")?.[1];
  const wanted: Record<string, Tensor> = { input: x, grad_output: g, ...(weight && { weight }) };
  const found = autograd.grad([gradInput], Object.values(wanted), { gradOutputs: [upstream], allowUnused: true });
  const results: Record<string, Values> = { gradInput: valuesOf(gradInput) };
  for (const [i, key] of Object.keys(wanted).entries()) {
    const each = found[i];
    if (each) results[camel(`twice_${key}`)] = valuesOf(each);
  }
  return results;
}

/** What evenkeel makes of a case on the backend that computes now. */
export function runOurs(item: Case): Outcome {
  return tidy(() => runAll(item));
}

function runAll(item: Case): Outcome {
  const steps: Record<string, Values>[] = [];
  try {
    const { forward, learned, buffers } = build(item);
    for (const { input, gradOutput, gradTwice, training } of item.steps) {
      const x = tensorOf(input).requiresGrad_();
      const output = forward(x, training);
      const results: Record<string, Values> = { output: valuesOf(output) };
      const g = tensorOf(gradOutput);
      if (gradTwice) Object.assign(results, twice(x, output, g.requiresGrad_(), tensorOf(gradTwice), learned()));
      else output.backward(g);
      if (x.grad) results.gradInput = valuesOf(x.grad);
      for (const [key, { grad }] of learned()) {
        if (grad) results[camel(`grad_${key}`)] = valuesOf(grad);
      }
      for (const [key, buffer] of buffers()) results[camel(key)] = valuesOf(buffer);
      steps.push(results);
    }
    return { steps, error: null };
  } catch (error) {
    return { steps, error: (error as Error).message };
  }
}
