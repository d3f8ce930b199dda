import type { BiasBefore, NormValues } from "./layers.ts";
import type { LayerMeasure, Measurement } from "./measure.ts";
import { FINDING_TEXTS, type FindingCode, fillIn } from "./wording.ts";

/** Something that a practitioner would act on; plain data. */
export interface Finding {
  code: FindingCode;
  /** error: results are wrong or training stops; warning: they suffer; note: it could be better */
  severity: "error" | "warning" | "note";
  /** of the layer; "" for the whole model */
  path: string;
  /** the numbers it rests on */
  evidence: Record<string, string | number>;
  problem: string;
  remedy: string;
}

/** γ is drawn to 0 by weight decay; a living channel's is near 1, in trained networks rarely below 0.01. */
const DEAD_WEIGHT = 1e-4;
/** Input in bytes gives variances of some 10⁴ behind the first convolution. */
const HUGE_VARIANCE = 1e6;
/** Share of the initial 0 and 1 that may remain: 1 % after 44 batches with momentum 0.1. */
const REMAINING = 0.01;
/** How far, in standard deviations, the mean of what a layer gets may be from its running mean. */
const MEAN_SHIFT = 0.5;
const VARIANCE_FACTOR = 2;
/** Relative difference of a model's outputs between its modes. */
const OUTPUT_DIFFERENCE = 0.5;
/** Below 8 images a batch errors grow (Wu & He 2018); a mean of 16 values is off by a quarter of a standard deviation. */
const FEW_SAMPLES = 8;
const FEW_VALUES = 16;

type Evidence = Finding["evidence"];

function finding(code: FindingCode, severity: Finding["severity"], path: string, evidence: Evidence): Finding {
  const { problem, remedy } = FINDING_TEXTS[code];
  return { code, severity, path, evidence, problem: fillIn(problem, evidence), remedy: fillIn(remedy, evidence) };
}

const countOf = (values: Float64Array, test: (x: number) => boolean) =>
  values.reduce((count, x) => count + (test(x) ? 1 : 0), 0);

function ofValues(layer: NormValues): Finding[] {
  const { path, channels, weight, bias, mean, variance } = layer;
  const found: Finding[] = [];
  const named = { weight, bias, running_mean: mean, running_var: variance };
  const broken = Object.entries(named).filter(([, values]) => values?.some((x) => !Number.isFinite(x)));
  if (broken.length > 0) {
    const count = broken.reduce(
      (sum, [, values]) => sum + countOf(values ?? new Float64Array(), (x) => !Number.isFinite(x)),
      0,
    );
    const total = Object.values(named).reduce((sum, values) => sum + (values?.length ?? 0), 0);
    found.push(finding("not-finite", "error", path, { count, total, where: broken.map(([name]) => name).join(", ") }));
  }
  // A layer that starts with γ = 0 (zeroInitResidual) and was not trained is not dead.
  const dead = weight ? countOf(weight, (x) => Math.abs(x) < DEAD_WEIGHT) : 0;
  if (dead > 0 && !isInitial(layer))
    found.push(finding("dead-channels", "warning", path, { count: dead, channels, limit: DEAD_WEIGHT }));
  if (!variance) return found;
  const negative = countOf(variance, (x) => x < 0);
  const min = variance.reduce((a, x) => Math.min(a, x), Number.POSITIVE_INFINITY);
  if (negative > 0) found.push(finding("negative-variance", "error", path, { count: negative, channels, min }));
  const eps = layer.eps ?? 1e-5;
  const collapsed = countOf(variance, (x) => x >= 0 && x < eps);
  if (collapsed > 0)
    found.push(finding("collapsed-variance", "warning", path, { count: collapsed, channels, eps, min }));
  const exploded = countOf(variance, (x) => x > HUGE_VARIANCE && Number.isFinite(x));
  if (exploded > 0) {
    const max = variance.reduce((a, x) => (Number.isFinite(x) ? Math.max(a, x) : a), 0);
    found.push(
      finding("exploding-variance", "warning", path, { count: exploded, channels, limit: HUGE_VARIANCE, max }),
    );
  }
  return found;
}

