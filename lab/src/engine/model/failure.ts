import { CheckpointError, EvenkeelError, OutOfMemoryError } from "evenkeel";

/** What is wrong with a file, as far as the page has words of its own for it. */
export type FailureKind =
  | "web-page"
  | "compressed"
  | "hdf5"
  | "numpy"
  | "lfs-pointer"
  | "gguf"
  | "tar"
  | "empty"
  | "torchscript"
  | "plain-pickle"
  | "whole-model"
  | "hostile"
  | "damaged"
  | "no-tensors"
  | "too-large"
  | "crashed"
  | "unknown";

/** Why a file cannot be shown; plain data. */
export interface FileFailure {
  readonly kind: FailureKind;
  readonly file: string;
  /** the library's own words, in English */
  readonly problem: string;
  /** byte and key, where they are known */
  readonly place: string;
}

/** The first that fits tells the kind: what io.load says of files that are none of its own, then of those that are damaged or hostile. */
const KINDS: readonly [FailureKind, RegExp][] = [
  ["web-page", /page of HTML or XML/],
  ["compressed", /gzip file/],
  ["hdf5", /HDF5/],
  ["numpy", /NumPy array/],
  ["lfs-pointer", /Git LFS/],
  ["gguf", /GGUF/],
  ["tar", /tar file/],
  ["empty", /file is empty/],
  ["torchscript", /TorchScript/],
  ["plain-pickle", /a pickle, not written by torch\.save|0 data\.pkl/],
  [
    "hostile",
    /which no state dict needs|class or a type|zip bomb|contains itself|nested more than|more than \d+ values|leads out of|beyond all measure|no key that a checkpoint/,
  ],
  ["unknown", /no checkpoint that is known/],
];

/** Says what is wrong with a file. */
export function failureOf(error: unknown, file: string): FileFailure {
  const problem = error instanceof EvenkeelError ? error.problem : String((error as Error)?.message ?? error);
  if (error instanceof OutOfMemoryError || error instanceof RangeError)
    return { kind: "too-large", file, problem, place: "" };
  if (!(error instanceof CheckpointError)) return { kind: "no-tensors", file, problem, place: "" };
  const { offset, key } = error.place;
  const place = [offset !== undefined && `byte ${offset}`, key !== undefined && `"${key}"`].filter(Boolean).join(", ");
  // The message begins with the place, which stands beside it on the page.
  const prefix = [error.place.file, place].filter(Boolean).join(", ") + ": ";
  const bare = problem.startsWith(prefix) ? problem.slice(prefix.length) : problem;
  const whole = error.advice?.includes("save model.state_dict() instead of the model");
  const kind = whole ? "whole-model" : (KINDS.find(([, pattern]) => pattern.test(bare))?.[0] ?? "damaged");
  return { kind, file, problem: bare, place };
}
