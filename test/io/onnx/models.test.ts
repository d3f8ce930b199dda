import { describe, expect, test } from "vitest";
import { Generator, io, models, nn, randn, runtimeInfo } from "../../../src/index.ts";
import { fillState } from "../../models/fill-state.ts";
import { difference } from "./run.ts";

const made = {
  resnet18: () => models.resnet18({ numClasses: 7 }),
  resnet34: () => models.resnet34({ numClasses: 7 }),
  resnet50: () => models.resnet50({ numClasses: 7 }),
  vgg11Bn: () => narrow(models.vgg11Bn({ numClasses: 7 })),
  vgg16Bn: () => narrow(models.vgg16Bn({ numClasses: 7 })),
  mobilenetV2: () => models.mobilenetV2({ numClasses: 7 }),
  densenet121: () => models.densenet121({ numClasses: 7 }),
  resnet20: () => models.resnet20({ numClasses: 7 }),
};

/** VGG's 120 million classifier weights say nothing more than a few. */
function narrow(model: models.VGG): models.VGG {
  model.setSubmodule("classifier.0", new nn.Linear(512 * 7 * 7, 32));
  model.setSubmodule("classifier.3", new nn.Linear(32, 32));
  model.setSubmodule("classifier.6", new nn.Linear(32, 7));
  return model;
}

// What is exported does not depend on the backend, and the large ones take a second or more each.
const { backend, simd } = runtimeInfo();
const names = (Object.keys(made) as (keyof typeof made)[]).filter(
  (name) => name === "resnet20" || (backend === "wasm" && simd === "relaxed"),
);

// A second or two on an idle machine, many times that beside other work.
const TIMEOUT = 120_000;

describe("onnxruntime agrees on the networks", { timeout: TIMEOUT }, () => {
  test.each(names)("%s", async (name) => {
    const model = nn.skipInit<models.ImageModel>(made[name]);
    fillState(model, new Generator(3), -0.5);
    // The size of the images is part of the file.
    const shape = [1, 3, 32, 32];
    const [one, four] = [1, 4].map((batch) => randn(shape.with(0, batch), { generator: new Generator(batch) }));
    for (const fold of [false, true]) {
      const any = await io.exportOnnx(model, shape, { fold });
      for (const x of [one, four]) expect(await difference(any, model, [x]), `fold ${fold}`).toBeLessThanOrEqual(1e-5);
    }
    // Nothing in a larger network differs for a fixed batch.
    if (name !== "resnet20" && name !== "mobilenetV2") return;
    const fixed = await io.exportOnnx(model, shape, { dynamicBatch: false });
    expect(await difference(fixed, model, [one]), "batch 1 alone").toBeLessThanOrEqual(1e-5);
  });
});
