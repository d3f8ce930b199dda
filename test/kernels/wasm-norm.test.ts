import { afterEach, describe, expect, it } from "vitest";
import type { Backend, RowShape } from "../../src/kernels/backend.ts";
import type { FloatDType } from "../../src/kernels/dtype.ts";
import { heap } from "../../src/kernels/heap.ts";
import { block, difference, freeBlocks, randomNumbers, reference, simd, TOLERANCE, values, wasm } from "./pair.ts";

afterEach(freeBlocks);

const DTYPES: FloatDType[] = ["float32", "float64"];
const SHAPES: [number, number, number][] = [
  [2, 3, 16],
  [3, 2, 17],
  [1, 4, 5],
  [4, 3, 2],
  [3, 1, 9],
  [2, 8, 49],
  [5, 2, 7],
  [2, 2, 33],
  // rows longer than what is summed in float32, and more channels than are walked together
  [40, 5, 701],
  [6, 1, 1],
  [7, 3, 1],
  [5, 8, 1],
  [9, 17, 1],
  [300, 37, 1],
  [4, 5, 1],
  [0, 3, 4],
  [0, 9, 1],
  [2, 0, 4],
  [2, 3, 0],
];

/** All that normalization by channels computes, of one input, on one backend. */
function byChannel(
  kernels: Backend,
  dtype: FloatDType,
  shape: [number, number, number],
  affine: boolean,
  batchStatistics: boolean,
) {
  const [outer, channels, inner] = shape;
  const n = outer * channels * inner;
  const next = randomNumbers(n + channels);
  const x = block(dtype, n, () => 3 + 2 * next());
  const g = block(dtype, n, next);
  const weight = affine ? block(dtype, channels, () => 1.5 + next()) : 0;
  const bias = affine ? block(dtype, channels, next) : 0;
  const [runningMean, runningVar] = [block(dtype, channels, next), block(dtype, channels, () => 1.1 + next())];
  const [mean, rest, m2, invstd, fixed] = [0, 1, 2, 3, 4].map(() => block(dtype, channels));
  const [y, evaluated, gx] = [0, 1, 2].map(() => block(dtype, n));
  const [gWeight, gBias] = [block(dtype, channels), block(dtype, channels)];
  kernels.momentsByChannel(dtype, mean, rest, m2, x, outer, channels, inner);
  kernels.finishMoments(dtype, invstd, runningMean, runningVar, mean, m2, channels, outer * inner, 1e-5, 0.3);
  kernels.finishMoments(dtype, fixed, 0, 0, 0, runningVar, channels, 1, 1e-5, 0);
  kernels.batchNormEval(dtype, evaluated, x, outer, channels, inner, runningMean, runningVar, weight, bias, 1e-5);
  const [m, l, s] = batchStatistics ? [mean, rest, invstd] : [runningMean, 0, fixed];
  kernels.normalizeByChannel(dtype, y, x, outer, channels, inner, m, l, s, weight, bias);
  kernels.normalizeByChannelGrad(
    dtype,
    gx,
    gWeight,
    gBias,
    g,
    x,
    outer,
    channels,
    inner,
    m,
    l,
    s,
    weight,
    batchStatistics,
  );
  // gradients that sum up to gBias and gWeight over a batch of ten of these
  const count = 10 * Math.max(1, outer * inner);
  const numbers = (items: number[]) => {
    let i = 0;
    return block(dtype, items.length, () => items[i++]);
  };
  const [scales, biases, dots] = [s, gBias, gWeight].map((pointer) => values(dtype, pointer, channels));
  const level = numbers(biases.map((v) => v / count));
  const slope = numbers(dots.map((v, c) => (v * scales[c]) / count));
  const given = block(dtype, n);
  kernels.givenGradByChannel(dtype, given, g, x, outer, channels, inner, m, s, affine ? weight : s, level, slope, 0);
  const of = (pointer: number, count: number) => values(dtype, pointer, count);
  return {
    exact: [mean, m2, invstd, runningMean, runningVar, fixed]
      .map((p) => of(p, channels))
      .concat(inner > 1 ? [of(y, n), of(evaluated, n)] : []),
    near: [of(y, n), of(evaluated, n), of(given, n), of(gx, n), of(gWeight, channels), of(gBias, channels)],
  };
}

