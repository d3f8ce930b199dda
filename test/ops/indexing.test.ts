import {
  arange,
  autograd,
  DTypeError,
  gather,
  IndexRangeError,
  indexAdd,
  indexSelect,
  manualSeed,
  maskedFill,
  oneHot,
  randint,
  randn,
  scatterAdd,
  type Tensor,
  takeAlongDim,
  tensor,
  zeros,
} from "evenkeel";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Golden, readGolden } from "../golden/read.ts";

interface OpCase {
  name: string;
  op: string;
  inputs: Golden[];
  args: [dim: number];
  outputs: Golden[];
  gradOutput: Golden;
  gradInputs: Golden[];
}

const cases = readGolden<OpCase>("ops").filter(({ op }) => op === "gather" || op === "indexSelect");
const make = (golden: Golden, requiresGrad = false) =>
  tensor(golden.data, { shape: golden.shape, dtype: golden.dtype, requiresGrad });
const long = (data: Parameters<typeof tensor>[0]) => tensor(data, { dtype: "int64" });

describe("results", () => {
  it.each(cases.map((one) => [one.name, one] as const))("as PyTorch: %s", (_, one) => {
    const x = make(one.inputs[0], true);
    const out = (one.op === "gather" ? gather : indexSelect)(x, one.args[0], make(one.inputs[1]));
    expect(out.shape).toEqual(one.outputs[0].shape);
    expect(out.toTypedArray()).toEqual(one.outputs[0].data);
    out.backward(make(one.gradOutput));
    const got = x.grad?.toTypedArray() as Float32Array;
    for (const [i, value] of (one.gradInputs[0].data as Float32Array).entries()) expect(got[i]).toBeCloseTo(value, 6);
  });

  it("gather and scatterAdd follow their definition for any sizes and strides", () => {
    const sizes = fc.tuple(
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 4 }),
    );
    fc.assert(
      fc.property(
        sizes,
        sizes,
        fc.integer({ min: 0, max: 2 }),
        fc.boolean(),
        fc.nat(1000),
        (large, wanted, dim, turned, seed) => {
          manualSeed(seed);
          const count = wanted.map((size, d) => (d === dim ? size : Math.min(size, large[d])));
          const values = turned ? randn([large[2], large[1], large[0]]).transpose(0, 2) : randn(large);
          const index = turned
            ? randint(0, large[dim], [count[1], count[0], count[2]]).transpose(0, 1)
            : randint(0, large[dim], count);
          const [v, sum, at] = [values.toArray(), values.toArray(), index.toArray()];
          const source = randn(count.map((size) => size + 1));
          const [got, put, given] = [
            gather(values, dim, index).toArray(),
            scatterAdd(values, dim, index, source).toArray(),
            source.toArray(),
          ];
          for (let i = 0; i < count[0]; i++)
            for (let j = 0; j < count[1]; j++)
              for (let k = 0; k < count[2]; k++) {
                const [a, b, c] = [i, j, k].with(dim, at[i][j][k]);
                expect(got[i][j][k]).toBe(v[a][b][c]);
                sum[a][b][c] += given[i][j][k];
              }
          // checked at the end, as indices may repeat
          for (let i = 0; i < large[0]; i++)
            for (let j = 0; j < large[1]; j++)
              for (let k = 0; k < large[2]; k++) expect(put[i][j][k]).toBeCloseTo(sum[i][j][k], 4);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("adds, selects, looks up and fills", () => {
    const x = arange(6, { dtype: "float32" }).reshape([2, 3]);
    expect(
      indexAdd(
        x,
        1,
        long([0, 0]),
        tensor([
          [1, 2],
          [3, 4],
        ]),
        { alpha: 10 },
      ).toArray(),
    ).toEqual([
      [30, 1, 2],
      [73, 4, 5],
    ]);
    expect(indexSelect(x, 1, tensor([2, 0], { dtype: "int32" })).toArray()).toEqual([
      [2, 0],
      [5, 3],
    ]);
    expect(indexSelect(x.t(), -1, long([1])).toArray()).toEqual([[3], [4], [5]]);
    expect(indexSelect(x, 0, tensor(1, { dtype: "int64" })).shape).toEqual([1, 3]);
    expect(takeAlongDim(x, long([[1]]), 0).toArray()).toEqual([[3, 4, 5]]);
    expect(takeAlongDim(x, x.argmax(1, { keepdim: true }), 1).toArray()).toEqual([[2], [5]]);
    expect(takeAlongDim(x, long([5, 0])).toArray()).toEqual([5, 0]);
    expect(maskedFill(x, tensor([[true], [false]]), -1).toArray()).toEqual([
      [-1, -1, -1],
      [3, 4, 5],
    ]);
    expect(maskedFill(tensor([1]), tensor([[true], [false]]), 7).toArray()).toEqual([[7], [1]]);
    expect(gather(tensor(4), 0, long(0)).item()).toBe(4);
    expect(x.toArray()).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ]);
  });

  it("makes one-hot rows", () => {
    expect(oneHot(long([[1], [0]])).toArray()).toEqual([[[0, 1]], [[1, 0]]]);
    expect(oneHot(long([1]), { numClasses: 3 }).dtype).toBe("int64");
    expect(oneHot(long(2)).toArray()).toEqual([0, 0, 1]);
    expect(oneHot(zeros([0], { dtype: "int64" }), { numClasses: 2 }).shape).toEqual([0, 2]);
  });
});

describe("gradients", () => {
  const index = long([
    [0, 2, 0],
    [1, 1, 2],
  ]);
  const mask = tensor([[true, false, false, true]]);
  const cases: Record<string, (x: Tensor, y: Tensor) => Tensor> = {
    gather: (x) => gather(x, 0, index),
    "gather of a part": (x) => gather(x, 1, index.narrow(1, 0, 2)),
    scatterAdd: (x, y) => scatterAdd(x, 0, index, y),
    indexSelect: (x) => indexSelect(x, 1, long([3, 3, 0])),
    indexAdd: (x, y) => indexAdd(x, 0, long([2, 0, 2]), y, { alpha: 0.5 }),
    takeAlongDim: (x) => takeAlongDim(x, index.narrow(0, 0, 1).t(), 1),
    maskedFill: (x) => maskedFill(x, mask, 3),
    "maskedFill, broadcast": (x) => maskedFill(x.narrow(0, 0, 1), mask.expand([3, 4]), 3),
  };
  const input = () => randn([3, 4], { dtype: "float64", requiresGrad: true });

  it.each(Object.entries(cases))("%s passes gradcheck, once and twice differentiated", (_, f) => {
    manualSeed(3);
    expect(autograd.gradcheck(f, [input(), input()])).toBe(true);
    expect(autograd.gradgradcheck((x, y) => f(x.mul(x), y.mul(y)), [input(), input()])).toBe(true);
  });
});

describe("bad arguments", () => {
  const x = () => zeros([2, 3]);
  it.each<[string, () => unknown]>([
    ["index 5 is out of bounds for dimension 0 with size 2", () => gather(x(), 0, long([[0, 5]]))],
    ["index -1 is out of bounds for dimension 1 with size 3", () => gather(x(), 1, long([[-1]]))],
    ["Index tensor must have the same number of dimensions as input tensor", () => gather(x(), 0, long([5]))],
    ["gather(): Expected dtype int64 for index", () => gather(x(), 0, tensor([[0]]))],
    [
      "Size does not match at dimension 1 expected index [1, 4] to be smaller than self [2, 3] apart from dimension 0",
      () => gather(x(), 0, long([[0, 0, 0, 0]])),
    ],
    ["index out of range in self", () => indexSelect(x(), 0, long([0, 5]))],
    ["index 5 is out of bounds for dimension 0 with size 2", () => indexSelect(x(), 0, long([0, 5]))],
    ["index_select(): Index is supposed to be a vector", () => indexSelect(x(), 0, long([[0]]))],
    ["index out of range in self", () => indexAdd(x(), 0, long([5]), zeros([1, 3]))],
    [
      "index_add_(): Number of indices (1) should be equal to source.size(dim): (2), for dim: 0",
      () => indexAdd(x(), 0, long([1]), zeros([2, 3])),
    ],
    ["must match apart from dimension 0", () => indexAdd(x(), 0, long([1]), zeros([1, 2]))],
    ["must have the same scalar type", () => indexAdd(x(), 0, long([1]), zeros([1, 3], { dtype: "float64" }))],
    ["index 5 is out of bounds for dimension 0 with size 2", () => scatterAdd(x(), 0, long([[5]]), zeros([1, 3]))],
    [
      "Expected index [1, 3] to be smaller than self [2, 3] apart from dimension 0 and to be smaller size than src [1, 2]",
      () => scatterAdd(x(), 0, long([[0, 0, 0]]), zeros([1, 2])),
    ],
    [
      "scatter(): Expected self.dtype to be equal to src.dtype",
      () => scatterAdd(x(), 0, long([[0]]), zeros([1, 3], { dtype: "float64" })),
    ],
    ["masked_fill only supports boolean masks", () => maskedFill(x(), zeros([3]), 1)],
    [
      "The size of tensor a (3) must match the size of tensor b (2) at non-singleton dimension 1",
      () => maskedFill(x(), tensor([true, false]), 1),
    ],
    ["one_hot is only applicable to index tensor.", () => oneHot(tensor([1]))],
    ["Class values must be non-negative.", () => oneHot(long([-1]))],
    ["Class values must be smaller than num_classes.", () => oneHot(long([3]), { numClasses: 2 })],
    ["Can not infer total number of classes from empty tensor.", () => oneHot(zeros([0], { dtype: "int64" }))],
  ])("%s", (message, run) => {
    expect(run).toThrow(message);
  });

  it("are of the right type", () => {
    expect(() => gather(x(), 0, long([[9]]))).toThrow(IndexRangeError);
    expect(() => gather(x(), 0, tensor([[0]]))).toThrow(DTypeError);
  });
});
