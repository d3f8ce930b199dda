import type { Emitter, Translation, Translations } from "../emitter.ts";

/** Values stay, the shape may change. */
const reshape: Translation = (emit) => (emit.keepsShape ? emit.input(0) : emit.reshapeToOutput(emit.input(0)));

function permute(emit: Emitter): string {
  const perm = emit.get<readonly number[]>("order");
  return perm.every((d, i) => d === i) ? emit.input(0) : emit.node("Transpose", [emit.input(0)], { perm });
}

function slice(emit: Emitter): string {
  if (emit.keepsShape) return emit.input(0);
  const [dim, start, length, step] = ["dim", "start", "length", "step"].map((key) => emit.get(key));
  const end = start + (length - 1) * step + 1;
  return emit.node("Slice", [
    emit.input(0),
    ...[start, length > 0 ? end : start, dim, step].map((n) => emit.whole([n])),
  ]);
}

function select(emit: Emitter): string {
  const [axis, at] = [emit.get("dim"), emit.get("at")];
  const index = emit.whole([at]);
  // A list of one index keeps the dimension.
  return emit.node("Squeeze", [emit.node("Gather", [emit.input(0), index], { axis }), emit.whole([axis])]);
}

function stack(emit: Emitter): string {
  const axis = emit.get("dim");
  const parts = emit.step.inputs.map((_, i) => emit.node("Unsqueeze", [emit.input(i), emit.whole([axis])]));
  return emit.node("Concat", parts, { axis });
}

function cat(emit: Emitter): string {
  const parts = emit.step.inputs.map((_, i) => emit.input(i));
  return parts.length === 1 ? parts[0] : emit.node("Concat", parts, { axis: emit.get("dim") });
}

/** Zeros behind the last elements. */
function padEnd(emit: Emitter): string {
  const [from, to] = [emit.info(0).shape, emit.output.shape];
  const pads = [...from.map(() => 0), ...to.map((size, d) => size - from[d])];
  return emit.node("Pad", [emit.input(0), emit.whole(pads)]);
}

export const SHAPES: Translations = {
  View: reshape,
  UnsafeView: reshape,
  Squeeze: reshape,
  Unsqueeze: reshape,
  Clone: reshape,
  Permute: permute,
  Transpose: permute,
  T: permute,
  Expand: (emit) => (emit.keepsShape ? emit.input(0) : emit.expandToOutput()),
  Slice: slice,
  Split: slice,
  SplitWithSizes: slice,
  Select: select,
  Unbind: select,
  Cat: cat,
  Stack: stack,
  ConstantPadNd: padEnd,
};