/** Batch norm and what may follow it, forward and backward, in single calls. */
function withTail(kernels: Backend, dtype: FloatDType, shape: [number, number, number], activation: "relu" | "silu") {
  const [outer, channels, inner] = shape;
  const n = outer * channels * inner;
  const next = randomNumbers(n + channels);
  const [x, g, residual] = [block(dtype, n, next), block(dtype, n, next), block(dtype, n, next)];
  const [weight, bias] = [block(dtype, channels, () => 1.5 + next()), block(dtype, channels, next)];
  const running = [block(dtype, channels, next), block(dtype, channels, () => 1.1 + next())];
  const [mean, rest, invstd] = [0, 1, 2].map(() => block(dtype, channels));
  const [y, evaluated, before, gx, inPlace, alone, own] = [0, 1, 2, 3, 4, 5, 6].map(() => block(dtype, n));
  const [gWeight, gBias] = [block(dtype, channels), block(dtype, channels)];
  const sizes = [outer, channels, inner] as const;
  const tail = { residual, activation };
  const [rm, rv] = running;
  kernels.batchNorm(dtype, y, mean, rest, invstd, rm, rv, x, ...sizes, weight, bias, 1e-5, 0.3, tail);
  kernels.batchNormEval(dtype, evaluated, x, ...sizes, rm, rv, weight, 0, 1e-5, tail);
  for (const [out, to] of [[gx, before] as const, [inPlace, inPlace] as const]) {
    const back = { activation, source: y, before: to };
    kernels.normalizeByChannelGrad(dtype, out, gWeight, gBias, g, x, ...sizes, mean, rest, invstd, weight, true, back);
  }
  // without a residual the slope of ReLU may be told from x
  const [gW, gB] = [block(dtype, channels), block(dtype, channels)];
  kernels.batchNorm(dtype, alone, mean, rest, invstd, 0, 0, x, ...sizes, weight, bias, 1e-5, 0, {
    residual: 0,
    activation,
  });
  const back = { activation, source: alone, before: own, bias: activation === "relu" ? bias : undefined };
  kernels.normalizeByChannelGrad(dtype, own, gW, gB, g, x, ...sizes, mean, rest, invstd, weight, true, back);
  const of = (pointer: number, count: number) => values(dtype, pointer, count);
  const stats = [mean, invstd, rm, rv].map((pointer) => of(pointer, channels));
  return {
    exact: stats.concat(inner > 1 && activation === "relu" ? [of(y, n), of(evaluated, n), of(before, n)] : []),
    near: [y, evaluated, before, gx, inPlace, own]
      .map((p) => of(p, n))
      .concat([gWeight, gBias, gW, gB].map((p) => of(p, channels))),
  };
}

/** What a part of a batch gives, and the way back behind ReLU, by one walk over its gradient and by two. */
function ofPart(kernels: Backend, dtype: FloatDType, shape: [number, number, number]) {
  const [outer, channels, inner] = shape;
  const n = outer * channels * inner;
  const next = randomNumbers(n + channels);
  const [g, source] = [block(dtype, n, next), block(dtype, n, () => Math.max(0, next()))];
  // a first row far from the others, and a mean far from 0
  const x = block(dtype, n, () => 50 + next());
  const x32 = values(dtype, x, n).map((v, i) => (i < channels * inner ? v + 1000 : v));
  (dtype === "float32" ? heap.f32 : heap.f64).set(x32, x / (dtype === "float32" ? 4 : 8));
  const row = block("float64", 1 + 2 * channels);
  kernels.partMoments(dtype, row, x, outer, channels, inner);
  const [mean, invstd, weight] = [
    block(dtype, channels, () => 50 + next()),
    block(dtype, channels, () => 1.5 + next()),
    block(dtype, channels, next),
  ];
  const [rest, level, slope] = [
    block(dtype, channels, () => 0),
    block(dtype, channels, next),
    block(dtype, channels, next),
  ];
  const sums = [0, 1, 2, 3].map(() => block(dtype, channels));
  const [before, gx] = [block(dtype, n), block(dtype, n)];
  const sizes = [outer, channels, inner] as const;
  const tail = { activation: "relu", source } as const;
  const grads = (out: number, from: number, relu: number) =>
    kernels.givenGradByChannel(dtype, out, from, x, ...sizes, mean, invstd, weight, level, slope, relu);
  const sum = (at: number, to: number) =>
    kernels.gradSumsByChannel(dtype, sums[at], sums[at + 1], g, x, ...sizes, mean, rest, invstd, {
      ...tail,
      before: to,
    });
  sum(0, before);
  const through = values(dtype, before, n);
  if (inner > 1) {
    sum(2, 0);
    grads(gx, g, source);
  } else {
    sum(2, gx);
    grads(gx, before, 0);
  }
  grads(before, before, 0);
  return {
    moments: values("float64", row, 1 + 2 * channels),
    through,
    sums: sums.map((pointer) => values(dtype, pointer, channels)),
    gx: [before, gx].map((pointer) => values(dtype, pointer, n)),
  };
}

