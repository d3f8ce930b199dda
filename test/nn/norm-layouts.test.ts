import { describe, expect, test } from "vitest";
import { autograd, type DType, F, manualSeed, nn, randn, type Tensor, tensor } from "../../src/index.ts";
import { heap } from "../../src/kernels/heap.ts";
import { isReduced } from "../../src/tensor/dtype.ts";
import { type Golden, readGolden } from "../golden/read.ts";
import { relativeError } from "./compare.ts";

interface Step {
  input: Golden;
  gradOutput: Golden;
  output: Golden;
  outputStrides: number[];
  gradInput: Golden;
  gradInputStrides: number[];
  gradWeight?: Golden;
  gradBias?: Golden;
  runningMean?: Golden;
  runningVar?: Golden;
}

interface Case {
  name: string;
  module: string;
  args: never[];
  options: object;
  view: keyof typeof VIEWS;
  state: Record<string, Golden>;
  steps: Step[];
  eval?: Step;
}

/** How the golden input is seen, as in cases_layouts.py. */
const VIEWS = {
  contiguous: (base: Tensor) => base,
  channelsLast: (base: Tensor) => base.contiguous({ memoryFormat: "channelsLast" }),
  channelsLast3d: (base: Tensor) => base.contiguous({ memoryFormat: "channelsLast3d" }),
  transposed: (base: Tensor) => base.transpose(1, -1),
  fewerChannels: (base: Tensor) => base.contiguous({ memoryFormat: "channelsLast" }).narrow(1, 0, base.shape[1] - 2),
  fewerRows: (base: Tensor) => base.narrow(2, 0, base.shape[2] - 1),
};

const fromGolden = ({ data, shape, dtype }: Golden) => tensor(data, { shape, dtype: dtype as DType });

/** Spacing of a reduced dtype's numbers relative to their size. */
const SPACING: Partial<Record<DType, number>> = { float16: 2 ** -10, bfloat16: 2 ** -7 };

const numbers = (x: Tensor) => Array.from(x.toTypedArray(), Number);
const largestOf = (values: readonly number[]) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** float32 and float64 against PyTorch, relative to the largest element. */
function checkGolden(found: Tensor, golden: Golden, what: string): void {
  const float32 = golden.dtype === "float32";
  const limit = what.includes("grad") ? (float32 ? 1e-5 : 1e-12) : float32 ? 2e-6 : 1e-13;
  expect(relativeError(found.toTypedArray(), golden.data), what).toBeLessThanOrEqual(limit);
}

/**
 * From reduced input: the float64 result, rounded once to the dtype that it has. PyTorch rounds sums and statistics between (of a gradient near 0 all digits go), so
 * that it is only near: to the spacing of the largest element.
 */
function checkReduced(found: Tensor, exact: Tensor, golden: Golden, spacing: number, what: string): void {
  const [ours, truth, theirs] = [found, exact, fromGolden(golden)].map(numbers);
  const largest = largestOf(truth);
  const rounding = isReduced(found.dtype) ? spacing / 2 : 0;
  const computing = (what.includes("grad") ? 4e-6 : 1e-6) * largest;
  for (let i = 0; i < truth.length; i++) {
    expect(Math.abs(ours[i] - truth[i]), `${what}[${i}], exactly ${truth[i]}`).toBeLessThanOrEqual(
      rounding * Math.abs(truth[i]) * 1.001 + computing,
    );
    expect(Math.abs(ours[i] - theirs[i]), `${what}[${i}], PyTorch ${theirs[i]}`).toBeLessThanOrEqual(spacing * largest);
  }
}

/** Instance norm lies as its input; PyTorch's is contiguous. Where sizes of 1 leave it open, strides are not compared. */
function checkStrides(found: Tensor, strides: number[], { module, view }: Case, what: string): void {
  if (found.shape.slice(2).every((size) => size === 1) || found.shape[1] === 1) return;
  if (module.startsWith("Instance") && view !== "contiguous" && view !== "fewerRows") return;
  const open = (d: number) => found.shape[d] === 1;
  expect(
    found.strides.map((step, d) => (open(d) ? 0 : step)),
    what,
  ).toEqual(strides.map((step, d) => (open(d) ? 0 : step)));
}

