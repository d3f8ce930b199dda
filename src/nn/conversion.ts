import { convert } from "../ops/convert.ts";
import type { DType } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Parameter } from "./parameter.ts";
import { isUninitialized, UninitializedBuffer, UninitializedParameter } from "./uninitialized.ts";

/** Parameters and buffers in another dtype; what is shared stays shared. */
export class Conversion {
  private readonly made = new Map<Parameter, Parameter>();

  constructor(private readonly dtype: DType) {}

  /** A new parameter with its gradient. */
  parameter(parameter: Parameter): Parameter {
    const known = this.made.get(parameter);
    if (known) return known;
    const made = this.convert(parameter);
    this.made.set(parameter, made);
    return made;
  }

  private convert(parameter: Parameter): Parameter {
    const { dtype } = this;
    if (isUninitialized(parameter)) return new UninitializedParameter(dtype);
    const made = new Parameter(convert(parameter, dtype), parameter.requiresGrad);
    made.grad = parameter.grad && convert(parameter.grad, dtype);
    return made;
  }

  buffer(buffer: Tensor): Tensor {
    return isUninitialized(buffer) ? new UninitializedBuffer(this.dtype) : convert(buffer, this.dtype);
  }
}
