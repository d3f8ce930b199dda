import { zerosLike } from "../tensor/creation.ts";
import { sameShape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { ArgumentError, ShapeError } from "../util/errors.ts";
import { grad } from "./engine.ts";
import { enableGrad } from "./mode.ts";

/**
 * The derivative of a function at `inputs` in the direction `tangents`: Σᵢ ∂f/∂xᵢ · vᵢ, of the output's shape. What forward-mode differentiation computes, got by differentiating the
 * gradient, which is linear in the output's gradient. As torch.autograd.functional.jvp.
 * @param fn of as many tensors as there are inputs; gives one tensor
 * @param tangents one for each input, of its shape
 * @returns the function's value, and its derivative
 * @throws ArgumentError or ShapeError if tangents and inputs do not go together
 * @example
 * ```ts
 * import { autograd, tensor } from "evenkeel";
 * const { derivative } = autograd.jvp((x) => x.mul(x), [tensor([1, 2])], [tensor([1, 10])]);
 * derivative.toArray(); // => [2, 40]
 * ```
 */
export function jvp(
  fn: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  tangents: readonly Tensor[],
): { output: Tensor; derivative: Tensor } {
  if (inputs.length !== tangents.length) {
    throw new ArgumentError(`there are ${inputs.length} inputs and ${tangents.length} tangents`, "give one for each");
  }
  inputs.forEach((input, i) => {
    if (sameShape(input.shape, tangents[i].shape)) return;
    throw new ShapeError(
      `tangent ${i} has shape [${tangents[i].shape.join(", ")}], its input [${input.shape.join(", ")}]`,
      "a tangent is a direction in the space of its input",
    );
  });
  return enableGrad(() => {
    const primals = inputs.map((input) => input.detach().requiresGrad_());
    const output = fn(...primals);
    if (!output.requiresGrad) return { output, derivative: zerosLike(output) };
    const upstream = zerosLike(output).requiresGrad_();
    const gradients = grad([output], primals, { gradOutputs: [upstream], createGraph: true, allowUnused: true });
    const used = gradients.flatMap((gradient, i) =>
      gradient?.requiresGrad ? [{ gradient, tangent: tangents[i] }] : [],
    );
    const gradOutputs = used.map(({ tangent }) => tangent);
    const [derivative] = used.length
      ? grad(
          used.map(({ gradient }) => gradient),
          [upstream],
          { gradOutputs, allowUnused: true },
        )
      : [null];
    return { output: output.detach(), derivative: derivative ?? zerosLike(output) };
  });
}
