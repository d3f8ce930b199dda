import "../ops/methods.ts";
import "../runtime.ts";

export { type Collatable, defaultCollate } from "./collate.ts";
export { type Dataset, Subset, TensorDataset } from "./dataset.ts";
export { type DecodeOptions, decodeImage } from "./decode/decode-image.ts";
export { parseIdx } from "./idx.ts";
export { type ImageFolder, type ImageFolderOptions, imageFolder } from "./image-folder.ts";
export { ImageDataset, type ImageOptions } from "./images.ts";
export { DataLoader, type DataLoaderOptions, type LoaderState } from "./loader.ts";
export { type IdxFolderOptions, idxFolder, mnist } from "./mnist.ts";
export { RandomSampler, type Sampler, SequentialSampler } from "./sampler.ts";
export * as transforms from "./transforms.ts";
