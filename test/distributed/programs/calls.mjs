// Every call of a Communicator, and what DistributedDataParallel does beside the ordinary; writes what came out to argv[2].
import { writeFileSync } from "node:fs";
import { cat, data, Generator, manualSeed, nn, ones, randn, tensor } from "evenkeel";
import {
  DistributedDataParallel,
  init,
  loadTrainingState,
  ShardedDataset,
  saveTrainingState,
} from "evenkeel/distributed";

const ranks = await init();
const { rank, worldSize } = ranks;
const all = {};
const own = (values, dtype) =>
  tensor(
    values.map((value) => value + rank),
    { dtype },
  );

for (const dtype of ["float32", "float64", "int32", "uint8"]) {
  for (const op of ["sum", "max", "min"])
    all[`${dtype} ${op}`] = ranks.allReduce(own([1, 2, 3], dtype), { op }).toArray();
}
all["int64 sum"] = ranks
  .allReduce(tensor([10n ** 17n]))
  .toTypedArray()[0]
  .toString();
all.mean = ranks.allReduce(own([1, 2]), { op: "mean" }).toArray();
// longer than a piece, and the same bits on all ranks
manualSeed(rank);
const long = randn([600_001]);
const parts = ranks.allGather(long);
const added = parts.reduce((a, b) => a.add(b));
const sum = ranks.allReduce(long);
all.long = sum.sub(added).abs().max().item() < 1e-5;
all.sameBits = ranks.allGather(sum).every((each) => each.sub(sum).abs().max().item() === 0);
all.gathered = ranks.allGather(tensor([[rank, 1]]).t()).map((each) => each.toArray());
all.bool = ranks.allGather(tensor([rank === 0])).map((each) => each.toArray());
all.broadcast = ranks.broadcast_(own([5]), { source: worldSize - 1 }).toArray();
all.empty = [ranks.allReduce(ones([0])).shape, ranks.allGather(ones([0])).length];
const pending = ranks.startSum_(own([1]).keep());
ranks.barrier();
pending.wait();
all.startSum = pending.test();