function byRow(kernels: Backend, dtype: FloatDType, shape: RowShape, affine: boolean, centred: boolean) {
  const { rows, groups, channels, inner } = shape;
  const length = channels * inner;
  const [n, weights] = [rows * length, groups * channels];
  const next = randomNumbers(n + rows);
  const x = block(dtype, n, () => 3 + 2 * next());
  const g = block(dtype, n, next);
  const weight = affine ? block(dtype, weights, () => 1.5 + next()) : 0;
  const bias = affine ? block(dtype, weights, next) : 0;
  const [invstd, y, gx] = [block(dtype, rows), block(dtype, n), block(dtype, n)];
  const [mean, rest] = centred ? [block(dtype, rows), block(dtype, rows)] : [0, 0];
  const [gWeight, gBias] = [block(dtype, weights), block(dtype, weights)];
  kernels.rowNorm(dtype, y, mean, rest, invstd, x, shape, weight, bias, 1e-5);
  kernels.normalizeByRowGrad(dtype, gx, gWeight, gBias, g, x, shape, mean, rest, invstd, weight);
  const of = (pointer: number, count: number) => values(dtype, pointer, count);
  const results = [of(gx, n), of(invstd, rows), of(y, n), of(gWeight, weights), of(gBias, weights)];
  return centred ? [...results, of(mean, rows)] : results;
}

