import { describe, expect, it } from "vitest";
import { F, manualSeed, matmul, rand, randn, type Tensor } from "../../src/index.ts";

/** A matrix with so many of its elements other than zero. */
function sparse(rows: number, columns: number, share: number): Tensor {
  return randn([rows, columns])
    .mul(rand([rows, columns]).lt(share).float())
    .contiguous();
}

/** The same matrix along its columns: in this layout zeros are not looked for. */
const turned = (x: Tensor) => x.t().contiguous().t();

const numbers = (x: Tensor) => x.toTypedArray();

/** Rows, columns and steps, on both sides of the sizes in which the work is cut. */
const SIZES = [
  [60, 100, 784],
  [8, 52, 64],
  [17, 53, 67],
  [16, 469, 512],
  [33, 600, 515],
  [9, 60, 1100],
] as const;

describe("products with a matrix that is mostly zeros are the dense product's to the bit", () => {
  it.each(SIZES)("left, %i × %i over %i", (m, n, k) => {
    manualSeed(m);
    for (const b of [randn([k, n]), turned(randn([k, n]))]) {
      for (const share of [0.02, 0.2]) {
        const a = sparse(m, k, share);
        expect(numbers(matmul(a, b))).toEqual(numbers(matmul(turned(a), b)));
      }
    }
  });

  it.each(SIZES)("right, %i × %i over %i", (n, m, k) => {
    manualSeed(m);
    const steps = Math.min(k, 256);
    for (const columns of [k, n + 40]) {
      for (const a of [randn([m, steps]), turned(randn([m, steps]))]) {
        const b = sparse(steps, columns, 0.2);
        expect(numbers(matmul(a, b))).toEqual(numbers(matmul(a, turned(b))));
      }
    }
  });

  it("with a bias, which is added to", () => {
    manualSeed(3);
    const [x, weight, bias] = [sparse(20, 800, 0.2), randn([57, 800]), randn([57])];
    expect(numbers(F.linear(x, weight, { bias }))).toEqual(numbers(F.linear(turned(x), weight, { bias })));
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])("%d beside zeros is not lost", (odd) => {
    manualSeed(4);
    const [a, b] = [sparse(16, 128, 0.1), randn([128, 60])];
    b.select(0, 77).fill_(odd);
    const product = numbers(matmul(a, b));
    expect(product).toEqual(numbers(matmul(turned(a), b)));
    expect(product.every((value) => Number.isNaN(Number(value)) || !Number.isFinite(Number(value)))).toBe(true);
    const [c, d] = [randn([60, 32]), sparse(32, 128, 0.1)];
    c.select(1, 5).fill_(odd);
    expect(numbers(matmul(c, d))).toEqual(numbers(matmul(c, turned(d))));
    // Rows or steps of the other matrix before the odd one are done already.
    const [e, f] = [randn([160, 32]), randn([784, 60])];
    e.select(0, 130).fill_(odd);
    f.select(0, 600).fill_(odd);
    expect(numbers(matmul(e, d))).toEqual(numbers(matmul(e, turned(d))));
    const g = sparse(16, 784, 0.1);
    expect(numbers(matmul(g, f))).toEqual(numbers(matmul(turned(g), f)));
    a.select(0, 3).fill_(odd);
    b.select(0, 77).fill_(1);
    expect(numbers(matmul(a, b))).toEqual(numbers(matmul(turned(a), b)));
  });
});
