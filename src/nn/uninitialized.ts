import type { DType } from "../tensor/dtype.ts";
import { contiguousStrides, type Shape } from "../tensor/shape.ts";
import { emptyTensor, Tensor } from "../tensor/tensor.ts";
import { ArgumentError } from "../util/errors.ts";
import { Parameter } from "./parameter.ts";

/*
 * Parameters and buffers of lazy layers before the first forward pass: tensors whose shape is not known yet.
 */

function refuse(): never {
  throw new ArgumentError(
    "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in `load_state_dict` when trying to load an " +
      "uninitialized parameter into an initialized one. Call `forward` to initialize the parameters before accessing their attributes.",
    "run one batch through the model first; build the optimizer after that",
  );
}

/** Every operation begins with the shape, so none gets further. */
function hideShape(tensor: Tensor): void {
  for (const name of ["shape", "strides"]) {
    Object.defineProperty(tensor, name, { get: refuse, configurable: true, enumerable: false });
  }
}

/**
 * A parameter whose shape is not known yet, as torch.nn.parameter.UninitializedParameter.
 * @throws ArgumentError from everything that asks for its shape
 * @example
 * ```ts
 * import { nn } from "evenkeel";
 * const layer = new nn.LazyBatchNorm2d();
 * layer.weight instanceof nn.UninitializedParameter; // => true
 * layer.weight!.shape; // throws Can't access the shape of an uninitialized parameter or buffer.
 * ```
 */
export class UninitializedParameter extends Parameter {
  constructor(dtype: DType = "float32") {
    super(emptyTensor([0], dtype));
    hideShape(this);
  }

  /** Itself: there are no values to share. */
  override detach(): Tensor {
    return this;
  }

  override toString(): string {
    return "<UninitializedParameter>";
  }
}

/**
 * A buffer whose shape is not known yet, as torch.nn.parameter.UninitializedBuffer.
 * @throws ArgumentError from everything that asks for its shape
 * @example
 * ```ts
 * import { nn } from "evenkeel";
 * String(new nn.LazyBatchNorm2d().runningMean); // => <UninitializedBuffer>
 * ```
 */
export class UninitializedBuffer extends Tensor {
  constructor(dtype: DType = "float32") {
    const { storage, shape, strides } = emptyTensor([0], dtype);
    super(storage, shape, strides, dtype);
    hideShape(this);
  }

  override detach(): Tensor {
    return this;
  }

  override toString(): string {
    return "<UninitializedBuffer>";
  }
}

/** Whether the tensor waits for its shape. */
export function isUninitialized(tensor: Tensor): boolean {
  return tensor instanceof UninitializedParameter || tensor instanceof UninitializedBuffer;
}

/** Gives it a shape and values; it is an ordinary parameter or buffer from then on, the same object for whoever holds it. */
export function materialize(tensor: Tensor, shape: Shape, value: number): void {
  const { storage } = emptyTensor(shape, tensor.dtype);
  storage.pin();
  tensor.storage.unpin();
  const fields = { storage, shape, strides: contiguousStrides(shape) };
  for (const [name, found] of Object.entries(fields)) {
    Object.defineProperty(tensor, name, { value: found, writable: true, configurable: true, enumerable: true });
  }
  Object.setPrototypeOf(tensor, tensor instanceof UninitializedParameter ? Parameter.prototype : Tensor.prototype);
  tensor.storage.version++;
  new Tensor(storage, shape, fields.strides, tensor.dtype).fill_(value);
}