const message = (body) => {
  try {
    body();
    return "";
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
};
all.errors = [
  message(() => ranks.allReduce(tensor([true]))),
  message(() => ranks.allReduce(tensor([1n]), { op: "mean" })),
  message(() => ranks.allReduce_(ones([2, 3]).t())),
  message(() => ranks.broadcast_(ones([1]), { source: worldSize })),
  message(() => new DistributedDataParallel(new nn.Linear(rank + 1, 1))),
];

// Accumulation: one backward without and one with a reduction is the reduction of both.
const linear = () => {
  manualSeed(7);
  return new nn.Linear(3, 2);
};
const gradientOf = (body) => {
  const model = linear();
  body(new DistributedDataParallel(model, { bucketBytes: 4 }));
  return model.weight.grad.toArray();
};
const x = ones([1, 3]).mul(rank + 1);
all.noSync = [
  gradientOf((model) => {
    model.noSync(() => model.forward(x).sum().backward());
    model.forward(x.mul(10)).sum().backward();
  }),
  gradientOf((model) => model.forward(x.mul(11)).sum().backward()),
  gradientOf((model) => model.noSync(() => model.forward(x).sum().backward())),
];

// Parameters that a rank, or all, leave out.
class Two extends nn.Module {
  a = new nn.Linear(2, 1);
  b = new nn.Linear(2, 1);
  never = new nn.Linear(2, 1);
  forward(input, withB) {
    const y = this.a.forward(input);
    return withB ? y.add(this.b.forward(input)) : y;
  }
}
const two = new Two();
new DistributedDataParallel(two, { findUnusedParameters: true })
  .forward(ones([1, 2]), rank === 0)
  .sum()
  .backward();
all.unused = [two.a, two.b, two.never].map((layer) => layer.weight.grad?.toArray() ?? null);
const strict = new DistributedDataParallel(new Two());
all.errors.push(
  message(() =>
    strict
      .forward(ones([1, 2]), true)
      .sum()
      .backward(),
  ),
);

// SyncBatchNorm's calls between reductions under way: accumulation, a layer that is left out, a rank without samples.
class Stack extends nn.Module {
  body = nn.convertSyncBatchNorm(
    new nn.Sequential(
      new nn.Conv2d(1, 2, 3),
      new nn.BatchNorm2d(2),
      new nn.ReLU(),
      new nn.Conv2d(2, 3, 3),
      new nn.BatchNorm2d(3),
      new nn.Conv2d(3, 1, 1),
    ),
  );
  never = new nn.Linear(1, 1);
  forward(input) {
    return this.body.forward(input).square().sum();
  }
}
const stacked = (how) => {
  manualSeed(9);
  const net = new Stack();
  manualSeed(20 + rank);
  const images = randn([rank === 1 ? 0 : 2 + rank, 1, 6, 6]);
  how(net, images);
  return net.body.parameters().map((parameter) => parameter.grad);
};
const whole = stacked((net, images) => {
  for (let i = 0; i < 2; i++) net.forward(images).backward();
}).map((gradient) => ranks.allReduce(gradient, { op: "mean" }));
const reduced = stacked((net, images) => {
  const wrapped = new DistributedDataParallel(net, { bucketBytes: 64, findUnusedParameters: true });
  wrapped.noSync(() => wrapped.forward(images).backward());
  wrapped.forward(images).backward();
});
all.synchronized = Math.max(
  ...whole.map((gradient, i) => gradient.sub(reduced[i]).abs().max().item() / gradient.abs().max().item()),
);
all.synchronizedBits = reduced.every((gradient) =>
  ranks.allGather(gradient).every((each) => each.sub(gradient).abs().max().item() === 0),
);

// Buffers of batch norm by its own samples: rank 0's for all at the next pass.
manualSeed(rank);
const bn = new nn.BatchNorm1d(2);
const parallel = new DistributedDataParallel(bn);
parallel.forward(randn([4, 2]));
all.buffersDiffer = ranks.allGather(bn.runningMean).map((each) => each.toArray());
bn.momentum = 0;
parallel.forward(randn([4, 2]));
all.buffersEqual = ranks.allGather(bn.runningMean).map((each) => each.toArray());

// A run that goes on, maybe on another number of ranks: argv[3] is the file, argv[4] says whether it is there.
const set = new data.TensorDataset(tensor([...Array(20).keys()]));
const generator = new Generator(2);
const loader = new data.DataLoader(new ShardedDataset(set), { batchSize: 6, shuffle: true, generator });
const model = new nn.BatchNorm1d(1);
const seen = async (limit) => {
  const batches = [];
  for await (const [values] of loader) {
    const counts = ranks.allGather(tensor([values.numel]));
    const padded = cat([values, ones([20 - values.numel]).mul(-1)]);
    const everyone = ranks.allGather(padded).flatMap((each) => each.toArray());
    batches.push({ values: everyone.filter((value) => value >= 0), shares: counts.map((count) => count.item()) });
    if (batches.length === limit) {
      await saveTrainingState(process.argv[3], { model, loader }, { limit });
      break;
    }
  }
  return batches;
};
if (process.argv[4] === "resume") all.extra = await loadTrainingState(process.argv[3], { model, loader });
all.batches = await seen(process.argv[4] === "resume" ? 0 : 2);
all.missing = await loadTrainingState("/nowhere/state.pt", { model, loader }).catch(
  (error) => `${error.name}: ${error.message}`,
);
manualSeed(rank);
const apart = new data.DataLoader(new ShardedDataset(set), { batchSize: 6, shuffle: true });
all.apart = await apart[Symbol.asyncIterator]()
  .next()
  .catch((error) => `${error.name}: ${error.message}`);

if (rank === 0) writeFileSync(process.argv.at(-1), JSON.stringify(all));
