import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as ortWeb from "onnxruntime-web";
import protobuf from "protobufjs";
import { afterAll, describe, expect, test } from "vitest";
import {
  ArgumentError,
  CheckpointError,
  cat,
  Generator,
  io,
  manualSeed,
  nn,
  noGrad,
  OnnxError,
  rand,
  randn,
  type Tensor,
  tensor,
  where,
} from "../../../src/index.ts";
import { checkSize } from "../../../src/io/onnx/model-proto.ts";
import { VERSION } from "../../../src/util/version.ts";
import { relativeError } from "../../nn/compare.ts";
import { difference, runOnnx } from "./run.ts";

const folder = mkdtempSync(join(tmpdir(), "evenkeel-onnx-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** The schema, read by another way than the one that writes. */
const schema = protobuf.loadSync("src/io/onnx/generated/onnx.proto").lookupType("onnx.ModelProto");
// biome-ignore lint/suspicious/noExplicitAny: messages by their schema
const decode = (bytes: Uint8Array): any => schema.toObject(schema.decode(bytes), { longs: Number });

function network(): nn.Sequential {
  manualSeed(1);
  const model = new nn.Sequential(
    new nn.Conv2d(3, 8, 3, { padding: 1, bias: false }),
    new nn.BatchNorm2d(8),
    new nn.ReLU(),
    new nn.AdaptiveAvgPool2d(2),
    new nn.Flatten(),
    new nn.Linear(32, 6),
    new nn.BatchNorm1d(6),
  );
  // Statistics that are not 0 and 1.
  for (let i = 0; i < 3; i++) noGrad(() => model.forward(randn([4, 3, 8, 8])));
  return model;
}

/** A function as a model. */
class Apply extends nn.Module {
  linear = new nn.Linear(4, 4);
  constructor(private readonly compute: (...x: Tensor[]) => unknown) {
    super();
  }
  forward(...x: Tensor[]): unknown {
    return this.compute(...x);
  }
}

describe("the file", () => {
  test("says who made it, for which operators, and what goes in and out", async () => {
    const { irVersion, opsetImport, producerName, producerVersion, docString, graph } = decode(
      await io.exportOnnx(network(), [1, 3, 8, 8], { inputNames: ["images"], outputNames: ["scores"] }),
    );
    expect({ irVersion, opsetImport, producerName, producerVersion, docString, name: graph.name }).toEqual({
      irVersion: 8,
      opsetImport: [{ domain: "", version: 17 }],
      producerName: "evenkeel",
      producerVersion: JSON.parse(readFileSync("package.json", "utf8")).version,
      docString: "Sequential in evaluation",
      name: "Sequential",
    });
    const dims = (sizes: (string | number)[]) => ({
      dim: sizes.map((size) => (typeof size === "string" ? { dimParam: size } : { dimValue: size })),
    });
    const value = (name: string, sizes: (string | number)[]) => ({
      name,
      type: { tensorType: { elemType: 1, shape: dims(sizes) } },
    });
    expect(graph.input).toEqual([value("images", ["batch", 3, 8, 8])]);
    expect(graph.output).toEqual([value("scores", ["batch", 6])]);
    const fixed = decode(await io.exportOnnx(network(), [5, 3, 8, 8], { dynamicBatch: false, opset: 21 }));
    expect(fixed.graph.input).toEqual([value("input", [5, 3, 8, 8])]);
    expect([fixed.irVersion, fixed.opsetImport[0].version]).toEqual([10, 21]);
  });

  test("the version is the package's", () => {
    expect(VERSION).toBe(JSON.parse(readFileSync("package.json", "utf8")).version);
  });

  test("keeps the state dict's keys, and BatchNormalization nodes unless they are folded", async () => {
    const model = network();
    const plain = decode(await io.exportOnnx(model, [1, 3, 8, 8]));
    const keys = [...model.stateDict().keys()].filter((key) => !key.endsWith("num_batches_tracked"));
    const names = (one: typeof plain) => one.graph.initializer.map(({ name }: { name: string }) => name);
    expect(new Set(names(plain).slice(0, keys.length))).toEqual(new Set(keys));
    expect(plain.graph.node.map(({ opType }: { opType: string }) => opType)).toEqual([
      "Conv",
      "BatchNormalization",
      "Relu",
      "AveragePool",
      "Reshape",
      "Gemm",
      "BatchNormalization",
    ]);
    expect(plain.graph.node[0].name).toBe("/0/Conv");
    const folded = decode(await io.exportOnnx(model, [1, 3, 8, 8], { fold: true }));
    expect(folded.graph.node.map(({ opType }: { opType: string }) => opType)).toEqual([
      "Conv",
      "Relu",
      "AveragePool",
      "Reshape",
      "Gemm",
    ]);
    expect(folded.docString).toBe("Sequential in evaluation, 2 batch norms folded");
    expect(names(folded).slice(0, 4).toSorted()).toEqual(["0.bias", "0.weight", "5.bias", "5.weight"]);
  });

  test("is written whole to a path, or not at all", async () => {
    const path = join(folder, "model.onnx");
    const model = network();
    expect(await io.exportOnnx(model, [1, 3, 8, 8], { path })).toBeUndefined();
    expect(new Uint8Array(readFileSync(path))).toEqual(new Uint8Array(await io.exportOnnx(model, [1, 3, 8, 8])));
    await expect(io.exportOnnx(model, [1, 3, 8, 8], { path: join(folder, "no/model.onnx") })).rejects.toThrow(
      CheckpointError,
    );
    expect(readdirSync(folder)).toEqual(["model.onnx"]);
  });

  test("onnxruntime-web computes the same", async () => {
    const model = network().eval();
    const x = randn([3, 3, 8, 8]);
    const session = await ortWeb.InferenceSession.create(await io.exportOnnx(model, x, { fold: true }));
    const feeds = { input: new ortWeb.Tensor("float32", x.toTypedArray() as Float32Array, x.shape) };
    const { output } = await session.run(feeds);
    const ours = noGrad(() => model.forward(x) as Tensor);
    expect(output.dims).toEqual(ours.shape);
    expect(relativeError(output.data as Float32Array, ours.toTypedArray())).toBeLessThanOrEqual(1e-5);
  });

  test("holds less than 2 GiB of weights", () => {
    expect(() => checkSize(2 ** 31)).toThrow(OnnxError);
    expect(() => checkSize(2 ** 31)).toThrow("2.0 GiB");
    expect(() => checkSize(2 ** 30)).not.toThrow();
  });
});

describe("the model", () => {
  test.each([false, true])("stays as it was, modes and weights, fold %s", async (fold) => {
    const model = network().train();
    (model.getSubmodule("1") as nn.BatchNorm2d).eval();
    const before = [...model.stateDict()].map(([key, value]) => [key, [...value.toTypedArray()]]);
    const modules = model.modules();
    const modes = modules.map(({ training }) => training);
    manualSeed(4);
    const next = rand([1]).item();
    manualSeed(4);
    const bytes = await io.exportOnnx(model, [1, 3, 8, 8], { fold });
    expect(rand([1]).item(), "no random number is drawn").toBe(next);
    expect([...model.stateDict()].map(([key, value]) => [key, [...value.toTypedArray()]])).toEqual(before);
    expect(model.modules()).toEqual(modules);
    expect(modules.map(({ training }) => training)).toEqual(modes);
    // fuse registers hooks of its own, and hooks leave a forward of their own.
    if (!fold) expect(modules.some((module) => Object.hasOwn(module, "forward"))).toBe(false);
    // What it computes is the evaluation.
    expect(await difference(bytes, model, [randn([2, 3, 8, 8])])).toBeLessThanOrEqual(1e-5);
  });

  test("is as it was when the export fails", async () => {
    const model = network();
    model.setSubmodule("2", new Apply((x) => x.flip([0])));
    const modules = model.modules();
    await expect(io.exportOnnx(model, [1, 3, 8, 8], { fold: true })).rejects.toThrow(OnnxError);
    expect(model.modules()).toEqual(modules);
    expect(modules.every(({ training }) => training)).toBe(true);
  });

  test("may take several inputs and give several outputs", async () => {
    const model = new Apply((a, b) => [cat([a, b], 1), a.mul(b)]);
    const bytes = await io.exportOnnx(model, [
      [1, 4],
      [1, 4],
    ]);
    const { graph } = decode(bytes);
    expect(graph.input.map(({ name }: { name: string }) => name)).toEqual(["input0", "input1"]);
    expect(graph.output.map(({ name }: { name: string }) => name)).toEqual(["output0", "output1"]);
    expect(await difference(bytes, model, [randn([3, 4]), randn([3, 4])])).toBeLessThanOrEqual(1e-6);
  });

  test("may give its input, a weight, or one value twice", async () => {
    const model = new Apply((x) => [x, x.relu(), x.relu()]);
    expect(await difference(await io.exportOnnx(model, [1, 4]), model, [randn([2, 4])])).toBe(0);
    const weights: Apply = new Apply(() => weights.linear.weight);
    expect(await difference(await io.exportOnnx(weights, [1, 4]), weights, [randn([2, 4])])).toBe(0);
  });

  test("may use constants, detached tensors and hooks", async () => {
    const table = randn([4], { generator: new Generator(2) });
    const model = new Apply((x) =>
      x
        .detach()
        .add(table)
        .mul(tensor([1, 2, 3, 4])),
    );
    model.registerForwardHook((_, __, y) => (y as Tensor).mul(2));
    expect(await difference(await io.exportOnnx(model, [1, 4]), model, [randn([2, 4])])).toBeLessThanOrEqual(1e-6);
  });

  test("may be float64", async () => {
    // onnxruntime has no convolution in float64.
    const model = new nn.Sequential(new nn.Linear(4, 5), new nn.BatchNorm1d(5), new nn.Tanh()).double();
    const x = randn([2, 4], { dtype: "float64" });
    const [{ values }] = await runOnnx(await io.exportOnnx(model, [1, 4], { fold: true }), [x]);
    expect(values).toBeInstanceOf(Float64Array);
    const ours = noGrad(() => model.eval().forward(x) as Tensor);
    expect(relativeError(values, ours.toTypedArray())).toBeLessThanOrEqual(1e-12);
  });
});

describe("what cannot be exported is named", () => {
  const outer = (compute: (x: Tensor) => unknown) => new nn.Sequential(new nn.Identity(), new Apply(compute));
  test.each<[string, (x: Tensor) => unknown, string | RegExp, string | undefined]>([
    ["no translation", (x) => x.flip([1]), "1 (Apply): Flip cannot be exported, it has no translation", "Flip"],
    [
      "a comparison",
      (x) => where(x.gt(0), x, 0),
      /1 \(Apply\): Where cannot be exported|cannot be followed/,
      undefined,
    ],
    ["values in JavaScript", (x) => x.mul(tensor(x.mean().item())), "cannot be followed", undefined],
    ["a number from the values", (x) => x.mul(x.mean().item()), "other depends on", "Mul"],
    ["a condition", (x) => (x.shape[0] > 2 ? x.relu() : x.tanh()), "something else for another input", undefined],
    ["a change in place", (x) => [x.relu().add_(1)], /1 \(Apply\): .*changed in place/, undefined],
    [
      "a change in place unseen",
      (x) => noGrad(() => x.relu().add_(1)).mul(2),
      /1 \(Apply\).*changed in place/,
      undefined,
    ],
    ["a size from the batch", (x) => x.div(x.shape[0]), "other depends on the batch size", "Div"],
  ])("%s", async (_, compute, message, operation) => {
    const failure = await io.exportOnnx(outer(compute), [1, 4]).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(OnnxError);
    expect((failure as Error).message).toMatch(message);
    if (operation) expect(failure).toMatchObject({ module: "1", operation });
  });

  test("with a batch of its own size a model may depend on it", async () => {
    const model = outer((x) => x.div(x.shape[0]));
    const bytes = await io.exportOnnx(model, [5, 4], { dynamicBatch: false });
    expect(await difference(bytes, model, [randn([5, 4])])).toBeLessThanOrEqual(1e-6);
  });

  test("options out of their range", async () => {
    const model = network();
    await expect(io.exportOnnx(model, [1, 3, 8, 8], { opset: 9 })).rejects.toThrow(ArgumentError);
    await expect(io.exportOnnx(model, [1, 3, 8, 8], { inputNames: ["a", "b"] })).rejects.toThrow(
      "the model has 1 input",
    );
    await expect(io.exportOnnx(model, [1, 3, 8, 8], { inputNames: ["0.weight"] })).rejects.toThrow("name of a weight");
    await expect(io.exportOnnx(new nn.LazyBatchNorm2d(), [1, 3, 8, 8])).rejects.toThrow("uninitialized parameter");
  });
});
