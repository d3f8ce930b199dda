import { Generator, nn, randn, type Tensor, tidy, varMean } from "evenkeel";
import { type Kind, MOST, type ShapeSettings } from "./kinds.ts";

/** What a layer makes of the tensor. */
export interface Normalized {
  readonly x: readonly number[];
  /** undefined where the layer refuses */
  readonly y: readonly number[] | undefined;
  readonly error: string | undefined;
  /** one row a sample, or one for all of them; mean is empty for RMS norm, whose statistic is the mean of squares */
  readonly means: readonly (readonly number[])[];
  readonly variances: readonly (readonly number[])[];
  /** the statistics' own shape, as the layer has it */
  readonly shape: readonly number[];
  /** the layer as it prints itself */
  readonly layer: string;
  readonly eps: number;
}

type Norm2d = nn.BatchNorm2d | nn.LayerNorm | nn.InstanceNorm2d | nn.GroupNorm | nn.RMSNorm;

const listOf = (values: Tensor): number[] => [...(values.contiguous().toTypedArray() as Float32Array)];

/** A tensor [N, C, H, W] whose samples and channels differ in mean and spread, as feature maps do. */
export function featureMaps({ samples, side }: Pick<ShapeSettings, "samples" | "side">, seed = 5): Tensor {
  const { samples: most, channels, side: widest } = MOST;
  const generator = new Generator(seed);
  const values = randn([most, channels, widest, widest], { generator });
  const levels = randn([1, channels, 1, 1], { generator });
  const contrasts = randn([most, 1, 1, 1], { generator }).mul(0.4).exp();
  return values.mul(contrasts).add(levels).narrow(0, 0, samples).narrow(2, 0, side).narrow(3, 0, side).contiguous();
}

/** The layer of a kind for [N, C, H, W] input, without scale and shift. */
export function layerOf({ kind, side, groups }: ShapeSettings): Norm2d {
  const { channels } = MOST;
  const shape = [channels, side, side];
  switch (kind) {
    case "batch":
      return new nn.BatchNorm2d(channels, { affine: false, trackRunningStats: false });
    case "layer":
      return new nn.LayerNorm(shape, { elementwiseAffine: false });
    case "instance":
      return new nn.InstanceNorm2d(channels);
    case "group":
      return new nn.GroupNorm(groups, channels, { affine: false });
    case "rms":
      return new nn.RMSNorm(shape, { elementwiseAffine: false, eps: 1e-5 });
  }
}

/** Mean and biased variance over what the kind averages; for RMS norm the mean of squares. */
function statisticsOf(
  { kind, samples, groups }: ShapeSettings,
  x: Tensor,
): { shape: number[]; means: Tensor | null; variances: Tensor } {
  if (kind === "rms") return { shape: [samples], means: null, variances: x.mul(x).mean([1, 2, 3]) };
  const parts: Record<Exclude<Kind, "rms">, [Tensor, number[], number[]]> = {
    batch: [x, [0, 2, 3], [MOST.channels]],
    layer: [x, [1, 2, 3], [samples]],
    instance: [x, [2, 3], [samples, MOST.channels]],
    group: [x.reshape([samples, groups, -1]), [2], [samples, groups]],
  };
  const [values, dims, shape] = parts[kind];
  const [variances, means] = varMean(values, dims, { correction: 0 });
  return { shape, means, variances };
}

/** The tensor through the layer, with the statistics that it uses. */
export function normalize(settings: ShapeSettings, x: Tensor = featureMaps(settings)): Normalized {
  return tidy(() => {
    const layer = layerOf(settings);
    const { shape, means, variances } = statisticsOf(settings, x);
    const rows = settings.kind === "batch" ? 1 : settings.samples;
    const table = (values: Tensor) => {
      const list = listOf(values);
      return Array.from({ length: rows }, (_, row) =>
        list.slice((row * list.length) / rows, ((row + 1) * list.length) / rows),
      );
    };
    let [y, error]: [number[] | undefined, string | undefined] = [undefined, undefined];
    try {
      y = listOf(layer.forward(x));
    } catch (thrown) {
      error = (thrown as Error).message;
    }
    return {
      x: listOf(x),
      y,
      error,
      means: means ? table(means) : [],
      variances: table(variances),
      shape,
      layer: String(layer),
      eps: 1e-5,
    };
  });
}

/** What one place's output becomes when all other samples are exchanged. */
export function withOthers(
  settings: ShapeSettings,
  sample: number,
  place: number,
): { now: number; among: number } | undefined {
  return tidy(() => {
    const x = featureMaps(settings);
    const other = featureMaps(settings, 6).mul(2).add(1);
    other.narrow(0, sample, 1).copy_(x.narrow(0, sample, 1));
    const now = normalize(settings, x).y;
    const among = normalize(settings, other).y;
    return now && among && { now: now[place], among: among[place] };
  });
}

/** By how much the mean of a channel over N samples misses the data's own, 0: the standard deviation over many batches. */
export function straying(sizes: readonly number[], positions: number): number[] {
  const batches = 400;
  return tidy(() =>
    sizes.map((size) => {
      const values = randn([batches, size * positions], { generator: new Generator(size) });
      const means = values.mean(1);
      return Math.sqrt(means.mul(means).mean().item());
    }),
  );
}
