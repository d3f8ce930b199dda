/** What `inspect` can find. */
export type FindingCode =
  | "not-finite"
  | "negative-variance"
  | "dead-channels"
  | "collapsed-variance"
  | "exploding-variance"
  | "never-updated"
  | "barely-updated"
  | "reversed-momentum"
  | "bias-before-norm"
  | "stale-statistics"
  | "modes-disagree"
  | "single-value"
  | "small-batch";

/** What a finding says and what to do; names in braces stand for its evidence. */
export interface FindingText {
  problem: string;
  remedy: string;
}

/**
 * The English texts of all findings, in one place to be translated: names in braces are filled in from a finding's evidence.
 * @example
 * ```ts
 * import { tools } from "evenkeel";
 * tools.FINDING_TEXTS["never-updated"].problem; // => the running statistics are still mean 0 and variance 1: no training batch has reached them
 * ```
 */
export const FINDING_TEXTS: Readonly<Record<FindingCode, FindingText>> = {
  "not-finite": {
    problem: "{count} of {total} values are NaN or infinite, in {where}",
    remedy:
      "go back to a checkpoint from before, and train with a smaller learning rate or clipped gradients; look for empty or huge inputs. If only statistics are affected, recalibrate()",
  },
  "negative-variance": {
    problem: "{count} of {channels} channels have a negative running variance, down to {min}",
    remedy:
      "a variance cannot be negative: the file is damaged or was converted wrongly; recalibrate() on training data",
  },
  "dead-channels": {
    problem: "{count} of {channels} channels have |γ| below {limit}: their output is the same whatever the input is",
    remedy:
      "less weight decay on γ (none is usual), or a smaller learning rate; the channels can also be pruned with the weights that read them",
  },
  "collapsed-variance": {
    problem:
      "{count} of {channels} channels have a running variance below eps {eps}, down to {min}: their input is constant, and eps decides their scale",
    remedy:
      "look at what comes before: filters with zero weights, or units that never fire. If the whole layer's input is tiny, use a smaller eps",
  },
  "exploding-variance": {
    problem: "{count} of {channels} channels have a running variance above {limit}, up to {max}",
    remedy:
      "check the scale of the input (bytes from 0 to 255 instead of normalized values?) and the learning rate; a second forward pass on other data in training mode has the same effect",
  },
  "never-updated": {
    problem: "the running statistics are still mean 0 and variance 1: no training batch has reached them",
    remedy:
      "evaluation would not normalize at all. Train in training mode (model.train()), load a checkpoint that has the statistics, or recalibrate()",
  },
  "barely-updated": {
    problem:
      "after {batches} batches with momentum {momentum}, {share} of the running statistics is still their initial value",
    remedy: "train longer, use a larger momentum, or recalibrate() on training data before evaluating",
  },
  "reversed-momentum": {
    problem: "momentum is {momentum}: the last few batches decide the running statistics",
    remedy: "in Keras, TensorFlow and JAX momentum is what stays, here it is what comes: use {suggested}",
  },
  "bias-before-norm": {
    problem:
      "{layer} has a bias of {parameters} numbers (mean size {meanSize}), which the normalization right after it takes away again",
    remedy: "make the layer with bias: false, or fuse() it before shipping; it does no harm",
  },
  "stale-statistics": {
    problem:
      "in evaluation the layer's input differs from its running statistics: means by {meanShift} standard deviations, variances by a factor of {varianceRatio} (typically, over {values} values per channel)",
    remedy:
      "if the data is what the model was trained on: recalibrate() (statistics lag behind the weights, or were averaged over something else). If it is another domain: adaBn()",
  },
  "modes-disagree": {
    problem:
      "training and evaluation give outputs that differ by {difference} of their size; predictions agree for {agreement} of {samples} samples",
    remedy: "recalibrate() on training data, with batches as large as in training; compare on that data",
  },
  "single-value": {
    problem:
      "the smallest batch ({samples} samples) has one value per channel here: training mode raises an error on it",
    remedy: "use dropLast: true in the DataLoader, or another batch size",
  },
  "small-batch": {
    problem:
      "batches are as small as {samples} samples: here a mean is of {values} values, and off by {noise} standard deviations at a time",
    remedy:
      'use larger batches, SyncBatchNorm over several processes, or convert(model, "group"); to fine-tune, freeze() the statistics. Gradient accumulation does not help',
  },
};

/** A number as a reader wants it: three digits. */
function short(value: string | number): string {
  if (typeof value === "string") return value;
  if (Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  return size >= 1e-3 && size < 1e5 ? String(Number(value.toPrecision(3))) : value.toExponential(1);
}

/** The text with its evidence filled in. */
export function fillIn(text: string, evidence: Readonly<Record<string, string | number>>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in evidence ? short(evidence[name]) : whole));
}
