import { getDefaultDtype, isFloatingPoint, torchName, valuesOf, viewHeap } from "./dtype.ts";
import type { Shape } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

/* Tensors as text, in PyTorch's layout (torch/_tensor_str.py) and with its default options. */

const PRECISION = 4;
const LINE_WIDTH = 80;
/** Tensors with more elements are summarised: the first and the last EDGE items of every dimension. */
const THRESHOLD = 1000;
const EDGE = 3;

/** Cuts exact decimals to `digits` after the point if that is a tie with an even digit before it; else null: rounding away was right. */
function cutTie(exact: string, digits: number): string | null {
  const kept = exact.indexOf(".") + 1 + digits;
  return /^50*$/.test(exact.slice(kept)) && Number(exact[kept - 1]) % 2 === 0 ? exact.slice(0, kept) : null;
}

/** As Python's "%.4f". JavaScript rounds exact halves away from zero, Python to the even digit. */
function fixed(value: number): string {
  const size = Math.abs(value);
  const digits = cutTie(size.toFixed(50), PRECISION) ?? size.toFixed(PRECISION);
  return value < 0 || Object.is(value, -0) ? `-${digits}` : digits;
}

/** As Python's "%.4e": at least two digits in the exponent. */
function scientific(value: number): string {
  const size = Math.abs(value);
  const [mantissa, exponent] = size.toExponential(50).split("e");
  const cut = cutTie(mantissa, PRECISION);
  const [digits, power] = cut ? [cut, exponent] : size.toExponential(PRECISION).split("e");
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  return `${sign}${digits}e${power[0]}${power.slice(1).padStart(2, "0")}`;
}

function special(value: number): string {
  return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
}

/** A whole number without a fraction; −0 keeps its sign. */
function whole(value: number): string {
  return Object.is(value, -0) ? "-0" : String(value);
}

/** How the numbers of one tensor are written, and how wide the widest is. */
interface Format {
  readonly width: number;
  readonly write: (value: number | bigint) => string;
}

function floatFormat(values: readonly number[]): Format {
  const shown = values.filter((value) => Number.isFinite(value) && value !== 0);
  const sizes = shown.map(Math.abs);
  const most = sizes.reduce((a, b) => Math.max(a, b), 0);
  const least = sizes.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const integers = shown.every(Number.isInteger);
  const wide = shown.length > 0 && (most / least > 1000 || most > 1e8 || (!integers && least < 1e-4));
  const finite = wide ? scientific : integers ? (value: number) => `${whole(value)}.` : fixed;
  const write = (value: number | bigint) =>
    Number.isFinite(value) ? finite(value as number) : special(value as number);
  // Zeros, infinities and NaN have no say in the width.
  return { width: shown.reduce((width, value) => Math.max(width, write(value).length), 1), write };
}

function plainFormat(values: readonly (number | bigint)[], bool: boolean): Format {
  const write = bool ? (value: number | bigint) => (value ? "True" : "False") : String;
  return { width: values.reduce<number>((width, value) => Math.max(width, write(value).length), 1), write };
}

/** Positions of a dimension that are shown; −1 stands for the dots. */
function positions(size: number, summarise: boolean): number[] {
  const all = Array.from({ length: summarise && size > 2 * EDGE ? 2 * EDGE : size }, (_, i) => i);
  if (!summarise || size <= 2 * EDGE) return all;
  return [...all.slice(0, EDGE), -1, ...all.slice(EDGE).map((i) => size - 2 * EDGE + i)];
}

/** The values of x that are shown, nested; null stands for the dots. Read where they lie: nothing is allocated in the heap. */
type Shown = number | bigint | null | Shown[];

function read(x: Tensor, summarise: boolean): Shown {
  const span = x.shape.reduce((last, size, d) => last + (size - 1) * x.strides[d], 0) + 1;
  const elements = valuesOf(x.dtype, viewHeap(x.dtype, x.pointer, span));
  const build = (d: number, at: number): Shown => {
    if (d === x.ndim) return elements[at];
    return positions(x.shape[d], summarise).map((i) => (i < 0 ? null : build(d + 1, at + i * x.strides[d])));
  };
  return build(0, 0);
}

function flat(shown: Shown): (number | bigint)[] {
  if (Array.isArray(shown)) return shown.flatMap(flat);
  return shown === null ? [] : [shown];
}

function vector(items: readonly Shown[], indent: number, format: Format): string {
  const perLine = Math.max(1, Math.floor((LINE_WIDTH - indent) / (format.width + 2)));
  const texts = items.map((item) => (item === null ? " ..." : layout(item, indent, format)));
  const lines: string[] = [];
  for (let i = 0; i < texts.length; i += perLine) lines.push(texts.slice(i, i + perLine).join(", "));
  return `[${lines.join(`,\n${" ".repeat(indent + 1)}`)}]`;
}

function depth(shown: Shown): number {
  return Array.isArray(shown) ? 1 + depth(shown[0]) : 0;
}

function layout(shown: Shown, indent: number, format: Format): string {
  if (!Array.isArray(shown)) return format.write(shown as number | bigint).padStart(format.width);
  const rank = depth(shown);
  if (rank === 1) return vector(shown, indent, format);
  const parts = shown.map((part) => (part === null ? "..." : layout(part, indent + 1, format)));
  return `[${parts.join(`,${"\n".repeat(rank - 1)}${" ".repeat(indent + 1)}`)}]`;
}

function tuple(shape: Shape): string {
  return shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
}

function withSuffixes(text: string, suffixes: readonly string[], indent: number): string {
  let out = text;
  let length = text.length - text.lastIndexOf("\n") + 1;
  for (const suffix of suffixes) {
    if (length + suffix.length + 2 > LINE_WIDTH) {
      out += `,\n${" ".repeat(indent)}${suffix}`;
      length = indent + suffix.length;
    } else {
      out += `, ${suffix}`;
      length += suffix.length + 2;
    }
  }
  return `${out})`;
}

/**
 * The tensor as PyTorch prints it: values with 4 digits in a common format, more than 1000 elements summarised, and the dtype where it is not the usual one.
 */
export function tensorString(x: Tensor): string {
  const { dtype } = x;
  const prefix = "tensor(";
  const suffixes: string[] = [];
  let values = "[]";
  if (!x.storage.isLive) {
    values = "<released>";
    suffixes.push(`size=${tuple(x.shape)}`);
  } else if (x.numel === 0) {
    if (x.ndim !== 1) suffixes.push(`size=${tuple(x.shape)}`);
    if (dtype !== getDefaultDtype()) suffixes.push(`dtype=${torchName(dtype)}`);
  } else {
    if (dtype !== getDefaultDtype() && dtype !== "int64" && dtype !== "bool")
      suffixes.push(`dtype=${torchName(dtype)}`);
    const shown = read(x, x.numel > THRESHOLD);
    const items = flat(shown);
    const format = isFloatingPoint(dtype) ? floatFormat(items as number[]) : plainFormat(items, dtype === "bool");
    values = layout(shown, prefix.length, format);
  }
  if (x.gradFn) suffixes.push(`grad_fn=<${x.gradFn.name}>`);
  else if (x.requiresGrad) suffixes.push("requires_grad=True");
  return withSuffixes(prefix + values, suffixes, prefix.length);
}
