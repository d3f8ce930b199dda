import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { autograd, noGrad, tensor, zeros } from "../../src/index.ts";
import { mul } from "../../src/ops/arithmetic.ts";
import { amax, amin, argmax, argmin, max, min } from "../../src/ops/extremes.ts";
import { std, variance, varMean } from "../../src/ops/moments.ts";
import { logsumexp, norm } from "../../src/ops/norms.ts";
import { all, any, type Dims, mean, prod, sum } from "../../src/ops/reduction.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { checkGradients, leaf, type OpCase, random, testGolden } from "./checking.ts";

type Reduce = (x: Tensor, dim?: Dims, options?: object) => Tensor;

const reduce = (f: Reduce) => (inputs: Tensor[], options: OpCase["options"]) => f(inputs[0], options.dim, options);

const extreme = (f: typeof max) => (inputs: Tensor[], options: OpCase["options"]) => {
  if (options.dim === undefined) return f(inputs[0]);
  const { values, indices } = f(inputs[0], options.dim, options);
  return [values, indices];
};

describe("golden", () => {
  testGolden({
    sum: reduce(sum),
    mean: reduce(mean),
    var: reduce(variance),
    std: reduce(std),
    amax: reduce(amax),
    amin: reduce(amin),
    argmax: reduce(argmax as Reduce),
    argmin: reduce(argmin as Reduce),
    max: extreme(max),
    min: extreme(min as typeof max),
  });
});

const dims: Dims[] = [null, 0, -1, [0, 2], [1, 2], [0, 1, 2]];

describe("gradients", () => {
  const operations: Record<string, Reduce> = {
    sum,
    mean,
    var: variance,
    std,
    amax,
    amin,
    logsumexp,
    norm2: (x, dim, o) => norm(x, 2, dim, o),
  };
  it.each(Object.keys(operations))("%s", (name) => {
    for (const dim of dims) {
      for (const keepdim of [false, true])
        checkGradients((x) => operations[name](x, dim, { keepdim }), [leaf([2, 3, 2], 1)]);
    }
    checkGradients((x) => operations[name](x.transpose(0, 2), [0, 1]), [leaf([2, 3, 2], 2)]);
  });

  it("sum, mean, amax, logsumexp and norm of a single number", () => {
    for (const name of ["sum", "mean", "amax", "logsumexp", "norm2"])
      checkGradients((x) => operations[name](x), [leaf([], 3)]);
  });

  it("variance and standard deviation with other corrections", () => {
    for (const correction of [0, 1, 1.5]) {
      checkGradients((x) => variance(x, [0, 2], { correction }), [leaf([2, 2, 3], 4)]);
      checkGradients((x) => std(x, 1, { correction, keepdim: true }), [leaf([2, 3], 5)]);
    }
    checkGradients((x) => varMean(x, 1), [leaf([2, 3], 6)]);
  });

  it("max and min", () => {
    for (const f of [max, min] as (typeof max)[]) {
      checkGradients((x) => f(mul(x, x)), [leaf([2, 3], 7)]);
      checkGradients((x) => f(mul(x, x), 0, { keepdim: true }).values, [leaf([3, 2], 8)]);
      checkGradients((x) => f(mul(x, x), 1).values, [leaf([2, 3, 2], 9)]);
    }
  });

  it("prod, with no, one and several zeros", () => {
    const rows = [
      [1.2, -0.7, 2],
      [0, 1.5, -2],
      [0, 3, 0],
    ];
    const x = () => tensor(rows, { dtype: "float64", requiresGrad: true });
    checkGradients((a) => prod(a, 1), [x()]);
    checkGradients((a) => prod(a, 0, { keepdim: true }), [x()]);
    checkGradients(
      (a) => prod(a),
      [
        tensor(
          [
            [2, 0],
            [3, -1],
          ],
          { dtype: "float64", requiresGrad: true },
        ),
      ],
    );
    checkGradients((a) => prod(a), [leaf([], 10)]);
  });

  it("p-norms", () => {
    for (const p of [1, 2, 3, 0.5, Infinity, -Infinity])
      checkGradients((x) => norm(x, p, 1), [leaf([2, 3], 11, 0.5, 2)]);
    checkGradients((x) => mul(x, norm(x, 0)), [leaf([3], 12)]);
  });

  it("of a norm and a standard deviation are 0, not NaN, where they are 0", () => {
    const x = tensor([0, 0], { requiresGrad: true });
    norm(x).backward();
    std(x).backward();
    expect(x.grad!.toArray()).toEqual([0, 0]);
  });

  it("of a full max are shared evenly among ties, of a max along a dimension go to the index", () => {
    const x = tensor([2, 1, 2], { requiresGrad: true });
    max(x).backward(tensor(3));
    expect(x.grad!.toArray()).toEqual([1.5, 0, 1.5]);
    const y = tensor([2, 1, 2], { requiresGrad: true });
    max(y, 0).values.backward(tensor(3));
    expect(y.grad!.toArray()).toEqual([3, 0, 0]);
  });
});

