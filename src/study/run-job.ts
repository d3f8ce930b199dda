import { noGrad } from "../autograd/mode.ts";
import type { ImageDataset } from "../data/index.ts";
import { DataLoader, Subset } from "../data/index.ts";
import { crossEntropy } from "../functional/index.ts";
import type * as nn from "../nn/index.ts";
import { SGD } from "../optim/index.ts";
import { Generator } from "../tensor/generator.ts";
import { manualSeed } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { tidy } from "../tensor/tidy.ts";
import type { Job, JobResult } from "./jobs.ts";
import { cnn, HIDDEN, lastSigmoidInput, mlp } from "./networks.ts";
import { PercentileRecorder } from "./percentiles.ts";
import { threeSteps } from "./three-steps.ts";

/** Images that a unit's percentiles are taken over. */
const PERCENTILE_SAMPLES = 1000;
/** Images a forward pass of an evaluation: large enough to be fast, small enough to stay small. */
const EVALUATION_BATCH = 500;

/** The data of a study, with images in the shape a network takes. */
export interface StudyData {
  readonly train: ImageDataset;
  readonly test: ImageDataset;
}

/** What a run asks and tells while it runs. */
export interface JobContext {
  readonly data: StudyData;
  /** whether to stop now */
  stopped(): boolean;
  progress(stepsDone: number): void;
}

function input(job: Job, images: Tensor): Tensor {
  return job.network === "mlp" ? images.flatten(1) : images;
}

function range(first: number, last: number): number[] {
  const numbers: number[] = [];
  for (let i = first; i < last; i++) numbers.push(i);
  return numbers;
}

/** Share of the first `samples` images that the model names correctly, in evaluation mode; null where its output is not finite. */
function accuracy(job: Job, model: nn.Module, images: ImageDataset, samples: number): number | null {
  const count = Math.min(samples, images.length);
  let correct = 0;
  let finite = true;
  model.eval();
  for (let start = 0; start < count; start += EVALUATION_BATCH) {
    tidy(() =>
      noGrad(() => {
        const end = Math.min(start + EVALUATION_BATCH, count);
        // Made from bytes each time: reading all of them as float32 from memory would take longer.
        const [x, y] = images.getBatch(range(start, end));
        const output = model.forward(input(job, x)) as Tensor;
        correct += output.argmax(1).eq(y).sum().item();
        finite &&= Number.isFinite(output.sum().item());
      }),
    );
  }
  model.train();
  return finite ? correct / count : null;
}

/** Trains one network as the job says and measures what it asks for. */
export async function runJob(job: Job, { data, stopped, progress }: JobContext): Promise<JobResult> {
  manualSeed(job.seed);
  const model = job.network === "mlp" ? mlp(job.norm, job.std) : cnn(job.norm);
  const optimizer = new SGD(model.parameters(), { lr: job.lr, momentum: job.momentum });
  const evaluateAt = new Set([...job.evaluateAt, job.steps]);
  const recorder = new PercentileRecorder(3, HIDDEN);
  const percentilesAt = new Set(job.percentilesAt);
  const step: number[] = [];
  const testAccuracy: number[] = [];
  let done = 0;
  let seconds = 0;
  let diverged = false;

  const recordPercentiles = () => {
    if (!percentilesAt.has(done)) return;
    tidy(() => {
      const [images] = data.test.getBatch(range(0, Math.min(PERCENTILE_SAMPLES, data.test.length)));
      recorder.record(done, lastSigmoidInput(model, input(job, images)).toTypedArray() as Float32Array);
    });
  };
  const evaluate = () => {
    const share = accuracy(job, model, data.test, job.testSamples);
    if (share === null) diverged = true;
    step.push(done);
    testAccuracy.push(share ?? Number.NaN);
  };

  recordPercentiles();
  const samples =
    job.trainSamples < data.train.length ? new Subset(data.train, range(0, job.trainSamples)) : data.train;
  const loader = new DataLoader(samples, {
    batchSize: Math.min(job.batchSize, samples.length),
    shuffle: true,
    dropLast: true,
    generator: new Generator(job.seed),
  });
  while (done < job.steps && !diverged && !stopped()) {
    for await (const [images, labels] of loader) {
      const began = performance.now();
      optimizer.zeroGrad();
      const loss = crossEntropy(model.forward(input(job, images)), labels);
      loss.backward();
      optimizer.step();
      seconds += (performance.now() - began) / 1000;
      done++;
      if (done % 20 === 0) {
        diverged = !Number.isFinite(loss.item());
        progress(done);
      }
      recordPercentiles();
      if (evaluateAt.has(done)) evaluate();
      if (done >= job.steps || diverged || stopped()) break;
    }
  }
  const finished = done >= job.steps || diverged;
  if (step.at(-1) !== done && done > 0) evaluate();
  return {
    id: job.id,
    seconds,
    finished,
    diverged,
    step,
    testAccuracy,
    trainAccuracy: job.trainAccuracy && done > 0 ? accuracy(job, model, data.train, job.trainSamples) : null,
    unit: job.percentilesAt.length > 0 ? recorder.typical() : null,
    threeSteps:
      job.percentilesAt.length > 0 && job.norm === "batch"
        ? threeSteps(model, data.train, done, recorder.typical())
        : null,
    peakMemory: process.memoryUsage.rss(),
  };
}
