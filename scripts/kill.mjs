// Kills a training run with SIGKILL at random moments, most of them in the middle of saving, and resumes it. After every kill the file must be
// whole; in the end the weights must be those of a run that nobody disturbed.
//   npm run kill -- --kills 50 --seed 1
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { data, F, io, manualSeed, nn, optim, randint, randn } from "evenkeel";

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "50" },
    seed: { type: "string", default: "1" },
    child: { type: "string" },
  },
});

const EPOCHS = 40;

/** Trains in a folder, from where its state.pt is, and saves after every step: 2.4 MB, weights and Adam's averages. */
async function train(folder) {
  manualSeed(0);
  const images = new data.TensorDataset(randn([160, 256]), randint(0, 10, [160]));
  const model = new nn.Sequential(
    new nn.Linear(256, 384),
    new nn.BatchNorm1d(384),
    new nn.ReLU(),
    new nn.Dropout(),
    new nn.Linear(384, 10),
  );
  const optimizer = new optim.Adam(model.parameters());
  const scheduler = new optim.CosineAnnealingLR(optimizer, EPOCHS * 10);
  const loader = new data.DataLoader(images, { batchSize: 16, shuffle: true });
  const parts = { model, optimizer, scheduler, loader };
  const path = join(folder, "state.pt");
  let epoch = 0;
  if (existsSync(path)) ({ epoch } = await io.loadTrainingState(path, parts));
  process.send?.("running");
  for (; epoch < EPOCHS; epoch++) {
    for await (const [x, y] of loader) {
      optimizer.zeroGrad();
      F.crossEntropy(model.forward(x), y).backward();
      optimizer.step();
      scheduler.step();
      await io.saveTrainingState(path, parts, { epoch });
    }
  }
  await io.save(join(folder, "final.safetensors"), model.stateDict());
}

/** Runs the training in a process of its own; kills it so many milliseconds after it has begun. Says whether it came to its end. */
function run(folder, killAfter) {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), "--child", folder], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  if (killAfter !== undefined) child.once("message", () => setTimeout(() => child.kill("SIGKILL"), killAfter));
  return new Promise((resolve, reject) => {
    child.once("exit", (code, signal) => {
      if (code === 0 || signal === "SIGKILL") resolve(code === 0);
      else reject(new Error(`the run ended with code ${code}`));
    });
  });
}

/** Numbers from [0, 1) that a seed fixes. */
function* random(seed) {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield state / 2 ** 32;
  }
}

async function main(kills, seed) {
  const folder = mkdtempSync(join(tmpdir(), "evenkeel-kill-"));
  const newFolder = () => mkdtempSync(join(folder, "run-"));
  const finalOf = (home) => readFileSync(join(home, "final.safetensors"));
  const draw = random(seed);
  try {
    const undisturbed = newFolder();
    const start = performance.now();
    await run(undisturbed);
    console.log(
      `undisturbed: ${EPOCHS * 10} steps, each saved, in ${((performance.now() - start) / 1000).toFixed(1)} s`,
    );
    const expected = finalOf(undisturbed);
    let [done, saving, compared, damaged, different] = [0, 0, 0, 0, 0];
    let home = newFolder();
    while (done < kills || !existsSync(join(home, "final.safetensors"))) {
      const ended = await run(home, done < kills ? draw.next().value * 400 : undefined);
      if (!ended) {
        done++;
        if (readdirSync(home).some((name) => name.endsWith(".tmp"))) saving++;
        const path = join(home, "state.pt");
        if (existsSync(path)) {
          const state = await io.load(path).catch((error) => console.log(`damaged: ${error.message}`));
          if (!state) damaged++;
        }
        continue;
      }
      compared++;
      if (!finalOf(home).equals(expected)) different++;
      if (readdirSync(home).some((name) => name.endsWith(".tmp")))
        console.log("a killed process's file was left behind");
      if (done < kills) home = newFolder();
    }
    console.log(
      `${done} kills, ${saving} of them in the middle of saving: ${damaged} damaged files; ` +
        `${compared} runs resumed to their end, ${different} with other weights.`,
    );
    process.exitCode = damaged || different ? 1 : 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (values.child) await train(values.child);
else await main(Number(values.kills), Number(values.seed));
