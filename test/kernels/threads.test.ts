import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend, Pointer } from "../../src/kernels/backend.ts";
import { heap } from "../../src/kernels/heap.ts";
import { setThreadCount, threadCount } from "../../src/kernels/wasm/threads.ts";
import { Arena } from "./arena.ts";
import { isReference, noise, tested } from "./both.ts";

/** One call of a kernel on inputs of its own: `outputs` are its results. */
interface Case {
  readonly outputs: readonly (readonly [at: Pointer, bytes: number])[];
  run(kernels: Backend): void;
}

const arena = new Arena();
const input = (n: number, seed = 1) => arena.put("float32", noise(n, 2, seed));
const output = (n: number): [Pointer, number] => [arena.empty("float32", n), 4 * n];
const shape = { kernelHeight: 3, kernelWidth: 3, strideHeight: 2, strideWidth: 2, dilationHeight: 1, dilationWidth: 1 };
const padding = { paddingHeight: 1, paddingWidth: 1 };

/** A case that writes `sizes` elements to as many outputs. */
function writing(sizes: readonly number[], run: (kernels: Backend, ...outputs: Pointer[]) => void): Case {
  const outputs = sizes.map(output);
  return { outputs, run: (kernels) => run(kernels, ...outputs.map(([at]) => at)) };
}

