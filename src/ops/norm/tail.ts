import type { UnaryGradOp, UnaryOp } from "../../kernels/backend.ts";
import { backend } from "../../kernels/registry.ts";
import { floatDType } from "../../tensor/dtype.ts";
import { emptyAs, packedAs, type Tensor } from "../../tensor/tensor.ts";
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

function addResidual(y: Tensor, residual: Tensor): void {
  const addend = packedAs(residual, y.strides);
  backend().axpy(floatDType(y.dtype, "batch_norm"), y.pointer, addend.pointer, y.numel, 1);
  if (addend !== residual) addend.storage.release();
}

/** Adds the residual and applies the activation where the normalized values lie. */
export function applyTail(y: Tensor, { residual, activation }: Tail): void {
  if (residual) addResidual(y, residual);
  if (!activation) return;
  const { op, p } = KERNELS[activation];
  backend().unary(op, floatDType(y.dtype, "batch_norm"), y.pointer, y.pointer, y.numel, p);
}

/** The gradient before the activation, lying as y; g itself where nothing changes it. `normalized` computes the normalized values anew. */
export function tailGrad(g: Tensor, y: Tensor, { residual, activation }: Tail, normalized: () => Tensor): Tensor {
  if (!activation) return packedAs(g, y.strides);
  const { op, p, fromOutput } = KERNELS[activation];
  let source = y;
  if (!fromOutput) {
    source = normalized();
    if (residual) addResidual(source, residual);
  }
  const upstream = packedAs(g, y.strides);
  const out = fromOutput ? emptyAs(y) : source;
  backend().unaryGrad(op, floatDType(g.dtype, "batch_norm"), out.pointer, upstream.pointer, source.pointer, g.numel, p);
  if (upstream !== g) upstream.storage.release();
  return out;
}

/** The same with a history; `normalized` has one too. */
export function differentiableTailGrad(g: Tensor, { residual, activation }: Tail, normalized: Tensor): Tensor {
  if (!activation) return g;
  const before = residual ? add(normalized, residual) : normalized;
  const after = activate(before, activation);
  // one step of the graph, so that nothing before it is walked
  return after.gradFn?.backward(g)[0] ?? g;
}
