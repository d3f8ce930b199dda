import { Generator, nn, noGrad, randn, type Tensor, tensor, tidy, variance } from "evenkeel";

/** Batch sizes that can be chosen. */
export const SIZES = [1, 2, 4, 8, 16, 32, 64, 128] as const;

/** Everything about the data and the layer that the sliders set. */
export interface LayerSettings {
  readonly size: number;
  readonly mean: number;
  readonly spread: number;
  readonly eps: number;
  readonly gamma: number;
  readonly beta: number;
  /** which random batch */
  readonly seed: number;
}

/** What one layer does to one mini-batch of one channel. */
export interface Steps {
  readonly x: readonly number[];
  readonly mean: number;
  /** the biased variance, which normalizes */
  readonly variance: number;
  readonly normalized: readonly number[];
  readonly scaled: readonly number[];
  readonly y: readonly number[];
}

export const list = (values: Tensor): number[] => [...(values.toTypedArray() as Float32Array)];

/** A mini-batch [N, 1] of normal numbers. The first examples are the same for every size. */
export function drawBatch({
  size,
  mean,
  spread,
  seed,
}: Pick<LayerSettings, "size" | "mean" | "spread" | "seed">): Tensor {
  const most = SIZES[SIZES.length - 1];
  const drawn = randn([most, 1], { generator: new Generator(seed) });
  return drawn.narrow(0, 0, size).mul(spread).add(mean);
}

/** A BatchNorm1d of one channel with this scale and shift. */
export function layerOf({ eps, gamma, beta }: Pick<LayerSettings, "eps" | "gamma" | "beta">): nn.BatchNorm1d {
  const layer = new nn.BatchNorm1d(1, { eps });
  setAffine(layer, gamma, beta);
  return layer;
}

export function setAffine(layer: nn.BatchNorm1d, gamma: number, beta: number): void {
  noGrad(() => {
    layer.weight!.fill_(gamma);
    layer.bias!.fill_(beta);
  });
}

/** A batch through a BatchNorm1d in training, and the same with the shift, then the scale left out. Throws as the layer does. */
export function threeSteps(settings: LayerSettings): Steps {
  return tidy(() => {
    const { eps, gamma, beta } = settings;
    const x = drawBatch(settings);
    const through = (scale: number, shift: number) => list(layerOf({ eps, gamma: scale, beta: shift }).forward(x));
    const y = through(gamma, beta);
    return {
      x: list(x),
      mean: x.mean().item(),
      variance: variance(x, undefined, { correction: 0 }).item(),
      normalized: through(1, 0),
      scaled: through(gamma, 0),
      y,
    };
  });
}

/** One example among others: what a layer in training makes of it in three different batches. */
export function inCompany(settings: LayerSettings, value: number, seeds: readonly number[]): number[] {
  return tidy(() =>
    seeds.map((seed) => {
      const batch = drawBatch({ ...settings, seed });
      batch.narrow(0, 0, 1).fill_(value);
      return list(layerOf(settings).forward(batch))[0];
    }),
  );
}

/** What a layer makes of a batch of one: in training its error, in evaluation the number. */
export function alone(layer: nn.BatchNorm1d, value: number): { error: string; y: number } {
  return tidy(() => {
    const one = tensor([[value]]);
    let error = "";
    try {
      layerOf({ eps: layer.eps, gamma: 1, beta: 0 }).forward(one);
    } catch (thrown) {
      error = (thrown as Error).message;
    }
    return { error, y: evaluate(layer, one)[0] };
  });
}

/** A batch through a layer in evaluation. */
export function evaluate(layer: nn.BatchNorm1d, x: Tensor): number[] {
  layer.eval();
  const y = list(noGrad(() => layer.forward(x)));
  layer.train();
  return y;
}

/** Numbers as a batch [N, 1]. */
export function columnOf(values: readonly number[]): Tensor {
  return tensor(Float32Array.from(values), { shape: [values.length, 1] });
}
