import {
  arange,
  at,
  autograd,
  broadcastTo,
  chunk,
  diagonal,
  expand,
  flatten,
  flip,
  manualSeed,
  movedim,
  narrow,
  permute,
  randn,
  reshape,
  select,
  slice,
  split,
  squeeze,
  type Tensor,
  t,
  tensor,
  transpose,
  unbind,
  unflatten,
  unsqueeze,
  view,
  zeros,
} from "evenkeel";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { contiguousStrides, numelOf, viewStrides } from "../../src/tensor/shape.ts";

/** Every index of a shape in row-major order. */
function indicesOf(shape: readonly number[]): number[][] {
  return shape.reduce<number[][]>(
    (all, size) => all.flatMap((index) => Array.from({ length: size }, (_, i) => [...index, i])),
    [[]],
  );
}

/** x's elements one by one through its strides. */
function elements(x: Tensor): number[] {
  const base = new Map(
    indicesOf(x.shape).map((index) => [index, index.reduce((sum, i, d) => sum + i * x.strides[d], 0)]),
  );
  return [...base.keys()].map((index) => index.reduce((v, i) => (v as number[])[i] as never, x.toArray()) as number);
}

const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });
const filledShapes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 });

/** x of a shape with random strides: a permuted and thinned piece of a larger array. */
const strided = filledShapes.chain((shape) =>
  fc.record({
    order: fc.shuffledSubarray(
      shape.map((_, d) => d),
      { minLength: shape.length },
    ),
    shape: fc.constant(shape),
    steps: fc.array(fc.integer({ min: 1, max: 2 }), { minLength: shape.length, maxLength: shape.length }),
  }),
);

function build({ order, shape, steps }: { order: number[]; shape: number[]; steps: number[] }): Tensor {
  const large = shape.map((size, d) => size * steps[d]);
  let x = arange(numelOf(large)).reshape(large);
  for (const [d, step] of steps.entries()) x = slice(x, d, 0, Number.POSITIVE_INFINITY, step);
  return permute(x, order);
}