const N = 200_003;
const CASES: Readonly<Record<string, () => Case>> = {
  unary: () => {
    const x = input(N);
    return writing([N, N], (k, y, z) => {
      k.unary("relu", "float32", y, x, N);
      k.unary("gelu", "float32", z, x, N);
    });
  },
  "gradients of activations": () => {
    const [x, g] = [input(N), input(N, 2)];
    return writing([N], (k, y) => k.unaryGrad("silu", "float32", y, g, x, N));
  },
  "fill, convert, axpy": () => {
    const x = input(N);
    return writing([N, 2 * N, N], (k, y, wide, back) => {
      k.fill("float32", y, N, 1.5);
      k.axpy("float32", y, x, N, 0.3);
      k.convert("float32", "float64", wide, x, N);
      k.convert("float64", "float32", back, wide, N);
    });
  },
  "binary, broadcast": () => {
    const [a, b] = [input(101 * 37 * 53), input(37, 2)];
    return writing([101 * 37 * 53, 101 * 37 * 53], (k, y, mask) => {
      k.binary("mul", "float32", [101, 37, 53], y, a, [1961, 53, 1], b, [0, 1, 0]);
      k.compare("lt", "float32", [101 * 37, 53], mask, a, [53, 1], y, [53, 1]);
    });
  },
  "binary, one row": () => {
    const [a, b] = [input(2 * N), input(1, 2)];
    return writing([N], (k, y) => k.binary("sub", "float32", [N], y, a, [2], b, [0]));
  },
  where: () => {
    const [a, b] = [input(N), input(N, 2)];
    const condition = arena.put(
      "bool",
      noise(N, 1, 3).map((v) => (v > 0 ? 1 : 0)),
    );
    return writing([N, 400 * 501], (k, y, rows) => {
      k.where("float32", [N], y, condition, [1], a, [1], b, [1]);
      k.where("float32", [400, 501], rows, condition, [0, 1], a, [1, 2], b, [1, 0]);
    });
  },
  copies: () => {
    const x = input(300 * 20 * 41);
    return writing([246000, 246000, 246000, 123000], (k, plane, planes, rows, steps) => {
      k.copyStrided(4, [300, 820], plane, [820, 1], x, [1, 300]);
      k.copyStrided(4, [300, 41, 20], planes, [820, 20, 1], x, [820, 1, 41]);
      k.copyStrided(4, [20, 300, 41], rows, [12300, 41, 1], x, [41, 820, 1]);
      k.copyStrided(4, [123000], steps, [1], x, [2]);
    });
  },
  reductions: () => {
    const x = input(300 * 20 * 41);
    return writing([300, 300 * 41, 300, 300, 600], (k, sums, columns, variances, means, positions) => {
      k.reduce("sum", "float32", sums, x, 300, 820, 1);
      k.reduce("max", "float32", columns, x, 300, 20, 41);
      k.variance("float32", variances, means, x, 300, 820, 1, 1);
      k.extremum("max", "float32", 0, positions, x, 300, 820, 1);
    });
  },
  softmax: () => {
    const [x, g] = [input(300 * 820), input(300 * 820, 2)];
    return writing([246000, 246000], (k, y, gx) => {
      k.softmax("float32", true, y, x, 300, 820, 1);
      k.softmaxGrad("float32", true, gx, g, y, 300, 820, 1);
    });
  },
  ...Object.fromEntries(
    // Channels side by side are cut from 2²¹ elements and 129 channels on.
    [[7, 37, 997] as const, [8101, 259, 1] as const].map(([outer, c, inner]) => [
      `norm by channels of ${inner}`,
      () => {
        const n = outer * c * inner;
        const [x, g, weight, bias] = [input(n), input(n, 2), input(c, 3), input(c, 4)];
        return writing(
          [c, c, c, c, n, n, c, c, c, n, n, n, n, 2 + 4 * c, c, c, n],
          (k, mean, rest, m2, invstd, y, gx, gWeight, gBias, sums, given, z, before, tailed, row, gW, gB, own) => {
            k.momentsByChannel("float32", mean, rest, m2, x, outer, c, inner);
            k.finishMoments("float32", invstd, 0, 0, mean, m2, c, outer * inner, 1e-5, 0);
            k.normalizeByChannel("float32", y, x, outer, c, inner, mean, rest, invstd, weight, bias);
            k.normalizeByChannelGrad(
              "float32",
              gx,
              gWeight,
              gBias,
              g,
              x,
              outer,
              c,
              inner,
              mean,
              rest,
              invstd,
              weight,
              true,
            );
            k.batchNorm("float32", z, mean, rest, invstd, 0, 0, x, outer, c, inner, weight, bias, 1e-5, 0, {
              residual: g,
              activation: "relu",
            });
            const tail = { activation: "relu", source: z, before } as const;
            k.normalizeByChannelGrad(
              "float32",
              tailed,
              gWeight,
              gBias,
              g,
              x,
              outer,
              c,
              inner,
              mean,
              rest,
              invstd,
              weight,
              true,
              tail,
            );
            const last = [mean, rest, invstd, weight] as const;
            const alone = { ...tail, before: own, bias };
            k.normalizeByChannelGrad("float32", own, 0, 0, g, x, outer, c, inner, ...last, true, alone);
            k.sumByChannel("float32", sums, x, outer, c, inner);
            const relu = inner > 1 ? z : 0;
            k.givenGradByChannel("float32", given, g, x, outer, c, inner, mean, invstd, weight, gBias, gWeight, relu);
            k.partMoments("float32", row, x, outer, c, inner);
            k.gradSumsByChannel("float32", gW, gB, g, x, outer, c, inner, mean, rest, invstd, tail);
          },
        );
      },
    ]),
  ),
  ...Object.fromEntries(
    [[2600, 1, 97, 1] as const, [600, 3, 5, 29] as const].map(([rows, groups, channels, inner]) => [
      `norm by rows of ${channels} × ${inner}`,
      () => {
        const n = rows * channels * inner;
        const c = groups * channels;
        const s = { rows, groups, channels, inner };
        const [x, g, weight, bias] = [input(n), input(n, 2), input(c, 3), input(c, 4)];
        return writing([rows, rows, rows, n, n, c, c], (k, mean, rest, invstd, y, gx, gWeight, gBias) => {
          k.rowNorm("float32", y, mean, rest, invstd, x, s, weight, bias, 1e-5);
          k.normalizeByRowGrad("float32", gx, gWeight, gBias, g, x, s, mean, rest, invstd, weight);
        });
      },
    ]),
  ),
  "matrix products": () => {
    const [a, b] = [input(600 * 300), input(300 * 520, 2)];
    const product = (k: Backend, out: Pointer, m: number, n: number, transposed = false) =>
      k.gemm(
        "float32",
        {
          batch: 1,
          m,
          n,
          k: 300,
          aStrides: transposed ? [0, 1, m] : [0, 300, 1],
          bStrides: transposed ? [0, 1, 300] : [0, n, 1],
          outStrides: [0, n],
          accumulate: false,
        },
        out,
        a,
        b,
      );
    return writing([520 * 517, 390 * 257, 600 * 65, 100 * 200, 520, 519], (k, wide, both, tall, small, vector, row) => {
      product(k, wide, 520, 517);
      product(k, both, 390, 257, true);
      product(k, tall, 600, 65);
      product(k, small, 100, 200);
      product(k, vector, 520, 1);
      product(k, row, 1, 519);
    });
  },
  ...Object.fromEntries(
    [
      [12, 1, 30, 32, 3, 1],
      [12, 1, 28, 31, 3, 1],
      [9, 20, 16, 52, 3, 1],
      [9, 16, 20, 24, 3, 2],
      [21, 20, 32, 36, 3, 2],
      [90, 16, 12, 28, 3, 2],
      [90, 1, 28, 16, 3, 2],
      [12, 24, 14, 40, 1, 1],
      [24, 16, 40, 24, 1, 2],
      [8, 24, 20, 48, 3, 24],
    ].map(([batch, inChannels, size, outChannels, kernel, strideOrGroups]) => [
      `convolution of ${kernel} × ${kernel}, ${inChannels} to ${outChannels} channels`,
      () => {
        const groups = strideOrGroups === inChannels ? inChannels : 1;
        const stride = groups > 1 ? 1 : strideOrGroups;
        const outSize = Math.floor((size - 1) / stride) + 1;
        const pad = (kernel - 1) / 2;
        const s = {
          ...{ batch, inChannels, inHeight: size, inWidth: size, outChannels, outHeight: outSize, outWidth: outSize },
          ...{ kernelHeight: kernel, kernelWidth: kernel, strideHeight: stride, strideWidth: stride },
          ...{ paddingHeight: pad, paddingWidth: pad, dilationHeight: 1, dilationWidth: 1, groups },
        };
        const inN = batch * inChannels * size * size;
        const outN = batch * outChannels * outSize * outSize;
        const wN = (outChannels * inChannels * kernel * kernel) / groups;
        const [x, g, w, bias] = [input(inN), input(outN, 2), input(wN, 3), input(outChannels, 4)];
        return writing([outN, inN, wN], (k, y, gx, gw) => {
          k.conv2d("float32", s, y, x, w, bias);
          k.conv2dInputGrad("float32", s, gx, g, w);
          k.conv2dWeightGrad("float32", s, gw, g, x);
        });
      },
    ]),
  ),
  pooling: () => {
    const s = {
      planes: 90,
      inHeight: 41,
      inWidth: 43,
      outHeight: 21,
      outWidth: 22,
      ...shape,
      ...padding,
      countIncludePad: true,
      divisorOverride: 0,
    };
    const [inN, outN] = [90 * 41 * 43, 90 * 21 * 22];
    const [x, g] = [input(inN), input(outN, 2)];
    return writing([outN, 2 * outN, inN, outN, inN], (k, max, indices, gxMax, average, gxAverage) => {
      k.maxPool2d("float32", s, max, indices, x);
      k.maxPool2dGrad("float32", s, gxMax, g, indices);
      k.avgPool2d("float32", s, average, x);
      k.avgPool2dGrad("float32", s, gxAverage, g);
    });
  },
  optimizers: () => {
    const [x, g] = [input(N), input(N, 2)];
    const adam = {
      step: 3,
      lr: 0.1,
      beta1: 0.9,
      beta2: 0.99,
      eps: 1e-8,
      weightDecay: 0.1,
      decoupled: false,
      maximize: false,
    };
    const sgd = {
      lr: 0.1,
      momentum: 0.9,
      dampening: 0,
      weightDecay: 0.1,
      nesterov: true,
      maximize: false,
    };
    // pieces that end in the middle of what a thread takes, of a vector, and one that is empty
    const ends = [5, 1000, 1000, 40_003, N];
    const pieces = (p: number, buffer: number) =>
      ends.map((end, i) => {
        const from = i === 0 ? 0 : ends[i - 1];
        const at = 4 * from;
        return { n: end - from, param: p + at, grad: g + at, buffer: buffer + at, first: i !== 3 };
      });
    const rmsprop = { lr: 0.1, alpha: 0.9, eps: 1e-8, weightDecay: 0, momentum: 0, maximize: false };
    return writing([N, N, N, N], (k, p, average, square, buffer) => {
      heap.u8.copyWithin(p, x, x + 4 * N);
      k.fill("float32", average, N, 0);
      k.fill("float32", square, N, 0);
      k.fill("float32", buffer, N, 1);
      k.sgd("float32", pieces(p, buffer), sgd);
      k.adam("float32", N, p, g, average, square, 0, adam);
      k.rmsprop("float32", N, p, g, square, 0, 0, rmsprop);
    });
  },
};

