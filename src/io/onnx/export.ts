import { ImageModel } from "../../models/image-model.ts";
import type { Module } from "../../nn/module.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { tidy } from "../../tensor/tidy.ts";
import { Modes } from "../../tools/batches.ts";
import { fuse } from "../../tools/fuse.ts";
import { ArgumentError } from "../../util/errors.ts";
import { writeAtomically } from "../atomic.ts";
import { assemble } from "./assemble.ts";
import { examplesOf, floatsOf, inputLike, type OnnxExample } from "./examples.ts";
import { checkSize, modelProto, sizeOf } from "./model-proto.ts";
import { type ModelProto, modelWriter } from "./proto.ts";
import { traceModel } from "./trace.ts";

/** Options of exportOnnx. */
export interface OnnxOptions {
  /** write to this path, atomically, instead of giving the bytes */
  path?: string | URL;
  /** fold batch norms into the layers before them, as tools.fuse; false leaves BatchNormalization nodes */
  fold?: boolean;
  /** version of ONNX's operators, 17 to 23; 17, which runtimes know since 2022 */
  opset?: number;
  /** ["input"], or "input0", "input1", … */
  inputNames?: readonly string[];
  /** ["output"], or "output0", "output1", … */
  outputNames?: readonly string[];
  /** whether the file takes any number of samples, the first dimension of every input; true */
  dynamicBatch?: boolean;
}

/** Two batches tell which sizes follow the batch; neither is 1, which would hide among other sizes of 1. */
const BATCHES = [2, 3] as const;

const OPSETS = { oldest: 17, newest: 23 };

function namesFor(kind: "input" | "output", count: number, given: readonly string[] | undefined): readonly string[] {
  const names = given ?? (count === 1 ? [kind] : Array.from({ length: count }, (_, i) => `${kind}${i}`));
  if (names.length === count && new Set(names).size === count && !names.includes("")) return names;
  throw new ArgumentError(
    `the model has ${count} ${kind}${count === 1 ? "" : "s"}`,
    `give ${count} different names in ${kind}Names (got ${JSON.stringify(names)})`,
  );
}

/** Parameters and buffers by their keys. */
const stateOf = (model: Module) => new Map<string, Tensor>([...model.namedBuffers(), ...model.namedParameters()]);

/** Folds batch norms while `body` runs; then the model's own modules are where they were. */
function whileFused<T>(model: Module, input: Tensor | undefined, body: (folded: number) => T): T {
  const modes = new Modes(model);
  const before = new Map(model.namedModules());
  let replaced: string[] = [];
  try {
    model.eval();
    const { fused } = fuse(model, { input });
    replaced = fused.flatMap(({ layer, norm }) => [layer, norm]);
    return body(fused.length);
  } finally {
    for (const path of replaced.reverse()) model.setSubmodule(path, before.get(path) as Module);
    modes.restore();
  }
}

/**
 * A model as an ONNX file, as torch.onnx.export: what it computes in evaluation, for onnxruntime and others. Weights keep their keys. The model is run twice, on random input, to see what it
 * computes, by layers and by functions alike. One in training mode is exported in evaluation too, and is afterwards as before: modes, weights and statistics. Up to 2 GiB of weights.
 * @param example the inputs' shapes, or tensors of that shape and dtype; their batch size does not matter unless dynamicBatch is false
 * @returns the file's bytes; nothing with `path`
 * @throws OnnxError that names the module and the operation that cannot be exported
 * @throws CheckpointError if the file cannot be written
 * @example
 * ```ts
 * import { io, nn } from "evenkeel";
 * const model = new nn.Sequential(new nn.Linear(4, 8), new nn.BatchNorm1d(8), new nn.ReLU());
 * const bytes = await io.exportOnnx(model, [1, 4]);
 * const folded = await io.exportOnnx(model, [1, 4], { fold: true });
 * bytes.length > folded.length; // => true
 * ```
 */
export async function exportOnnx(
  model: Module,
  example: OnnxExample | readonly OnnxExample[],
  options: OnnxOptions & { path: string | URL },
): Promise<void>;
export async function exportOnnx(
  model: Module,
  example: OnnxExample | readonly OnnxExample[],
  options?: OnnxOptions & { path?: undefined },
): Promise<Uint8Array>;
export async function exportOnnx(
  model: Module,
  example: OnnxExample | readonly OnnxExample[],
  options: OnnxOptions = {},
): Promise<unknown> {
  const { path, fold = false, opset = OPSETS.oldest, dynamicBatch = true } = options;
  if (!Number.isInteger(opset) || opset < OPSETS.oldest || opset > OPSETS.newest) {
    throw new ArgumentError(`opset ${opset} cannot be written`, `use ${OPSETS.oldest} to ${OPSETS.newest}`);
  }
  const examples = examplesOf(example);
  const inputNames = namesFor("input", examples.length, options.inputNames);
  checkSize(sizeOf(stateOf(model).values()));
  const write = await modelWriter();

  const batches = dynamicBatch ? BATCHES : null;
  const floats = floatsOf(model);
  const inputs = (seed: 0 | 1) => () =>
    examples.map((one) => inputLike(one, floats, seed, batches ? batches[seed] : null));
  const build = (folded: number | null): ModelProto => {
    const traces = [traceModel(model, inputs(0)), traceModel(model, inputs(1))] as const;
    const outputNames = namesFor("output", traces[0].outputs.length, options.outputNames);
    const state = stateOf(model);
    const clash = [...inputNames, ...outputNames].find((name) => state.has(name));
    if (clash) throw new ArgumentError(`"${clash}" is the name of a weight`, "give other inputNames or outputNames");
    const plan = { inputNames, outputNames, opset, batches, stateKeys: [...state.keys()] };
    const graph = assemble(...traces, plan);
    const about = folded === null ? "in evaluation" : `in evaluation, ${folded} batch norms folded`;
    const { className } = model;
    return modelProto(graph, state, traces, plan, { name: className, about: `${className} ${about}` });
  };
  const bytes = tidy(() => {
    if (!fold) return write(build(null));
    const example = model instanceof ImageModel || examples.length > 1 ? undefined : inputs(0)()[0];
    return whileFused(model, example, (folded) => write(build(folded)));
  });
  if (path === undefined) return bytes;
  await writeAtomically(path, [bytes]);
}