function build(golden: Case, options: object): nn.BatchNorm2d {
  // biome-ignore lint/suspicious/noExplicitAny: the golden file names the class and its arguments
  const layer = new (nn as any)[golden.module](...golden.args, options) as nn.BatchNorm2d;
  const state = Object.entries(golden.state).map(([key, value]) => [key, fromGolden(value)]);
  layer.loadStateDict(Object.fromEntries(state), { strict: false });
  return layer;
}

type Results = Record<"output" | "gradInput" | "gradWeight" | "gradBias", Tensor | null>;

/** One forward and backward pass; the gradient of x as it arrives, before a leaf lays it out as itself. */
function pass(layer: nn.BatchNorm2d, x: Tensor, g: Tensor): Results {
  let gradInput: Tensor | null = null;
  x.requiresGrad_().registerHook((gradient) => {
    gradInput = gradient.clone().keep();
    return undefined;
  });
  layer.zeroGrad();
  const output = layer.forward(x);
  output.backward(g);
  return { output, gradInput, gradWeight: layer.weight?.grad ?? null, gradBias: layer.bias?.grad ?? null };
}

describe("layouts and reduced dtypes give PyTorch's numbers", () => {
  test.each(readGolden<Case>("layouts"))("$name", (golden) => {
    const layer = build(golden, golden.options);
    const double = build(golden, { ...golden.options, dtype: "float64" });

    const compare = (step: Step, when: string) => {
      const x = VIEWS[golden.view](fromGolden(step.input)).detach();
      const spacing = SPACING[x.dtype];
      for (const [key, value] of double.stateDict()) value.copy_(layer.stateDict().get(key) as Tensor);
      const exact = spacing ? pass(double, x.double(), fromGolden(step.gradOutput).double()) : null;
      const ours: Record<string, Tensor | null> = {
        ...pass(layer, x, fromGolden(step.gradOutput)),
        runningMean: step.runningMean ? layer.runningMean : null,
        runningVar: step.runningVar ? layer.runningVar : null,
      };
      const truth: Record<string, Tensor | null> = {
        ...exact,
        runningMean: double.runningMean ?? null,
        runningVar: double.runningVar ?? null,
      };
      for (const [name, found] of Object.entries(ours)) {
        const theirs = step[name as keyof Step] as Golden | undefined;
        const what = `${when}: ${name}`;
        if (!found || !theirs) {
          expect(found, what).toBe(theirs ?? null);
          continue;
        }
        expect([found.dtype, found.shape], what).toEqual([theirs.dtype, theirs.shape]);
        if (spacing) checkReduced(found, truth[name] as Tensor, theirs, spacing, what);
        else checkGolden(found, theirs, what);
      }
      checkStrides(ours.output as Tensor, step.outputStrides, golden, `${when}: strides of the output`);
      checkStrides(ours.gradInput as Tensor, step.gradInputStrides, golden, `${when}: strides of the gradient`);
    };

    golden.steps.forEach((step, i) => {
      compare(step, `step ${i + 1}`);
    });
    layer.eval();
    double.eval();
    if (golden.eval) compare(golden.eval, "evaluation");
  });
});

