// What to do with a trained network when its images change: 04-finetune.pt was trained by PyTorch on clean digits (04-finetune.py). Here it meets noise, low contrast
// and blur: as it is, with new batch-norm statistics (no labels), with TENT (no labels), and trained on.
//   npm run example:finetune
import { fileURLToPath } from "node:url";
import {
  data,
  F,
  Generator,
  io,
  manualSeed,
  nn,
  noGrad,
  optim,
  randn,
  type Tensor,
  tensor,
  tidy,
  tools,
} from "evenkeel";

const CHECKPOINT = "examples/04-finetune.pt";

type Shift = (images: Tensor) => Tensor;

/** Gaussian noise on every pixel. */
const noise =
  (sigma: number): Shift =>
  (x) =>
    x.add(randn([...x.shape], { generator: new Generator(1) }).mul(sigma)).clamp({ min: 0, max: 1 });

/** Every image nearer to grey. */
const contrast =
  (factor: number): Shift =>
  (x) =>
    x.sub(0.5).mul(factor).add(0.5);

/** A Gaussian blur, first along the rows, then along the columns. */
const blur =
  (sigma: number): Shift =>
  (x) => {
    const reach = Math.ceil(3 * sigma);
    const weights = Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-0.5 * ((i - reach) / sigma) ** 2));
    const sum = weights.reduce((a, b) => a + b, 0);
    const kernel = tensor(weights.map((weight) => weight / sum));
    const rows = F.conv2d(x, kernel.reshape([1, 1, 1, -1]), { padding: [0, reach] });
    return F.conv2d(rows, kernel.reshape([1, 1, -1, 1]), { padding: [reach, 0] });
  };

const SHIFTS: readonly [name: string, shift: Shift][] = [
  ["noise, σ = 0.3", noise(0.3)],
  ["contrast × 0.4", contrast(0.4)],
  ["blur, σ = 1.5 pixels", blur(1.5)],
];

/** So many images of a set, evenly spread, shifted once and for all. */
function shifted(set: data.ImageDataset, count: number, shift: Shift): data.TensorDataset {
  const [images, labels] = set.getBatch(Array.from({ length: count }, (_, i) => Math.floor((i * set.length) / count)));
  return new data.TensorDataset(
    tidy(() => shift(images)),
    labels,
  );
}

/** The network of 04-finetune.py, with the weights that it saved. */
async function pretrained(): Promise<nn.Sequential> {
  const model = new nn.Sequential(
    new nn.Conv2d(1, 16, 3, { padding: 1, bias: false }),
    new nn.BatchNorm2d(16),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Conv2d(16, 32, 3, { padding: 1, bias: false }),
    new nn.BatchNorm2d(32),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Conv2d(32, 64, 3, { padding: 1, bias: false }),
    new nn.BatchNorm2d(64),
    new nn.ReLU(),
    new nn.AdaptiveAvgPool2d(1),
    new nn.Flatten(),
    new nn.Linear(64, 10),
  );
  model.loadStateDict(await io.load(CHECKPOINT));
  return model.eval();
}

/** The share of images that are recognized, in percent. */
async function accuracy(set: data.TensorDataset, scoresOf: (images: Tensor) => Tensor): Promise<number> {
  let right = 0;
  for await (const [images, labels] of new data.DataLoader(set, { batchSize: 200 })) {
    right += noGrad(() => scoresOf(images))
      .argmax(1)
      .eq(labels)
      .sum()
      .item();
  }
  return (100 * right) / set.length;
}

/** Trains all weights on shifted images with their labels. */
async function tune(model: nn.Module, set: data.TensorDataset, epochs: number): Promise<void> {
  const loader = new data.DataLoader(set, { batchSize: 50, shuffle: true });
  const optimizer = new optim.Adam(model.parameters(), { lr: 1e-3 });
  model.train();
  for (let epoch = 0; epoch < epochs; epoch++) {
    for await (const [images, labels] of loader) {
      optimizer.zeroGrad();
      F.crossEntropy(model.forward(images), labels).backward();
      optimizer.step();
    }
  }
  model.eval();
}

/** Accuracies under one shift, in percent. */
export interface Row {
  shift: string;
  frozen: number;
  adapted: number;
  tent: number;
  tuned: number;
}

const plain = (model: nn.Module) => (images: Tensor) => model.forward(images);

/**
 * @param tested how many images of the test set
 * @param few how many images of the new kind there are to adapt to: of the training set, so that no test image is among them
 */
export async function run(
  log: (line: string) => void,
  tested = 5000,
  few = 1000,
  epochs = 5,
): Promise<{ clean: number; rows: Row[] }> {
  manualSeed(0);
  const [train, test] = [await data.mnist(), await data.mnist({ train: false })];
  const started = performance.now();
  const say = (text: string) => log(`${((performance.now() - started) / 1000).toFixed(1).padStart(5)} s  ${text}`);
  const clean = await accuracy(
    shifted(test, tested, (x) => x),
    plain(await pretrained()),
  );
  say(`clean: ${clean.toFixed(1)} %`);

  const rows: Row[] = [];
  for (const [name, shift] of SHIFTS) {
    const [seen, unseen] = [shifted(train, few, shift), shifted(test, tested, shift)];
    const model = await pretrained();
    const frozen = await accuracy(unseen, plain(model));
    say(`${name}: frozen ${frozen.toFixed(1)} %`);

    const adaptation = await tools.adaBn(model, new data.DataLoader(seen, { batchSize: 200 }));
    const adapted = await accuracy(unseen, plain(model));
    adaptation.reset();
    say(`${name}: adapted ${adapted.toFixed(1)} %`);

    // TENT learns from the test images themselves, as they come, a step each batch.
    const adapter = new tools.Tent(model);
    const tent = await accuracy(unseen, (images) => adapter.forward(images));
    adapter.reset();
    adapter.close();
    say(`${name}: TENT ${tent.toFixed(1)} %`);

    await tune(model, seen, epochs);
    const tuned = await accuracy(unseen, plain(model));
    say(`${name}: tuned ${tuned.toFixed(1)} %`);
    rows.push({ shift: name, frozen, adapted, tent, tuned });
    for (const kept of [...seen.tensors, ...unseen.tensors]) kept.dispose();
  }
  return { clean, rows };
}

/** The accuracies, and how much of what was lost adaptation wins back. */
export function table(clean: number, rows: readonly Row[]): string {
  const cells = (texts: readonly string[]) => texts.map((text) => text.padStart(9)).join("");
  const back = ({ frozen, adapted }: Row) => `${((100 * (adapted - frozen)) / (clean - frozen)).toFixed(0)} %`;
  return [
    `test accuracy, %    ${cells(["frozen", "adapted", "TENT", "tuned"])}   won back by adaptation`,
    `${"clean".padEnd(20)}${cells([clean.toFixed(1)])}`,
    ...rows.map((row) => {
      const numbers = [row.frozen, row.adapted, row.tent, row.tuned].map((value) => value.toFixed(1));
      return `${row.shift.padEnd(20)}${cells(numbers)}   ${back(row)}`;
    }),
  ].join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { clean, rows } = await run(console.log);
  console.log(`\n${table(clean, rows)}`);
}
