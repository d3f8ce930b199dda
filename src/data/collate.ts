import { stack } from "../ops/join.ts";
import { tensor } from "../tensor/creation.ts";
import { Tensor } from "../tensor/tensor.ts";
import { ArgumentError, ShapeError } from "../util/errors.ts";

/** A sample, or its parts: what defaultCollate can put together. */
export type Collatable =
  | Tensor
  | number
  | bigint
  | boolean
  | string
  | readonly Collatable[]
  | { readonly [key: string]: Collatable };

/**
 * Puts samples together to a batch: tensors are stacked, whole numbers become an int64 tensor, other numbers a float64 one, arrays and objects are put together part by
 * part, strings are listed. As torch.utils.data.default_collate.
 * @throws ShapeError if tensors or arrays differ in size, ArgumentError for anything else
 * @example
 * ```ts
 * import { data, tensor } from "evenkeel";
 * const [x, y] = data.defaultCollate([[tensor([1, 2]), 0], [tensor([3, 4]), 1]]) as any[];
 * x.toArray(); // => [[1, 2], [3, 4]]
 * y.dtype; // => int64
 * ```
 */
export function defaultCollate(samples: readonly Collatable[]): unknown {
  const [first] = samples;
  if (first instanceof Tensor) return stack(samples as Tensor[]);
  if (typeof first === "number") {
    const whole = (samples as number[]).every(Number.isInteger);
    return whole
      ? tensor(BigInt64Array.from(samples as number[], BigInt))
      : tensor(Float64Array.from(samples as number[]));
  }
  if (typeof first === "bigint") return tensor(BigInt64Array.from(samples as bigint[]));
  if (typeof first === "boolean") return tensor(samples as boolean[]);
  if (typeof first === "string") return samples;
  if (Array.isArray(first)) {
    if (samples.some((sample) => (sample as Collatable[]).length !== first.length)) {
      throw new ShapeError(
        "each element in list of batch should be of equal size",
        "pad the samples, or give the loader a collate function",
      );
    }
    return first.map((_, part) => defaultCollate(samples.map((sample) => (sample as Collatable[])[part])));
  }
  if (first && Object.getPrototypeOf(first) === Object.prototype) {
    const keys = Object.keys(first);
    return Object.fromEntries(
      keys.map((key) => [key, defaultCollate(samples.map((sample) => (sample as Record<string, Collatable>)[key]))]),
    );
  }
  throw new ArgumentError(
    `batch must contain tensors, numbers, arrays or objects; found ${typeof first}`,
    "give the loader a collate function",
  );
}
