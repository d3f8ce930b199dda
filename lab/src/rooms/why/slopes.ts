import { manualSeed, nn, randn, sigmoid, type Tensor, tidy } from "evenkeel";

/** How many inputs of a sigmoid are shown. */
export const INPUTS = 40;

/** What is done to the inputs before the sigmoid. */
export const TREATMENTS = ["raw", "centred", "normalized"] as const;
export type Treatment = (typeof TREATMENTS)[number];

export interface Slopes {
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** the mean of the sigmoid's derivative over the inputs */
  readonly slope: number;
}

/** A batch through a sigmoid, and the gradient that comes back: as it is, centred, and through BatchNorm1d. */
export function slopes(mean: number, spread: number): Record<Treatment, Slopes> {
  return tidy(() => {
    manualSeed(7);
    const raw = randn([INPUTS, 1]).mul(spread).add(mean);
    const norm = new nn.BatchNorm1d(1, { affine: false });
    return {
      raw: through(raw),
      centred: through(raw.sub(raw.mean())),
      normalized: through(norm.forward(raw)),
    };
  });
}

function through(values: Tensor): Slopes {
  const inputs = values.detach().requiresGrad_();
  const outputs = sigmoid(inputs);
  outputs.sum().backward();
  const list = (tensor: Tensor) => [...(tensor.toTypedArray() as Float32Array)];
  return { inputs: list(inputs), outputs: list(outputs), slope: inputs.grad!.mean().item() };
}
