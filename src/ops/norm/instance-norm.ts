import { noGrad } from "../../autograd/mode.ts";
import { numelOf } from "../../tensor/shape.ts";
import { packInto, type Tensor } from "../../tensor/tensor.ts";
import { mean } from "../reduction.ts";
import { expand, reshape } from "../views.ts";
import { batchNormTrain, type RunningStatistics } from "./batch-norm.ts";

/** One value a channel becomes one value an image and channel: [C] to [N·C]. */
function repeat(perChannel: Tensor, n: number): Tensor {
  return reshape(expand(reshape(perChannel, [1, -1]), [n, perChannel.numel]), [-1]);
}

/**
 * Instance normalization of [N, C, …]: batch normalization of one batch of N·C channels, so that every image and channel has moments
 * of its own. Running statistics take the average over the images.
 */
export function instanceNormTrain(
  x: Tensor,
  weight: Tensor | null,
  bias: Tensor | null,
  running: RunningStatistics | null,
  eps: number,
): Tensor {
  const [n, c] = x.shape;
  const spread = running && {
    mean: noGrad(() => repeat(running.mean, n)),
    variance: noGrad(() => repeat(running.variance, n)),
    momentum: running.momentum,
  };
  const seen = reshape(x, [1, n * c, numelOf(x.shape.slice(2))]);
  const y = batchNormTrain(seen, weight && repeat(weight, n), bias && repeat(bias, n), spread, eps);
  if (spread && x.numel > 0) {
    noGrad(() => {
      for (const kind of ["mean", "variance"] as const) {
        const average = mean(reshape(spread[kind], [n, c]), 0);
        packInto(running[kind], average);
        running[kind].storage.version++;
        average.storage.release();
        spread[kind].storage.release();
      }
    });
  }
  return reshape(y, x.shape);
}
