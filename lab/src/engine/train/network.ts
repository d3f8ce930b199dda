import { F, manualSeed, nn, noGrad, optim, type Tensor, tidy } from "evenkeel";
import { cnn, mlp } from "../../../../dist/study/networks.js";
import { ACTIVATION_BINS, GRADIENT_BINS, histogram } from "./histogram.ts";
import type { NormName, TrainSettings } from "./settings.ts";

const isLayer = (module: nn.Module): module is nn.Linear | nn.Conv2d =>
  module instanceof nn.Linear || module instanceof nn.Conv2d;
const isActivation = (module: nn.Module) => module instanceof nn.Sigmoid || module instanceof nn.ReLU;

/** Weights from N(0, (scale · gain / √fan_in)²) and no biases: the same numbers for every normalization. */
function drawWeights(model: nn.Sequential, { scale, seed, network }: TrainSettings): void {
  const gain = network === "mlp-sigmoid" ? 1 : Math.SQRT2;
  manualSeed(seed);
  for (const layer of model) {
    if (!isLayer(layer)) continue;
    const fanIn = layer.weight.numel / layer.weight.shape[0];
    nn.init.normal_(layer.weight, 0, (scale * gain) / Math.sqrt(fanIn));
    if (layer.bias) nn.init.zeros_(layer.bias);
  }
}

function makeOptimizer(model: nn.Module, { optimizer, lr }: TrainSettings): optim.Optimizer {
  if (optimizer === "adam") return new optim.Adam(model.parameters(), { lr });
  return new optim.SGD(model.parameters(), { lr, momentum: optimizer === "momentum" ? 0.9 : 0 });
}

/** The histograms of one step, layer by layer. */
export interface Histograms {
  /** what each activation function was given */
  readonly activations: Float32Array[];
  /** gradients of each layer's weights */
  readonly gradients: Float32Array[];
}

/** One of the two networks, and its optimizer. */
export class Network {
  readonly model: nn.Sequential;
  /** the step at which the loss was no number any more; training ends there */
  divergedAt: number | null = null;
  /** ms spent in training steps */
  milliseconds = 0;
  private readonly optimizer: optim.Optimizer;
  private readonly flat: boolean;
  private readonly unhook: (() => void)[];
  /** takes the inputs of the activation functions while a step is watched */
  private watched: Float32Array[] | null = null;

  constructor(norm: NormName, settings: TrainSettings) {
    this.flat = settings.network !== "cnn";
    const activation = settings.network === "mlp-relu" ? () => new nn.ReLU() : undefined;
    this.model = this.flat ? mlp(norm, 1, activation) : cnn(norm);
    drawWeights(this.model, settings);
    this.optimizer = makeOptimizer(this.model, settings);
    this.unhook = [...this.model].filter(isActivation).map((module) =>
      module.registerForwardHook((_, [input]) => {
        this.watched?.push(histogram((input as Tensor).toTypedArray() as Float32Array, ACTIVATION_BINS, (x) => x));
      }),
    );
  }

  get parameters(): number {
    return [...this.model.parameters()].reduce((sum, { numel }) => sum + numel, 0);
  }

  private forward(images: Tensor): Tensor {
    return this.model.forward(this.flat ? images.flatten(1) : images) as Tensor;
  }

  /** One training step; returns the loss. `watch` also takes histograms. */
  step(images: Tensor, labels: Tensor, at: number, watch: boolean): { loss: number; histograms: Histograms | null } {
    if (this.divergedAt !== null) return { loss: Number.NaN, histograms: null };
    const began = performance.now();
    this.watched = watch ? [] : null;
    this.optimizer.zeroGrad();
    const output = F.crossEntropy(this.forward(images), labels);
    output.backward();
    const histograms = this.watched && { activations: this.watched, gradients: this.gradients() };
    this.watched = null;
    this.optimizer.step();
    const loss = output.item();
    if (!Number.isFinite(loss)) this.divergedAt = at;
    this.milliseconds += performance.now() - began;
    return { loss, histograms };
  }

  private gradients(): Float32Array[] {
    return [...this.model].filter(isLayer).map(({ weight }) => {
      const values = weight.grad?.toTypedArray() as Float32Array;
      return histogram(values, GRADIENT_BINS, (x) => Math.log10(Math.abs(x)));
    });
  }

  /** How many of the images are named correctly, in evaluation mode. */
  countCorrect(images: Tensor, labels: Tensor): number {
    this.model.eval();
    try {
      return tidy(() => noGrad(() => Number(this.forward(images).argmax(1).eq(labels).sum().item())));
    } finally {
      this.model.train();
    }
  }

  /** Gives the memory back. */
  dispose(): void {
    for (const remove of this.unhook) remove();
    this.optimizer.zeroGrad();
    for (const state of this.optimizer.state.values()) {
      for (const value of Object.values(state)) if (typeof value === "object") value?.dispose();
    }
    for (const tensor of [...this.model.parameters(), ...this.model.buffers()]) tensor.dispose();
  }
}
