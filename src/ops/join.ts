import { record } from "../autograd/record.ts";
import { type DType, promoteTypes } from "../tensor/dtype.ts";
import { sameShape, wrapDim } from "../tensor/shape.ts";
import { emptyTensor, packInto, type Tensor } from "../tensor/tensor.ts";
import { ArgumentError, ShapeError } from "../util/errors.ts";
import { convert } from "./convert.ts";
import { narrow, select } from "./slicing.ts";

function checkSizes(tensors: readonly Tensor[], parts: readonly Tensor[], d: number): void {
  for (const [i, part] of parts.entries()) {
    if (part.ndim !== parts[0].ndim) {
      throw new ShapeError(`Tensors must have same number of dimensions: got ${parts[0].ndim} and ${part.ndim}`);
    }
    const wrong = part.shape.findIndex((size, k) => k !== d && size !== parts[0].shape[k]);
    if (wrong >= 0) {
      throw new ShapeError(
        `Sizes of tensors must match except in dimension ${d}. Expected size ${parts[0].shape[wrong]} but got size ${part.shape[wrong]} for tensor number ${tensors.indexOf(parts[i])} in the list.`,
      );
    }
  }
}

/**
 * Puts tensors one after the other along a dimension that they have, as torch.cat. Of several dtypes the result has the one that holds all.
 * @throws ShapeError if the other sizes differ, ArgumentError if there is nothing to join
 * @example
 * ```ts
 * import { cat, tensor } from "evenkeel";
 * cat([tensor([[1, 2]]), tensor([[3, 4]])]).toArray(); // => [[1, 2], [3, 4]]
 * cat([tensor([[1], [2]]), tensor([[3], [4]])], 1).toArray(); // => [[1, 3], [2, 4]]
 * ```
 */
export function cat(tensors: readonly Tensor[], dim = 0): Tensor {
  if (tensors.length === 0) throw new ArgumentError("torch.cat(): expected a non-empty list of Tensors");
  const single = tensors.findIndex((tensor) => tensor.ndim === 0);
  if (single >= 0) {
    throw new ShapeError(`zero-dimensional tensor (at position ${single}) cannot be concatenated`, "use stack()");
  }
  const dtype = tensors.reduce<DType>((found, tensor) => promoteTypes(found, tensor.dtype), tensors[0].dtype);
  // An empty 1-dimensional tensor goes with every shape, as in PyTorch.
  const filledOnes = tensors.filter((tensor) => !(tensor.ndim === 1 && tensor.shape[0] === 0));
  const parts = filledOnes.length > 0 ? filledOnes : tensors;
  const d = wrapDim(dim, parts[0].ndim);
  checkSizes(tensors, parts, d);

  const inputs = parts.map((part) => convert(part, dtype));
  const total = inputs.reduce((sum, input) => sum + input.shape[d], 0);
  const out = emptyTensor(inputs[0].shape.with(d, total), dtype);
  let start = 0;
  const starts = inputs.map((input) => {
    const place = start;
    packInto(narrow(out, d, place, input.shape[d]), input);
    start += input.shape[d];
    return place;
  });
  const back = (g: Tensor, needs: readonly boolean[]) =>
    inputs.map((input, i) => (needs[i] ? narrow(g, d, starts[i], input.shape[d]) : null));
  return record("CatBackward0", out, inputs, back, [], [], { dim: d });
}

/**
 * Puts tensors of one shape side by side along a new dimension, as torch.stack.
 * @param dim where the new dimension goes
 * @throws ShapeError if the shapes differ, ArgumentError if there is nothing to stack
 * @example
 * ```ts
 * import { stack, tensor } from "evenkeel";
 * stack([tensor([1, 2]), tensor([3, 4])], 1).toArray(); // => [[1, 3], [2, 4]]
 * ```
 */
export function stack(tensors: readonly Tensor[], dim = 0): Tensor {
  if (tensors.length === 0) throw new ArgumentError("stack expects a non-empty TensorList");
  const { shape } = tensors[0];
  const wrong = tensors.findIndex((tensor) => !sameShape(tensor.shape, shape));
  if (wrong >= 0) {
    throw new ShapeError(
      `stack expects each tensor to be equal size, but got [${shape.join(", ")}] at entry 0 and [${tensors[wrong].shape.join(", ")}] at entry ${wrong}`,
    );
  }
  const d = wrapDim(dim, shape.length + 1);
  const dtype = tensors.reduce<DType>((found, tensor) => promoteTypes(found, tensor.dtype), tensors[0].dtype);
  const inputs = tensors.map((tensor) => convert(tensor, dtype));
  const out = emptyTensor([...shape.slice(0, d), inputs.length, ...shape.slice(d)], dtype);
  for (const [i, input] of inputs.entries()) packInto(select(out, d, i), input);
  const back = (g: Tensor, needs: readonly boolean[]) => inputs.map((_, i) => (needs[i] ? select(g, d, i) : null));
  return record("StackBackward0", out, inputs, back, [], [], { dim: d });
}