describe("dtypes", () => {
  it("integers and bool are summed as int64", () => {
    const flags = tensor([
      [true, false],
      [true, true],
    ]);
    expect(sum(flags, 0).dtype).toBe("int64");
    expect(sum(flags, 0).toArray()).toEqual([2, 1]);
    expect(sum(tensor(new Uint8Array(300).fill(255))).item()).toBe(76500);
    expect(prod(tensor([2, 3], { dtype: "int32" })).dtype).toBe("int64");
  });

  it("maxima keep their dtype", () => {
    expect(max(tensor([true, false])).dtype).toBe("bool");
    expect(max(tensor([true, false])).item()).toBe(1);
    expect(min(tensor([[true, false]]), 1).values.toArray()).toEqual([false]);
    expect(max(tensor([3, 9, 2], { dtype: "uint8" }), 0).values.dtype).toBe("uint8");
    expect(argmax(tensor([3, 9, 2], { dtype: "int64" })).item()).toBe(1);
  });

  it("any and all give bool", () => {
    const x = tensor([
      [0, 2],
      [3, 4],
    ]);
    expect(any(x, 1).toArray()).toEqual([true, true]);
    expect(all(x, 1).toArray()).toEqual([false, true]);
    expect(all(x).toArray()).toBe(false);
    expect(any(x, [0, 1], { keepdim: true }).toArray()).toEqual([[true]]);
    expect(any(tensor(3)).toArray()).toBe(true);
    expect(all(tensor(3)).dtype).toBe("bool");
  });

  it("means and variances of integers are refused", () => {
    const x = tensor([1, 2], { dtype: "int64" });
    expect(() => mean(x)).toThrow(
      "mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. Got: Long",
    );
    expect(() => variance(x)).toThrow("std and var only support floating point and complex dtypes");
    expect(() => norm(x)).toThrow("norm(): input dtype should be either floating point or complex. Got Long instead.");
    expect(logsumexp(x, 0).item()).toBeCloseTo(Math.log(Math.E + Math.E ** 2), 5);
  });
});

