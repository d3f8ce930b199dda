import { describe, expect, test } from "vitest";
import { F, Generator, io, nn, noGrad, rand, randn, sub, type Tensor, variance } from "../../../src/index.ts";
import { difference } from "./run.ts";

/** Parameters and statistics that are not ones and zeros. */
function filled<M extends nn.Module>(model: M): M {
  const generator = new Generator(7);
  noGrad(() => {
    for (const [key, value] of model.stateDict()) {
      if (key.endsWith("num_batches_tracked")) continue;
      const [from, to] = key.endsWith("running_var") ? [0.5, 2] : value.ndim === 1 ? [-1, 1.5] : [-0.4, 0.4];
      value.uniform_({ from, to, generator });
    }
  });
  return model;
}

const flat = [3, 6];
const line = [3, 6, 10];
const image = [3, 6, 8, 9];
const volume = [2, 6, 4, 5, 3];

const layers: [name: string, layer: () => nn.Module, ...shapes: number[][]][] = [
  ["BatchNorm1d", () => new nn.BatchNorm1d(6), flat, line],
  ["BatchNorm2d", () => new nn.BatchNorm2d(6, { eps: 1e-3 }), image],
  ["BatchNorm2d without parameters", () => new nn.BatchNorm2d(6, { affine: false }), image],
  ["BatchNorm2d without statistics", () => new nn.BatchNorm2d(6, { trackRunningStats: false }), image],
  ["BatchNorm3d", () => new nn.BatchNorm3d(6), volume],
  ["SyncBatchNorm", () => new nn.SyncBatchNorm(6), flat, image],
  ["FrozenBatchNorm2d", () => new nn.FrozenBatchNorm2d(6), image],
  ["BatchNormAct2d", () => new nn.BatchNormAct2d(6, { activation: "silu" }), image],
  ["InstanceNorm1d", () => new nn.InstanceNorm1d(6), line],
  ["InstanceNorm2d", () => new nn.InstanceNorm2d(6, { affine: true }), image],
  ["InstanceNorm2d with statistics", () => new nn.InstanceNorm2d(6, { affine: true, trackRunningStats: true }), image],
  ["InstanceNorm3d", () => new nn.InstanceNorm3d(6, { affine: true }), volume],
  ["GroupNorm", () => new nn.GroupNorm(3, 6), image, line, volume],
  ["GroupNorm without parameters", () => new nn.GroupNorm(2, 6, { affine: false }), image],
  ["LayerNorm", () => new nn.LayerNorm(9), image],
  ["LayerNorm over several", () => new nn.LayerNorm([6, 8, 9]), image],
  ["LayerNorm without parameters", () => new nn.LayerNorm(6, { elementwiseAffine: false }), flat],
  ["RMSNorm", () => new nn.RMSNorm(9), image],
  ["RMSNorm over several", () => new nn.RMSNorm([8, 9], { eps: 1e-4 }), image],
  ["LocalResponseNorm of odd size", () => new nn.LocalResponseNorm(5, { alpha: 0.2, k: 2 }), image, line],
  ["LocalResponseNorm of even size", () => new nn.LocalResponseNorm(4, { alpha: 0.2 }), image, volume],
  ["Linear", () => new nn.Linear(6, 5), flat],
  ["Linear without bias, on rows", () => new nn.Linear(10, 5, { bias: false }), line],
  ["Conv1d", () => new nn.Conv1d(6, 4, 3, { stride: 2, padding: 1 }), line],
  ["Conv1d same", () => new nn.Conv1d(6, 4, 4, { padding: "same" }), line],
  [
    "Conv2d",
    () => new nn.Conv2d(6, 4, [3, 2], { stride: [2, 1], padding: [0, 1], dilation: [1, 2], groups: 2 }),
    image,
  ],
  ["Conv2d same", () => new nn.Conv2d(6, 4, 4, { padding: "same", bias: false }), image],
  ["MaxPool1d", () => new nn.MaxPool1d(3, { padding: 1 }), line],
  ["MaxPool2d", () => new nn.MaxPool2d(3, { stride: 2, padding: 1 }), image],
  ["MaxPool2d ceil", () => new nn.MaxPool2d(2, { stride: 3, ceilMode: true, dilation: 2 }), image],
  ["AvgPool1d", () => new nn.AvgPool1d(3, { padding: 1 }), line],
  ["AvgPool2d", () => new nn.AvgPool2d(3, { stride: 2, padding: 1 }), image],
  ["AvgPool2d without padding counted", () => new nn.AvgPool2d(3, { padding: 1, countIncludePad: false }), image],
  ["AvgPool2d ceil", () => new nn.AvgPool2d(3, { stride: 2, padding: 1, ceilMode: true }), image],
  [
    "AvgPool2d divisor",
    () => new nn.AvgPool2d(3, { stride: 2, padding: 1, ceilMode: true, divisorOverride: 5 }),
    image,
  ],
  ["AdaptiveAvgPool1d", () => new nn.AdaptiveAvgPool1d(4), line],
  ["AdaptiveAvgPool2d to one", () => new nn.AdaptiveAvgPool2d(1), image],
  ["AdaptiveAvgPool2d to a divisor", () => new nn.AdaptiveAvgPool2d([4, 3]), image],
  ["AdaptiveAvgPool2d to other sizes", () => new nn.AdaptiveAvgPool2d([5, 12]), image],
  ["AdaptiveMaxPool1d", () => new nn.AdaptiveMaxPool1d(5), line],
  ["AdaptiveMaxPool2d", () => new nn.AdaptiveMaxPool2d([2, 3]), image],
  ["Flatten", () => new nn.Flatten(), image],
  ["Unflatten", () => new nn.Unflatten(1, [2, 3]), image],
  ["Identity", () => new nn.Identity(), image],
  ["Dropout", () => new nn.Sequential(new nn.Dropout(), new nn.Dropout2d()), image],
  ["ReLU", () => new nn.ReLU(), image],
  ["ReLU6", () => new nn.ReLU6(), image],
  ["LeakyReLU", () => new nn.LeakyReLU({ negativeSlope: 0.2 }), image],
  ["Sigmoid", () => new nn.Sigmoid(), image],
  ["Tanh", () => new nn.Tanh(), image],
  ["SiLU", () => new nn.SiLU(), image],
  ["GELU", () => new nn.GELU(), image],
  ["GELU tanh", () => new nn.GELU({ approximate: "tanh" }), image],
  ["Softplus", () => new nn.Softplus({ beta: 2 }), image],
  ["Softmax", () => new nn.Softmax({ dim: 1 }), image],
  ["LogSoftmax", () => new nn.LogSoftmax({ dim: -1 }), image],
];

