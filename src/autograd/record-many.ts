import { emptyTensor, type Tensor } from "../tensor/tensor.ts";
import { isGradEnabled } from "./mode.ts";
import { needsGrad, record } from "./record.ts";

/**
 * `record` for a function with several outputs.
 *
 * Each output is recorded as made from an empty token, the token as made from the inputs. Backward reaches the token last: by then every
 * output has put its gradient aside.
 * @param backward from the gradients of the outputs (null where none arrived) those of the inputs
 */
export function recordMany(
  name: string,
  outputs: readonly Tensor[],
  inputs: readonly (Tensor | null)[],
  backward: (gradients: readonly (Tensor | null)[], needs: readonly boolean[]) => (Tensor | null)[],
  saved: readonly Tensor[],
  own: readonly Tensor[],
): void {
  if (!needsGrad(...inputs)) {
    for (const tensor of own) tensor.storage.release();
    return;
  }
  if (outputs.length === 1) {
    record(name, outputs[0], inputs, (g, needs) => backward([g], needs), saved, own);
    return;
  }
  const arrived: (Tensor | null)[] = outputs.map(() => null);
  const token = emptyTensor([0], outputs[0].dtype);
  const joint = (_: Tensor, needs: readonly boolean[]) => {
    const gradients = arrived.map((gradient, i) => {
      arrived[i] = null;
      return gradient;
    });
    const results = backward(gradients, needs);
    if (!isGradEnabled()) for (const gradient of gradients) gradient?.storage.unpin();
    return results;
  };
  record(name, token, inputs, joint, saved, [...own, token]);
  outputs.forEach((output, i) => {
    record(name, output, [token], (g) => {
      // The engine gives back what has been used; this is used later.
      if (!isGradEnabled()) g.storage.pin();
      arrived[i] = g;
      return [emptyTensor([0], g.dtype)];
    });
  });
}