describe("edges", () => {
  it("of empty tensors: PyTorch's values and sentences", () => {
    const none = zeros([0]);
    expect(sum(none).item()).toBe(0);
    expect(prod(none).item()).toBe(1);
    expect(mean(none).item()).toBeNaN();
    expect(variance(none).item()).toBeNaN();
    expect(variance(zeros([1])).item()).toBeNaN();
    expect(logsumexp(none, 0).item()).toBe(-Infinity);
    expect(any(none).item()).toBe(0);
    expect(all(none).item()).toBe(1);
    expect(sum(zeros([0, 3]), 0).toArray()).toEqual([0, 0, 0]);
    expect(max(zeros([0, 3]), 1).values.shape).toEqual([0]);
    expect(() => max(none)).toThrow(
      "max(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with the 'dim' argument.",
    );
    expect(() => max(zeros([0, 3]), 0)).toThrow("max(): Expected reduction dim 0 to have non-zero size.");
    expect(() => amin(none)).toThrow("amin(): Expected reduction dim to be specified for input.numel() == 0.");
    expect(() => argmax(none)).toThrow("argmax(): Expected reduction dim to be specified for input.numel() == 0.");
    expect(() => argmin(zeros([0, 3]), 0)).toThrow("argmin(): Expected reduction dim 0 to have non-zero size.");
  });

  it("of dimensions that do not exist", () => {
    expect(() => sum(zeros([2, 3]), 2)).toThrow(
      "Dimension out of range (expected to be in range of [-2, 1], but got 2)",
    );
    expect(() => sum(zeros([2, 3]), [0, -2])).toThrow("dim 0 appears multiple times in the list of dims");
  });

  it("NaN wins, infinities stay", () => {
    const x = tensor([
      [1, NaN],
      [3, 2],
    ]);
    expect(max(x).item()).toBeNaN();
    expect(max(x, 1).values.toArray()).toEqual([NaN, 3]);
    expect(max(x, 1).indices.toArray()).toEqual([1, 0]);
    expect(logsumexp(tensor([-Infinity, -Infinity]), 0).item()).toBe(-Infinity);
    expect(logsumexp(tensor([Infinity, 1]), 0).item()).toBe(Infinity);
    expect(logsumexp(tensor([1000, 1000]), 0).item()).toBeCloseTo(1000 + Math.LN2, 3);
  });

  it("a sum over dimensions of size 1 is a tensor of its own", () => {
    const x = tensor([[1, 2]]);
    const y = sum(x, 0);
    x.mul_(10);
    expect(y.toArray()).toEqual([1, 2]);
  });

  it("the variance far from 0 keeps its digits", () => {
    const x = random([1000], 5, "float64").add(1e6);
    const exact = variance(x.sub(1e6)).item();
    expect(variance(x).item()).toBeCloseTo(exact, 6);
    const [v, m] = noGrad(() => varMean(x));
    expect(v.item()).toBe(variance(x).item());
    expect(m.item()).toBeCloseTo(mean(x).item(), 8);
  });
});

describe("properties", () => {
  const shape = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 });
  const reduction = shape.chain((sizes) =>
    fc.tuple(fc.constant(sizes), fc.subarray([...sizes.keys()], { minLength: 1 }), fc.boolean()),
  );

  it("agree with plain loops, on views too", () => {
    fc.assert(
      fc.property(reduction, ([sizes, over, reversed]) => {
        const source = random(reversed ? [...sizes].reverse() : sizes, 1, "float64");
        const x = reversed ? source.permute([...sizes.keys()].reverse()) : source;
        const groups = new Map<string, number[]>();
        [...x.toTypedArray()].forEach((value, flat) => {
          const index: number[] = [];
          let rest = flat;
          for (let d = sizes.length - 1; d >= 0; d--) {
            index.unshift(over.includes(d) ? 0 : rest % sizes[d]);
            rest = Math.floor(rest / sizes[d]);
          }
          const key = index.join();
          groups.set(key, [...(groups.get(key) ?? []), Number(value)]);
        });
        const expected = (f: (values: number[]) => number) => [...groups.values()].map(f);
        const close = (found: Tensor, wanted: number[]) => {
          [...found.toTypedArray()].forEach((value, i) => {
            expect(Number(value)).toBeCloseTo(wanted[i], 10);
          });
        };
        const average = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
        close(
          sum(x, over),
          expected((v) => v.reduce((a, b) => a + b, 0)),
        );
        close(mean(x, over), expected(average));
        close(
          amax(x, over),
          expected((v) => Math.max(...v)),
        );
        close(
          variance(x, over, { correction: 0 }),
          expected((v) => average(v.map((a) => (a - average(v)) ** 2))),
        );
      }),
      { numRuns: 60 },
    );
  });

  it("the sum of the parts is the sum", () => {
    fc.assert(
      fc.property(reduction, ([sizes, over]) => {
        const x = random(sizes, 2);
        expect(sum(sum(x, over)).item()).toBeCloseTo(sum(x).item(), 4);
      }),
      { numRuns: 40 },
    );
  });

  it("a gradient that is used twice is added up", () => {
    const x = tensor([1, 2, 3], { requiresGrad: true });
    autograd.backward([sum(x), mean(x)], [tensor(2), tensor(3)]);
    expect(x.grad!.toArray()).toEqual([3, 3, 3]);
  });
});
