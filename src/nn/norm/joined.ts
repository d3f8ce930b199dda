import type { NormActivation } from "../../functional/norm-batch.ts";
import { add } from "../../ops/arithmetic.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { ReLU, ReLU6, Sigmoid, Tanh } from "../layers/activation.ts";
import type { Module } from "../module.ts";
import { BatchNorm } from "./batch-norm.ts";

/** The activations whose slope is told from their output, so that joining saves memory and computes nothing twice. */
const JOINED: readonly (readonly [NormActivation, new () => Module])[] = [
  ["relu", ReLU],
  ["relu6", ReLU6],
  ["sigmoid", Sigmoid],
  ["tanh", Tanh],
];

/** The activation that a module is, if its forward is that of its class: neither another class's nor one with hooks. */
function activationOf(module: Module): NormActivation | null {
  return JOINED.find(([, type]) => module.forward === type.prototype.forward)?.[0] ?? null;
}

/** The activation that a batch norm and the module behind it compute in one pass; null where somebody watches one of them, or they are others. */
function joined(norm: Module, activation: Module): NormActivation | null {
  return norm instanceof BatchNorm && norm.forward === BatchNorm.prototype.forward ? activationOf(activation) : null;
}

/** Whether the two are computed together. */
export function isJoined(norm: Module, activation: Module): boolean {
  return joined(norm, activation) !== null;
}

/** activation(norm(input) + residual): where the two can be joined in one pass over memory, and to the same bits, else one after the other. */
export function normThenActivation(norm: Module, activation: Module, input: Tensor, residual?: Tensor | null): Tensor {
  const kind = joined(norm, activation);
  if (kind) return (norm as BatchNorm).forwardThen(input, kind, residual);
  const normalized = norm.forward(input);
  return activation.forward(residual ? add(normalized, residual) : normalized);
}
