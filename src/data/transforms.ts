import { noGrad } from "../autograd/mode.ts";
import { div, sub } from "../ops/arithmetic.ts";
import { flip, narrow } from "../ops/slicing.ts";
import { tensor } from "../tensor/creation.ts";
import { isFloat, viewHeap } from "../tensor/dtype.ts";
import { emptyTensor, packed, type Tensor } from "../tensor/tensor.ts";
import { ArgumentError, DTypeError, ShapeError } from "../util/errors.ts";

type Size = number | readonly [height: number, width: number];

/** Where one output position looks: the first input position and the weights from there on. */
interface Window {
  from: number;
  weights: Float64Array;
}

function checkImage(x: Tensor): void {
  if (x.ndim < 2) throw new ShapeError(`an image is [..., height, width], got ${x.ndim} dimensions`);
}

function wholeSize(what: string, ...sizes: number[]): void {
  if (!sizes.every((size) => Number.isInteger(size) && size > 0)) {
    throw new ArgumentError(`${what} is ${sizes.join(" × ")}`, "give whole numbers from 1");
  }
}

/** Bilinear weights of every output position, as PyTorch's interpolate with align_corners=False. */
function windows(from: number, to: number, antialias: boolean): Window[] {
  const scale = from / to;
  return Array.from({ length: to }, (_, i) => {
    if (!antialias) {
      const at = Math.max(scale * (i + 0.5) - 0.5, 0);
      const low = Math.min(Math.floor(at), from - 1);
      const weight = low < from - 1 ? at - low : 0;
      return { from: low, weights: Float64Array.of(1 - weight, weight).subarray(0, Math.min(2, from - low)) };
    }
    // A triangle as wide as two output pixels, never narrower than two input pixels.
    const stretch = Math.max(scale, 1);
    const center = scale * (i + 0.5);
    const first = Math.max(Math.trunc(center - stretch + 0.5), 0);
    const end = Math.min(Math.trunc(center + stretch + 0.5), from);
    const weights = Float64Array.from({ length: end - first }, (_, j) =>
      Math.max(0, 1 - Math.abs((j + first - center + 0.5) / stretch)),
    );
    const sum = weights.reduce((a, b) => a + b, 0);
    return { from: first, weights: weights.map((weight) => weight / sum) };
  });
}

type Numbers = { readonly length: number; [i: number]: number };

/** Sums `rows` times over windows of lines that are `inner` apart. */
function resample(source: Numbers, outer: number, from: number, inner: number, wins: readonly Window[]): Float64Array {
  const out = new Float64Array(outer * wins.length * inner);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < wins.length; i++) {
      const { from: first, weights } = wins[i];
      const to = (o * wins.length + i) * inner;
      for (let k = 0; k < weights.length; k++) {
        const at = (o * from + first + k) * inner;
        for (let x = 0; x < inner; x++) out[to + x] += weights[k] * source[at + x];
      }
    }
  }
  return out;
}

/** The output's height and width: a number is the shorter side, the other keeps the proportions. */
function outputSize(height: number, width: number, size: Size): [number, number] {
  if (typeof size !== "number") return [size[0], size[1]];
  const long = Math.trunc((size * Math.max(height, width)) / Math.min(height, width));
  return height < width ? [size, long] : [long, size];
}

/**
 * Images [..., height, width] in another size, bilinear; a number is the shorter side, the longer keeps the proportions. As torchvision's resize on tensors, and
 * torch.nn.functional.interpolate(mode="bilinear", align_corners=False). `antialias` (true) averages when shrinking, as PIL does: without it shrinking by more than half skips
 * pixels. Bytes are rounded. No gradient flows.
 * @throws DTypeError for other dtypes than floats and uint8, ShapeError, ArgumentError
 * @example
 * ```ts
 * import { data, tensor } from "evenkeel";
 * const image = tensor([[[0, 1, 2, 3]]]);
 * data.transforms.resize(image, [1, 2]).toArray(); // => [[[0.7143, 2.2857]]]
 * data.transforms.resize(image, [1, 2], { antialias: false }).toArray(); // => [[[0.5, 2.5]]]
 * ```
 */
export function resize(image: Tensor, size: Size, options: { antialias?: boolean } = {}): Tensor {
  checkImage(image);
  const { antialias = true } = options;
  if (!isFloat(image.dtype) && image.dtype !== "uint8") {
    throw new DTypeError(`resize is not implemented for ${image.dtype}`, "use uint8, or convert with .float()");
  }
  const outer = image.shape.slice(0, -2);
  const [height, width] = image.shape.slice(-2);
  wholeSize("an image's size", height, width);
  const [newHeight, newWidth] = outputSize(height, width, size);
  wholeSize("the size", newHeight, newWidth);
  const count = outer.reduce((a, b) => a * b, 1);
  const source = packed(image);
  const pixels = viewHeap(image.dtype, source.pointer, source.numel) as unknown as Numbers;
  const wide = resample(pixels, count * height, width, 1, windows(width, newWidth, antialias));
  const result = resample(wide, count, height, newWidth, windows(height, newHeight, antialias));
  if (source !== image) source.dispose();
  const out = emptyTensor([...outer, newHeight, newWidth], image.dtype);
  const target = viewHeap(image.dtype, out.pointer, out.numel) as unknown as Numbers & {
    set(values: Float64Array): void;
  };
  if (image.dtype === "uint8") for (let i = 0; i < result.length; i++) target[i] = roundHalfEven(result[i]);
  else target.set(result);
  return out;
}

