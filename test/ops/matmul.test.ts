import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { tensor, zeros } from "../../src/index.ts";
import { bmm, dot, linear, matmul, mm, outer } from "../../src/ops/matmul.ts";
import { product } from "../../src/ops/product.ts";
import { checkGradients, expectClose, leaf, random, testGolden } from "./checking.ts";
import { testLayers } from "./layers.ts";

describe("golden", () => {
  testGolden({
    matmul: (inputs) => matmul(inputs[0], inputs[1]),
    matmulTransposed: (inputs) => matmul(inputs[0].t(), inputs[1].t()),
  });
  testLayers({ Linear: (x, { weight, bias }) => linear(x, weight, bias) });
});

describe("gradients", () => {
  it("matmul of vectors, matrices and stacks", () => {
    const shapes: [number[], number[]][] = [
      [[3], [3]],
      [[2, 3], [3]],
      [[3], [3, 2]],
      [
        [2, 3],
        [3, 2],
      ],
      [
        [2, 2, 3],
        [3, 2],
      ],
      [
        [2, 3],
        [2, 3, 2],
      ],
      [
        [2, 1, 2, 3],
        [3, 3, 1],
      ],
      [[3], [2, 3, 2]],
      [[2, 2, 3], [3]],
    ];
    for (const [a, b] of shapes) checkGradients(matmul, [leaf(a, 1), leaf(b, 2)]);
  });

  it("of transposed operands, either way round", () => {
    for (const [ta, tb] of [
      [false, true],
      [true, false],
      [true, true],
    ]) {
      const [a, b] = [ta ? [3, 2] : [2, 3], tb ? [2, 3] : [3, 2]];
      checkGradients((x, y) => product(x, y, ta, tb), [leaf(a, 3), leaf(b, 4)]);
      checkGradients((x, y) => product(x, y, ta, tb), [leaf([2, 1, ...a], 5), leaf([2, ...b], 6)]);
      checkGradients((x, y) => matmul(ta ? x.t() : x, tb ? y.t() : y), [leaf(a, 7), leaf(b, 8)]);
    }
  });

  it("mm, bmm, dot, outer, linear", () => {
    checkGradients(mm, [leaf([2, 3], 9), leaf([3, 2], 10)]);
    checkGradients(bmm, [leaf([2, 2, 3], 11), leaf([2, 3, 1], 12)]);
    checkGradients(dot, [leaf([3], 13), leaf([3], 14)]);
    checkGradients(outer, [leaf([3], 15), leaf([2], 16)]);
    for (const lead of [[], [2], [2, 2]]) {
      checkGradients((x, w, b) => linear(x, w, b), [leaf([...lead, 3], 17), leaf([2, 3], 18), leaf([2], 19)]);
      checkGradients((x, w) => linear(x, w), [leaf([...lead, 3], 17), leaf([2, 3], 18)]);
    }
    checkGradients((x) => matmul(x, x), [leaf([3, 3], 20)]);
  });
});

describe("properties", () => {
  const size = fc.integer({ min: 1, max: 19 });

  it("a product agrees with plain loops, whatever the strides", () => {
    fc.assert(
      fc.property(size, size, size, fc.boolean(), fc.boolean(), fc.boolean(), (m, n, k, ta, tb, sliced) => {
        const a0 = random(ta ? [k, m] : [m, k], 1);
        const b0 = random(tb ? [n, k] : [k, n], 2);
        const wide = random([...(tb ? [n, k * 2] : [k, n * 2])], 3);
        const a = ta ? a0.t() : a0;
        const right = sliced ? wide.slice(1, 0, wide.shape[1], 2) : b0;
        const b = tb ? right.t() : right;
        const [x, y] = [a.toTypedArray(), b.toTypedArray()];
        const wanted = new Float64Array(m * n);
        for (let i = 0; i < m; i++) {
          for (let j = 0; j < n; j++) {
            for (let l = 0; l < k; l++) wanted[i * n + j] += Number(x[i * k + l]) * Number(y[l * n + j]);
          }
        }
        expectClose(matmul(a, b).toTypedArray() as Float32Array, wanted, 1e-5, 1e-5);
      }),
      { numRuns: 80 },
    );
  });

  it("is associative", () => {
    fc.assert(
      fc.property(size, size, size, size, (m, n, k, l) => {
        const [a, b, c] = [random([m, k], 4), random([k, n], 5), random([n, l], 6)];
        const left = matmul(matmul(a, b), c).toTypedArray() as Float32Array;
        expectClose(left, matmul(a, matmul(b, c)).toTypedArray() as Float32Array, 1e-3, 1e-3);
      }),
      { numRuns: 30 },
    );
  });

  it("of large matrices is right to the block", () => {
    const [m, n, k] = [101, 67, 530];
    const [a, b] = [random([m, k], 7), random([k, n], 8)];
    const exact = matmul(a.double(), b.double());
    expectClose(matmul(a, b).toTypedArray() as Float32Array, exact.toTypedArray() as Float64Array, 1e-5, 1e-4);
    expectClose(linear(a, b.t()).toTypedArray() as Float32Array, exact.toTypedArray() as Float64Array, 1e-5, 1e-4);
  });
});

