import { runtimeInfo } from "evenkeel";

/** What computes in a worker. */
export interface EngineInfo {
  readonly backend: string;
  readonly simd: string;
  readonly threads: number;
  /** whether the page is cross-origin isolated, without which memory cannot be shared between threads */
  readonly isolated: boolean;
}

export function engineInfo(): EngineInfo {
  return { ...runtimeInfo(), isolated: globalThis.crossOriginIsolated === true };
}
