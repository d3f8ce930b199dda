import { data, Generator, type Tensor, tidy } from "evenkeel";
import type { TrainData } from "./data.ts";
import { type Histograms, Network } from "./network.ts";
import type { TrainSettings } from "./settings.ts";

/** Something of the first and of the second network. */
export type Both<T> = readonly [T, T];

/** What one step gave. */
export interface StepResult {
  readonly losses: Both<number>;
  /** of a step that was watched; null for a network that has diverged */
  readonly histograms: Both<Histograms | null> | null;
}

/** Images a forward pass of an evaluation. */
const EVALUATION_BATCH = 500;
/** Test images are evenly chosen if there are more. */
const MOST_TEST_IMAGES = 2000;

/** Two networks that see the same batches in the same order and begin with the same weights; what differs is their normalization. */
export class Duel {
  readonly networks: Both<Network>;
  /** steps done */
  steps = 0;
  /** batches of a pass over the training images */
  readonly stepsPerEpoch: number;
  readonly batchSize: number;
  private readonly loader: data.DataLoader<[Tensor, Tensor], [Tensor, Tensor]>;
  private batches: AsyncIterator<[Tensor, Tensor]> | null = null;
  private readonly testIndices: number[];

  constructor(
    readonly settings: TrainSettings,
    private readonly images: TrainData,
  ) {
    const { norms, batchSize, seed } = settings;
    this.networks = [new Network(norms[0], settings), new Network(norms[1], settings)];
    this.loader = new data.DataLoader(images.train, {
      batchSize: Math.min(batchSize, images.train.length),
      shuffle: true,
      dropLast: true,
      generator: new Generator(seed),
    });
    this.stepsPerEpoch = this.loader.length;
    this.batchSize = this.loader.batchSize;
    const total = images.test.length;
    const count = Math.min(total, MOST_TEST_IMAGES);
    this.testIndices = Array.from({ length: count }, (_, i) => Math.floor((i * total) / count));
  }

  /** The next batch; after the last one of a pass the first of another. */
  private async nextBatch(): Promise<[Tensor, Tensor]> {
    for (;;) {
      this.batches ??= this.loader[Symbol.asyncIterator]();
      const { done, value } = await this.batches.next();
      if (!done) return value;
      this.batches = null;
    }
  }

  /** One step of both networks on the next batch. `watch` takes histograms too. */
  async step(watch: boolean): Promise<StepResult> {
    const [images, labels] = await this.nextBatch();
    const [a, b] = this.networks.map((network) => tidy(() => network.step(images, labels, this.steps, watch)));
    this.steps++;
    return { losses: [a.loss, b.loss], histograms: watch ? [a.histograms, b.histograms] : null };
  }

  /** Share of the test images that each network names correctly; null for one that has diverged. */
  evaluate(): Both<number | null> {
    const correct = [0, 0];
    const { testIndices, networks } = this;
    for (let start = 0; start < testIndices.length; start += EVALUATION_BATCH) {
      tidy(() => {
        const [images, labels] = this.images.test.getBatch(testIndices.slice(start, start + EVALUATION_BATCH));
        networks.forEach((network, i) => {
          if (network.divergedAt === null) correct[i] += network.countCorrect(images, labels);
        });
      });
    }
    const share = (i: 0 | 1) => (networks[i].divergedAt === null ? correct[i] / testIndices.length : null);
    return [share(0), share(1)];
  }

  /** Ends the pass and gives the memory back. */
  async close(): Promise<void> {
    await this.batches?.return?.();
    this.batches = null;
    for (const network of this.networks) network.dispose();
  }
}
