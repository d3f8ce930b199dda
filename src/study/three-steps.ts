import { noGrad } from "../autograd/mode.ts";
import type { ImageDataset } from "../data/index.ts";
import * as nn from "../nn/index.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { tidy } from "../tensor/tidy.ts";
import type { ThreeSteps, UnitPercentiles } from "./results.ts";

/** Samples of the mini-batch that is worked through: few enough to be followed by hand. */
const SAMPLES = 6;

/** Follows one unit's values over a small mini-batch through the last batch norm of a trained network, in training and in evaluation. */
export function threeSteps(
  model: nn.Sequential,
  train: ImageDataset,
  step: number,
  { layer, unit }: UnitPercentiles,
): ThreeSteps {
  return tidy(() =>
    noGrad(() => {
      const layers = [...model];
      const at = layers.findLastIndex((module) => module instanceof nn.BatchNorm1d);
      const norm = layers[at] as nn.BatchNorm1d;
      const [images] = train.getBatch(Array.from({ length: SAMPLES }, (_, i) => i));
      model.eval();
      const input = layers.slice(0, at).reduce((x: Tensor, module) => module.forward(x), images.flatten(1));
      const column = (values: Tensor) => [...values.select(1, unit).toTypedArray()].map(Number);
      const ofUnit = (values: Tensor | null) => values?.select(0, unit).item() ?? Number.NaN;

      const meanBefore = ofUnit(norm.runningMean);
      const varBefore = ofUnit(norm.runningVar);
      norm.train();
      const output = norm.forward(input);
      norm.eval();
      const evaluated = norm.forward(input);

      const x = column(input);
      const y = column(output);
      const gamma = ofUnit(norm.weight);
      const beta = ofUnit(norm.bias);
      const mean = x.reduce((a, b) => a + b, 0) / SAMPLES;
      const variance = x.reduce((a, b) => a + (b - mean) ** 2, 0) / SAMPLES;
      return {
        layer,
        unit,
        step,
        x,
        mean,
        var: variance,
        eps: norm.eps,
        xhat: x.map((value) => (value - mean) / Math.sqrt(variance + norm.eps)),
        gamma,
        beta,
        y,
        running: {
          momentum: norm.momentum ?? 0,
          meanBefore,
          varBefore,
          unbiasedVar: (variance * SAMPLES) / (SAMPLES - 1),
          meanAfter: ofUnit(norm.runningMean),
          varAfter: ofUnit(norm.runningVar),
        },
        yEval: column(evaluated),
      };
    }),
  );
}