describe("shapes and strides", () => {
  it("viewStrides finds a view exactly where one exists", () => {
    // natural strides, some of them changed: so that views exist often, but not always
    const factorings = filledShapes.chain((shape) =>
      fc.tuple(
        fc.constant(shape),
        fc
          .array(fc.option(fc.integer({ min: 0, max: 12 }), { freq: 3 }), {
            minLength: shape.length,
            maxLength: shape.length,
          })
          .map((changed) => contiguousStrides(shape).map((step, d) => changed[d] ?? step)),
        filledShapes,
      ),
    );
    fc.assert(
      fc.property(factorings, fc.boolean(), ([shape, strides, to], fit) => {
        const target = fit ? [...shape].reverse() : [...to, numelOf(shape) / numelOf(to)];
        if (!target.every(Number.isInteger)) return;
        const positions = indicesOf(shape).map((index) => index.reduce((sum, i, d) => sum + i * strides[d], 0));
        const found = viewStrides(shape, strides, target);
        // A view exists if steps between neighbours along each target dimension are constant over the whole array.
        const natural = contiguousStrides(target);
        const steps = target.map((size, d) => (size > 1 ? positions[natural[d]] - positions[0] : 0));
        const exists = indicesOf(target).every(
          (index, n) => positions[n] === positions[0] + index.reduce((sum, i, d) => sum + i * steps[d], 0),
        );
        expect(found !== null).toBe(exists);
        if (found) {
          const seen = indicesOf(target).map((index) => index.reduce((sum, i, d) => sum + i * found[d], 0));
          expect(seen).toEqual(positions);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("reshape keeps the row-major order of any strides, and view agrees where it does not throw", () => {
    fc.assert(
      fc.property(strided, fc.boolean(), (made, first) => {
        const x = build(made);
        const to = first ? [-1, x.shape[0]] : [x.shape[x.ndim - 1], -1];
        const flat = elements(x);
        const out = reshape(x, to);
        expect(elements(out)).toEqual(flat);
        let viewed: Tensor | null = null;
        try {
          viewed = view(x, to);
        } catch (error) {
          expect(String(error)).toContain("view size is not compatible");
        }
        if (viewed) {
          expect(viewed.storage).toBe(x.storage);
          expect(elements(viewed)).toEqual(flat);
        }
        expect(out.storage === x.storage).toBe(viewed !== null);
      }),
    );
  });

  it("permute, narrow, select and expand read the elements their definition names", () => {
    fc.assert(
      fc.property(strided, fc.nat(), fc.nat(), fc.nat(), (made, a, b, c) => {
        const x = build(made);
        const value = (index: number[]) => index.reduce((v, i) => (v as number[])[i] as never, x.toArray());
        const d = a % x.ndim;
        const start = b % x.shape[d];
        const length = c % (x.shape[d] - start + 1);
        const moved = (index: number[], by: number) => index.map((i, k) => (k === d ? i + by : i));
        expect(elements(narrow(x, d - x.ndim, start, length))).toEqual(
          indicesOf(x.shape.with(d, length)).map((index) => value(moved(index, start))),
        );
        expect(elements(select(x, d, start - x.shape[d]))).toEqual(
          indicesOf(x.shape.filter((_, k) => k !== d)).map((index) => value(index.toSpliced(d, 0, start))),
        );
        const order = x.shape.map((_, k) => (k + a) % x.ndim);
        expect(elements(permute(x, order))).toEqual(
          indicesOf(order.map((k) => x.shape[k])).map((index) => {
            const from = new Array<number>(x.ndim);
            for (const [k, o] of order.entries()) from[o] = index[k];
            return value(from);
          }),
        );
        const wide = unsqueeze(x, d);
        expect(elements(expand(wide, [2, ...wide.shape.with(d, 3)]))).toEqual(
          indicesOf([2, ...wide.shape.with(d, 3)]).map((index) => value(index.slice(1).toSpliced(d, 1))),
        );
        expect(elements(flip(x, [d]))).toEqual(
          indicesOf(x.shape).map((index) => value(index.with(d, x.shape[d] - 1 - index[d]))),
        );
      }),
    );
  });

  it("handles empty and 0-dimensional tensors", () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        const x = zeros(shape);
        expect(flatten(x).shape).toEqual([numelOf(shape)]);
        expect(unsqueeze(x, -1).squeeze(-1).shape).toEqual(shape);
        expect(x.clone().shape).toEqual(shape);
        expect(flip(x, shape.length > 0 ? [0] : []).shape).toEqual(shape);
      }),
    );
  });
});

describe("results", () => {
  const x = () => arange(24).reshape([2, 3, 4]);

  it("gives PyTorch's shapes", () => {
    expect(flatten(x(), 1).shape).toEqual([2, 12]);
    expect(flatten(x(), 0, -2).shape).toEqual([6, 4]);
    expect(unflatten(x(), -1, [2, -1]).shape).toEqual([2, 3, 2, 2]);
    expect(transpose(x(), 0, -1).shape).toEqual([4, 3, 2]);
    expect(movedim(x(), [0, 1], [-1, 0]).shape).toEqual([3, 4, 2]);
    expect(squeeze(zeros([1, 2, 1])).shape).toEqual([2]);
    expect(squeeze(zeros([1, 2, 1]), 1).shape).toEqual([1, 2, 1]);
    expect(unbind(x(), 1).map((part) => part.shape)).toEqual([
      [2, 4],
      [2, 4],
      [2, 4],
    ]);
    expect(split(x(), 3, 2).map((part) => part.shape[2])).toEqual([3, 1]);
    expect(chunk(arange(5), 4).map((part) => part.toArray())).toEqual([[0, 1], [2, 3], [4]]);
    expect(chunk(zeros([0]), 3).length).toBe(3);
    expect(x().expandAs(zeros([5, 2, 3, 4])).shape).toEqual([5, 2, 3, 4]);
    expect(broadcastTo(zeros([3, 1]), [2, 3, 4]).shape).toEqual([2, 3, 4]);
    expect(t(arange(3)).shape).toEqual([3]);
  });

  it("slices as Python", () => {
    const v = arange(6);
    expect(slice(v, 0).toArray()).toEqual([0, 1, 2, 3, 4, 5]);
    expect(slice(v, 0, -2).toArray()).toEqual([4, 5]);
    expect(slice(v, 0, 1, 100, 2).toArray()).toEqual([1, 3, 5]);
    expect(slice(v, 0, 4, 2).toArray()).toEqual([]);
    expect(at(x(), 1, -1, 2).item()).toBe(22);
    expect(x().at(1).shape).toEqual([3, 4]);
  });

  it("takes diagonals", () => {
    const m = arange(12).reshape([3, 4]);
    expect(diagonal(m).toArray()).toEqual([0, 5, 10]);
    expect(diagonal(m, { offset: 2 }).toArray()).toEqual([2, 7]);
    expect(diagonal(m, { offset: -1 }).toArray()).toEqual([4, 9]);
    expect(diagonal(m, { offset: 9 }).shape).toEqual([0]);
    expect(diagonal(x(), { dim1: -1, dim2: 0 }).shape).toEqual([3, 2]);
  });

  it("shares memory, except clone, contiguous of a transpose and flip", () => {
    const m = tensor([
      [1, 2],
      [3, 4],
    ]);
    m.t().select(0, 1).fill_(9);
    expect(m.toArray()).toEqual([
      [1, 9],
      [3, 9],
    ]);
    expect(m.contiguous()).toBe(m);
    for (const copy of [m.clone(), m.t().contiguous(), flip(m, []), flip(m, [0])])
      expect(copy.storage).not.toBe(m.storage);
  });
});

describe("gradients", () => {
  const cases: Record<string, (x: Tensor) => Tensor> = {
    reshape: (x) => reshape(x, [4, 6]),
    "reshape of a transpose": (x) => reshape(transpose(x, 0, 2), [-1]),
    view: (x) => view(x, [24]),
    flatten: (x) => flatten(x, 1),
    unflatten: (x) => unflatten(x, 2, [2, 2]),
    permute: (x) => permute(x, [2, 0, 1]),
    transpose: (x) => transpose(x, 0, 1),
    t: (x) => t(select(x, 0, 1)),
    movedim: (x) => movedim(x, 0, 2),
    squeeze: (x) => squeeze(narrow(x, 0, 1, 1)),
    unsqueeze: (x) => unsqueeze(x, 1),
    expand: (x) => expand(x, [5, 2, 3, 4]),
    "expand of a size 1": (x) => expand(narrow(x, 1, 1, 1), [2, 3, 4]),
    narrow: (x) => narrow(x, 1, 1, 2),
    select: (x) => select(x, 2, -2),
    "slice by steps": (x) => slice(x, 2, 1, 4, 2),
    diagonal: (x) => diagonal(x, { dim1: 1, dim2: 2, offset: 1 }),
    flip: (x) => flip(x, [0, 2]),
    clone: (x) => x.clone(),
    unbind: (x) => unbind(x, 2)[3],
    split: (x) => split(x, [1, 2], 1)[1],
    "two overlapping parts": (x) => narrow(x, 2, 0, 3).mul(narrow(x, 2, 1, 3)),
  };

  /** Where each element of x went, found by sending x's own positions through f: views only move elements. */
  it.each(Object.entries(cases).filter(([name]) => name !== "two overlapping parts"))(
    "%s sends gradients back where the elements came from",
    (_, f) => {
      manualSeed(1);
      const x = randn([2, 3, 4], { dtype: "float64", requiresGrad: true });
      const y = f(x);
      const g = randn(y.shape, { dtype: "float64" });
      y.backward(g);
      const sources = f(arange(24, { dtype: "float64" }).reshape([2, 3, 4]))
        .toArray()
        .flat(9) as number[];
      const expected = new Array<number>(24).fill(0);
      const upstream = g.toArray().flat(9) as number[];
      for (const [i, source] of sources.entries()) expected[source] += upstream[i];
      const got = x.grad?.toArray().flat(9) as number[];
      for (const [i, value] of expected.entries()) expect(got[i]).toBeCloseTo(value, 12);
    },
  );

  it.each(Object.entries(cases))("%s can be differentiated twice", (_, f) => {
    manualSeed(2);
    const x = randn([2, 3, 4], { dtype: "float64", requiresGrad: true });
    const y = f(x);
    const weights = randn(y.shape, { dtype: "float64" });
    const [first] = autograd.grad([y.mul(y).mul(y)], [x], { createGraph: true, gradOutputs: [weights] });
    const v = randn(x.shape, { dtype: "float64" });
    const [second] = autograd.grad([first as Tensor], [x], { gradOutputs: [v] });
    // against the difference of first derivatives in the direction v
    const slope = (step: number) => {
      const moved = tensor(x.add(v, { alpha: step }).toTypedArray(), { shape: x.shape, requiresGrad: true });
      const z = f(moved);
      const [g] = autograd.grad([z.mul(z).mul(z)], [moved], { gradOutputs: [weights] });
      return g?.toArray().flat(9) as number[];
    };
    const [ahead, behind] = [slope(1e-5), slope(-1e-5)];
    const got = second?.toArray().flat(9) as number[];
    for (const [i, value] of got.entries()) expect(value).toBeCloseTo((ahead[i] - behind[i]) / 2e-5, 5);
  });
});

describe("bad arguments", () => {
  const x = () => zeros([2, 3]);
  it.each<[string, () => unknown]>([
    ["shape '[4]' is invalid for input of size 6", () => view(x(), [4])],
    ["view size is not compatible with input tensor's size and stride", () => view(x().t(), [6])],
    ["only one dimension can be inferred", () => reshape(x(), [-1, -1])],
    ["flatten() has invalid args: start_dim cannot come after end_dim", () => flatten(x(), 1, 0)],
    ["Dimension out of range (expected to be in range of [-2, 1], but got 3)", () => flatten(x(), 3)],
    [
      "unflatten: Provided sizes [2, 2] don't multiply up to the size of dim 1 (3) in the input tensor",
      () => unflatten(x(), 1, [2, 2]),
    ],
    ["t() expects a tensor with <= 2 dimensions, but self is 3D", () => t(zeros([1, 1, 1]))],
    ["permute(): duplicate dims are not allowed.", () => permute(x(), [0, 0])],
    ["input.dim() = 2 is not equal to len(dims) = 1", () => permute(x(), [0])],
    ["movedim: repeated dim in `destination` ([0, 0])", () => movedim(x(), [0, 1], [0, 0])],
    [
      "The expanded size of the tensor (4) must match the existing size (3) at non-singleton dimension 1.  Target sizes: [2, 4].  Tensor sizes: [2, 3]",
      () => expand(x(), [2, 4]),
    ],
    [
      "the number of sizes provided (1) must be greater or equal to the number of dimensions in the tensor (2)",
      () => expand(x(), [3]),
    ],
    [
      "The expanded size of the tensor (-1) isn't allowed in a leading, non-existing dimension 0",
      () => expand(x(), [-1, 2, 3]),
    ],
    ["start (1) + length (3) exceeds dimension size (2).", () => narrow(x(), 0, 1, 3)],
    ["Dimension out of range (expected to be in range of [-2, 2], but got 3)", () => narrow(x(), 0, 3, 0)],
    ["select(): index 5 out of range for tensor of size [2, 3] at dimension 0", () => select(x(), 0, 5)],
    ["select() cannot be applied to a 0-dim tensor.", () => select(tensor(1), 0, 0)],
    ["too many indices for tensor of dimension 2", () => at(x(), 0, 0, 0)],
    ["step must be greater than zero", () => slice(x(), 0, 0, 2, -1)],
    ["Dimension specified as 0 but tensor has no dimensions", () => unbind(tensor(1))],
    ["split_size can only be 0 if dimension size is 0, but got dimension size of 2", () => split(x(), 0)],
    [
      "split_with_sizes expects split_sizes to sum exactly to 2 (input tensor's size at dimension 0), but got split_sizes=[1, 2]",
      () => split(x(), [1, 2]),
    ],
    ["chunk expects `chunks` to be greater than 0, got: 0", () => chunk(x(), 0)],
    ["diagonal dimensions cannot be identical 0, 0", () => diagonal(x(), { dim1: 0, dim2: 0 })],
    ["dim 0 appears multiple times in the list of dims", () => flip(x(), [0, 0])],
  ])("%s", (message, run) => {
    expect(run).toThrow(message);
  });
});