/** Whether the running statistics are what a new layer has. */
function isInitial({ mean, variance }: NormValues): boolean {
  return mean !== null && variance !== null && mean.every((x) => x === 0) && variance.every((x) => x === 1);
}

function ofUpdates(layer: NormValues): Finding[] {
  const { path, momentum, batches } = layer;
  const found: Finding[] = [];
  if (isInitial(layer) && layer.channels > 0)
    found.push(finding("never-updated", "warning", path, { batches: batches ?? 0 }));
  else if (layer.mean && batches !== null && batches > 0 && momentum !== null) {
    // Published checkpoints often have a counter of 0 beside good statistics: it says nothing then.
    const share = Math.abs(1 - momentum) ** batches;
    if (share > REMAINING) found.push(finding("barely-updated", "warning", path, { batches, momentum, share }));
  }
  if (layer.mean && momentum !== null && momentum > 0.5 && momentum < 1) {
    const suggested = Number((1 - momentum).toPrecision(6));
    found.push(finding("reversed-momentum", "warning", path, { momentum, suggested }));
  }
  return found;
}

function ofBias({ norm, layer, bias }: BiasBefore): Finding {
  const meanSize = bias.reduce((sum, x) => sum + Math.abs(x), 0) / bias.length;
  return finding("bias-before-norm", "note", norm, { layer, parameters: bias.length, meanSize });
}

function ofMeasure(layer: NormValues, seen: LayerMeasure, samples: number): Finding[] {
  const { path } = layer;
  const found: Finding[] = [];
  const { values, valuesPerBatch } = seen;
  if (valuesPerBatch < 2) found.push(finding("single-value", "error", path, { samples }));
  else if (valuesPerBatch < FEW_VALUES) {
    found.push(
      finding("small-batch", "warning", path, {
        samples,
        values: valuesPerBatch,
        noise: 1 / Math.sqrt(valuesPerBatch),
      }),
    );
  }
  const { mean, variance } = layer;
  // A mean of fewer values is itself too uncertain to tell.
  if (!mean || !variance || values < FEW_VALUES) return found;
  const eps = layer.eps ?? 1e-5;
  let squares = 0;
  let logs = 0;
  for (let c = 0; c < mean.length; c++) {
    squares += (seen.mean[c] - mean[c]) ** 2 / (variance[c] + eps);
    logs += Math.log((seen.variance[c] + eps) / (variance[c] + eps));
  }
  const meanShift = Math.sqrt(squares / mean.length);
  const varianceRatio = Math.exp(logs / mean.length);
  if (meanShift > MEAN_SHIFT || varianceRatio > VARIANCE_FACTOR || varianceRatio < 1 / VARIANCE_FACTOR) {
    found.push(finding("stale-statistics", "warning", path, { meanShift, varianceRatio, values }));
  }
  return found;
}

function ofModel({ smallestBatch, samples, outputDifference, agreement, layers }: Measurement): Finding[] {
  const found: Finding[] = [];
  if (outputDifference !== null && outputDifference > OUTPUT_DIFFERENCE) {
    const evidence = { difference: outputDifference, agreement: agreement ?? "an unknown share", samples };
    found.push(finding("modes-disagree", "warning", "", evidence));
  }
  const fewest = Math.min(...[...layers.values()].map(({ valuesPerBatch }) => valuesPerBatch));
  if (smallestBatch < FEW_SAMPLES && fewest >= FEW_VALUES && layers.size > 0) {
    const evidence = { samples: smallestBatch, values: fewest, noise: 1 / Math.sqrt(fewest) };
    found.push(finding("small-batch", "warning", "", evidence));
  }
  return found;
}

/** Everything that stands out, whole model first, then layer by layer. */
export function findingsOf(
  layers: readonly NormValues[],
  biases: readonly BiasBefore[],
  seen: Measurement | null,
): Finding[] {
  const perLayer = layers.flatMap((layer) => {
    const measured = seen?.layers.get(layer.path);
    return [
      ...ofValues(layer),
      ...ofUpdates(layer),
      ...biases.filter(({ norm }) => norm === layer.path).map(ofBias),
      ...(seen && measured ? ofMeasure(layer, measured, seen.smallestBatch) : []),
    ];
  });
  return [...(seen ? ofModel(seen) : []), ...perLayer];
}
