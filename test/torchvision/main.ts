// Takes torchvision's networks through evenkeel and back: checkpoints with random parameters and statistics that PyTorch saves, evaluated, trained for a
// step, folded, and written for PyTorch to load.
//   npm run test:torchvision -- --models resnet18,vgg16_bn --seed 1 --side 224 --batch 2
import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { type Checked, failures, type Measured, type ModelName, NAMES, row, TITLE, TRAIN_SIDE } from "./table.ts";

const USAGE = `npm run test:torchvision -- [options]
  --models A,B   of ${NAMES.join(", ")} (all)
  --seed N       the first draw of parameters, statistics and images that is tried (1)
  --side N       height and width of the images, 224; of the training step too, at most (see table.ts)
  --batch N      how many images (2)
  --shift N      β is drawn from N to N + 1 (1): how far activations are from ReLU's kink
  --python P     a Python that has torchvision (Debian's, else the one on the path)`;

const run = promisify(execFile);
const MOST_OUTPUT = 2 ** 26;

function stop(message: string): never {
  console.error(message);
  process.exit(2);
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        models: { type: "string", default: NAMES.join() },
        seed: { type: "string", default: "1" },
        side: { type: "string", default: "224" },
        batch: { type: "string", default: "2" },
        shift: { type: "string", default: "1" },
        python: { type: "string" },
      },
    });
    const names = values.models.split(",") as ModelName[];
    const strange = names.find((name) => !NAMES.includes(name));
    if (strange !== undefined) stop(`There is no model "${strange}"\n\n${USAGE}`);
    const numbers = [values.seed, values.side, values.batch, values.shift];
    // Below 32 pixels a side the last stage of these networks has nothing left.
    const [seed, side, batch, shift] = numbers.map(Number);
    if (!numbers.every((text, i) => (i === 3 ? /^\d+(\.\d+)?$/ : /^\d+$/).test(text)) || side < 32 || batch < 2)
      stop(`--seed takes a whole number, --shift a number from 0, --side one from 32, --batch one from 2\n\n${USAGE}`);
    return { names, seed, side, batch, shift, python: values.python };
  } catch (error) {
    return stop(`${(error as Error).message}\n\n${USAGE}`);
  }
}

/** A Python that has both. Debian's comes first: another one on the path seldom sees Debian's packages. */
function findPython(given: string | undefined): string {
  const candidates = given ? [given] : ["/usr/bin/python3", "python3"];
  const has = (python: string, what: string) => spawnSync(python, ["-c", `import ${what}`]).status === 0;
  const found = candidates.find((python) => has(python, "torch, torchvision"));
  if (found) return found;
  const missing = ["torch", "torchvision"].filter((name) => !has(candidates[0], name));
  return stop(
    `${candidates.join(" and ")} cannot import ${missing.join(" and ")}. On Debian or Ubuntu:\n` +
      `  sudo apt-get install ${missing.map((name) => `python3-${name}`).join(" ")}`,
  );
}

async function main(): Promise<void> {
  const { names, seed, side, batch, shift, python: given } = readOptions();
  const python = findPython(given);
  const script = "test/torchvision/models.py";
  const measure = fileURLToPath(new URL("measure.js", import.meta.url));
  const versions =
    "import torch, torchvision; print(f'PyTorch {torch.__version__}, torchvision {torchvision.__version__}')";
  const { stdout: version } = await run(python, ["-c", versions]);
  console.log(`${version.trim()}; images [${batch}, 3, ${side}, ${side}], seed ${seed}, β from ${shift}\n\n${TITLE}`);
  let failed = 0;
  for (const name of names) {
    const folder = mkdtempSync(join(tmpdir(), "evenkeel-torchvision-"));
    try {
      const drawn = [seed, side, Math.min(side, TRAIN_SIDE[name]), batch, shift].map(String);
      await run(python, [script, "make", name, folder, ...drawn], { maxBuffer: MOST_OUTPUT });
      const ours = await run(process.execPath, [measure, name, folder], { maxBuffer: MOST_OUTPUT });
      const measured = JSON.parse(ours.stdout) as Measured;
      const theirs = await run(python, [script, "check", name, folder], { maxBuffer: MOST_OUTPUT });
      const checked = JSON.parse(theirs.stdout) as Checked;
      console.log(row(name, measured, checked));
      for (const failure of failures(measured, checked)) {
        failed++;
        console.log(`  ${failure}`);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  console.log(
    "\nDifferences are relative to the largest element of a tensor, the largest over all tensors. Gradients also beside float64: evenkeel's / PyTorch's own;" +
      "\nwhat is less than 1/200 of the largest gradient of all is relative to that." +
      "\nBack: PyTorch loads what evenkeel wrote; the logits are those after the step. Beside: memory that loading took, less the tensors.",
  );
  process.exitCode = failed ? 1 : 0;
}

await main();
