import { runtimeInfo } from "evenkeel";
import { disposeData, ownData, shippedData, type TrainData } from "./data.ts";
import { type Both, Duel } from "./duel.ts";
import type { Histograms } from "./network.ts";
import type { TrainSettings } from "./settings.ts";

export type { Both } from "./duel.ts";

/** Where images come from: the page's own subset of MNIST below an address, or IDX files of the user's. */
export type DataSource = { readonly base: string } | { readonly files: readonly File[] };

/** Test accuracies at one step. */
export interface Accuracy {
  /** steps done before it was taken */
  readonly step: number;
  /** seconds of training until then, of both networks and the evaluations */
  readonly seconds: number;
  readonly values: Both<number | null>;
}

/** Histograms of one step. */
export interface Watched {
  readonly step: number;
  readonly sides: Both<Histograms | null>;
}

/** What has happened since the last update. */
export interface TrainUpdate {
  readonly steps: number;
  readonly epoch: number;
  readonly playing: boolean;
  readonly seconds: number;
  /** of the steps since the last update; NaN after a network has diverged */
  readonly losses: Both<Float32Array>;
  readonly accuracies: readonly Accuracy[];
  readonly watched: readonly Watched[];
  /** histograms are now taken every so many steps */
  readonly watchEvery: number;
  readonly divergedAt: Both<number | null>;
  /** ms per training step */
  readonly stepMs: Both<number>;
  /** training images a second that both networks saw */
  readonly imagesPerSecond: number;
}

/** What is known when a run has been set up. */
export interface RunInfo {
  readonly backend: string;
  readonly simd: string;
  readonly threads: number;
  readonly trainImages: number;
  readonly testImages: number;
  readonly ownData: boolean;
  readonly stepsPerEpoch: number;
  /** parameters of each network */
  readonly parameters: Both<number>;
}

/** Most histograms that are taken of a run; then every second one is dropped, and half as many taken. */
export const MOST_WATCHED = 200;
/** How long steps go on before messages are looked at. */
const SLICE_MS = 24;
/** Between updates: ten a second look smooth and cost the page little. */
const UPDATE_MS = 100;

/** Whether the accuracy is taken after so many steps: often at first, where the curve rises. */
function evaluatesAt(step: number): boolean {
  if (step <= 20) return step % 5 === 0;
  if (step <= 100) return step % 20 === 0;
  return step % (step <= 1000 ? 50 : 100) === 0;
}

const channel = new MessageChannel();
/** Lets messages in: a timer would wait 4 ms. */
const nextTask = () =>
  new Promise<void>((resolve) => {
    channel.port1.onmessage = () => resolve();
    channel.port2.postMessage(null);
  });

/** What the page hears from a run. Its promise is awaited before the next update, so that a slow page is not flooded. */
export type Listener = (update: TrainUpdate) => Promise<void> | void;

/** A run that can be played, paused and begun anew. */
export class TrainSession {
  private images: TrainData | null = null;
  private duel: Duel | null = null;
  private listener: Listener = () => {};
  private playing: Promise<void> | null = null;
  private stop = false;
  private seconds = 0;
  private watchEvery = 1;
  private watchedCount = 0;
  private losses: [number[], number[]] = [[], []];
  private accuracies: Accuracy[] = [];
  private watched: Watched[] = [];
  /** steps and seconds at the last updates, for the speed */
  private marks: { steps: number; seconds: number }[] = [];

  /** The images to train on: the page's own subset, or files of the user's. What was open before is closed. @throws DataError */
  async useData(source: DataSource): Promise<void> {
    await this.pause();
    const images = "files" in source ? await ownData(source.files) : await shippedData(source.base);
    await this.duel?.close();
    this.duel = null;
    if (this.images) disposeData(this.images);
    this.images = images;
  }

