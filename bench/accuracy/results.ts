import type { BackendName } from "evenkeel";
import type { Kind, Sweep } from "./inputs.ts";

export const BACKENDS = ["reference", "wasm-base", "wasm-relaxed"] as const satisfies readonly BackendName[];

/** Largest errors relative to the largest element; null where nothing finite came out. */
export interface Errors {
  readonly output: number | null;
  readonly gradInput: number | null;
}

/** One input of a sweep. */
export interface Point extends Readonly<Record<(typeof BACKENDS)[number], Errors>> {
  readonly kind: Kind;
  readonly sweep: Sweep;
  readonly value: number;
  readonly torch: Errors;
}

export interface Results {
  /** PyTorch's version */
  readonly torch: string;
  readonly points: readonly Point[];
}

/**
 * The last bit of a float32 near 1. Two computations that are both as exact as float32 allows, with two or three roundings each, differ by about that: which of them has the
 * larger worst element is chance, and falls out otherwise with the next seed.
 */
export const LAST_BIT = 2 ** -23;

/** The largest error among the backends. */
export function ours(point: Point, result: keyof Errors): number {
  return Math.max(...BACKENDS.map((backend) => point[backend][result] ?? Number.POSITIVE_INFINITY));
}

export const theirs = ({ torch }: Point, result: keyof Errors) => torch[result] ?? Number.POSITIVE_INFINITY;

/** Whether ours is the larger error, by more than a last bit and by more than that factor; a hundredth is less than the next seed changes the largest of thousands of errors. */
export function isWorse(point: Point, result: keyof Errors, factor = 1.01): boolean {
  const error = theirs(point, result);
  return ours(point, result) > Math.max(factor * error, error + LAST_BIT);
}
