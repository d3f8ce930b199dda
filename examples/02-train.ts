// Trains a small convolutional network with batch norm on MNIST, and tests it. With a number it uses only so many images:
//   npm run example:train
//   npm run example:train -- 6000
import { data, F, manualSeed, nn, noGrad, optim } from "evenkeel";

manualSeed(0);
const train = await data.mnist({ mean: 0.1307, std: 0.3081 });
const test = await data.mnist({ mean: 0.1307, std: 0.3081, train: false });
const used = Math.min(Number(process.argv[2] ?? train.length), train.length);
const some = new data.Subset(train, [...Array(used).keys()]);
// A last batch of one would have no variance; dropLast makes sure that there is none.
const loader = new data.DataLoader(some, { batchSize: 100, shuffle: true, dropLast: true });
const testLoader = new data.DataLoader(test, { batchSize: 500 });

const model = new nn.Sequential(
  // No bias before batch norm: it would be subtracted again with the mean.
  new nn.Conv2d(1, 16, 3, { padding: 1, bias: false }),
  new nn.BatchNorm2d(16),
  new nn.ReLU(),
  new nn.MaxPool2d(2),
  new nn.Conv2d(16, 32, 3, { padding: 1, bias: false }),
  new nn.BatchNorm2d(32),
  new nn.ReLU(),
  new nn.MaxPool2d(2),
  new nn.Flatten(),
  new nn.Linear(32 * 7 * 7, 10),
);
const optimizer = new optim.SGD(model.parameters(), { lr: 0.01, momentum: 0.9 });
console.log(`${model}`);
console.log(`\ntraining on ${used} images`);

const started = performance.now();
const seconds = () => `${((performance.now() - started) / 1000).toFixed(1)} s`;

model.train();
let step = 0;
let sum = 0;
for await (const [images, labels] of loader) {
  optimizer.zeroGrad();
  const loss = F.crossEntropy(model.forward(images), labels);
  loss.backward();
  optimizer.step();
  // What this step made goes when the next one begins; the loss is read before.
  sum += loss.item();
  if (++step % 50 === 0 || step === loader.length) {
    const mean = sum / (step % 50 || 50);
    console.log(`step ${String(step).padStart(3)} of ${loader.length}  loss ${mean.toFixed(4)}  ${seconds()}`);
    sum = 0;
  }
}

// Evaluation normalizes by the running statistics, so an answer does not depend on the other images of its batch.
model.eval();
let right = 0;
for await (const [images, labels] of testLoader) {
  const answers = noGrad(() => model.forward(images)).argmax(1);
  right += answers.eq(labels).sum().item();
}
console.log(`\ntest accuracy ${((100 * right) / test.length).toFixed(2)} % after ${seconds()}`);
