import { DataError, data, type Tensor, tensor } from "evenkeel";

/** Training and test images, as the networks take them: [N, 1, 28, 28] from 0 to 1. */
export interface TrainData {
  readonly train: data.ImageDataset;
  readonly test: data.ImageDataset;
  /** from files of the user's */
  readonly own: boolean;
}

/** Gives the memory of all images back. */
export function disposeData({ train, test }: TrainData): void {
  for (const { images, labels } of [train, test]) for (const values of [images, labels]) values.dispose();
}

const SIZE = 28;
const CLASSES = 10;
/** Two for testing, and a batch that has a variance. */
const LEAST = 12;
/** Without test files every sixth image is for testing, the share that MNIST has. */
const TEST_SHARE = 6;

/** The subset of MNIST that the page ships: four IDX files below `base`. @throws DataError if one cannot be had */
export async function shippedData(base: string): Promise<TrainData> {
  const read = async (name: string): Promise<Tensor> => {
    const address = new URL(`mnist/${name}.gz`, base);
    const answer = await fetch(address).catch((error: Error) => {
      throw new DataError(`${address.pathname} could not be fetched (${error.message})`, "is the server still there?");
    });
    if (!answer.ok) throw new DataError(`${address.pathname} is not there (${answer.status})`, "build the page again");
    return data.parseIdx(new Uint8Array(await answer.arrayBuffer()), name);
  };
  const [images, labels, testImages, testLabels] = await Promise.all(
    ["train-images", "train-labels", "test-images", "test-labels"].map(read),
  );
  return {
    train: new data.ImageDataset(images, labels),
    test: new data.ImageDataset(testImages, testLabels),
    own: false,
  };
}

interface IdxFile {
  readonly name: string;
  readonly values: Tensor;
}

const isTest = ({ name }: IdxFile) => /^(t10k|test)/i.test(name);
const sizes = ({ name, values }: IdxFile) => `${name} [${values.shape.join(", ")}]`;

/** @throws DataError unless these are images of MNIST's size, and a label of ten for each */
function check(images: IdxFile, labels: IdxFile): void {
  const [count, height, width] = images.values.shape;
  if (images.values.dtype !== "uint8" || height !== SIZE || width !== SIZE) {
    throw new DataError(`${sizes(images)} holds ${images.values.dtype}`, "expected bytes, [N, 28, 28]");
  }
  if (labels.values.shape[0] !== count || count < LEAST) {
    throw new DataError(
      `${sizes(images)} and ${sizes(labels)} do not go together`,
      `expected a label for each image, and at least ${LEAST}`,
    );
  }
  const most = Number(labels.values.max().item());
  if (most >= CLASSES || Number(labels.values.min().item()) < 0) {
    throw new DataError(`${labels.name} has a label ${most}`, "expected ten classes, 0 to 9");
  }
}

const dataSet = (images: IdxFile, labels: IdxFile) => new data.ImageDataset(images.values, labels.values);

/** Every sixth image apart. */
function split(images: IdxFile, labels: IdxFile): [data.ImageDataset, data.ImageDataset] {
  const indices = Array.from({ length: images.values.shape[0] }, (_, i) => i);
  const part = (test: boolean) => {
    const chosen = tensor(
      BigInt64Array.from(
        indices.filter((i) => (i % TEST_SHARE === TEST_SHARE - 1) === test),
        BigInt,
      ),
    );
    return [images, labels].map(({ name, values }) => ({ name, values: values.indexSelect(0, chosen) }));
  };
  const [train, test] = [part(false), part(true)];
  return [dataSet(train[0], train[1]), dataSet(test[0], test[1])];
}

/**
 * Data of the user's: IDX files of images and labels, gzipped or not; a pair for training, and one for testing if they have it.
 * @throws DataError that says which file is wrong, and what was expected
 */
export async function ownData(files: readonly File[]): Promise<TrainData> {
  const read: IdxFile[] = [];
  for (const file of files) {
    const values = await data.parseIdx(new Uint8Array(await file.arrayBuffer()), file.name);
    read.push({ name: file.name, values });
  }
  const found = read.map(sizes).join(", ");
  const pairOf = (of: readonly IdxFile[]): [IdxFile, IdxFile] => {
    const images = of.filter(({ values }) => values.ndim === 3);
    const labels = of.filter(({ values }) => values.ndim === 1);
    if (images.length !== 1 || labels.length !== 1) {
      throw new DataError(`these files are ${found}`, "expected images [N, 28, 28] and labels [N], two or four files");
    }
    check(images[0], labels[0]);
    return [images[0], labels[0]];
  };
  const test = read.filter(isTest);
  if (test.length === 0 || test.length === read.length) {
    const [train, rest] = split(...pairOf(read));
    return { train, test: rest, own: true };
  }
  const pairs = [pairOf(read.filter((file) => !isTest(file))), pairOf(test)];
  return { train: dataSet(...pairs[0]), test: dataSet(...pairs[1]), own: true };
}
