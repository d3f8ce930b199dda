import { expose } from "comlink";
import { DataError } from "evenkeel";
import { type EngineInfo, engineInfo } from "./info.ts";
import { failureOf } from "./model/failure.ts";
import { OpenModel, type OpenResult } from "./model/open.ts";
import { type DataSource, TrainSession } from "./train/session.ts";

const session = new TrainSession();
let model: OpenModel | null = null;

/** What the page can ask of a worker. Every room starts one of its own, and ends it when it is left: its memory goes with it. */
const engine = {
  info(): EngineInfo {
    return engineInfo();
  },

  /** The images to train on; for files that are no data, says why, and what was there stays. */
  async useData(source: DataSource): Promise<string | null> {
    try {
      await session.useData(source);
      return null;
    } catch (error) {
      if ("files" in source && error instanceof DataError) return error.message;
      throw error;
    }
  },
  open: session.open.bind(session),
  play: session.play.bind(session),
  pause: session.pause.bind(session),
  step: session.step.bind(session),

  /** Reads a checkpoint and examines it; the one before is closed first. */
  async openModel(file: File, onProgress: (done: number, total: number) => void): Promise<OpenResult> {
    model?.dispose();
    model = null;
    let told = 0;
    try {
      model = await OpenModel.open(file, (done, total) => {
        const now = performance.now();
        if (now - told < 50 && done < total) return;
        told = now;
        onProgress(done, total);
      });
      return await model.report();
    } catch (error) {
      return { failure: failureOf(error, file.name) };
    }
  },

  /** Another part of the open file. */
  async showPart(part: string): Promise<OpenResult> {
    if (!model) throw new Error("no file is open");
    return model.report(part);
  },

  /** A part of the open file as safetensors. */
  async safetensors(part: string): Promise<Blob> {
    if (!model) throw new Error("no file is open");
    return new Blob([(await model.safetensors(part)) as Uint8Array<ArrayBuffer>]);
  },
};

export type Engine = typeof engine;

expose(engine);
