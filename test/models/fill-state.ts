import { type Generator, type nn, noGrad } from "../../src/index.ts";

/** Random parameters and statistics from one generator, in the order of the state dict: `fill` of cases_models.py. */
export function fillState(model: nn.Module, generator: Generator, shift: number): void {
  noGrad(() => {
    for (const [key, value] of model.stateDict()) {
      if (key.endsWith("num_batches_tracked")) value.fill_(3);
      else if (value.ndim > 1) {
        const bound = Math.sqrt(6 / (value.numel / value.shape[0]));
        value.uniform_({ from: -bound, to: bound, generator });
      } else if (key.endsWith("weight")) value.uniform_({ from: 0.15, to: 0.45, generator });
      else if (key.endsWith("running_mean")) value.uniform_({ from: -0.2, to: 0.2, generator });
      else if (key.endsWith("running_var")) value.uniform_({ from: 0.5, to: 1.5, generator });
      else value.uniform_({ from: shift, to: shift + 1, generator });
    }
  });
}
