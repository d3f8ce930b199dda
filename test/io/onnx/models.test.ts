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

// Large convolutions take the reference backend minutes; what is exported does not depend on the backend.
const names = (Object.keys(made) as (keyof typeof made)[]).filter(
  (name) => runtimeInfo().backend === "wasm" || name === "resnet20",
);

describe("onnxruntime agrees on the networks", () => {
  test.each(names)("%s", async (name) => {
    const model = nn.skipInit(made[name]);
    fillState(model, new Generator(3), -0.5);
    const [channels, height] = model.inputShape;
    // The size of the images is part of the file; 64 leaves every network something to pool.
    const size = Math.min(height, 64);
    const generator = new Generator(5);
    const images = [1, 4].map((batch) => randn([batch, channels, size, size], { generator }));
    for (const fold of [false, true]) {
      const any = await io.exportOnnx(model, [1, channels, size, size], { fold });
      for (const x of images) expect(await difference(any, model, [x]), `fold ${fold}`).toBeLessThanOrEqual(1e-5);
    }
    const one = await io.exportOnnx(model, [1, channels, size, size], { dynamicBatch: false });
    expect(await difference(one, model, [images[0]]), "batch 1 alone").toBeLessThanOrEqual(1e-5);
  });
});
