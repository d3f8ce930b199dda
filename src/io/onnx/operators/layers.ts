import type { Emitter, Translations } from "../emitter.ts";

const pair = (emit: Emitter, name: string) => [emit.get(`${name}Height`), emit.get(`${name}Width`)];

function convolution(emit: Emitter): string {
  const padding = pair(emit, "padding");
  const inputs = [emit.input(0), emit.input(1), ...(emit.has(2) ? [emit.input(2)] : [])];
  return emit.node("Conv", inputs, {
    kernel_shape: pair(emit, "kernel"),
    strides: pair(emit, "stride"),
    pads: [...padding, ...padding],
    dilations: pair(emit, "dilation"),
    group: emit.get("groups"),
  });
}

/** x · Wᵀ + b for a matrix x. */
const linear = (emit: Emitter) =>
  emit.node(
    "Gemm",
    [0, 1, 2].map((i) => emit.input(i)),
    { transB: 1 },
  );

function product(emit: Emitter): string {
  const transposed = [emit.get<boolean>("transposeA"), emit.get<boolean>("transposeB")];
  if (emit.output.shape.length === 2 && emit.info(0).shape.length === 2) {
    const [transA, transB] = transposed.map(Number);
    return emit.node("Gemm", [emit.input(0), emit.input(1)], { transA, transB });
  }
  const sides = transposed.map((swap, i) => {
    const rank = emit.info(i).shape.length;
    const perm = [...Array(rank - 2).keys(), rank - 1, rank - 2];
    return swap ? emit.node("Transpose", [emit.input(i)], { perm }) : emit.input(i);
  });
  return emit.node("MatMul", sides);
}

/** Poolings take [N, C, H, W] in ONNX; [C, H, W] becomes a batch of one. */
function asBatch(emit: Emitter, pool: (x: string) => string): string {
  const x = emit.input(0);
  if (emit.info(0).shape.length === 4) return pool(x);
  const axis = emit.whole([0]);
  return emit.node("Squeeze", [pool(emit.node("Unsqueeze", [x, axis])), axis]);
}

interface Windows {
  kernel: number[];
  stride: number[];
  dilation: number[];
  padding: number[];
  /** what the last windows reach beyond the input, the padding included: with ceilMode more than that */
  end: number[];
}

function windowsOf(emit: Emitter): Windows {
  const [size, out, kernel, stride, padding, dilation] = ["in", "out", "kernel", "stride", "padding", "dilation"].map(
    (name) => pair(emit, name),
  );
  const reach = out.map((n, i) => (n - 1) * stride[i] + dilation[i] * (kernel[i] - 1) + 1 - size[i] - padding[i]);
  return { kernel, stride, dilation, padding, end: reach.map((n, i) => Math.max(n, padding[i])) };
}

function maxPool(emit: Emitter): string {
  const { kernel, stride, dilation, padding, end } = windowsOf(emit);
  const settings = { kernel_shape: kernel, strides: stride, dilations: dilation, pads: [...padding, ...end] };
  return asBatch(emit, (x) => emit.node("MaxPool", [x], settings));
}

const padded = (emit: Emitter, x: string, begin: readonly number[], end: readonly number[]) =>
  [...begin, ...end].some((n) => n > 0) ? emit.node("Pad", [x, emit.whole([0, 0, ...begin, 0, 0, ...end])]) : x;

/** The divisor is settled here: ONNX runtimes differ where windows reach beyond the padding. */
function avgPool(emit: Emitter): string {
  const { kernel, stride, padding, end } = windowsOf(emit);
  const divisor = emit.get("divisorOverride");
  const settings = { kernel_shape: kernel, strides: stride };
  return asBatch(emit, (x) => {
    if (divisor !== 0) {
      const sums = emit.node("AveragePool", [padded(emit, x, padding, end)], settings);
      return emit.node("Mul", [sums, emit.number((kernel[0] * kernel[1]) / divisor)]);
    }
    if (!emit.get<boolean>("countIncludePad")) {
      return emit.node("AveragePool", [x], { ...settings, pads: [...padding, ...end], count_include_pad: 0 });
    }
    // Padding counts, what lies beyond it does not.
    const beyond = end.map((n, i) => n - padding[i]);
    if (beyond.every((n) => n === 0)) {
      return emit.node("AveragePool", [x], { ...settings, pads: [...padding, ...padding], count_include_pad: 1 });
    }
    const wide = padded(emit, x, padding, padding);
    return emit.node("AveragePool", [wide], { ...settings, pads: [0, 0, ...beyond], count_include_pad: 0 });
  });
}

/** Sizes of the planes before and after; they may not depend on the batch. */
function planes(emit: Emitter): { from: number[]; to: number[] } {
  const sizes = emit.both(({ inputs, output }) => [inputs[0]?.shape.slice(-2), output.shape.slice(-2)]);
  if (JSON.stringify(sizes[0]) !== JSON.stringify(sizes[1])) {
    throw emit.refusal("a size depends on the batch size", "export with { dynamicBatch: false }");
  }
  return { from: sizes[0][0] as number[], to: sizes[0][1] as number[] };
}

/** Which share of each input row (or column) goes into an output row: windows from ⌊i·n/m⌋ to ⌈(i+1)·n/m⌉. */
function shares(from: number, to: number): number[] {
  return Array.from({ length: to }, (_, i) => {
    const [start, end] = [Math.floor((i * from) / to), Math.ceil(((i + 1) * from) / to)];
    return Array.from({ length: from }, (_, k) => (k >= start && k < end ? 1 / (end - start) : 0));
  }).flat();
}

function adaptiveAverage(emit: Emitter): string {
  const { from, to } = planes(emit);
  return asBatch(emit, (x) => {
    if (to.every((size) => size === 1)) return emit.node("GlobalAveragePool", [x]);
    const kernel = from.map((size, i) => size / to[i]);
    if (kernel.every(Number.isInteger)) {
      return emit.node("AveragePool", [x], { kernel_shape: kernel, strides: kernel });
    }
    // Windows of unequal sizes: a product with the matrix of shares from either side.
    const rows = emit.numbers(shares(from[0], to[0]), [to[0], from[0]]);
    const columns = Array.from({ length: from[1] * to[1] }, (_, at) => {
      const [k, i] = [Math.floor(at / to[1]), at % to[1]];
      return shares(from[1], to[1])[i * from[1] + k];
    });
    return emit.node("MatMul", [emit.node("MatMul", [rows, x]), emit.numbers(columns, [from[1], to[1]])]);
  });
}

function adaptiveMax(emit: Emitter): string {
  const { from, to } = planes(emit);
  const kernel = from.map((size, i) => size / to[i]);
  if (!kernel.every(Number.isInteger)) {
    throw emit.refusal(
      `windows of ${from.join(" × ")} values into ${to.join(" × ")} have unequal sizes`,
      "use an output size that divides the input's, or MaxPool2d",
    );
  }
  return asBatch(emit, (x) => emit.node("MaxPool", [x], { kernel_shape: kernel, strides: kernel }));
}

export const LAYERS: Translations = {
  Convolution: convolution,
  Addmm: linear,
  Mm: product,
  Bmm: product,
  MaxPool2DWithIndices: maxPool,
  AvgPool2D: avgPool,
  AdaptiveAvgPool2D: adaptiveAverage,
  AdaptiveMaxPool2D: adaptiveMax,
};
