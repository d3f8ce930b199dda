// A PyTorch script and its port: 03-port.py, line by line. Both draw the same weights and the same batches from the same seed, and so the same
// curve of losses: they agree to 1e-4 over the first 200 steps.
//   npm run build && node build/examples/03-port.js
import { fileURLToPath } from "node:url";
import { data, F, manualSeed, nn, noGrad, optim } from "evenkeel";

export async function train(
  steps = 200,
  log?: (line: string) => void,
): Promise<{ losses: number[]; accuracy: number }> {
  manualSeed(0);
  const loader = new data.DataLoader(await data.mnist({ flat: true }), { batchSize: 60, shuffle: true });
  // SiLU, not ReLU: at ReLU's kink a difference in the last bit becomes a visible one, and two PyTorch releases are
  // 10 % apart within 200 steps. Smooth all the way, they agree to 1e-6.
  const model = new nn.Sequential(
    new nn.Linear(784, 100),
    new nn.BatchNorm1d(100),
    new nn.SiLU(),
    new nn.Linear(100, 100),
    new nn.BatchNorm1d(100),
    new nn.SiLU(),
    new nn.Linear(100, 10),
  );
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });

  const losses: number[] = [];
  for await (const [images, labels] of loader) {
    optimizer.zeroGrad();
    const loss = F.crossEntropy(model.forward(images), labels);
    loss.backward();
    optimizer.step();
    losses.push(loss.item());
    if (log && losses.length % 10 === 0) {
      log(`step ${String(losses.length).padStart(3)}  loss ${losses[losses.length - 1].toFixed(4)}`);
    }
    if (losses.length === steps) break;
  }

  model.eval();
  const test = await data.mnist({ train: false, flat: true });
  const [images, labels] = test.getBatch([...Array(test.length).keys()]);
  const accuracy = noGrad(() => model.forward(images).argmax(1).eq(labels).float().mean().item());
  return { losses, accuracy };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { accuracy } = await train(200, console.log);
  console.log(`test accuracy after 200 steps: ${(100 * accuracy).toFixed(2)} %`);
}
