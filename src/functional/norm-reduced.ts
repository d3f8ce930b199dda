import { noGrad } from "../autograd/mode.ts";
import { convert } from "../ops/convert.ts";
import { copy_ } from "../ops/inplace.ts";
import { isReduced } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** The tensor as float32 if it is float16 or bfloat16, else itself; with history. */
export function widened<T extends Tensor | null>(x: T): T {
  return x && isReduced(x.dtype) ? (convert(x, "float32") as T) : x;
}

/**
 * Normalizes float16 or bfloat16 in float32, as PyTorch does: `run` gets the running statistics in float32 and gives results in it, which are
 * rounded to the input's dtype once. Running statistics of 16 bits take what became of theirs.
 */
export function inFloat32(
  { dtype }: Tensor,
  statistics: readonly (Tensor | null)[],
  run: (...statistics: (Tensor | null)[]) => Tensor[],
): Tensor[] {
  const wide = noGrad(() => statistics.map(widened));
  const versions = wide.map((each) => each?.storage.version);
  const outputs = run(...wide).map((output) => convert(output, dtype));
  noGrad(() => {
    for (const [i, own] of statistics.entries()) {
      const now = wide[i];
      if (own && now && now !== own && now.storage.version !== versions[i]) copy_(own, now);
    }
  });
  return outputs;
}
