import type { NormActivation } from "../../functional/norm-batch.ts";
import { add } from "../../ops/arithmetic.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { ReLU, ReLU6, Sigmoid, Tanh } from "../layers/activation.ts";
import type { Module } from "../module.ts";
import { BatchNorm } from "./batch-norm.ts";

/** The activations whose slope is told from their output, so that joining saves memory and computes nothing twice. */
const JOINED: ReadonlyMap<unknown, NormActivation> = new Map([
  [ReLU.prototype.forward, "relu"],
  [ReLU6.prototype.forward, "relu6"],
  [Sigmoid.prototype.forward, "sigmoid"],
  [Tanh.prototype.forward, "tanh"],
]);

/**
 * The activation that a batch norm and the module behind it compute in one pass; null where they are others, or not those of their classes: one with hooks has a
 * forward of its own.
 */
function joined(norm: Module, activation: Module): NormActivation | null {
  if (!(norm instanceof BatchNorm) || norm.forward !== BatchNorm.prototype.forward) return null;
  return JOINED.get(activation.forward) ?? null;
}

/** activation(norm(input)) where the two can be joined, else null. */
export function joinedForward(norm: Module, activation: Module, input: Tensor): Tensor | null {
  const kind = joined(norm, activation);
  return kind && (norm as BatchNorm).forwardThen(input, kind);
}

/** activation(norm(input) + residual): where the two can be joined in one pass over memory, and to the same bits, else one after the other. */
export function normThenActivation(norm: Module, activation: Module, input: Tensor, residual?: Tensor | null): Tensor {
  const kind = joined(norm, activation);
  if (kind) return (norm as BatchNorm).forwardThen(input, kind, residual);
  const normalized = norm.forward(input);
  return activation.forward(residual ? add(normalized, residual) : normalized);
}
