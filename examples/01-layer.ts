// What a batch norm layer holds and does, one line after the other. The numbers are those of 01-layer.py, the same in PyTorch.
import { manualSeed, nn, rand, randn, Tensor } from "evenkeel";

function title(text: string) {
  console.log(`\n── ${text}`);
}

function show(name: string, value: unknown) {
  console.log(`${name}${value instanceof Tensor && value.ndim > 0 ? "\n" : " "}${value}`);
}

/** Mean and biased standard deviation of the first feature: the biased one is what a batch is divided by. */
function firstFeature(y: Tensor) {
  const feature = y.select(1, 0);
  const mean = feature.mean().item();
  const deviation = feature.std(0, { correction: 0 }).item();
  return `mean ${(Math.abs(mean) < 5e-5 ? 0 : mean).toFixed(4)}, standard deviation ${deviation.toFixed(4)}`;
}

manualSeed(0);
const x = randn([100, 16]).add(0.5);

title("100 samples of 16 features, drawn around 0.5 with variance 1, and a new layer");
const layer = new nn.BatchNorm1d(16);
console.log(`${layer}`);
show("runningMean", layer.runningMean);
show("runningVar", layer.runningVar);
show("numBatchesTracked", layer.numBatchesTracked);

title("training: the batch's own mean and variance normalize it; the running ones go a tenth of the way there");
let y = layer.forward(x);
console.log(`first feature, in:  ${firstFeature(x)}`);
console.log(`first feature, out: ${firstFeature(y)}`);
// From 0 a tenth of the way (momentum 0.1) to about 0.5: about 0.05. The variance was about 1 from the start.
show("runningMean", layer.runningMean);
show("runningVar", layer.runningVar);
show("numBatchesTracked", layer.numBatchesTracked);

title("evaluation: the running statistics normalize, and stay as they are");
layer.eval();
let z = layer.forward(x);
// Not 0: the running mean has only come a tenth of the way. A layer that has seen too few batches evaluates wrongly.
console.log(`first feature, out: ${firstFeature(z)}`);
show("numBatchesTracked", layer.numBatchesTracked);

title("after 100 batches the running mean has arrived at the batch's, and evaluation gives nearly what training gives");
layer.train();
for (let i = 0; i < 99; i++) layer.forward(x);
show("mean of the batch", x.mean(0));
show("runningMean", layer.runningMean);
show("numBatchesTracked", layer.numBatchesTracked);
layer.eval();
z = layer.forward(x);
// Not quite 1: the running variance is the unbiased one, n / (n − 1) times the biased one of the batch.
console.log(`first feature, out: ${firstFeature(z)}`);

title("gamma scales, beta shifts: they are learned, and start as 1 and 0");
show("weight (gamma)", layer.weight);
show("bias (beta)", layer.bias);
nn.init.constant_(layer.weight!, 2);
nn.init.constant_(layer.bias!, 3);
layer.train();
y = layer.forward(x);
console.log(`with gamma 2 and beta 3: ${firstFeature(y)}`);

title("images: BatchNorm2d has one mean and one variance a channel, taken over all images and positions");
const images = rand([1, 16, 7, 7]);
const layer2d = new nn.BatchNorm2d(16);
const out = layer2d.forward(images);
console.log(`[${images.shape.join(", ")}] in, [${out.shape.join(", ")}] out`);
show("first channel, in", images.at(0, 0));
show("first channel, out", out.at(0, 0).detach());
show("weight", layer2d.weight);
show("bias", layer2d.bias);
show("numFeatures", layer2d.numFeatures);
show("eps", layer2d.eps);
show("momentum", layer2d.momentum);
show("affine", layer2d.affine);
show("trackRunningStats", layer2d.trackRunningStats);
show("runningMean", layer2d.runningMean);
show("runningVar", layer2d.runningVar);
show("numBatchesTracked", layer2d.numBatchesTracked);
show("training", layer2d.training);

title("the samples of 16 features again, this time in BatchNorm2d");
try {
  layer2d.forward(x);
} catch (error) {
  console.log(`${error}`); // PyTorch's sentence, then what to use instead
}