describe("onnxruntime agrees on every layer", () => {
  test.each(layers)("%s", async (_, layer, ...shapes) => {
    const model = filled(layer());
    for (const shape of shapes) {
      for (const dynamicBatch of [true, false]) {
        const bytes = await io.exportOnnx(model, shape, { dynamicBatch });
        const sizes = dynamicBatch ? [1, 4] : [shape[0]];
        for (const batch of sizes) {
          const x = randn(shape.with(0, batch), { generator: new Generator(batch) });
          expect(await difference(bytes, model, [x]), `${shape} as ${batch}`).toBeLessThanOrEqual(1e-5);
        }
      }
    }
  });
});

/** A function as a model. */
class Apply extends nn.Module {
  constructor(private readonly compute: (...x: Tensor[]) => unknown) {
    super();
  }
  forward(...x: Tensor[]): unknown {
    return this.compute(...x);
  }
}

const functions: [name: string, compute: (x: Tensor) => unknown, ...shapes: number[][]][] = [
  ["arithmetic", (x) => sub(2, x.mul(3).add(x, { alpha: 0.5 }).div(4)).sub(x), image],
  ["division of a number", (x) => x.abs().add(1).reciprocal().mul(2), image],
  ["powers", (x) => [x.square(), x.abs().pow(0.5), x.abs().add(0.1).pow(1.7), x.abs().sqrt()], image],
  ["pointwise", (x) => [x.exp(), x.sin(), x.cos(), x.floor(), x.trunc(), x.sign(), x.neg(), x.round()], image],
  [
    "logarithms",
    (x) => [x.abs().add(0.1).log(), x.abs().log1p(), x.abs().add(1).log2(), x.abs().add(1).rsqrt()],
    image,
  ],
  ["clamp", (x) => [x.clamp({ min: -0.5 }), x.clamp({ max: 0.5 }), x.clamp({ min: -1, max: 1 })], image],
  ["functions that hold layers' settings", (x) => F.maxPool2d(F.relu(F.avgPool2d(x, 2)), 2), image],
  ["sums", (x) => [x.sum([2, 3]), x.mean(1, { keepdim: true }), x.amax([1, 3]), x.logsumexp(1)], image],
  ["moments", (x) => [variance(x, [2, 3]), x.std(1), x.norm(2, 1), x.norm(3, 1)], image],
  ["F.normalize", (x) => F.normalize(x), image],
  ["permutations", (x) => [x.permute([0, 2, 3, 1]), x.transpose(1, 3), x.movedim(1, -1)], image],
  ["slices", (x) => [x.narrow(1, 1, 3), x.select(2, 3), ...x.split(3, 1)], image],
  ["joins", (x) => x.reshape([x.shape[0], -1]).unsqueeze(1).expand([-1, 2, -1]), image],
  ["products", (x) => x.matmul(x.transpose(2, 3)), image],
  ["several inputs' shapes", (x) => x.flatten(2).transpose(1, 2).reshape([-1, 6]), image],
  ["means over the batch", (x) => x.sub(x.mean(0, { keepdim: true })), image],
  ["expanding to the batch", (x) => x.mean(0, { keepdim: true }).expand(x.shape).add(x), image],
];

describe("onnxruntime agrees on operations in a forward", () => {
  test.each(functions)("%s", async (_, compute, ...shapes) => {
    const model = new Apply(compute as (...x: Tensor[]) => unknown);
    for (const shape of shapes) {
      for (const opset of [17, 18, 20, 23]) {
        const bytes = await io.exportOnnx(model, shape, { opset });
        for (const batch of [1, 4]) {
          const x = rand(shape.with(0, batch), { generator: new Generator(batch) }).sub(0.5);
          expect(await difference(bytes, model, [x]), `opset ${opset}`).toBeLessThanOrEqual(1e-5);
        }
      }
    }
  });
});
