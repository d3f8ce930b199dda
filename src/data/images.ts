import type { Tensor } from "../tensor/tensor.ts";
import { DataError } from "../util/errors.ts";
import { checkIndex, type Dataset } from "./dataset.ts";
import { gatherPixels, gatherRows } from "./rows.ts";

/** How images become network input. */
export interface ImageOptions {
  /** subtracted after scaling to 0 … 1; 0 */
  mean?: number;
  /** divided by after that; 1 */
  std?: number;
  /** give each image as one row of pixels, [pixels], instead of [1, height, width] */
  flat?: boolean;
}

/**
 * Grey images of bytes with labels, as torchvision.datasets.MNIST with ToTensor (and Normalize): pixels / 255, minus mean, over std, float32; labels int64. The bytes are
 * kept as they are and converted a batch at a time.
 * @throws DataError if there are not as many labels as images
 * @example
 * ```ts
 * import { data, tensor, zeros } from "evenkeel";
 * const set = new data.ImageDataset(zeros([2, 28, 28], { dtype: "uint8" }), tensor([3n, 5n]));
 * const [images, labels] = set.getBatch([0, 1]);
 * images.shape; // => [2, 1, 28, 28]
 * labels.toArray(); // => [3, 5]
 * ```
 */
export class ImageDataset implements Dataset<[Tensor, Tensor], [Tensor, Tensor]> {
  readonly length: number;
  readonly height: number;
  readonly width: number;
  readonly #options: Required<ImageOptions>;

  constructor(
    /** [N, height, width], uint8 */
    readonly images: Tensor,
    /** [N], any integer dtype */
    readonly labels: Tensor,
    options: ImageOptions = {},
  ) {
    if (images.ndim !== 3 || images.dtype !== "uint8") {
      throw new DataError(
        `images are ${images.dtype} [${images.shape.join(", ")}]`,
        "expected uint8 [N, height, width]",
      );
    }
    if (labels.ndim !== 1 || labels.shape[0] !== images.shape[0]) {
      throw new DataError(
        `there are ${images.shape[0]} images and labels of shape [${labels.shape.join(", ")}]`,
        "expected one label for each image, in one dimension",
      );
    }
    this.images = images.keep();
    this.labels = labels.keep();
    [this.length, this.height, this.width] = images.shape;
    this.#options = { mean: 0, std: 1, flat: false, ...options };
  }

  /** One image, [1, height, width] or [pixels], and its label, a tensor of no dimensions. */
  get(index: number): [Tensor, Tensor] {
    const [images, labels] = this.getBatch([index]);
    return [images.select(0, 0), labels.select(0, 0)];
  }

  /** Images [N, 1, height, width] or [N, pixels], and labels [N]. */
  getBatch(indices: readonly number[]): [Tensor, Tensor] {
    for (const index of indices) checkIndex(index, this.length);
    const { mean, std, flat } = this.#options;
    const { height, width } = this;
    const pixels = gatherPixels(this.images, indices, flat ? [height * width] : [1, height, width]);
    if (mean !== 0) pixels.sub_(mean);
    if (std !== 1) pixels.div_(std);
    const labels = gatherRows(this.labels, indices);
    return [pixels, labels.long()];
  }
}
