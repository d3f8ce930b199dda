import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import {
  F,
  Generator,
  manualSeed,
  models,
  nn,
  noGrad,
  optim,
  rand,
  runtimeInfo,
  type Tensor,
  tensor,
} from "../../src/index.ts";
import { type Golden, readGolden } from "../golden/read.ts";
import { fromGolden, relativeError } from "../nn/compare.ts";
import { fillState } from "./fill-state.ts";

type Name = "resnet18" | "vgg16Bn" | "mobilenetV2" | "densenet121" | "resnet20";

interface Keys {
  kind: "keys";
  name: string;
  model: Name;
  count: number;
  ends: [string, string];
  sha256: string;
}

interface Initial {
  kind: "init";
  name: string;
  model: Name;
  options: object;
  seed: number;
  sha256: string;
  next: Golden;
}

interface Numbers {
  kind: "numbers";
  name: string;
  model: Name;
  hidden: number | null;
  seed: number;
  shift: number;
  image: Golden;
  targets: number[];
  logits: Golden;
  loss: number;
  running: Record<string, Golden>;
  grads: Record<string, Golden>;
  largest: Record<string, number>;
  after: Record<string, Golden>;
}

const cases = readGolden<Keys | Initial | Numbers>("models");
const of = <Kind extends string>(kind: Kind) =>
  cases.filter((one): one is Extract<(typeof cases)[number], { kind: Kind }> => one.kind === kind);

/** The elements that the golden file keeps. */
function few(x: Tensor): number[] {
  const values = x.toTypedArray();
  const every = Math.max(1, Math.floor(values.length / 32));
  return Array.from({ length: Math.min(32, Math.ceil(values.length / every)) }, (_, i) => Number(values[i * every]));
}

describe("keys, their order and shapes are torchvision's", () => {
  test.each(of("keys"))("$name", ({ model, count, ends, sha256 }) => {
    const state = nn.skipInit(() => models[model]()).stateDict();
    const lines = [...state].map(([key, { shape }]) => `${key}[${shape.join(",")}]`);
    expect([lines.length, lines[0].split("[")[0], lines.at(-1)?.split("[")[0]]).toEqual([count, ...ends]);
    expect(createHash("sha256").update(lines.join("\n")).digest("hex")).toBe(sha256);
  });
});

describe("initial values are torchvision's to the bit", () => {
  test.each(of("init"))("$name", ({ model, options, seed, sha256, next }) => {
    manualSeed(seed);
    const hash = createHash("sha256");
    for (const value of models[model](options).stateDict().values()) {
      const { buffer, byteOffset, byteLength } = value.toTypedArray();
      hash.update(new Uint8Array(buffer, byteOffset, byteLength));
    }
    expect(rand([3]).toArray()).toEqual([...next.data]);
    expect(hash.digest("hex")).toBe(sha256);
  });
});

// Large convolutions take the reference backend half a minute; what the models are built of is tested there by the small ones.
const affordable = of("numbers").filter(
  ({ model }) => runtimeInfo().backend === "wasm" || model === "resnet20" || model === "mobilenetV2",
);

describe("logits, and one step of training", () => {
  test.each(affordable)("$name", (golden) => {
    const model = nn.skipInit(() => {
      const made = models[golden.model]({ numClasses: 7 });
      const { hidden } = golden;
      if (hidden) {
        made.setSubmodule("classifier.0", new nn.Linear(512 * 7 * 7, hidden));
        made.setSubmodule("classifier.3", new nn.Linear(hidden, hidden));
        made.setSubmodule("classifier.6", new nn.Linear(hidden, 7));
      }
      return made;
    });
    fillState(model, new Generator(golden.seed), golden.shift);
    const images = fromGolden(golden.image);
    model.eval();
    const logits = noGrad(() => model.forward(images));
    expect(relativeError(logits.toTypedArray(), golden.logits.data), "logits").toBeLessThanOrEqual(1e-5);

    model.train();
    for (const module of model.modules()) if (module instanceof nn.Dropout) module.eval();
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
    const loss = F.crossEntropy(model.forward(images), tensor(golden.targets, { dtype: "int64" }));
    loss.backward();
    optimizer.step();
    expect(Math.abs(loss.item() / golden.loss - 1), "loss").toBeLessThanOrEqual(1e-5);
    for (const [key, { data }] of Object.entries(golden.running)) {
      expect(relativeError(few(model.getBuffer(key)!), data), key).toBeLessThanOrEqual(1e-4);
    }
    for (const [key, { data }] of Object.entries(golden.grads)) {
      const found = few(model.getParameter(key).grad!);
      const error = Math.max(...found.map((value, i) => Math.abs(value - Number(data[i]))));
      expect(error / golden.largest[key], `gradient of ${key}`).toBeLessThanOrEqual(1e-4);
      expect(relativeError(few(model.getParameter(key)), golden.after[key].data), key).toBeLessThanOrEqual(1e-5);
    }
  });
});
