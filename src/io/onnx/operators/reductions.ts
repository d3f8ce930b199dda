import type { Emitter, Translation, Translations } from "../emitter.ts";

/** Which dimensions are reduced, and whether they stay with size 1. */
function dimsOf(emit: Emitter): { dims: readonly number[]; keepdim: boolean } {
  return { dims: emit.get<readonly number[]>("dims"), keepdim: emit.output.shape.length === emit.info(0).shape.length };
}

const reduction =
  (opType: string): Translation =>
  (emit) => {
    const { dims, keepdim } = dimsOf(emit);
    // Of a single number nothing is reduced.
    return dims.length === 0 ? emit.input(0) : emit.reduce(opType, emit.input(0), dims, keepdim);
  };

function variance(emit: Emitter): string {
  const { dims, keepdim } = dimsOf(emit);
  const [x, correction] = [emit.input(0), emit.get("correction")];
  const centred = emit.node("Sub", [x, emit.reduce("ReduceMean", x, dims, true)]);
  const biased = emit.reduce("ReduceMean", emit.node("Mul", [centred, centred]), dims, keepdim);
  if (correction === 0) return biased;
  const sizes = (step: Emitter["step"]) => dims.reduce((n, d) => n * (step.inputs[0]?.shape[d] ?? 1), 1);
  const [count, countAgain] = emit.both(sizes);
  if (count !== countAgain) {
    throw emit.refusal("the number of values depends on the batch size", "export with { dynamicBatch: false }");
  }
  return emit.node("Mul", [biased, emit.number(count / (count - correction))]);
}

function norm(emit: Emitter): string {
  const { dims, keepdim } = dimsOf(emit);
  const [x, p] = [emit.input(0), emit.get("p")];
  if (p === 2) return emit.reduce("ReduceL2", x, dims, keepdim);
  const powers = emit.node("Pow", [emit.node("Abs", [x]), emit.number(p)]);
  return emit.node("Pow", [emit.reduce("ReduceSum", powers, dims, keepdim), emit.number(1 / p)]);
}

export const REDUCTIONS: Translations = {
  Sum: reduction("ReduceSum"),
  Mean: reduction("ReduceMean"),
  Prod: reduction("ReduceProd"),
  Amax: reduction("ReduceMax"),
  Amin: reduction("ReduceMin"),
  Max: reduction("ReduceMax"),
  Min: reduction("ReduceMin"),
  Logsumexp: reduction("ReduceLogSumExp"),
  Var: variance,
  Std: (emit) => emit.node("Sqrt", [emit.input(0)]),
  Norm: norm,
};
