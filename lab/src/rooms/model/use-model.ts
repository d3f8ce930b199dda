import { proxy } from "comlink";
import { useEffect, useRef, useState } from "preact/hooks";
import { type EngineHandle, startEngine } from "../../engine/client.ts";
import type { FileFailure } from "../../engine/model/failure.ts";
import type { ModelReport, OpenResult } from "../../engine/model/open.ts";

/** What the room shows. */
export type ModelState =
  | { readonly kind: "empty" }
  | { readonly kind: "reading"; readonly file: string; readonly done: number; readonly total: number }
  | { readonly kind: "failed"; readonly failure: FileFailure }
  | { readonly kind: "open"; readonly report: ModelReport };

export interface OpenModel {
  readonly state: ModelState;
  open(file: File): void;
  /** the file that the page ships */
  openSample(): void;
  /** another part of the open file */
  showPart(part: string): void;
  /** the shown part as a safetensors file; null if it could not be made, which `state` then says */
  safetensors(): Promise<Blob | null>;
}

const SAMPLE = "resnet20-with-faults.pt";

/** Files are read and examined in a worker of the room's own; opening another file ends it, so that its memory is free again. */
export function useModel(): OpenModel {
  const handle = useRef<EngineHandle | null>(null);
  const [state, setState] = useState<ModelState>({ kind: "empty" });

  const end = () => {
    handle.current?.end();
    handle.current = null;
  };
  useEffect(() => end, []);

  const failed = (file: string, problem: string) =>
    setState({ kind: "failed", failure: { kind: "crashed", file, problem, place: "" } });
  const show = (result: OpenResult) =>
    setState(
      "report" in result ? { kind: "open", report: result.report } : { kind: "failed", failure: result.failure },
    );

  const open = async (file: File) => {
    end();
    const own = startEngine((message) => {
      if (handle.current !== own) return;
      end();
      failed(file.name, message);
    });
    handle.current = own;
    setState({ kind: "reading", file: file.name, done: 0, total: file.size });
    const onProgress = (done: number, total: number) => {
      if (handle.current === own)
        setState((now) => (now.kind === "reading" ? { kind: "reading", file: file.name, done, total } : now));
    };
    try {
      const result = await own.engine.openModel(file, proxy(onProgress));
      if (handle.current === own) show(result);
    } catch (error) {
      if (handle.current === own) failed(file.name, (error as Error).message);
    }
  };

  return {
    state,
    open,
    async openSample() {
      setState({ kind: "reading", file: SAMPLE, done: 0, total: 0 });
      try {
        const answer = await fetch(new URL(`./samples/${SAMPLE}`, document.baseURI));
        if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
        await open(new File([await answer.blob()], SAMPLE));
      } catch (error) {
        failed(SAMPLE, (error as Error).message);
      }
    },
    async showPart(part) {
      const own = handle.current;
      if (!own) return;
      const result = await own.engine.showPart(part);
      if (handle.current === own) show(result);
    },
    async safetensors() {
      const own = handle.current;
      if (!own || state.kind !== "open") return null;
      try {
        return await own.engine.safetensors(state.report.part);
      } catch (error) {
        failed(state.report.file, (error as Error).message);
        return null;
      }
    },
  };
}
