import type { nn, Tensor } from "evenkeel";

export const NAMES = ["resnet18", "resnet50", "vgg16_bn", "mobilenet_v2", "densenet121"] as const;
export type ModelName = (typeof NAMES)[number];

/**
 * Height and width of the images of the training step. At 224 the two others pool or cut off so many values that some always fall to the other side with the
 * last bit: PyTorch's own float32 gradients are then 1e-2 and 2e-4 off those of float64.
 */
export const TRAIN_SIDE: Readonly<Record<ModelName, number>> = {
  resnet18: 224,
  resnet50: 224,
  vgg16_bn: 64,
  mobilenet_v2: 224,
  densenet121: 64,
};

/** What models.py keeps beside a checkpoint. */
export interface Expected {
  seed: number;
  images: Tensor;
  trainImages: Tensor;
  targets: Tensor;
  logits: Tensor;
  loss: number;
  grads: Record<string, Tensor>;
  /** gradients in float64 */
  exact: Record<string, Tensor>;
  after: nn.StateDict & Record<string, Tensor>;
}

/** What measure.ts finds; errors are relative to the largest element. */
export interface Measured {
  /** of the draw that was taken */
  seed: number;
  keys: number;
  sameKeys: boolean;
  megabytes: number;
  loadSeconds: number;
  /** MiB that loading took at most beside the tensors themselves */
  beside: number;
  logits: number;
  loss: number;
  running: number;
  gradients: number;
  gradientOf: string;
  /** evenkeel's and PyTorch's gradients against float64 */
  gradientsExact: number;
  torchExact: number;
  parameters: number;
  fuse: number;
}

/** What models.py finds in the files that evenkeel wrote. */
export interface Checked {
  /** keys, order, metadata, dtypes and all bits as in PyTorch's file */
  same: boolean;
  /** the logits of the trained model, PyTorch's against evenkeel's */
  error: number;
}

type Column = readonly [title: string, width: number, text: (ours: Measured, theirs: Checked) => string];

const error = (value: number) => value.toExponential(1);
const COLUMNS: readonly Column[] = [
  ["seed", 5, ({ seed }) => `${seed}`],
  ["keys", 10, ({ keys, sameKeys }) => `${keys} ${sameKeys ? "same" : "OTHER"}`],
  ["MiB", 6, ({ megabytes }) => megabytes.toFixed(0)],
  ["load", 8, ({ loadSeconds }) => `${loadSeconds.toFixed(2)} s`],
  ["beside", 9, ({ beside }) => `${beside.toFixed(0)} MiB`],
  ["logits", 9, ({ logits }) => error(logits)],
  ["loss", 9, ({ loss }) => error(loss)],
  ["running", 9, ({ running }) => error(running)],
  ["gradients", 11, ({ gradients }) => error(gradients)],
  ["beside float64", 19, ({ gradientsExact, torchExact }) => `${error(gradientsExact)} / ${error(torchExact)}`],
  ["weights", 9, ({ parameters }) => error(parameters)],
  ["fused", 9, ({ fuse }) => error(fuse)],
  ["back", 15, (_, { same, error: logits }) => `${same ? "same" : "OTHER"}, ${error(logits)}`],
];

export const TITLE = `${"model".padEnd(13)}${COLUMNS.map(([title, width]) => title.padStart(width)).join("")}`;

/** A line of the table. */
export function row(name: ModelName, ours: Measured, theirs: Checked): string {
  return `${name.padEnd(13)}${COLUMNS.map(([, width, text]) => text(ours, theirs).padStart(width)).join("")}`;
}

/** What is beyond its limit. */
export function failures(ours: Measured, theirs: Checked): string[] {
  const limits: [what: string, value: number, limit: number][] = [
    ["logits", ours.logits, 1e-5],
    ["loss", ours.loss, 1e-5],
    ["running statistics", ours.running, 1e-4],
    [`gradients (${ours.gradientOf})`, ours.gradients, 1e-4],
    ["logits of the folded model", ours.fuse, 1e-5],
    ["logits in PyTorch", theirs.error, 1e-5],
    ["MiB beside the tensors", ours.beside, 64],
  ];
  return [
    ...(ours.sameKeys ? [] : ["other keys than torchvision's, or another order"]),
    ...(theirs.same ? [] : ["what was written back is not what PyTorch saved"]),
    // A NaN is beyond any limit.
    ...limits
      .filter(([, value, limit]) => !(value <= limit))
      .map(([what, value, limit]) => `${what}: ${value.toExponential(1)}, limit ${limit}`),
  ];
}
