// Prints the memory of 10,000 training steps, with a loader and without: the lines are flat. Fails if they are not.
//   npm run memory
// Needs node --expose-gc, to see what is held rather than what waits for the collector.
import { data, F, manualSeed, memoryUsage, nn, optim, randint, randn } from "evenkeel";

const STEPS = Number(process.argv[2] ?? 10_000);
const EVERY = STEPS / 10;

const network = () =>
  new nn.Sequential(
    new nn.Linear(784, 100),
    new nn.BatchNorm1d(100),
    new nn.ReLU(),
    new nn.Linear(100, 100),
    new nn.BatchNorm1d(100),
    new nn.ReLU(),
    new nn.Linear(100, 10),
  );

function train(model, optimizer, images, labels) {
  optimizer.zeroGrad();
  const loss = F.crossEntropy(model.forward(images), labels);
  loss.backward();
  optimizer.step();
  return loss;
}

const MIB = 2 ** 20;

/** Prints a line for every tenth of the steps. */
function table() {
  const cells = (...values) => console.log(values.map((value) => String(value).padStart(13)).join(""));
  const lines = [];
  cells("step", "loss", "tensors", "in use, KiB", "heap, MiB", "JS, MiB", "process, MiB");
  return {
    line(step, loss) {
      globalThis.gc();
      const { pinned, scoped, program, tensors, reserved } = memoryUsage();
      const { heapUsed, rss } = process.memoryUsage();
      const inUse = pinned + scoped + program;
      lines.push({ tensors, inUse, reserved, heapUsed });
      const [held, js, all] = [inUse / 1024, heapUsed / MIB, rss / MIB];
      cells(step, loss.toFixed(4), tensors, held.toFixed(1), reserved / MIB, js.toFixed(1), all.toFixed(0));
    },
    /** Tensors hold after each tenth what they held after the first; JavaScript's own heap by less than a MiB more. */
    isFlat() {
      const [first, last] = [lines[0], lines.at(-1)];
      const same = lines.every((line) => ["tensors", "inUse", "reserved"].every((key) => line[key] === first[key]));
      return same && last.heapUsed - first.heapUsed < MIB;
    },
  };
}

async function withLoader() {
  console.log("With a loader: MNIST, batches of 60");
  manualSeed(0);
  const loader = new data.DataLoader(await data.mnist({ flat: true }), { batchSize: 60, shuffle: true });
  const model = network();
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.01, momentum: 0.9 });
  const { line, isFlat } = table();
  for (let step = 0; step < STEPS; ) {
    for await (const [images, labels] of loader) {
      const loss = train(model, optimizer, images, labels);
      if (++step % EVERY === 0) line(step, loss.item());
      if (step === STEPS) break;
    }
  }
  return isFlat();
}

function withoutLoader() {
  console.log("\nWithout a loader: batches of 60 random rows made in the loop");
  manualSeed(0);
  const model = network();
  const optimizer = new optim.Adam(model.parameters());
  const { line, isFlat } = table();
  for (let step = 1; step <= STEPS; step++) {
    const loss = train(model, optimizer, randn([60, 784]), randint(0, 10, [60]));
    if (step % EVERY === 0) line(step, loss.item());
  }
  return isFlat();
}

const flat = [await withLoader(), withoutLoader()];
console.log(flat.every(Boolean) ? "\nFlat: nothing grows." : "\nNot flat: something grows.");
process.exitCode = flat.every(Boolean) ? 0 : 1;
