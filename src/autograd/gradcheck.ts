import { isFloat, viewHeap } from "../tensor/dtype.ts";
import { Generator } from "../tensor/generator.ts";
import { emptyTensor, type Tensor } from "../tensor/tensor.ts";
import { tidy } from "../tensor/tidy.ts";
import { AutogradError, DTypeError } from "../util/errors.ts";
import { grad } from "./engine.ts";
import { enableGrad, noGrad } from "./mode.ts";

/** How gradcheck compares. */
export interface GradcheckOptions {
  /** Step of the central differences. Default 1e-6. */
  eps?: number;
  /** Absolute tolerance. Default 1e-5. */
  atol?: number;
  /** Relative tolerance. Default 1e-3. */
  rtol?: number;
}

/** A function of tensors that gives one tensor or several. */
export type TensorFunction = (...inputs: Tensor[]) => Tensor | readonly Tensor[];

/** The function's outputs that gradients flow through. */
function outputsOf(fn: TensorFunction, inputs: readonly Tensor[]): Tensor[] {
  const result = fn(...inputs);
  const all = Array.isArray(result) ? (result as readonly Tensor[]) : [result as Tensor];
  return all.filter((output) => isFloat(output.dtype));
}

function elements(x: Tensor): Float64Array {
  return viewHeap("float64", x.pointer, x.numel) as Float64Array;
}

/** numerical[output][i][j] = ∂ output[j] / ∂ input[i], by central differences */
function numericalJacobian(
  fn: TensorFunction,
  inputs: readonly Tensor[],
  input: Tensor,
  eps: number,
): Float64Array[][] {
  const columns: Float64Array[][] = [];
  const at = (i: number, value: number) =>
    tidy(() => {
      elements(input)[i] = value;
      return outputsOf(fn, inputs).map((output) => Float64Array.from(output.toTypedArray() as Float64Array));
    });
  for (let i = 0; i < input.numel; i++) {
    const value = elements(input)[i];
    const above = noGrad(() => at(i, value + eps));
    const below = noGrad(() => at(i, value - eps));
    elements(input)[i] = value;
    above.forEach((high, output) => {
      columns[output] ??= [];
      columns[output].push(high.map((y, j) => (y - below[output][j]) / (2 * eps)));
    });
  }
  return columns;
}

function oneHot(like: Tensor, j: number): Tensor {
  const out = emptyTensor(like.shape, like.dtype);
  const view = viewHeap(like.dtype, out.pointer, out.numel) as Float64Array;
  view.fill(0);
  view[j] = 1;
  return out;
}

function checkInputs(inputs: readonly Tensor[]): Tensor[] {
  const checked = inputs.filter((input) => input.requiresGrad);
  if (checked.length === 0) {
    throw new AutogradError(
      "gradcheck expects at least one input tensor to require gradient, but none of them have requires_grad=True.",
    );
  }
  for (const input of checked) {
    if (input.dtype !== "float64") {
      throw new DTypeError(
        `gradcheck needs double precision inputs, but one that requires a gradient is ${input.dtype}`,
        'make it with { dtype: "float64" }',
      );
    }
    if (!input.isLeaf || !input.isContiguous) {
      throw new AutogradError("gradcheck changes its inputs element by element", "pass contiguous leaf tensors");
    }
  }
  return checked;
}

/**
 * Compares the gradients of `fn` with central differences (f(x + eps) − f(x − eps)) / 2eps, element by element, as
 * torch.autograd.gradcheck. Every float64 input that requires a gradient is checked, for every output.
 * @returns true
 * @throws AutogradError naming the output, the input and the elements that differ by more than atol + rtol·|numerical|
 * @throws DTypeError unless the inputs are float64
 * @example
 * ```ts
 * import { autograd, tensor } from "evenkeel";
 * const x = tensor([1, 2], { dtype: "float64", requiresGrad: true });
 * autograd.gradcheck((a) => a.mul(a), [x]); // => true
 * ```
 */
export function gradcheck(fn: TensorFunction, inputs: readonly Tensor[], options: GradcheckOptions = {}): true {
  const { eps = 1e-6, atol = 1e-5, rtol = 1e-3 } = options;
  const checked = checkInputs(inputs);
  tidy(() => {
    const numerical = checked.map((input) => numericalJacobian(fn, inputs, input, eps));
    const outputs = enableGrad(() => outputsOf(fn, inputs));
    outputs.forEach((output, o) => {
      for (let j = 0; j < output.numel; j++) {
        const gradients = output.requiresGrad
          ? grad([output], checked, { gradOutputs: [oneHot(output, j)], retainGraph: true, allowUnused: true })
          : checked.map(() => null);
        gradients.forEach((gradient, c) => {
          const analytical = gradient?.toTypedArray() as Float64Array | undefined;
          for (let i = 0; i < checked[c].numel; i++) {
            const expected = numerical[c][o][i][j];
            const found = analytical?.[i] ?? 0;
            if (Math.abs(found - expected) <= atol + rtol * Math.abs(expected)) continue;
            throw new AutogradError(
              `Jacobian mismatch for output ${o} with respect to input ${inputs.indexOf(checked[c])}: ` +
                `∂ output[${position(output, j)}] / ∂ input[${position(checked[c], i)}] is ${expected} numerically but ${found} analytically`,
              `they may differ by ${atol} + ${rtol} · |numerical|; a kink within ${eps} of an input also does this`,
            );
          }
        });
      }
    });
  });
  return true;
}

/** Coordinates of the element at a row-major position. */
function position(x: Tensor, flat: number): string {
  const coordinates: number[] = [];
  let rest = flat;
  for (let d = x.ndim - 1; d >= 0; d--) {
    coordinates.unshift(rest % x.shape[d]);
    rest = Math.floor(rest / x.shape[d]);
  }
  return coordinates.join(", ");
}

/**
 * gradcheck of the gradients themselves: whether double backward is right, as torch.autograd.gradgradcheck. The gradients of the
 * outputs are drawn from a fixed seed.
 * @returns true
 * @throws AutogradError as gradcheck
 * @example
 * ```ts
 * import { autograd, tensor } from "evenkeel";
 * const x = tensor([1, 2], { dtype: "float64", requiresGrad: true });
 * autograd.gradgradcheck((a) => a.mul(a).mul(a), [x]); // => true
 * ```
 */
export function gradgradcheck(fn: TensorFunction, inputs: readonly Tensor[], options: GradcheckOptions = {}): true {
  const generator = new Generator(0);
  const gradOutputs = noGrad(() => outputsOf(fn, inputs)).map((output) => {
    const gradient = emptyTensor(output.shape, "float64");
    generator.fillNormal(elements(gradient));
    return gradient.requiresGrad_();
  });
  const checked = checkInputs(inputs);
  const first = (...all: Tensor[]) =>
    enableGrad(() => {
      const outputs = outputsOf(fn, all.slice(0, inputs.length));
      const gradients = grad(outputs, checked, {
        gradOutputs: all.slice(inputs.length),
        createGraph: true,
        allowUnused: true,
      });
      return gradients.filter((gradient): gradient is Tensor => gradient !== null);
    });
  return gradcheck(first, [...inputs, ...gradOutputs], options);
}
