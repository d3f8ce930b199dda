// Trains a small network on the ranks of the job, in every way that argv[2] lists, and writes loss curves and running statistics to argv[3].
import { writeFileSync } from "node:fs";
import { data, F, Generator, manualSeed, nn, optim, randint, randn } from "evenkeel";
import { DistributedDataParallel, globalMean, init, ShardedDataset } from "evenkeel/distributed";

const ranks = await init();

/** SiLU, since ReLU and max pooling turn a last bit into a visible difference. */
async function train({ batchSize, sync, steps }) {
  manualSeed(0);
  const samples = 35;
  const set = new data.TensorDataset(randn([samples, 2, 6, 6]).mul(3).add(1), randint(0, 4, [samples]));
  const model = new nn.Sequential(
    new nn.Conv2d(2, 6, 3, { bias: false }),
    new nn.BatchNorm2d(6),
    new nn.SiLU(),
    new nn.Conv2d(6, 8, 3, { bias: false }),
    new nn.BatchNorm2d(8),
    new nn.SiLU(),
    new nn.Flatten(),
    new nn.Linear(8 * 4, 4),
  );
  if (sync) nn.convertSyncBatchNorm(model);
  const parallel = new DistributedDataParallel(model, { bucketBytes: 2048, broadcastBuffers: !sync });
  const optimizer = new optim.SGD(parallel.parameters(), { lr: 0.02, momentum: 0.9 });
  const generator = new Generator(1);
  const loader = new data.DataLoader(new ShardedDataset(set), { batchSize, shuffle: true, dropLast: !sync, generator });
  const losses = [];
  while (losses.length < steps) {
    for await (const [x, y] of loader) {
      optimizer.zeroGrad();
      const loss = globalMean(F.crossEntropy(parallel.forward(x), y, { reduction: "none" }));
      loss.backward();
      optimizer.step();
      losses.push(ranks.allReduce(loss.detach(), { op: "mean" }).item());
    }
  }
  // all of them: of each rank
  const statistics = model.buffers().filter((buffer) => buffer.dtype === "float32");
  const onRanks = statistics.map((buffer) => ranks.allGather(buffer).map((each) => each.toArray()));
  const weights = model
    .parameters()
    .map((parameter) => ranks.allGather(parameter.detach()).map((each) => each.flatten().toArray()));
  return { losses, statistics: onRanks, weights };
}

const results = [];
for (const way of JSON.parse(process.argv[2])) results.push(await train(way));
if (ranks.rank === 0) writeFileSync(process.argv[3], JSON.stringify(results));
