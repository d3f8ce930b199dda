import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { type io, type nn, noGrad, type Tensor } from "../../../src/index.ts";
import { relativeError } from "../../nn/compare.ts";

type Arrays = Float32Array | Float64Array | BigInt64Array;

/** What onnxruntime computes for an exported file: each output's values and shape. */
export async function runOnnx(
  bytes: Uint8Array,
  inputs: readonly Tensor[],
): Promise<{ shape: readonly number[]; values: Arrays }[]> {
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 3 });
  try {
    const feeds = session.inputNames.map((name, i): [string, OrtTensor] => {
      const { dtype, shape } = inputs[i];
      return [name, new OrtTensor(dtype as "float32", inputs[i].toTypedArray() as Float32Array, shape)];
    });
    const results = await session.run(Object.fromEntries(feeds));
    return session.outputNames.map((name) => ({ shape: results[name].dims, values: results[name].data as Arrays }));
  } finally {
    await session.release();
  }
}

/** The largest difference between onnxruntime's outputs and the model's own in evaluation, relative to the largest output. */
export async function difference(bytes: Uint8Array, model: nn.Module, inputs: readonly Tensor[]): Promise<number> {
  const training = model.modules().map((module) => module.training);
  model.eval();
  const ours = noGrad(() => [model.forward(...inputs)].flat() as Tensor[]);
  for (const [i, module] of model.modules().entries()) module.training = training[i];
  const theirs = await runOnnx(bytes, inputs);
  if (theirs.map(({ shape }) => shape.join()).join(" ") !== ours.map(({ shape }) => shape.join()).join(" ")) {
    return Number.POSITIVE_INFINITY;
  }
  return Math.max(...ours.map((y, i) => relativeError(theirs[i].values as Float32Array, y.toTypedArray())));
}

export type Options = Omit<io.OnnxOptions, "path">;
