// One rank of the measurement: argv[2] images a rank, argv[3] steps. Rank 0 prints a line of JSON.
import { empty, F, manualSeed, models, nn, optim, randint, randn, tidy } from "evenkeel";
import { DistributedDataParallel, init } from "evenkeel/distributed";

const ranks = await init();
const [batch, count] = process.argv.slice(2).map(Number);

function summary(times) {
  const sorted = [...times].sort((a, b) => a - b);
  return { median: sorted[sorted.length >> 1], least: sorted[0] };
}

/** Milliseconds of a body, after a few that are not counted; the ranks begin together. */
function timed(times, body) {
  const found = [];
  for (let i = 0; i < times + 3; i++) {
    ranks.barrier();
    const start = performance.now();
    body();
    if (i >= 3) found.push(performance.now() - start);
  }
  return summary(found);
}

const calls = [];
for (const length of [1, 64, 1024, 16384, 262144, 272474, 1 << 20, 1 << 22]) {
  const x = empty([length]).zero_();
  const y = empty([length]).zero_();
  const name = length === 272474 ? "allReduce, ResNet-20" : "allReduce";
  const bytes = 4 * length;
  const times = length > 100_000 ? 20 : 300;
  calls.push({ name, bytes, ...timed(times, () => ranks.allReduce_(x)) });
  if (length >= 262144)
    calls.push({ name: "  started, then waited for", bytes, ...timed(times, () => ranks.startSum_(x).wait()) });
  if (length >= 262144) calls.push({ name: "  memcpy", bytes, ...timed(times, () => y.copy_(x)) });
  if (length === 64)
    calls.push({ name: "allGather", bytes, ...timed(times, () => tidy(() => void ranks.allGather(x))) });
  x.dispose();
  y.dispose();
}

/** A network, how it is trained, and the times of its steps. */
function trained(name, { sync = false, parallel = true } = {}) {
  manualSeed(0);
  const model = models.resnet20();
  if (sync) nn.convertSyncBatchNorm(model);
  const whole = parallel ? new DistributedDataParallel(model, { broadcastBuffers: false }) : model;
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.01, momentum: 0.9 });
  return { name, whole, optimizer, times: [] };
}

const ways = [
  trained("each rank by itself", { parallel: false }),
  trained("gradients averaged", {}),
  trained("gradients averaged, SyncBatchNorm", { sync: true }),
];
const images = randn([batch, 3, 32, 32]).keep();
const labels = randint(0, 10, [batch]).keep();
// The ways take turns, so that whatever else the computer does meets all of them.
for (let step = 0; step < count + 2; step++) {
  for (const { whole, optimizer, times } of ways) {
    ranks.barrier();
    const start = performance.now();
    tidy(() => {
      optimizer.zeroGrad();
      F.crossEntropy(whole.forward(images), labels).backward();
      optimizer.step();
    });
    if (step >= 2) times.push(performance.now() - start);
  }
}
const steps = ways.map(({ name, times }) => ({ name, ...summary(times) }));
if (ranks.rank === 0) console.log(JSON.stringify({ ranks: ranks.worldSize, batch, calls, steps }));
