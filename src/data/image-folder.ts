import type { Tensor } from "../tensor/tensor.ts";
import { DataError } from "../util/errors.ts";
import { defaultCollate } from "./collate.ts";
import { checkIndex, type Dataset } from "./dataset.ts";
import { type DecodeOptions, decodeImage } from "./decode/decode-image.ts";

/** How the images of a folder are given. */
export interface ImageFolderOptions extends Pick<DecodeOptions, "mode" | "maxPixels"> {
  /** makes of a uint8 image [channels, height, width] what the network takes; batches need images of one size */
  transform?: (image: Tensor) => Tensor;
}

const ENDINGS = /\.(png|jpe?g)$/i;

/**
 * Images in folders, a folder a class, as torchvision.datasets.ImageFolder: classes and files in the order of their names. Made by imageFolder.
 * @example
 * ```ts no-run
 * import { data } from "evenkeel";
 * const photos: data.ImageFolder = await data.imageFolder("photos/train");
 * const [image, label] = await photos.get(0);
 * console.log(image.shape, photos.classes[label]);
 * ```
 */
export class ImageFolder implements Dataset<[Tensor, number], [Tensor, Tensor]> {
  readonly length: number;

  constructor(
    /** the names of the classes; a label is the place in this list */
    readonly classes: readonly string[],
    /** paths and labels */
    readonly samples: readonly (readonly [path: string, label: number])[],
    private readonly options: ImageFolderOptions,
  ) {
    this.length = samples.length;
  }

  /** An image, decoded and transformed, and its label. @throws DataError if it cannot be read or decoded */
  async get(index: number): Promise<[Tensor, number]> {
    checkIndex(index, this.length);
    const [path, label] = this.samples[index];
    const { readFile } = await import("node:fs/promises");
    const bytes = await readFile(path).catch((error) => {
      throw new DataError(`${path} cannot be read (${error.code})`, "check the file and its permissions");
    });
    const { transform = (image) => image, mode = "rgb", maxPixels } = this.options;
    return [transform(await decodeImage(bytes, { mode, maxPixels, name: path })), label];
  }

  /** Images [N, channels, height, width] and labels [N]; the transform has to make them one size. */
  async getBatch(indices: readonly number[]): Promise<[Tensor, Tensor]> {
    const samples: [Tensor, number][] = [];
    for (const index of indices) samples.push(await this.get(index));
    return defaultCollate(samples) as [Tensor, Tensor];
  }
}

/**
 * A data set of PNG and JPEG images from a folder that has a folder for each class, at any depth below it. Images are RGB unless `mode` is "unchanged", and are decoded when they are
 * asked for. On Node.
 * @throws DataError if there is no folder, no class in it, or a class without images
 * @example
 * ```ts no-run
 * import { data } from "evenkeel";
 * const { centerCrop, normalize, resize } = data.transforms;
 * const mean = [0.485, 0.456, 0.406];
 * const std = [0.229, 0.224, 0.225];
 * const photos = await data.imageFolder("photos/train", {
 *   transform: (image) => normalize(centerCrop(resize(image, 256), 224).float().div(255), mean, std),
 * });
 * for await (const [images, labels] of new data.DataLoader(photos, { batchSize: 32, shuffle: true })) console.log(labels);
 * ```
 */
export async function imageFolder(folder: string, options: ImageFolderOptions = {}): Promise<ImageFolder> {
  const { readdir } = await import("node:fs/promises");
  const { join } = await import("node:path");
  const entries = async (path: string) => {
    try {
      const found = await readdir(path, { withFileTypes: true });
      return found.sort((a, b) => (a.name < b.name ? -1 : 1));
    } catch (error) {
      throw new DataError(
        `${path} cannot be read (${(error as NodeJS.ErrnoException).code})`,
        "give a folder of folders of images",
      );
    }
  };
  const filesUnder = async (path: string): Promise<string[]> => {
    const found = await entries(path);
    const inside = await Promise.all(
      found.map((entry) => {
        const inner = join(path, entry.name);
        return entry.isDirectory() ? filesUnder(inner) : ENDINGS.test(entry.name) ? [inner] : [];
      }),
    );
    return inside.flat();
  };
  const classes = (await entries(folder)).filter((entry) => entry.isDirectory()).map(({ name }) => name);
  if (classes.length === 0)
    throw new DataError(`${folder} has no folders in it`, "expected a folder for each class, with its images");
  const files = await Promise.all(classes.map((name) => filesUnder(join(folder, name))));
  const empty = classes.filter((_, label) => files[label].length === 0);
  if (empty.length > 0)
    throw new DataError(`no image was found for ${empty.slice(0, 5).join(", ")}`, "expected .png, .jpg or .jpeg files");
  return new ImageFolder(
    classes,
    files.flatMap((paths, label) => paths.map((path) => [path, label] as const)),
    options,
  );
}
