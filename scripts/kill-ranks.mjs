// Kills a random rank of a distributed training at random moments, resumes from the last checkpoint, and compares the weights with those of a run that nobody
// disturbed: the same bits on as many ranks. Every time the launcher has to end soon, name the rank, and leave no process behind.
//   npm run kill:ranks -- --kills 20 --ranks 2 --seed 1
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { data, F, Generator, io, manualSeed, nn, optim, randint, randn } from "evenkeel";
import {
  DistributedDataParallel,
  globalMean,
  init,
  loadTrainingState,
  ShardedDataset,
  saveTrainingState,
} from "evenkeel/distributed";

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "20" },
    ranks: { type: "string", default: "2" },
    seed: { type: "string", default: "1" },
    child: { type: "string" },
  },
});

const EPOCHS = 12;
/** A killed job has to be over after so many seconds. */
const LIMIT = 10;

/** Trains in a folder, from where its state.pt is, and saves after every step. */
async function train(folder) {
  const ranks = await init();
  console.log(`running rank ${ranks.rank} process ${process.pid}`);
  manualSeed(0);
  const images = new data.TensorDataset(randn([90, 2, 6, 6]), randint(0, 10, [90]));
  const model = nn.convertSyncBatchNorm(
    new nn.Sequential(
      new nn.Conv2d(2, 8, 3, { bias: false }),
      new nn.BatchNorm2d(8),
      new nn.SiLU(),
      new nn.Dropout(0.1),
      new nn.Flatten(),
      new nn.Linear(128, 10),
    ),
  );
  const parallel = new DistributedDataParallel(model);
  const optimizer = new optim.Adam(model.parameters());
  const generator = new Generator(5);
  const loader = new data.DataLoader(new ShardedDataset(images), { batchSize: 16, shuffle: true, generator });
  // a mask of its own on each rank
  manualSeed(ranks.rank);
  const parts = { model, optimizer, loader };
  const path = join(folder, "state.pt");
  let epoch = 0;
  if (existsSync(path)) ({ epoch } = await loadTrainingState(path, parts));
  for (; epoch < EPOCHS; epoch++) {
    for await (const [x, y] of loader) {
      optimizer.zeroGrad();
      globalMean(F.crossEntropy(parallel.forward(x), y, { reduction: "none" })).backward();
      optimizer.step();
      await saveTrainingState(path, parts, { epoch });
    }
  }
  if (ranks.rank === 0) await io.save(join(folder, "final.safetensors"), model.stateDict());
}

/** Runs the training on ranks; kills one of them so many milliseconds after they run. Says how it ended, and which rank was killed. */
function run(folder, victim, killAfter) {
  const [self, cli] = [import.meta.url, new URL("../dist/cli/main.js", import.meta.url)].map((url) =>
    fileURLToPath(url),
  );
  const command = [cli, "launch", "-n", values.ranks, "--threads", "1", "--timeout", "30", self, "--child", folder];
  const child = spawn(process.execPath, command, { stdio: ["ignore", "pipe", "pipe"] });
  let [output, killedAt] = ["", 0];
  const processes = new Map();
  const listen = (chunk) => {
    output += chunk;
    for (const [, rank, pid] of output.matchAll(/running rank (\d+) process (\d+)\n/g))
      processes.set(Number(rank), Number(pid));
    if (killAfter === undefined || killedAt || processes.size < Number(values.ranks)) return;
    killedAt = -1;
    setTimeout(() => {
      try {
        process.kill(processes.get(victim), "SIGKILL");
        killedAt = performance.now();
      } catch {
        // it has ended already
      }
    }, killAfter);
  };
  child.stdout.on("data", listen);
  child.stderr.on("data", listen);
  return new Promise((resolve) => {
    child.once("close", async (code) => {
      const seconds = killedAt > 0 ? (performance.now() - killedAt) / 1000 : 0;
      const living = () => [...processes.values()].filter(isRunning).length;
      // What the launcher has killed takes a moment to go.
      for (let waited = 0; waited < 3000 && living() > 0; waited += 50)
        await new Promise((done) => setTimeout(done, 50));
      resolve({ code, output, seconds, left: living() });
    });
  });
}

function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Numbers from [0, 1) that a seed fixes. */
function* random(seed) {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield state / 2 ** 32;
  }
}

async function main(kills, ranks, seed) {
  const folder = mkdtempSync(join(tmpdir(), "evenkeel-kill-ranks-"));
  const newFolder = () => mkdtempSync(join(folder, "run-"));
  const finalOf = (home) => readFileSync(join(home, "final.safetensors"));
  const draw = random(seed);
  const next = () => draw.next().value;
  try {
    const undisturbed = newFolder();
    const start = performance.now();
    const first = await run(undisturbed);
    if (first.code !== 0) throw new Error(`the undisturbed run failed:\n${first.output}`);
    const whole = performance.now() - start;
    console.log(`undisturbed: ${EPOCHS * 6} steps on ${ranks} ranks, each saved, in ${(whole / 1000).toFixed(1)} s`);
    const expected = finalOf(undisturbed);
    let [done, compared, different, unnamed, late, left, longest] = [0, 0, 0, 0, 0, 0, 0];
    let home = newFolder();
    while (done < kills || !existsSync(join(home, "final.safetensors"))) {
      const victim = Math.floor(next() * ranks);
      const ended = await run(home, victim, done < kills ? next() * Math.min(whole / 2, 2000) : undefined);
      left += ended.left;
      if (ended.code !== 0) {
        if (done >= kills) throw new Error(`a run that nobody killed failed:\n${ended.output}`);
        done++;
        longest = Math.max(longest, ended.seconds);
        if (ended.seconds > LIMIT) late++;
        if (!new RegExp(`evenkeel launch: rank ${victim} .*signal 9`).test(ended.output)) {
          unnamed++;
          console.log(ended.output);
        }
        continue;
      }
      compared++;
      if (!finalOf(home).equals(expected)) different++;
      if (done < kills) home = newFolder();
    }
    console.log(
      `${done} kills of a rank: the launcher ended after at most ${longest.toFixed(1)} s (${late} times later than ${LIMIT} s), ${unnamed} times ` +
        `without naming it, and left ${left} processes; ${compared} runs resumed to their end, ${different} with other weights.`,
    );
    process.exitCode = different || unnamed || late || left ? 1 : 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (values.child) await train(values.child);
else await main(Number(values.kills), Number(values.ranks), Number(values.seed));
