import { proxy } from "comlink";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { type EngineHandle, startEngine } from "../../engine/client.ts";
import type { EngineInfo } from "../../engine/info.ts";
import type { RunInfo } from "../../engine/train/session.ts";
import type { TrainSettings } from "../../engine/train/settings.ts";
import { RunRecord } from "./record.ts";

/** What the room shows of its worker. */
export interface Training {
  readonly status: "loading" | "ready" | "playing" | "failed";
  /** why the worker cannot go on */
  readonly failure: string | null;
  /** why the files that were given are no data */
  readonly dataFailure: string | null;
  readonly engine: EngineInfo | null;
  readonly run: RunInfo | null;
  readonly record: RunRecord;
  play(): void;
  pause(): void;
  step(count: number): void;
  reset(): void;
  /** images of the user's; none for the page's own */
  useFiles(files: readonly File[]): void;
}

/** How long the settings have to rest before a run begins anew: a slider is still being dragged. */
const REST_MS = 150;

/** A worker that trains as the settings say, for as long as the room is open. Changed settings begin a new run, which plays on if the one before did. */
export function useTraining(settings: TrainSettings): Training {
  const handle = useRef<EngineHandle | null>(null);
  const tasks = useRef(Promise.resolve());
  const playing = useRef(false);
  const record = useRef(new RunRecord());
  const wanted = useRef(settings);
  const opened = useRef<TrainSettings | null>(null);
  const [status, setStatus] = useState<Training["status"]>("loading");
  const [failure, setFailure] = useState<string | null>(null);
  const [dataFailure, setDataFailure] = useState<string | null>(null);
  const [engine, setEngine] = useState<EngineInfo | null>(null);
  const [run, setRun] = useState<RunInfo | null>(null);
  const [, redraw] = useState(0);

  const fail = useCallback((message: string) => {
    playing.current = false;
    setFailure(message);
    setStatus("failed");
  }, []);

  /** Does one thing after the other. */
  const enqueue = useCallback(
    (task: (handle: EngineHandle) => Promise<void>) => {
      tasks.current = tasks.current.then(async () => {
        const { current } = handle;
        if (!current) return;
        try {
          await task(current);
        } catch (error) {
          if (handle.current === current) fail((error as Error).message);
        }
      });
    },
    [fail],
  );

  const begin = useCallback(async ({ engine: remote }: EngineHandle) => {
    const next = wanted.current;
    opened.current = next;
    const fresh = new RunRecord();
    const listener = proxy((update: Parameters<RunRecord["add"]>[0]) => {
      if (opened.current !== next) return;
      fresh.add(update);
      record.current = fresh;
      if (!update.playing && playing.current && update.divergedAt.every((at) => at !== null)) {
        playing.current = false;
        setStatus("ready");
      }
      redraw((n) => n + 1);
    });
    setRun(await remote.open(next, listener));
    if (playing.current) await remote.play();
    setStatus(playing.current ? "playing" : "ready");
  }, []);

  useEffect(() => {
    const own = startEngine(fail);
    handle.current = own;
    enqueue(async ({ engine: remote }) => {
      setEngine(await remote.info());
      await remote.useData({ base: new URL("./", document.baseURI).href });
      await begin(own);
    });
    return () => {
      handle.current = null;
      own.end();
    };
  }, [begin, enqueue, fail]);

  useEffect(() => {
    wanted.current = settings;
    const timer = setTimeout(() => {
      if (opened.current && opened.current !== settings) enqueue(begin);
    }, REST_MS);
    return () => clearTimeout(timer);
  }, [settings, begin, enqueue]);

  return {
    status,
    failure,
    dataFailure,
    engine,
    run,
    record: record.current,
    play() {
      playing.current = true;
      setStatus("playing");
      enqueue(async ({ engine: remote }) => remote.play());
    },
    pause() {
      playing.current = false;
      setStatus("ready");
      enqueue(async ({ engine: remote }) => remote.pause());
    },
    step(count) {
      playing.current = false;
      setStatus("ready");
      enqueue(async ({ engine: remote }) => remote.step(count));
    },
    reset() {
      playing.current = false;
      enqueue(begin);
    },
    useFiles(files) {
      enqueue(async (own) => {
        const source = files.length > 0 ? { files } : { base: new URL("./", document.baseURI).href };
        const wrong = await own.engine.useData(source);
        playing.current = false;
        setDataFailure(wrong);
        if (wrong === null) await begin(own);
        else setStatus("ready");
      });
    },
  };
}
