import type { Activation } from "../../../ops/norm/index.ts";
import type { Emitter, Translations } from "../emitter.ts";
import { activation } from "./elementwise.ts";

/** γ and β, ones and zeros where there are none. */
function affine(emit: Emitter, shape: readonly number[]): [weight: string, bias: string] {
  return [emit.has(1) ? emit.input(1) : emit.filled(shape, 1), emit.has(2) ? emit.input(2) : emit.filled(shape, 0)];
}

/** The numbers of an input of one dimension, in the shape in which they meet [N, C, …]. */
function perChannel(emit: Emitter, at: number): string {
  const [, channels, ...rest] = emit.output.shape;
  return emit.node("Reshape", [emit.input(at), emit.whole([channels, ...rest.map(() => 1)])]);
}

function batchNorm(emit: Emitter): string {
  const channels = [emit.output.shape[1]];
  const mean = emit.tensor("mean");
  const [weight, bias] = affine(emit, channels);
  const y = mean
    ? emit.node("BatchNormalization", [emit.input(0), weight, bias, mean, emit.tensor("variance")], {
        epsilon: { f: emit.get("eps") },
      })
    : byBatch(emit);
  const sum = emit.has(3) ? emit.node("Add", [y, emit.input(3)]) : y;
  return activation(emit, sum, emit.get<Activation | null>("activation"));
}

/** Without running statistics evaluation takes the batch's own too. */
function byBatch(emit: Emitter): string {
  const dims = [...emit.output.shape.keys()].filter((d) => d !== 1);
  const x = emit.input(0);
  const centred = emit.node("Sub", [x, emit.reduce("ReduceMean", x, dims, true)]);
  return affinely(emit, overRoot(emit, centred, centred, dims));
}

/** x / √(mean(y²) + eps) over dimensions. */
function overRoot(emit: Emitter, x: string, y: string, dims: readonly number[]): string {
  const square = emit.reduce("ReduceMean", emit.node("Mul", [y, y]), dims, true);
  return emit.node("Div", [x, emit.node("Sqrt", [emit.node("Add", [square, emit.number(emit.get("eps"))])])]);
}

/** Times γ plus β, channel by channel. */
function affinely(emit: Emitter, y: string): string {
  const scaled = emit.has(1) ? emit.node("Mul", [y, perChannel(emit, 1)]) : y;
  return emit.has(2) ? emit.node("Add", [scaled, perChannel(emit, 2)]) : scaled;
}

function instanceNorm(emit: Emitter): string {
  const [weight, bias] = affine(emit, [emit.output.shape[1]]);
  return emit.node("InstanceNormalization", [emit.input(0), weight, bias], { epsilon: { f: emit.get("eps") } });
}

/** Groups are channels of their own: ONNX's GroupNormalization came with opset 18 and changed with 21. */
function groupNorm(emit: Emitter): string {
  const groups = emit.get("groups");
  const seen = emit.node("Reshape", [emit.input(0), emit.whole([0, groups, -1])]);
  const y = emit.node("InstanceNormalization", [seen, emit.filled([groups], 1), emit.filled([groups], 0)], {
    epsilon: { f: emit.get("eps") },
  });
  return affinely(emit, emit.reshapeToOutput(y));
}

function layerNorm(emit: Emitter): string {
  const dims = emit.get("normalized");
  const [weight] = affine(emit, emit.output.shape.slice(-dims));
  const inputs = [emit.input(0), weight, ...(emit.has(2) ? [emit.input(2)] : [])];
  return emit.node("LayerNormalization", inputs, { axis: -dims, epsilon: { f: emit.get("eps") } });
}

/** In elementary operations: RMSNormalization came with opset 23. */
function rmsNorm(emit: Emitter): string {
  const x = emit.input(0);
  const rank = emit.output.shape.length;
  const dims = [...emit.output.shape.keys()].slice(rank - emit.get("normalized"));
  const y = overRoot(emit, x, x, dims);
  return emit.has(1) ? emit.node("Mul", [y, emit.input(1)]) : y;
}

function localResponseNorm(emit: Emitter): string {
  const [size, alpha, beta, k] = ["size", "alpha", "beta", "k"].map((key) => emit.get(key));
  const x = emit.input(0);
  const [, channels, ...rest] = emit.output.shape;
  if (size % 2 === 1 && rest.length === 2) {
    return emit.node("LRN", [x], { size, alpha: { f: alpha }, beta: { f: beta }, bias: { f: k } });
  }
  // ONNX's window of an even size reaches up where PyTorch's reaches down, and runtimes take images alone.
  const planes = emit.node("Reshape", [emit.node("Mul", [x, x]), emit.whole([0, 1, channels, -1])]);
  const mean = emit.node("AveragePool", [planes], {
    kernel_shape: [size, 1],
    pads: [Math.floor(size / 2), 0, Math.floor((size - 1) / 2), 0],
    count_include_pad: 1,
  });
  const response = emit.node("Mul", [emit.reshapeToOutput(mean), emit.number(alpha)]);
  const divisor = emit.node("Pow", [emit.node("Add", [response, emit.number(k)]), emit.number(beta)]);
  return emit.node("Div", [x, divisor]);
}

export const NORMS: Translations = {
  NativeBatchNorm: batchNorm,
  InstanceNorm: instanceNorm,
  NativeGroupNorm: groupNorm,
  NativeLayerNorm: layerNorm,
  FusedRmsNorm: rmsNorm,
  LocalResponseNorm: localResponseNorm,
};