/** torch.round: halves to even. */
function roundHalfEven(x: number): number {
  const rounded = Math.round(x);
  return rounded - x === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/**
 * The part of images [..., height, width] that begins at a row and a column, a view. As torchvision's crop, but inside the image only.
 * @throws ArgumentError if it is not inside
 * @example
 * ```ts
 * import { data, tensor } from "evenkeel";
 * data.transforms.crop(tensor([[1, 2, 3], [4, 5, 6]]), 0, 1, 2, 2).toArray(); // => [[2, 3], [5, 6]]
 * ```
 */
export function crop(image: Tensor, top: number, left: number, height: number, width: number): Tensor {
  checkImage(image);
  const [h, w] = image.shape.slice(-2);
  if (!(top >= 0 && left >= 0 && top + height <= h && left + width <= w)) {
    throw new ArgumentError(
      `${height} × ${width} pixels from row ${top} and column ${left} are not inside ${h} × ${w}`,
      "resize() the image first, or take a smaller part",
    );
  }
  return narrow(narrow(image, -2, top, height), -1, left, width);
}

/**
 * The middle of images [..., height, width], a view. As torchvision's center_crop, for images that are large enough.
 * @throws ArgumentError if the image is smaller
 * @example
 * ```ts
 * import { data, tensor } from "evenkeel";
 * data.transforms.centerCrop(tensor([[1, 2, 3, 4]]), [1, 2]).toArray(); // => [[2, 3]]
 * ```
 */
export function centerCrop(image: Tensor, size: Size): Tensor {
  checkImage(image);
  const [h, w] = image.shape.slice(-2);
  const [height, width] = typeof size === "number" ? [size, size] : size;
  // Python's round: halves to even.
  return crop(image, roundHalfEven((h - height) / 2), roundHalfEven((w - width) / 2), height, width);
}

/**
 * Images [..., height, width] with left and right exchanged. As torchvision's hflip.
 * @example
 * ```ts
 * import { data, tensor } from "evenkeel";
 * data.transforms.horizontalFlip(tensor([[1, 2], [3, 4]])).toArray(); // => [[2, 1], [4, 3]]
 * ```
 */
export function horizontalFlip(image: Tensor): Tensor {
  checkImage(image);
  return flip(image, [-1]);
}

/**
 * Images [..., height, width] upside down. As torchvision's vflip.
 * @example
 * ```ts
 * import { data, tensor } from "evenkeel";
 * data.transforms.verticalFlip(tensor([[1, 2], [3, 4]])).toArray(); // => [[3, 4], [1, 2]]
 * ```
 */
export function verticalFlip(image: Tensor): Tensor {
  checkImage(image);
  return flip(image, [-2]);
}

/**
 * (x − mean) / std for every channel of [..., channels, height, width]. As torchvision's normalize. For ImageNet's networks: images / 255, mean [0.485, 0.456, 0.406], std [0.229, 0.224, 0.225].
 * @throws DTypeError for integers, ArgumentError if a std is 0, ShapeError if there are not as many as channels
 * @example
 * ```ts
 * import { data, tensor } from "evenkeel";
 * data.transforms.normalize(tensor([[[3]], [[4]]]), [1, 2], [2, 2]).flatten().toArray(); // => [1, 1]
 * ```
 */
export function normalize(image: Tensor, mean: readonly number[], std: readonly number[]): Tensor {
  checkImage(image);
  const { dtype } = image;
  if (!isFloat(dtype)) {
    throw new DTypeError(`Input tensor should be a float tensor. Got ${dtype}.`, "divide bytes by 255 first");
  }
  if (std.some((value) => value === 0)) throw new ArgumentError("std evaluated to zero, leading to division by zero.");
  const channels = image.ndim < 3 ? 1 : image.shape[image.ndim - 3];
  for (const values of [mean, std]) {
    if (values.length !== 1 && values.length !== channels) {
      throw new ShapeError(`there are ${channels} channels, and ${values.length} numbers to normalize them with`);
    }
  }
  const perChannel = (values: readonly number[]) => {
    const column = tensor(Float64Array.from(values), { shape: [values.length], dtype });
    return image.ndim < 3 ? column : column.reshape([-1, 1, 1]);
  };
  return noGrad(() => {
    const [centers, scales] = [perChannel(mean), perChannel(std)];
    const result = div(sub(image, centers), scales);
    centers.dispose();
    scales.dispose();
    return result;
  });
}
