// MNIST on several processes: evenkeel launch -n 2 build/examples/distributed/train.js [images]
// The same script runs alone (node train.js) and ends with the same network: the ranks share every batch, and SyncBatchNorm its statistics.
import { existsSync } from "node:fs";
import { data, F, Generator, manualSeed, nn, noGrad, optim } from "evenkeel";
import {
  DistributedDataParallel,
  globalMean,
  init,
  loadTrainingState,
  ShardedDataset,
  saveTrainingState,
} from "evenkeel/distributed";

const ranks = await init();
const first = ranks.rank === 0;

manualSeed(0);
const train = await data.mnist({ mean: 0.1307, std: 0.3081 });
const test = await data.mnist({ mean: 0.1307, std: 0.3081, train: false });
const used = Math.min(Number(process.argv[2] ?? train.length), train.length);
const some = new data.Subset(train, [...Array(used).keys()]);
// The batch size is that of all ranks together. The order comes from a generator of its own, the same on all ranks.
const loader = new data.DataLoader(new ShardedDataset(some), {
  batchSize: 100,
  shuffle: true,
  generator: new Generator(0),
});

const model = new nn.Sequential(
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
nn.convertSyncBatchNorm(model);
const parallel = new DistributedDataParallel(model);
const optimizer = new optim.SGD(model.parameters(), { lr: 0.01, momentum: 0.9 });

// Run it again after it was stopped, on as many processes as you like: it goes on where it was.
const path = process.argv[3];
const parts = { model, optimizer, loader };
let step = 0;
if (path && existsSync(path)) ({ step } = await loadTrainingState<{ step: number }>(path, parts));

for await (const [images, labels] of loader) {
  optimizer.zeroGrad();
  const loss = globalMean(F.crossEntropy(parallel.forward(images), labels, { reduction: "none" }));
  loss.backward();
  optimizer.step();
  step++;
  if (step % 50 === 0 || step === loader.length) {
    const mean = ranks.allReduce(loss.detach(), { op: "mean" }).item();
    if (first) console.log(`step ${String(step).padStart(3)} of ${loader.length}  loss ${mean.toFixed(4)}`);
    if (path) await saveTrainingState(path, parts, { step });
  }
}

// Rank 0 alone evaluates the module itself: nothing is exchanged then, and the others wait at the end.
if (first) {
  model.eval();
  let right = 0;
  for await (const [images, labels] of new data.DataLoader(test, { batchSize: 500 })) {
    const answers = noGrad(() => model.forward(images)).argmax(1);
    right += answers.eq(labels).sum().item();
  }
  console.log(`${ranks.worldSize} processes, test accuracy ${((100 * right) / test.length).toFixed(2)} %`);
}