describe("bad input gets PyTorch's sentence", () => {
  const sentences: [() => unknown, string][] = [
    [() => matmul(zeros([2, 3]), zeros([4, 5])), "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)"],
    [() => matmul(zeros([2, 3]), zeros([4])), "size mismatch, got 2, 2x3,4"],
    [() => matmul(zeros([3]), zeros([4, 5])), "mat1 and mat2 shapes cannot be multiplied (1x3 and 4x5)"],
    [() => matmul(zeros([2, 3, 4]), zeros([3, 4])), "mat1 and mat2 shapes cannot be multiplied (6x4 and 3x4)"],
    [
      () => matmul(zeros([2, 3, 4]), zeros([3, 4, 4])),
      "The size of tensor a (2) must match the size of tensor b (3) at non-singleton dimension 0",
    ],
    [() => matmul(zeros([]), zeros([3])), "both arguments to matmul need to be at least 1D, but they are 0D and 1D"],
    [() => matmul(zeros([2, 2]), zeros([2, 2]).double()), "expected scalar type Float but found Double"],
    [() => mm(zeros([2, 3, 4]), zeros([2, 3])), "self must be a matrix"],
    [() => mm(zeros([2, 3]), zeros([2])), "mat2 must be a matrix"],
    [() => bmm(zeros([2, 3]), zeros([2, 3, 4])), "batch1 must be a 3D tensor"],
    [
      () => bmm(zeros([2, 3, 4]), zeros([3, 4, 4])),
      "Expected size for first two dimensions of batch2 tensor to be: [2, 4] but got: [3, 4].",
    ],
    [
      () => dot(zeros([3]), zeros([4])),
      "inconsistent tensor size, expected tensor [3] and src [4] to have the same number of elements, but got 3 and 4 elements respectively",
    ],
    [() => dot(zeros([3, 2]), zeros([4])), "1D tensors expected, but got 2D and 1D tensors"],
    [() => outer(zeros([3, 2]), zeros([4])), "outer: Expected 1-D argument self, but got 2-D"],
    [() => linear(zeros([2, 3]), zeros([4, 5])), "mat1 and mat2 shapes cannot be multiplied (2x3 and 5x4)"],
    [() => linear(zeros([2, 2, 3]), zeros([4, 5])), "mat1 and mat2 shapes cannot be multiplied (4x3 and 5x4)"],
    [
      () => linear(zeros([2, 5]), zeros([4, 5]), zeros([3])),
      "The expanded size of the tensor (4) must match the existing size (3) at non-singleton dimension 1.  Target sizes: [2, 4].  Tensor sizes: [3]",
    ],
    [() => linear(zeros([2, 5]).double(), zeros([4, 5])), "mat1 and mat2 must have the same dtype"],
  ];
  it.each(sentences.map(([run, sentence]) => [sentence, run] as const))("%s", (sentence, run) => {
    expect(run).toThrow(sentence);
  });

  it("but empty matrices are none", () => {
    expect(matmul(zeros([2, 0]), zeros([0, 3])).toArray()).toEqual([
      [0, 0, 0],
      [0, 0, 0],
    ]);
    expect(linear(zeros([0, 3]), zeros([2, 3]), tensor([1, 2])).shape).toEqual([0, 2]);
    expect(linear(zeros([2, 0]), zeros([2, 0]), tensor([1, 2])).toArray()).toEqual([
      [1, 2],
      [1, 2],
    ]);
  });
});
