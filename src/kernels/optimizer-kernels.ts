import type { AdamStep, Pointer, RmspropStep, SgdStep, SgdTensor } from "./arguments.ts";
import type { FloatDType } from "./dtype.ts";

/** Optimizer updates, one pass over memory each, in place. */
export interface OptimizerKernels {
  sgd(dtype: FloatDType, tensors: readonly SgdTensor[], step: SgdStep): void;
  /** `maxSquare` is 0 unless amsgrad */
  adam(
    dtype: FloatDType,
    n: number,
    param: Pointer,
    grad: Pointer,
    average: Pointer,
    square: Pointer,
    maxSquare: Pointer,
    step: AdamStep,
  ): void;
  /** `buffer` is 0 unless momentum > 0; `average` is 0 unless centered */
  rmsprop(
    dtype: FloatDType,
    n: number,
    param: Pointer,
    grad: Pointer,
    square: Pointer,
    buffer: Pointer,
    average: Pointer,
    step: RmspropStep,
  ): void;
}