describe("channels-last batch norm", () => {
  const LAST = { memoryFormat: "channelsLast" } as const;
  const images = (shape: number[]) => randn(shape).contiguous(LAST);
  const near = (found: Tensor | null, expected: Tensor | null) => {
    expect(found?.shape).toEqual(expected?.shape);
    expect(relativeError(found?.toTypedArray() ?? [], expected?.toTypedArray() ?? [])).toBeLessThan(3e-6);
  };

  test("nothing is copied: each pass makes the output, or the gradients, and a few values a channel", () => {
    manualSeed(1);
    const layer = new nn.BatchNorm2d(8);
    const x = images([4, 8, 16, 16]).requiresGrad_();
    const g = images([4, 8, 16, 16]);
    const most = (run: () => void) => {
      const { used } = heap.usage();
      heap.resetPeak();
      run();
      return heap.usage().peak - used;
    };
    let y = x as Tensor;
    expect(most(() => (y = layer.forward(x)))).toBeLessThan(1.2 * x.nbytes);
    expect(most(() => y.backward(g))).toBeLessThan(1.2 * x.nbytes);
    expect(x.grad?.isContiguousIn("channelsLast")).toBe(true);
  });

  test.each([
    ["InstanceNorm2d", () => new nn.InstanceNorm2d(8, { affine: true, trackRunningStats: true })],
    ["GroupNorm", () => new nn.GroupNorm(4, 8)],
  ] as const)("%s computes in place of the layout: no copy of input, output or upstream gradient", (_, make) => {
    manualSeed(4);
    const layer = make();
    const x = images([4, 8, 16, 16]).requiresGrad_();
    const g = images([4, 8, 16, 16]);
    const most = (run: () => void) => {
      const { used } = heap.usage();
      heap.resetPeak();
      run();
      return heap.usage().peak - used;
    };
    let y = x as Tensor;
    expect(most(() => (y = layer.forward(x)))).toBeLessThan(1.2 * x.nbytes);
    expect(y.isContiguousIn("channelsLast")).toBe(true);
    // group norm takes what went through its moments off in a second array
    const arrays = layer instanceof nn.GroupNorm ? 2 : 1;
    expect(most(() => y.backward(g))).toBeLessThan((arrays + 0.2) * x.nbytes);
    expect(x.grad?.isContiguousIn("channelsLast")).toBe(true);
  });

  test.each([
    ["InstanceNorm2d", [3, 6, 5, 4], () => new nn.InstanceNorm2d(6, { affine: true, trackRunningStats: true })],
    ["InstanceNorm3d", [2, 6, 2, 3, 4], () => new nn.InstanceNorm3d(6)],
    ["GroupNorm", [3, 6, 5, 4], () => new nn.GroupNorm(2, 6)],
    ["GroupNorm of one group", [3, 6, 5, 4], () => new nn.GroupNorm(1, 6, { affine: false })],
    ["GroupNorm, 3-D", [2, 6, 2, 3, 4], () => new nn.GroupNorm(3, 6)],
  ] as const)(
    "%s gives what it gives of the contiguous copy, in training, evaluation and second derivatives",
    (_, shape, make) => {
      manualSeed(5);
      const memoryFormat = shape.length === 5 ? "channelsLast3d" : "channelsLast";
      const [x, g, v] = [randn([...shape]).add(3), randn([...shape]), randn([...shape])];
      const run = (a: Tensor) => {
        const layer = make();
        for (const p of layer.parameters()) p.detach().copy_(tensor([0.5, -1, 2, 1, 3, 0.1]));
        a.requiresGrad_();
        const y = layer.forward(a);
        y.backward(g);
        const first = [y, a.grad?.clone() ?? null, ...layer.parameters().map((p) => p.grad?.clone() ?? null)];
        const [gx] = autograd.grad([layer.forward(a)], [a], { gradOutputs: [g], createGraph: true });
        const [ggx] = autograd.grad([(gx as Tensor).mul(v).sum()], [a]);
        return [...first, gx, ggx, ...layer.buffers(), layer.eval().forward(a)];
      };
      const last = run(x.contiguous({ memoryFormat }).detach());
      expect(last[0]?.isContiguousIn(memoryFormat)).toBe(true);
      for (const [i, expected] of run(x.detach()).entries()) near(last[i], expected);
    },
  );

  test("masked statistics: padding that lies between the channels does not count", () => {
    manualSeed(6);
    const x = images([3, 4, 5, 2]);
    const mask = tensor(
      Array.from({ length: 30 }, (_, i) => i % 7 !== 3 && i % 5 !== 1),
      { shape: [3, 5, 2] },
    );
    const g = images([3, 4, 5, 2]);
    const run = (a: Tensor, memory: (t: Tensor) => Tensor) => {
      const layer = new nn.BatchNorm2d(4);
      // what is masked may be anything
      const padded = memory(a.where(mask.unsqueeze(1), 1e6))
        .detach()
        .requiresGrad_();
      const y = layer.forward(padded, { mask });
      y.mul(mask.unsqueeze(1).float()).backward(g);
      return [
        y.where(mask.unsqueeze(1), 0),
        padded.grad,
        layer.weight?.grad ?? null,
        layer.runningMean,
        layer.runningVar,
      ];
    };
    const last = run(x, (t) => t.contiguous(LAST));
    for (const [i, expected] of run(x, (t) => t.contiguous()).entries()) near(last[i], expected);
    // and by hand: the statistics of the counted values alone
    const counted = x.permute([1, 0, 2, 3]).reshape([4, 30]);
    const kept = mask.flatten().toArray() as boolean[];
    const values = (counted.toArray() as number[][]).map((row) => row.filter((_, i) => kept[i]));
    const means = values.map((row) => row.reduce((a, b) => a + b, 0) / row.length);
    expect(
      relativeError(
        last[3]?.toTypedArray() ?? [],
        means.map((m) => 0.1 * m),
      ),
    ).toBeLessThan(2e-6);
  });

  test.each(["relu", "silu", null] as const)("with a residual and %s in one", (activation) => {
    manualSeed(2);
    const [x, residual, g] = [images([3, 5, 4, 3]), randn([3, 5, 4, 3]), randn([3, 5, 4, 3])];
    const run = (layout: (t: Tensor) => Tensor) => {
      const layer = new nn.BatchNormAct2d(5, { activation });
      const a = layout(x).detach().requiresGrad_();
      const b = residual.detach().requiresGrad_();
      const y = layer.forward(a, { residual: b });
      y.backward(g);
      return [y, a.grad, b.grad, layer.weight?.grad ?? null, layer.runningVar];
    };
    const [last, first] = [run((t) => t), run((t) => t.contiguous())];
    expect(last[0]?.isContiguousIn("channelsLast")).toBe(true);
    for (const [i, found] of last.entries()) near(found, first[i]);
  });

  test("masks, joint batches and second derivatives do not ask how x lies", () => {
    manualSeed(3);
    const x = images([3, 4, 5, 2]);
    const mask = randn([3, 5, 2]).gt(-0.5);
    const g = randn(x.shape);
    const run = (a: Tensor) => {
      const layer = new nn.BatchNorm2d(4);
      a.requiresGrad_();
      const y = layer.forward(a, { mask });
      y.backward(g);
      const [one, two] = layer.forwardMany([a.detach().narrow(0, 0, 1), a.detach().narrow(0, 1, 2)]);
      const z = layer.forward(a);
      const [gx] = autograd.grad([z], [a], { gradOutputs: [g], createGraph: true });
      const [ggx] = autograd.grad([(gx as Tensor).square().sum()], [a]);
      return [y, a.grad, one, two, layer.runningMean, gx, ggx];
    };
    const [last, first] = [run(x.detach()), run(x.contiguous().detach())];
    for (const [i, found] of last.entries()) near(found, first[i]);
  });
});

describe("float16 and bfloat16", () => {
  test.each(["float16", "bfloat16"] as const)("a whole layer in %s keeps its statistics in it", (dtype) => {
    const layer = new nn.BatchNorm2d(3).to(dtype);
    const y = layer.forward(randn([4, 3, 5, 5]).to(dtype));
    expect([y.dtype, layer.weight?.dtype, layer.runningMean?.dtype]).toEqual([dtype, dtype, dtype]);
    expect(layer.numBatchesTracked?.dtype).toBe("int64");
    const version = layer.runningVar?.storage.version;
    expect(layer.runningVar?.toArray()).not.toEqual([1, 1, 1]);
    layer.eval().forward(randn([4, 3, 5, 5]).to(dtype));
    expect(layer.runningVar?.storage.version).toBe(version);
  });

  test("an empty batch, and one value a channel", () => {
    const layer = new nn.BatchNorm1d(3);
    expect(layer.forward(randn([0, 3]).half()).dtype).toBe("float16");
    expect(() => layer.forward(randn([1, 3]).half())).toThrow(/more than 1 value per channel/);
    expect(F.layerNorm(randn([0, 3]).bfloat16(), 3).shape).toEqual([0, 3]);
  });
});