const before = threadCount();
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe.skipIf(isReference)("threads", () => {
  beforeAll(async () => {
    setThreadCount(3);
    const x = input(1 << 18);
    tested.unary("exp", "float32", x, x, 1 << 18);
    await sleep(300); // until the workers have started
  });
  afterAll(() => {
    setThreadCount(before);
    arena.release();
  });

  it.each(Object.keys(CASES))("compute the same bits: %s", (name) => {
    const { outputs, run } = CASES[name]();
    const results = [1, 2, 3, 3].map((count) => {
      for (const [at, bytes] of outputs) heap.u8.fill(0xaa, at, at + bytes);
      setThreadCount(count);
      run(tested);
      return outputs.map(([at, bytes]) => Buffer.from(heap.u8.slice(at, at + bytes)));
    });
    for (const result of results.slice(1)) {
      for (const [i, bytes] of result.entries()) expect(bytes.equals(results[0][i]), `output ${i}`).toBe(true);
    }
  });

  it("do not hang in ten thousand small jobs", () => {
    setThreadCount(2);
    const n = 1 << 17;
    const x = input(n);
    for (let i = 0; i < 10_000; i++) tested.fill("float32", x, n, i);
    expect(heap.f32[x / 4]).toBe(9999);
    expect(heap.f32[x / 4 + n - 1]).toBe(9999);
  });

  it("see memory that was added after they started", () => {
    setThreadCount(3);
    const n = 12_000_000;
    const x = heap.alloc(4 * n);
    for (let value = 1; value < 4; value++) {
      tested.fill("float32", x, n, value);
      for (let i = 0; i < n; i += 1000)
        if (heap.f32[x / 4 + i] !== value) expect.fail(`${i} is ${heap.f32[x / 4 + i]}`);
    }
    heap.free(x);
  });
});