  /** Begins anew with these settings; the accuracy before the first step is in the first update. */
  async open(settings: TrainSettings, listener: Listener): Promise<RunInfo> {
    if (!this.images) throw new Error("useData comes first");
    await this.pause();
    await this.duel?.close();
    this.duel = new Duel(settings, this.images);
    this.listener = listener;
    this.seconds = 0;
    this.watchEvery = 1;
    this.watchedCount = 0;
    this.losses = [[], []];
    this.watched = [];
    this.marks = [];
    this.accuracies = [{ step: 0, seconds: 0, values: this.duel.evaluate() }];
    await this.report(false);
    const { networks, stepsPerEpoch } = this.duel;
    return {
      ...runtimeInfo(),
      trainImages: this.images.train.length,
      testImages: this.images.test.length,
      ownData: this.images.own,
      stepsPerEpoch,
      parameters: [networks[0].parameters, networks[1].parameters],
    };
  }

  /** Trains until pause, or until both networks have diverged. */
  play(): void {
    if (this.playing || !this.duel) return;
    this.stop = false;
    this.playing = this.run(this.duel).finally(() => {
      this.playing = null;
    });
  }

  async pause(): Promise<void> {
    this.stop = true;
    await this.playing;
  }

  /** So many steps, and an update. */
  async step(count: number): Promise<void> {
    await this.pause();
    if (!this.duel) return;
    for (let i = 0; i < count; i++) await this.advance(this.duel);
    await this.report(false);
  }

  private async run(duel: Duel): Promise<void> {
    let reported = performance.now();
    let told: Promise<void> | undefined;
    const bothDiverged = () => duel.networks.every(({ divergedAt }) => divergedAt !== null);
    while (!this.stop && !bothDiverged()) {
      const until = performance.now() + SLICE_MS;
      while (performance.now() < until && !bothDiverged()) await this.advance(duel);
      if (performance.now() - reported >= UPDATE_MS) {
        await told;
        told = Promise.resolve(this.report(true));
        reported = performance.now();
      }
      await nextTask();
    }
    await told;
    await this.report(false);
  }

  private async advance(duel: Duel): Promise<void> {
    const began = performance.now();
    const at = duel.steps;
    const watch = at % this.watchEvery === 0;
    const { losses, histograms } = await duel.step(watch);
    this.losses[0].push(losses[0]);
    this.losses[1].push(losses[1]);
    const values = evaluatesAt(duel.steps) ? duel.evaluate() : null;
    this.seconds += (performance.now() - began) / 1000;
    if (values) this.accuracies.push({ step: duel.steps, seconds: this.seconds, values });
    if (!histograms) return;
    this.watched.push({ step: at, sides: histograms });
    if (++this.watchedCount < MOST_WATCHED) return;
    this.watchedCount = Math.ceil(this.watchedCount / 2);
    this.watchEvery *= 2;
  }

  /** Tells the page what has happened. */
  private report(playing: boolean): Promise<void> | void {
    const { duel, losses, accuracies, watched, seconds, watchEvery } = this;
    if (!duel) return;
    const { steps, networks } = duel;
    this.marks = [...this.marks, { steps, seconds }].slice(-10);
    const [first] = this.marks;
    const [a, b] = networks;
    const stepMs = (i: 0 | 1) => networks[i].milliseconds / Math.max(1, networks[i].divergedAt ?? steps);
    this.losses = [[], []];
    this.accuracies = [];
    this.watched = [];
    return this.listener({
      steps,
      epoch: steps / duel.stepsPerEpoch,
      playing,
      seconds,
      losses: [Float32Array.from(losses[0]), Float32Array.from(losses[1])],
      accuracies,
      watched,
      watchEvery,
      divergedAt: [a.divergedAt, b.divergedAt],
      stepMs: [stepMs(0), stepMs(1)],
      imagesPerSecond:
        seconds > first.seconds ? ((steps - first.steps) * duel.batchSize) / (seconds - first.seconds) : 0,
    });
  }
}
