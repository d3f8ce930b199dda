import type { NormTail, UnaryGradOp, UnaryOp } from "../../kernels/backend.ts";
import { packedAs, type Tensor } from "../../tensor/tensor.ts";
import { gelu, leakyRelu, relu, relu6, sigmoid, silu, tanh } from "../activation.ts";
import { add } from "../arithmetic.ts";

/** What may follow a normalization in the same pass over memory. */
export interface Tail {
  /** added to the normalized values */
  readonly residual: Tensor | null;
  readonly activation: Activation | null;
}

/** Activations that a normalization can be joined with. */
export type Activation = "relu" | "relu6" | "leakyRelu" | "sigmoid" | "tanh" | "silu" | "gelu";

interface ActivationKernels {
  readonly op: UnaryOp & UnaryGradOp;
  readonly p?: number;
  /** whether the slope can be told from the activation's output; if not, its input is computed again */
  readonly fromOutput: boolean;
  readonly differentiable: (x: Tensor) => Tensor;
}

/** relu, relu6 and leakyRelu keep the side of their corners, so that the output serves as well as the input. */
const KERNELS: Readonly<Record<Activation, ActivationKernels>> = {
  relu: { op: "relu", fromOutput: true, differentiable: relu },
  relu6: { op: "relu6", fromOutput: true, differentiable: relu6 },
  leakyRelu: { op: "leakyRelu", p: 0.01, fromOutput: true, differentiable: leakyRelu },
  sigmoid: { op: "sigmoid", fromOutput: true, differentiable: sigmoid },
  tanh: { op: "tanh", fromOutput: true, differentiable: tanh },
  silu: { op: "silu", fromOutput: false, differentiable: silu },
  gelu: { op: "gelu", fromOutput: false, differentiable: gelu },
};

/** The activation alone, with a history. */
export function activate(x: Tensor, activation: Activation): Tensor {
  return KERNELS[activation].differentiable(x);
}

/** The names of the activations. */
export const ACTIVATIONS = Object.keys(KERNELS) as readonly Activation[];

/** What of the forward pass the activation's gradient reads. */
export function readByTail({ activation }: Tail): "input" | "output" | null {
  if (!activation) return null;
  return KERNELS[activation].fromOutput ? "output" : "input";
}

/** Calls `run` with what kernels are told of a tail behind values that lie as y. */
export function withTail({ residual, activation }: Tail, y: Tensor, run: (tail?: NormTail) => void): void {
  if (!residual && !activation) {
    run();
    return;
  }
  const addend = residual && packedAs(residual, y.strides);
  const kernels = activation ? KERNELS[activation] : null;
  run({ residual: addend?.pointer ?? 0, activation: kernels?.op ?? null, p: kernels?.p });
  if (addend !== residual) addend?.storage.release();
}

/** What the way back through an activation needs: its gradient's kernel, and what the slope is told from. */
export interface TailSlope {
  readonly op: UnaryGradOp;
  readonly p?: number;
  readonly source: Tensor;
  /** where the source is ReLU of the normalized values alone: the bias, if it is still that of the forward pass */
  readonly bias?: Tensor | null;
}

/** The way back through a tail with the output y; null without an activation. `before` computes the activation's input anew. */
export function tailSlope({ activation }: Tail, y: Tensor, before: () => Tensor): TailSlope | null {
  if (!activation) return null;
  const { op, p, fromOutput } = KERNELS[activation];
  return { op, p, source: fromOutput ? y : before() };
}

/** The gradient before the activation, with a history; `normalized` has one too. */
export function differentiableTailGrad(g: Tensor, { residual, activation }: Tail, normalized: Tensor): Tensor {
  if (!activation) return g;
  const before = residual ? add(normalized, residual) : normalized;
  const after = activate(before, activation);
  // one step of the graph, so that nothing before it is walked
  return after.gradFn?.backward(g)[0] ?? g;
}