describe.skipIf(!simd)("normalization on WebAssembly", () => {
  for (const dtype of DTYPES) {
    for (const shape of SHAPES) {
      it(`by channels, ${dtype} [${shape}]`, () => {
        for (const affine of [false, true]) {
          for (const batchStatistics of [false, true]) {
            const got = byChannel(wasm, dtype, shape, affine, batchStatistics);
            const expected = byChannel(reference, dtype, shape, affine, batchStatistics);
            // Of contiguous planes all is PyTorch's to the bit in float32, so both backends agree to the bit; down columns float32 adds up in lanes.
            if (dtype === "float32" && shape[2] !== 1) expect(got.exact).toEqual(expected.exact);
            const all = [...got.exact, ...got.near];
            [...expected.exact, ...expected.near].forEach((part, i) => {
              expect(difference(all[i], part)).toBeLessThan(TOLERANCE[dtype]);
            });
          }
        }
      });
    }

    // The last is large enough to go by parts of rows, of which one is short.
    for (const shape of [...SHAPES, [1031, 255, 1] as [number, number, number]]) {
      for (const activation of ["relu", "silu"] as const) {
        if (shape[1] === 255 && (dtype === "float64" || activation === "silu")) continue;
        it(`with ${activation} and a residual, ${dtype} [${shape}]`, () => {
          const got = withTail(wasm, dtype, shape, activation);
          const expected = withTail(reference, dtype, shape, activation);
          if (dtype === "float32" && shape[2] !== 1) expect(got.exact).toEqual(expected.exact);
          const all = [...got.exact, ...got.near];
          [...expected.exact, ...expected.near].forEach((part, i) => {
            // the activation's corners leave sums of 28,000 terms that cancel: the order of summation shows
            expect(difference(all[i], part)).toBeLessThan(10 * TOLERANCE[dtype]);
          });
        });
      }
    }

    for (const shape of SHAPES) {
      it(`of a part, ${dtype} [${shape}]`, () => {
        const got = ofPart(wasm, dtype, shape);
        const expected = ofPart(reference, dtype, shape);
        // Moments are float64, but down columns those of the dtype: their Σ (x − mean)² is rounded.
        const tolerance = shape[2] === 1 ? TOLERANCE[dtype] : 1e-12;
        expect(difference(got.moments, expected.moments)).toBeLessThan(tolerance);
        expect(got.through).toEqual(expected.through);
        got.sums.forEach((part, i) => {
          expect(difference(part, expected.sums[i])).toBeLessThan(10 * TOLERANCE[dtype]);
        });
        got.gx.forEach((part, i) => {
          expect(difference(part, expected.gx[i])).toBeLessThan(TOLERANCE[dtype]);
        });
        // one walk or two: the same bits
        expect(got.gx[1]).toEqual(got.gx[0]);
        expect(got.sums.slice(2)).toEqual(got.sums.slice(0, 2));
      });
    }

    // also longer than what is summed in float32, and than rows of which the sums are taken two rows ahead, one row ahead, or by themselves
    const rowShapes: [string, RowShape][] = [1, 2, 3, 4, 5, 8, 17, 64, 77, 1063, 5002].map((channels) => [
      "layer",
      { rows: 5, groups: 1, channels, inner: 1 },
    ]);
    rowShapes.push(
      ["group", { rows: 6, groups: 3, channels: 2, inner: 7 }],
      ["group", { rows: 4, groups: 2, channels: 4, inner: 16 }],
      ["group", { rows: 4, groups: 2, channels: 3, inner: 77 }],
      ["group", { rows: 4, groups: 2, channels: 9, inner: 531 }],
      ["layer", { rows: 1, groups: 1, channels: 70_001, inner: 1 }],
    );
    rowShapes.push(
      ["group", { rows: 6, groups: 3, channels: 5, inner: 1 }],
      ["instance", { rows: 6, groups: 3, channels: 1, inner: 25 }],
    );
    rowShapes.push(["no rows", { rows: 0, groups: 1, channels: 4, inner: 1 }]);
    for (const [name, shape] of rowShapes) {
      it(`by rows, ${dtype}, ${name}: ${Object.values(shape)}`, () => {
        for (const affine of [false, true]) {
          for (const centred of [false, true]) {
            const got = byRow(wasm, dtype, shape, affine, centred);
            byRow(reference, dtype, shape, affine, centred).forEach((part, i) => {
              // A row of one has gx = 0 but for rounding: there is nothing to measure against.
              if (i === 0 && shape.channels * shape.inner < 3) return;
              expect(difference(got[i], part)).toBeLessThan(TOLERANCE[dtype]);
            });
          }
        }
      });
    }
  }

  it("leaves out the gradients that are not asked for", () => {
    const next = randomNumbers(1);
    for (const inner of [1, 6]) {
      const n = 2 * 5 * inner;
      const [x, g, gx] = [block("float32", n, next), block("float32", n, next), block("float32", n)];
      const [mean, invstd, gBias] = [block("float32", 5, next), block("float32", 5, () => 2), block("float32", 5)];
      wasm.normalizeByChannelGrad("float32", 0, 0, gBias, g, x, 2, 5, inner, mean, 0, invstd, 0, true);
      expect(values("float32", gBias, 5).every(Number.isFinite)).toBe(true);
      // With fixed statistics the input does not enter: infinities in it leave the gradient whole.
      const infinite = block("float32", n, () => Number.POSITIVE_INFINITY);
      wasm.normalizeByChannelGrad("float32", gx, 0, 0, g, infinite, 2, 5, inner, mean, 0, invstd, 0, false);
      expect(values("float32", gx, n)).toEqual(values("float32", g, n).map((v) => 2 * v));
    }
  });

  it("keeps what rounding the mean loses: two values a last bit or two apart", () => {
    // The mean lies between two float32: from its rounding alone one deviation would come out as 0 or twice too large.
    const pairs = [1000, 1000 + 2 ** -14, 3, 3 + 3 * 2 ** -22, -7 - 2 ** -21, -7];
    const half = pairs.flatMap((x, i) => (i % 2 ? [] : [(pairs[i + 1] - x) / 2]));
    const output = half.flatMap((d) => [-1, 1].map((sign) => (sign * d) / Math.sqrt(d * d + 1e-12)));
    for (const kernels of [reference, wasm]) {
      const [mean, rest, m2, invstd, y] = [3, 3, 3, 3, 6].map((n) => block("float32", n));
      const rows = block("float32", 6, () => 0);
      const rowShape = { rows: 3, groups: 1, channels: 2, inner: 1 };
      for (const [affine, shape] of [
        [false, rowShape],
        [true, rowShape],
        [true, { rows: 3, groups: 1, channels: 1, inner: 2 }],
      ] as const) {
        heap.f32.set(pairs, rows / 4);
        const [one, zero] = [block("float32", 2, () => 1), block("float32", 2, () => 0)];
        kernels.rowNorm("float32", y, mean, rest, invstd, rows, shape, affine ? one : 0, affine ? zero : 0, 1e-12);
        expect(difference(values("float32", y, 6), output)).toBeLessThan(3e-7);
      }
      heap.f32.set(
        [0, 2, 4, 1, 3, 5].map((i) => pairs[i]),
        rows / 4,
      );
      kernels.momentsByChannel("float32", mean, rest, m2, rows, 2, 3, 1);
      kernels.finishMoments("float32", invstd, 0, 0, mean, m2, 3, 2, 1e-12, 0);
      kernels.normalizeByChannel("float32", y, rows, 2, 3, 1, mean, rest, invstd, 0, 0);
      expect(
        difference(
          values("float32", y, 6),
          [0, 2, 4, 1, 3, 5].map((i) => output[i]),
        ),
      ).toBeLessThan(3e-7);
    }
  });

  it("finds the moments of rows whose squares are no float32, and of those with values that are far from all others", () => {
    const length = 70;
    const next = randomNumbers(3);
    const noise = Array.from({ length }, next);
    const rows: number[][] = [
      noise.map((v) => v * 1e25),
      noise.map((v) => v * 1e-27),
      noise.map((v) => 1e6 + v),
      // the first values, of which a pivot is made, lie elsewhere
      noise.map((v, i) => (i < 4 ? 1e5 + v : v)),
      noise.map((_, i) => (i === 17 ? 1e8 : 1)),
      noise.map(() => -0.1),
    ];
    const shape = { rows: rows.length, groups: 1, channels: length, inner: 1 };
    const results = [reference, wasm].map((kernels) => {
      const [mean, rest, invstd] = [0, 1, 2].map(() => block("float32", rows.length));
      const [x, y] = [block("float32", rows.length * length), block("float32", rows.length * length)];
      heap.f32.set(rows.flat(), x / 4);
      kernels.rowNorm("float32", y, mean, rest, invstd, x, shape, 0, 0, 1e-60);
      return [mean, invstd]
        .map((p) => values("float32", p, rows.length))
        .concat([values("float32", y, rows.length * length)]);
    });
    rows.forEach((_, r) => {
      expect(results[1][0][r] / results[0][0][r]).toBeCloseTo(1, 6);
      // the variance of equal values is 0, and 1 / √1e-60 no float32
      expect(results[1][1][r] === results[0][1][r] || Math.abs(results[1][1][r] / results[0][1][r] - 1) < 3e-7).toBe(
        true,
      );
      const row = (of: readonly number[]) => of.slice(r * length, (r + 1) * length);
      expect(difference(row(results[1][2]), row(results[0][2]))).toBeLessThan(5e-7);
    });
  });

  it("rounds x·α + β once where float64 alone would round it twice", () => {
    // (1 + 2⁻²⁰)(1 − 2⁻²⁰)·2⁻²⁴ + 1 + 2⁻²³ lies 2⁻⁶⁴ below the middle of two floats; float64 cannot tell it from the middle.
    for (const inner of [6, 17]) {
      const x = block("float32", 6 * inner, () => 1 + 2 ** -20);
      const [mean, invstd] = [block("float32", 6, () => 0), block("float32", 6, () => (1 - 2 ** -20) * 2 ** -24)];
      const [bias, y] = [block("float32", 6, () => 1 + 2 ** -23), block("float32", 6 * inner)];
      wasm.normalizeByChannel("float32", y, x, 1, 6, inner, mean, 0, invstd, 0, bias);
      expect(values("float32", y, 6 * inner)).toEqual(Array(6 * inner).fill(1 + 2 ** -23));
    }
  });
});
