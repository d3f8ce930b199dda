import type { Tensor } from "../tensor/tensor.ts";

/** What an operation was given beside tensors; a Tensor among them is one that no gradient flows to, such as running statistics. */
export type Attributes = Readonly<Record<string, unknown>>;

/** An operation that has just been computed. */
export interface TracedOperation {
  /** PyTorch's name of its backward function */
  readonly name: string;
  readonly output: Tensor;
  /** null where an optional one is absent */
  readonly inputs: readonly (Tensor | null)[];
  readonly attributes: Attributes;
}

type Observer = (operation: TracedOperation) => void;

let observer: Observer | null = null;

const NONE: Attributes = {};

/** Whether somebody watches. */
export function isTracing(): boolean {
  return observer !== null;
}

/** Tells whoever watches that an operation was computed. */
export function report(
  name: string,
  output: Tensor,
  inputs: readonly (Tensor | null | undefined)[],
  attributes: Attributes = NONE,
): void {
  observer?.({ name, output, inputs: inputs.map((input) => input ?? null), attributes });
}

/** Runs `body`; `see` is called with every operation in it, whether or not its gradient is recorded. */
export function traceOperations<T>(see: Observer, body: () => T): T {
  const before = observer;
  observer = see;
  try {
    return body();
  } finally {
    observer = before;
  }
}

/** Runs an operation that is made of others and is to be seen as one. */
export function reportAsOne(
  name: string,
  inputs: readonly (Tensor | null)[],
  attributes: Attributes,
  body: () => Tensor,
): Tensor {
  const before = observer;
  if (!before) return body();
  observer = null;
  try {
    const output = body();
    before({ name, output, inputs, attributes });
    return output;
  } finally {
    observer = before;
  }
}
