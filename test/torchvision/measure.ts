// Takes one of PyTorch's checkpoints through evenkeel, in a process of its own, so that the memory is the model's; prints JSON.
//   node build/tools/test/torchvision/measure.js resnet18 FOLDER
import { statSync } from "node:fs";
import { join } from "node:path";
import { F, io, memoryUsage, models, nn, noGrad, optim, type Tensor, tools } from "evenkeel";
import type { Expected, Measured, ModelName } from "./table.ts";

const OURS = {
  resnet18: models.resnet18,
  resnet50: models.resnet50,
  vgg16_bn: models.vgg16Bn,
  mobilenet_v2: models.mobilenetV2,
  densenet121: models.densenet121,
};

const [name, folder] = process.argv.slice(2) as [ModelName, string];
const at = (what: string) => join(folder, `${name}.${what}`);
const MIB = 2 ** 20;

const largest = (values: ArrayLike<number>) => {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]));
  return most;
};

/** The largest difference of two tensors. */
function difference(ours: Tensor, theirs: Tensor): number {
  const [a, b] = [ours.toTypedArray() as Float32Array, theirs.toTypedArray() as Float32Array];
  let most = 0;
  // A NaN is the largest difference.
  for (let i = 0; i < a.length; i++) most = Math.abs(a[i] - b[i]) <= most ? most : Math.abs(a[i] - b[i]);
  return most;
}

const sizeOf = (x: Tensor) => largest(x.toTypedArray() as Float32Array);
const relative = (ours: Tensor, theirs: Tensor) => difference(ours, theirs) / sizeOf(theirs);

/** Memory beside tensors is the process's, less what the tensors take. */
async function load(): Promise<{ state: nn.StateDict; seconds: number; beside: number }> {
  const before = process.memoryUsage.rss();
  const started = performance.now();
  const state = await io.load(at("pt"));
  const seconds = (performance.now() - started) / 1000;
  const most = process.resourceUsage().maxRSS * 1024;
  const { pinned, scoped, program } = memoryUsage();
  return { state, seconds, beside: (most - before - pinned - scoped - program) / MIB };
}

const { state, seconds: loadSeconds, beside } = await load();
const megabytes = statSync(at("pt")).size / MIB;
const model = nn.skipInit(() => OURS[name]());
const own = [...model.stateDict().keys()];
const sameKeys = own.length === state.size && [...state.keys()].every((key, i) => key === own[i]);
model.loadStateDict(state, { assign: true });
await io.save(at("back.pt"), model.stateDict());

const { seed, images, trainImages, targets, logits, loss, grads, exact, after } = await io.load<Expected>(
  at("expected.pt"),
);
model.eval();
const logitError = relative(
  noGrad(() => model.forward(images)),
  logits,
);

model.train();
for (const module of model.modules()) if (module instanceof nn.Dropout) module.eval();
const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
const ourLoss = F.crossEntropy(model.forward(trainImages), targets);
ourLoss.backward();
optimizer.step();

// Where nearly everything cancels, as in a bias in front of a batch norm, a gradient is hardly more than rounding, PyTorch's as well: what is smaller than
// 1/200 of the largest of all is compared to that.
const top = Math.max(...Object.values(exact).map(sizeOf));
const scale = (key: string) => Math.max(sizeOf(exact[key]), top / 200);
const gradients = model.namedParameters().map(([key, { grad }]) => ({
  key,
  ours: difference(grad as Tensor, grads[key]) / scale(key),
  exact: difference(grad as Tensor, exact[key]) / scale(key),
  torch: difference(grads[key], exact[key]) / scale(key),
}));
const worst = gradients.reduce((a, b) => (a.ours >= b.ours ? a : b));
const running = model.namedBuffers().filter(([key]) => key.includes("running"));
const measured: Measured = {
  seed,
  keys: own.length,
  sameKeys,
  megabytes,
  loadSeconds,
  beside,
  logits: logitError,
  loss: Math.abs(ourLoss.item() / loss - 1),
  running: Math.max(...running.map(([key, buffer]) => relative(buffer, after[key]))),
  gradients: worst.ours,
  gradientOf: worst.key,
  gradientsExact: Math.max(...gradients.map((one) => one.exact)),
  torchExact: Math.max(...gradients.map((one) => one.torch)),
  parameters: Math.max(...model.namedParameters().map(([key, value]) => relative(value, after[key]))),
  fuse: 0,
};
model.eval();
const now = noGrad(() => model.forward(images));
await io.save(at("after.pt"), { model: model.stateDict(), logits: now });
tools.fuse(model, { input: images });
measured.fuse = relative(
  noGrad(() => model.forward(images)),
  now,
);
console.log(JSON.stringify(measured));
