import type { Tensor } from "../tensor/tensor.ts";
import { ArgumentError, IndexRangeError, ShapeError } from "../util/errors.ts";
import { gatherRows } from "./rows.ts";

/** What a loader reads: samples by index, as torch.utils.data.Dataset. */
export interface Dataset<Sample = unknown, Batch = unknown> {
  /** Number of samples. */
  readonly length: number;
  /** One sample. */
  get(index: number): Sample | Promise<Sample>;
  /** A whole batch at once, for data sets that can make one faster than by collating samples. */
  getBatch?(indices: readonly number[]): Batch | Promise<Batch>;
}

/**
 * Tensors whose first dimensions are the samples, as torch.utils.data.TensorDataset. A batch is a tuple of their rows.
 * @throws ShapeError if the tensors differ in their first size
 * @example
 * ```ts
 * import { data, tensor } from "evenkeel";
 * const set = new data.TensorDataset(tensor([[1], [2], [3]]), tensor([0n, 1n, 0n]));
 * set.length; // => 3
 * set.get(1)[0].toArray(); // => [2]
 * ```
 */
export class TensorDataset implements Dataset<Tensor[], Tensor[]> {
  readonly tensors: readonly Tensor[];
  readonly length: number;

  constructor(...tensors: Tensor[]) {
    if (tensors.length === 0) throw new ArgumentError("a TensorDataset needs at least one tensor");
    this.length = tensors[0].shape[0];
    if (tensors.some((x) => x.ndim === 0 || x.shape[0] !== this.length)) {
      throw new ShapeError(
        "Size mismatch between tensors",
        `their shapes are ${tensors.map((x) => `[${x.shape.join(", ")}]`).join(", ")}`,
      );
    }
    this.tensors = tensors.map((x) => x.keep());
  }

  get(index: number): Tensor[] {
    checkIndex(index, this.length);
    return this.tensors.map((x) => x.select(0, index));
  }

  getBatch(indices: readonly number[]): Tensor[] {
    for (const index of indices) checkIndex(index, this.length);
    return this.tensors.map((x) => gatherRows(x, indices));
  }
}

/**
 * Some samples of another data set, in a given order, as torch.utils.data.Subset.
 * @example
 * ```ts
 * import { arange, data } from "evenkeel";
 * const few = new data.Subset(new data.TensorDataset(arange(10)), [7, 3]);
 * const loader = new data.DataLoader(few, { batchSize: 2 });
 * for await (const [x] of loader) x.toArray(); // => [7, 3]
 * ```
 */
export class Subset<Sample, Batch> implements Dataset<Sample, Batch> {
  readonly length: number;
  /** Present where the whole data set has it. */
  readonly getBatch?: (indices: readonly number[]) => Batch | Promise<Batch>;

  constructor(
    readonly dataset: Dataset<Sample, Batch>,
    readonly indices: readonly number[],
  ) {
    for (const index of indices) checkIndex(index, dataset.length);
    this.length = indices.length;
    const { getBatch } = dataset;
    if (getBatch)
      this.getBatch = (wanted) =>
        getBatch.call(
          dataset,
          wanted.map((i) => this.at(i)),
        );
  }

  private at(index: number): number {
    checkIndex(index, this.length);
    return this.indices[index];
  }

  get(index: number): Sample | Promise<Sample> {
    return this.dataset.get(this.at(index));
  }
}

/** @throws IndexRangeError */
export function checkIndex(index: number, length: number): void {
  if (!Number.isInteger(index) || index < 0 || index >= length) {
    throw new IndexRangeError(`sample ${index} does not exist`, `the data set has ${length} samples, numbered from 0`);
  }
}
