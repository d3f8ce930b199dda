import { type BackwardOptions, backward } from "../autograd/engine.ts";
import type { DType } from "../tensor/dtype.ts";
import { type MemoryFormatOptions, suggestedFormat } from "../tensor/memory-format.ts";
import { tensorString } from "../tensor/printing.ts";
import { Tensor } from "../tensor/tensor.ts";
import * as activation from "./activation.ts";
import * as arithmetic from "./arithmetic.ts";
import * as binary from "./binary.ts";
import * as compare from "./compare.ts";
import { convert } from "./convert.ts";
import * as extremes from "./extremes.ts";
import * as indexing from "./indexing.ts";
import * as inplace from "./inplace.ts";
import * as matmul from "./matmul.ts";
import * as moments from "./moments.ts";
import * as norms from "./norms.ts";
import * as pointwise from "./pointwise.ts";
import * as reduction from "./reduction.ts";
import * as slicing from "./slicing.ts";
import * as softmax from "./softmax.ts";
import * as views from "./views.ts";

/*
 * Every operation whose first argument is a tensor, as a method of that tensor: x.add(y) is add(x, y). The documentation is the function's.
 */

/** A function without its first argument; overloads for numbers in that place are no methods. */
type Method<F> = F extends { (x: Tensor, ...rest: infer A): infer R; (x: number, ...rest: infer _): unknown }
  ? (...rest: A) => R
  : F extends { (x: Tensor, ...rest: infer A): infer R; (x: Tensor, ...rest: infer B): infer S }
    ? [A, B] extends [B, A]
      ? (...rest: B) => S
      : { (...rest: A): R; (...rest: B): S }
    : F extends (x: Tensor, ...rest: infer A) => infer R
      ? (...rest: A) => R
      : never;

/** Exports that are no methods, or whose methods take their arguments in another order. */
const HIDDEN = ["resultType", "toFloat", "where", "linear", "variance"] as const;

const families = [
  activation,
  arithmetic,
  binary,
  compare,
  extremes,
  indexing,
  inplace,
  matmul,
  moments,
  norms,
  pointwise,
  reduction,
  slicing,
  softmax,
  views,
];

type Functions = typeof activation &
  typeof arithmetic &
  typeof binary &
  typeof compare &
  typeof extremes &
  typeof indexing &
  typeof inplace &
  typeof matmul &
  typeof moments &
  typeof norms &
  typeof pointwise &
  typeof reduction &
  typeof slicing &
  typeof softmax &
  typeof views;

type Methods<F> = { [Name in keyof F as Exclude<Name, (typeof HIDDEN)[number]>]: Method<F[Name]> };

/** The operations as methods. */
export interface TensorMethods extends Methods<Functions> {}

declare module "../tensor/tensor.js" {
  interface Tensor extends TensorMethods {
    /**
     * The values in another dtype, in another memory format, or both, as torch.Tensor.to; the tensor itself if nothing changes.
     * @example
     * ```ts
     * import { zeros } from "evenkeel";
     * zeros([2, 3, 4, 5]).to({ memoryFormat: "channelsLast" }).strides; // => [60, 1, 15, 3]
     * ```
     */
    to(dtype: DType, options?: MemoryFormatOptions): Tensor;
    to(options: MemoryFormatOptions): Tensor;
    /** The values where the condition holds, `other` elsewhere, as torch.Tensor.where. */
    where(condition: Tensor, other: Tensor | number): Tensor;
    /** The variance over some or all dimensions, as torch.Tensor.var. */
    var: Method<typeof moments.variance>;
    /** The values as float32, as torch.Tensor.float. */
    float(): Tensor;
    /** The values as float64, as torch.Tensor.double. */
    double(): Tensor;
    /** The values as float16, rounded to nearest, as torch.Tensor.half. */
    half(): Tensor;
    /** The values as bfloat16, rounded to nearest, as torch.Tensor.bfloat16. */
    bfloat16(): Tensor;
    /** The values as int32, truncated, as torch.Tensor.int. */
    int(): Tensor;
    /** The values as int64, truncated, as torch.Tensor.long. */
    long(): Tensor;
    /** Where the values are not 0, as torch.Tensor.bool. */
    bool(): Tensor;
    /**
     * Computes the gradient of this tensor and adds it to the `grad` of every leaf it was computed from, as torch.Tensor.backward.
     * @param gradient the gradient of something with respect to this tensor; may be left out for a single number
     * @throws AutogradError with PyTorch's sentences
     */
    backward(gradient?: Tensor | null, options?: BackwardOptions): void;
    /** As PyTorch prints it. */
    toString(): string;
  }
}

function attach(name: string | symbol, run: (x: Tensor, ...rest: never[]) => unknown): void {
  const value = function (this: Tensor, ...rest: never[]) {
    return run(this, ...rest);
  };
  Object.defineProperty(Tensor.prototype, name, { value, writable: true, configurable: true });
}

for (const [name, run] of families.flatMap((family) => Object.entries(family))) {
  if (!(HIDDEN as readonly string[]).includes(name)) attach(name, run as (x: Tensor) => unknown);
}

const conversions: Record<string, DType> = {
  float: "float32",
  double: "float64",
  half: "float16",
  bfloat16: "bfloat16",
  int: "int32",
  long: "int64",
  bool: "bool",
};
for (const [name, dtype] of Object.entries(conversions)) attach(name, (x) => convert(x, dtype));

attach("to", (x, to: DType | MemoryFormatOptions, options: MemoryFormatOptions = {}) => {
  const { memoryFormat } = typeof to === "string" ? options : to;
  const y = typeof to === "string" ? convert(x, to) : x;
  if (!memoryFormat || suggestedFormat(y.shape, y.strides) === memoryFormat) return y;
  return views.clone(y, { memoryFormat });
});
attach("var", moments.variance);
attach("where", (x, condition: Tensor, other: Tensor | number) => compare.where(condition, x, other));
attach("backward", (x, gradient?: Tensor | null, options?: BackwardOptions) => backward([x], [gradient], options));
attach("toString", tensorString);
// what console.log shows in Node
attach(Symbol.for("nodejs.util.inspect.custom"), (x) => tensorString(x));
